"""Bekasi's areas as a service knows them: the operator's boundary file where one is given, else our gazetteer."""

from pathlib import Path

import click

from schemas.boundaries import Boundaries, BoundaryFileError
from schemas.gazetteer import gazetteer
from schemas.geography import Geography


def load_geography(boundaries: Path | None) -> Geography:
    """Read once, at start. Raises a click error in one sentence for a file that cannot be used."""
    if boundaries is None:
        return gazetteer()
    try:
        return Boundaries.from_geojson(boundaries.read_bytes())
    except (OSError, BoundaryFileError) as error:
        raise click.ClickException(f"--boundaries {boundaries} cannot be used: {error}") from error
