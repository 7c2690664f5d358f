"""One look at one thing that Patriot needs, and the sentence that says how it is."""

from __future__ import annotations

import shutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

import asyncpg

from infra.local.ports import is_free
from infra.migrate import applied, newest
from infra.postgres import TRANSIENT, Connection, connect, sentence
from schemas.boundaries import Boundaries, BoundaryFileError

#: Bytes free on the disk: below the first `up` refuses to start, below the second it is time to look.
_FREE_LEAST, _FREE_GOOD = 500 * 1024**2, 5 * 1024**3
#: A clock further from the database's than this moves due times and freshness that people see.
CLOCK_TOLERANCE = timedelta(seconds=2)
#: No clock of a machine that runs this release can be before it.
_RELEASED = datetime(2026, 1, 1, tzinfo=UTC)
_OLDEST_POSTGRES = 16


class State(StrEnum):
    """How a check came out; only FAIL makes the doctor end with 1."""

    OK = "ok"
    SKIP = "-"
    #: It works, and is unsafe.
    WARN = "warn"
    FAIL = "FAIL"


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the doctor's."""

    name: str
    state: State
    text: str


#: Further checks on a connection to the database.
MoreChecks = Callable[[Connection], Awaitable[list[Check]]]


def port(name: str, host: str, number: int, *, ours: bool) -> Check:
    """Whether `number` is ours already or could be."""
    if ours:
        return Check(name, State.OK, f"{number} is ours")
    if is_free(host, number):
        return Check(name, State.OK, f"{number} is free on {host}")
    return Check(name, State.FAIL, f"{number} on {host} is taken by another program; `up` would choose a free one")


def disk(data_dir: Path) -> Check:
    """Room where the data is, or would be."""
    place = data_dir.absolute()
    while not place.exists():
        place = place.parent
    try:
        free = shutil.disk_usage(place).free
    except OSError as error:
        return Check("disk", State.FAIL, f"{place} cannot be looked at ({error.strerror})")
    text = f"{free / 1024**3:.1f} GB are free at {place}"
    if free < _FREE_LEAST:
        return Check("disk", State.FAIL, f"{text}; `up` needs {_FREE_LEAST / 1024**3:.1f} GB")
    if free < _FREE_GOOD:
        return Check("disk", State.WARN, f"{text}, which is little")
    return Check("disk", State.OK, text)


def clock(now: datetime, of_database: datetime | None) -> Check:
    """Whether our clock can be believed: against the database's where there is one."""
    if now < _RELEASED:
        return Check("clock", State.FAIL, f"it says {now:%Y-%m-%d}, which is before this release was made; set it")
    if of_database is None:
        return Check("clock", State.OK, f"{now:%Y-%m-%d %H:%M:%S} UTC (no database to compare with)")
    apart = abs(now - of_database)
    if apart > CLOCK_TOLERANCE:
        return Check(
            "clock", State.FAIL, f"{apart.total_seconds():.1f} s from PostgreSQL's; let both use one NTP server"
        )
    return Check("clock", State.OK, f"{apart.total_seconds() * 1000:.0f} ms from PostgreSQL's")


async def postgres(dsn: str, now: datetime, more: MoreChecks | None = None) -> list[Check]:
    """The server, its schema, its clock against `now`, and what `more` looks at on the same connection."""
    try:
        connection = await connect(dsn, application="patriot-doctor")
    except (*TRANSIENT, asyncpg.PostgresError) as error:
        failed = Check("PostgreSQL", State.FAIL, f"{sentence(error)} ({type(error).__name__}: {error})")
        return [failed, Check("schema", State.SKIP, "no database to ask"), clock(now, None)]
    try:
        of_database = await connection.fetchval("SELECT clock_timestamp()")
        number = int(await connection.fetchval("SHOW server_version_num"))
        found = await applied(connection)
        further = await more(connection) if more is not None else []
    finally:
        await connection.close(timeout=5)
    major = number // 10_000
    server = (
        Check("PostgreSQL", State.OK, f"version {major}.{number % 10_000}")
        if major >= _OLDEST_POSTGRES
        else Check("PostgreSQL", State.FAIL, f"version {major} is too old; {_OLDEST_POSTGRES} or newer is needed")
    )
    return [server, _schema(max(found, default=0)), clock(now, of_database), *further]


def _schema(version: int) -> Check:
    if version < newest():
        return Check("schema", State.FAIL, f"version {version}, this release needs {newest()}; run `patriot migrate`")
    if version > newest():
        return Check(
            "schema", State.OK, f"version {version}, newer than this release's {newest()}: also update it here"
        )
    return Check("schema", State.OK, f"version {version} is current")


def boundaries(path: Path | None) -> Check:
    """Whether the boundary file can be used."""
    if path is None:
        return Check("boundaries", State.OK, "no file given; the gazetteer places reports")
    try:
        Boundaries.from_geojson(path.read_bytes())
    except OSError as error:
        return Check("boundaries", State.FAIL, f"{path} cannot be read ({error.strerror})")
    except BoundaryFileError as error:
        return Check("boundaries", State.FAIL, str(error))
    return Check("boundaries", State.OK, f"{path} can be used")
