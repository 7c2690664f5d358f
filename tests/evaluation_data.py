"""Where the evaluation data lies that is not part of the project: real texts, pairs and boundaries."""

import os
from pathlib import Path

import pytest


def evaluation_file(name: str) -> Path:
    """The file of that name under `PATRIOT_EVAL_DATA` (default `../shared/data` beside the project), else a skip."""
    root = Path(__file__).resolve().parents[1]
    directory = Path(os.environ.get("PATRIOT_EVAL_DATA", root.parent / "shared" / "data"))
    path = directory / name
    if not path.is_file():
        pytest.skip(f"evaluation data {name} is not in {directory}; set PATRIOT_EVAL_DATA to where it is")
    return path
