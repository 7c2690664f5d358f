"""Saved filters in PostgreSQL."""

from typing import Annotated, Final

import asyncpg
import msgspec
from msgspec import Meta

from dispatcher.decisions.proof import Flag
from infra.postgres import Connection
from schemas.vocabulary import AgencyCode, Category, IncidentStatus, Priority, Regency
from schemas.wire import SEEN, Inbound, Record

_COLUMNS: Final = "id, owner, name, filter, shared"


#: A status, or `open` for all that are not ended.
_Status = Annotated[str, Meta(pattern=rf"^({'|'.join(('open', *IncidentStatus))})(?!\n)$")]
_Code = Annotated[str, Meta(pattern=r"^[0-9]{2}\.[0-9]{2}\.[0-9]{2}(?!\n)$")]
_Box = Annotated[str, Meta(pattern=r"^-?[0-9]{1,3}(\.[0-9]{1,20})?(,-?[0-9]{1,3}(\.[0-9]{1,20})?){3}(?!\n)$")]


class IncidentFilter(Inbound, frozen=True):
    """Parameters of `GET /api/v1/incidents`, those that are given; times apart, which would soon be past."""

    status: tuple[_Status, ...] = ()
    agency: tuple[AgencyCode, ...] = ()
    regency: tuple[Regency, ...] = ()
    category: tuple[Category, ...] = ()
    kecamatan: Annotated[tuple[_Code, ...], Meta(max_length=64)] = ()
    priority: tuple[Priority, ...] = ()
    flag: tuple[Flag, ...] = ()
    bbox: _Box | None = None
    q: Annotated[str, Meta(min_length=1, max_length=200, pattern=SEEN)] | None = None
    overdue: bool | None = None


class SavedFilter(Record, frozen=True):
    """A filter of the incident list under a name."""

    id: str
    owner: str
    name: str
    filter: IncidentFilter
    shared: bool


async def select_page(connection: Connection, owner: str, after: str, limit: int) -> list[SavedFilter]:
    """This person's and the shared ones by id, behind `after`."""
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} FROM saved_filter WHERE (owner = $1 OR shared) AND id > $2 ORDER BY id LIMIT $3",  # noqa: S608
        owner,
        after,
        limit,
    )
    return [_from_row(row) for row in rows]


async def count(connection: Connection, owner: str) -> int:
    """How many somebody has."""
    found: int = await connection.fetchval("SELECT count(*) FROM saved_filter WHERE owner = $1", owner)
    return found


async def is_own(connection: Connection, filter_id: str, owner: str) -> bool:
    """Whether this person has it."""
    found: bool = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM saved_filter WHERE id = $1 AND owner = $2)", filter_id, owner
    )
    return found


async def put(connection: Connection, made: SavedFilter) -> SavedFilter:
    """A new one, or one of the same owner as it is to be."""
    await connection.execute(
        f"INSERT INTO saved_filter ({_COLUMNS}) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (id) DO UPDATE"  # noqa: S608
        " SET name = excluded.name, filter = excluded.filter, shared = excluded.shared, updated_at = now()"
        " WHERE saved_filter.owner = excluded.owner",
        made.id,
        made.owner,
        made.name,
        msgspec.to_builtins(made.filter),
        made.shared,
    )
    return made


async def delete(connection: Connection, filter_id: str, owner: str) -> bool:
    """False when this person has none of this id."""
    return bool(
        await connection.fetchval(
            "DELETE FROM saved_filter WHERE id = $1 AND owner = $2 RETURNING true", filter_id, owner
        )
    )


def _from_row(row: asyncpg.Record) -> SavedFilter:
    return SavedFilter(
        id=row["id"],
        owner=row["owner"],
        name=row["name"],
        filter=msgspec.convert(row["filter"], IncidentFilter),
        shared=row["shared"],
    )
