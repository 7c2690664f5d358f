"""The roster in PostgreSQL. Shifts of one officer never overlap: who writes one locks the officer first."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import asyncpg

from dispatcher.decisions.roster import Shift
from infra.postgres import Connection
from schemas.place import AgencyRef
from schemas.vocabulary import AgencyCode, Regency

_SELECT: Final = (
    "SELECT s.id, s.officer, o.name, o.regency, o.agency, s.starts_at, s.ends_at, s.kecamatan, s.put_by, s.updated_at"
    " FROM shift s JOIN officer o ON o.username = s.officer"
)


def _from_row(row: asyncpg.Record) -> Shift:
    return Shift(
        id=row["id"],
        officer=row["officer"],
        officer_name=row["name"],
        agency=AgencyRef(regency=Regency(row["regency"]), agency=AgencyCode(row["agency"])),
        starts_at=row["starts_at"],
        ends_at=row["ends_at"],
        kecamatan=row["kecamatan"],
        put_by=row["put_by"],
        updated_at=row["updated_at"],
    )


async def select_for_update(connection: Connection, shift_id: str) -> Shift | None:
    """One, locked. Its officer is not."""
    row = await connection.fetchrow(f"{_SELECT} WHERE s.id = $1 FOR UPDATE OF s", shift_id)
    return _from_row(row) if row else None


async def select_between(
    connection: Connection, officers: Sequence[str], start: datetime, end: datetime
) -> list[Shift]:
    """All of these officers' that touch a time, by officer and time."""
    rows = await connection.fetch(
        f"{_SELECT} WHERE s.officer = ANY($1) AND s.ends_at > $2 AND s.starts_at < $3 ORDER BY s.officer, s.starts_at",
        list(officers),
        start,
        end,
    )
    return [_from_row(row) for row in rows]


async def select_page(
    connection: Connection,
    *,
    officer: str | None,
    agencies: Sequence[AgencyRef],
    kecamatan: str | None,
    start: datetime | None,
    end: datetime | None,
    after: tuple[datetime, str] | None,
    limit: int,
) -> list[Shift]:
    """By beginning: of one officer, of these agencies (none: of all), for this kecamatan, touching `start` to `end`."""
    rows = await connection.fetch(
        f"{_SELECT} WHERE ($1::text IS NULL OR s.officer = $1)"
        " AND ($2::text[] = '{}' OR o.regency || '/' || o.agency = ANY($2))"
        " AND ($3::text IS NULL OR s.kecamatan = $3)"
        " AND ($4::timestamptz IS NULL OR s.ends_at > $4) AND ($5::timestamptz IS NULL OR s.starts_at < $5)"
        " AND ($6::timestamptz IS NULL OR (s.starts_at, s.id) > ($6, $7)) ORDER BY s.starts_at, s.id LIMIT $8",
        officer,
        [str(agency) for agency in agencies],
        kecamatan,
        start,
        end,
        after[0] if after else None,
        after[1] if after else None,
        limit,
    )
    return [_from_row(row) for row in rows]


async def insert(connection: Connection, shifts: Sequence[Shift]) -> None:
    """New ones. Their officers must be locked."""
    await connection.executemany(
        "INSERT INTO shift (id, officer, starts_at, ends_at, kecamatan, put_by, updated_at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7)",
        [_values(shift) for shift in shifts],
    )


async def update(connection: Connection, shift: Shift) -> None:
    """Another time, officer or place. Its officer must be locked."""
    await connection.execute(
        "UPDATE shift SET officer = $2, starts_at = $3, ends_at = $4, kecamatan = $5, put_by = $6, updated_at = $7"
        " WHERE id = $1",
        *_values(shift),
    )


async def delete(connection: Connection, shift_id: str) -> None:
    """It is not worked."""
    await connection.execute("DELETE FROM shift WHERE id = $1", shift_id)


def _values(shift: Shift) -> tuple[object, ...]:
    return (
        shift.id,
        shift.officer,
        shift.starts_at,
        shift.ends_at,
        shift.kecamatan,
        shift.put_by,
        shift.updated_at,
    )
