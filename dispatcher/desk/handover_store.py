"""Hand-overs in PostgreSQL: what was told stays as it was signed."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import asyncpg

from dispatcher.desk.page import Mark
from infra.postgres import Connection
from schemas.place import AgencyRef
from schemas.wire import Record, Timestamp

_COLUMNS: Final = "id, agencies, since, giver, given_at, taker, taken_at, note, remark, digest"


class HandoverRow(Record, frozen=True):
    """A hand-over without what it tells."""

    id: str
    #: Of whose work; none: of the whole city's.
    agencies: tuple[AgencyRef, ...]
    since: Timestamp
    giver: str
    given_at: Timestamp
    taker: str
    #: Null until the taker has signed.
    taken_at: Timestamp | None
    note: str
    remark: str | None
    #: SHA-256 of the content (keys sorted, no blanks), which both have signed: it stands in the audit for each.
    digest: str


async def insert(connection: Connection, made: HandoverRow, content: object) -> None:
    """Keep it, signed by its giver."""
    await connection.execute(
        f"INSERT INTO handover ({_COLUMNS}, content) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",  # noqa: S608
        made.id,
        [str(agency) for agency in made.agencies],
        made.since,
        made.giver,
        made.given_at,
        made.taker,
        made.taken_at,
        made.note,
        made.remark,
        made.digest,
        content,
    )


async def select(connection: Connection, handover_id: str) -> tuple[HandoverRow, object] | None:
    """One, with its content as it was signed."""
    row = await connection.fetchrow(f"SELECT {_COLUMNS}, content FROM handover WHERE id = $1", handover_id)  # noqa: S608
    return (_from_row(row), row["content"]) if row else None


async def take(connection: Connection, handover_id: str, at: datetime, remark: str | None) -> HandoverRow | None:
    """Signed by its taker; None when that was done before."""
    row = await connection.fetchrow(
        "UPDATE handover SET taken_at = $2, remark = $3 WHERE id = $1 AND taken_at IS NULL"  # noqa: S608
        f" RETURNING {_COLUMNS}",
        handover_id,
        at,
        remark,
    )
    return _from_row(row) if row else None


async def select_page(connection: Connection, after: Mark | None, limit: int) -> list[HandoverRow]:
    """Newest first, in the asker's scope."""
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} FROM handover WHERE $1::timestamptz IS NULL OR (given_at, id) < ($1, $2)"  # noqa: S608
        " ORDER BY given_at DESC, id DESC LIMIT $3",
        after.updated_at if after else None,
        after.id if after else None,
        limit,
    )
    return [_from_row(row) for row in rows]


async def last_given(connection: Connection, agencies: Sequence[AgencyRef], after: datetime) -> datetime | None:
    """When the work of just these agencies was last handed over, if that was after a time."""
    at: datetime | None = await connection.fetchval(
        "SELECT max(given_at) FROM handover WHERE given_at > $2 AND agencies <@ $1 AND agencies @> $1",
        [str(agency) for agency in agencies],
        after,
    )
    return at


def _from_row(row: asyncpg.Record) -> HandoverRow:
    return HandoverRow(
        **{
            **{name: row[name] for name in HandoverRow.__struct_fields__},
            "agencies": tuple(AgencyRef.parse(text) for text in row["agencies"]),
        }
    )
