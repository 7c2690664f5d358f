"""Keeps the schemas of a release, so that the next ones are held against them: `python -m infra.release`."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from infra import generate
from infra.http import release
from schemas.compatibility import breaks
from schemas.events import VALUES

_ROOT: Final = Path(__file__).resolve().parent.parent / "schemas"
_KEPT: Final = _ROOT / "released"


def kept() -> Mapping[tuple[str, str], dict[str, Any]]:
    """The schemas of all releases that were kept, by version and event type."""
    return {
        (path.parent.name, path.stem): json.loads(path.read_text("utf-8")) for path in sorted(_KEPT.glob("*/*.json"))
    }


def broken() -> list[str]:
    """How today's types break with a release that was kept, a sentence each."""
    found = []
    for (version, kind), schema in kept().items():
        sentences = breaks(schema, generate.json_schema(kind)) if kind in VALUES else ["the type is gone"]
        found += [f"{kind} of {version}: {sentence}" for sentence in sentences]
    return found


def keep(folder: Path) -> str | None:
    """Keep the generated schemas in `folder`, or say why not; what was kept once is never changed."""
    if stale := generate.stale():
        return f"{stale[0].name} is stale; run python -m infra.generate"
    if found := broken():
        return "\n".join(found)
    wanted = {folder / path.name: path.read_bytes() for path in (_ROOT / "json").glob("*.json")}
    if folder.exists():
        same = wanted == {path: path.read_bytes() for path in folder.glob("*.json")}
        return None if same else f"{folder.name} was kept with other schemas; give this release a version of its own"
    folder.mkdir(parents=True)
    for path, content in wanted.items():
        path.write_bytes(content)
    return None


def main() -> int:
    """Keep them as those of the version in pyproject.toml; 1 when that cannot be."""
    trouble = keep(_KEPT / release())
    if trouble is not None:
        print(trouble, file=sys.stderr)
    return 0 if trouble is None else 1


if __name__ == "__main__":
    sys.exit(main())
