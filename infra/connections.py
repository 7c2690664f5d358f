"""Where the Kafka and PostgreSQL of a running `patriot up` are, for commands that are pointed at its data directory."""

from pathlib import Path
from typing import Final

import click
import msgspec

#: What `up` tells other commands, written whole once all is up and removed when it stops (infra.local.addresses).
FILE: Final = "up.json"


class Connections(msgspec.Struct, frozen=True):
    """The part of the file that commands need."""

    kafka_bootstrap: str
    postgres_dsn: str


def of(data_dir: Path) -> Connections | None:
    """What the `up` on this directory told; None when none has. It may have been killed since."""
    try:
        return msgspec.json.decode((data_dir / FILE).read_bytes(), type=Connections)
    except (OSError, msgspec.DecodeError):
        return None


def postgres_dsn(given: str | None, data_dir: Path) -> str:
    """The database that a command works on: the one that was given, else that of the `up` on the data directory.

    Raises a click error in one sentence when there is neither.
    """
    if given:
        return given
    found = of(data_dir)
    if found is None:
        raise click.ClickException(
            f"no `patriot up` runs on {data_dir}: start it, or name another --data-dir or a --postgres-dsn"
        )
    return found.postgres_dsn
