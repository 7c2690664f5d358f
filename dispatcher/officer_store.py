"""Officers in PostgreSQL: who they are, whether they can be asked, where they are; each change is a row of the board.

Lock order of everything that people do: the incident first, then its assignments, then the choice among an agency's
officers (`choosing.lock`), then officers (by username). A transaction that needs several takes them in this order and
never goes back.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Final

import asyncpg
import msgspec

from dispatcher import outbox_store
from dispatcher.decisions.assignment import status_of_work
from dispatcher.decisions.calendar import JAKARTA
from infra.postgres import Connection
from schemas.feed import OfficerRow, Tags
from schemas.place import AgencyRef
from schemas.vocabulary import AgencyCode, FeedChannel, OfficerStatus, Regency

_COLUMNS: Final = "username, name, regency, agency, status, lat, lon, accuracy_m, position_at, updated_at"
#: What the officer works on, else the oldest unanswered offer.
_ASSIGNMENT: Final = (
    "(SELECT a.id FROM assignment a WHERE a.officer = o.username"
    " AND a.status IN ('offered', 'accepted', 'en_route', 'on_scene')"
    " ORDER BY a.status = 'offered', a.offered_at LIMIT 1) AS assignment_id"
)


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """Where a phone says it is (WGS 84), and when it was there, not later than now."""

    lat: float
    lon: float
    at: datetime
    accuracy_m: float | None = None


class Officer(msgspec.Struct, frozen=True, kw_only=True):
    """An officer of one agency."""

    username: str
    name: str
    agency: AgencyRef
    status: OfficerStatus
    #: The last position told, WGS 84; forgotten when going off duty.
    lat: float | None = None
    lon: float | None = None
    accuracy_m: float | None = None
    position_at: datetime | None = None
    updated_at: datetime

    def at(self, position: Position | None) -> "Officer":
        """The officer at a position, unless a newer one is known or none was told."""
        if position is None or (self.position_at is not None and position.at < self.position_at):
            return self
        moved: Officer = msgspec.structs.replace(
            self, lat=position.lat, lon=position.lon, accuracy_m=position.accuracy_m, position_at=position.at
        )
        return moved

    def off_duty(self) -> "Officer":
        """The officer at home: where that is, is nobody's business."""
        gone: Officer = msgspec.structs.replace(
            self, status=OfficerStatus.OFF_DUTY, lat=None, lon=None, accuracy_m=None, position_at=None
        )
        return gone

    def row(self, assignment_id: str | None) -> OfficerRow:
        """As others see it."""
        return OfficerRow(
            id=self.username,
            name=self.name,
            agency=self.agency.agency,
            regency=self.agency.regency,
            status=self.status,
            lat=self.lat,
            lon=self.lon,
            position_at=self.position_at,
            assignment_id=assignment_id,
        )

    def tags(self) -> Tags:
        """What its row is scoped by on the feed."""
        return {"agency": str(self.agency)}


def _from_row(row: asyncpg.Record) -> Officer:
    return Officer(
        username=row["username"],
        name=row["name"],
        agency=AgencyRef(regency=Regency(row["regency"]), agency=AgencyCode(row["agency"])),
        status=OfficerStatus(row["status"]),
        lat=row["lat"],
        lon=row["lon"],
        accuracy_m=row["accuracy_m"],
        position_at=row["position_at"],
        updated_at=row["updated_at"],
    )


async def select_for_update(connection: Connection, usernames: Sequence[str]) -> dict[str, Officer]:
    """As they are now, locked until the transaction ends, in the order of usernames."""
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} FROM officer WHERE username = ANY($1) ORDER BY username FOR UPDATE",  # noqa: S608
        list(usernames),
    )
    return {row["username"]: _from_row(row) for row in rows}


async def has_work(connection: Connection, username: str) -> bool:
    """Whether the officer has said yes to something that is not done; then `busy` is the only true status."""
    found: bool = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM assignment WHERE officer = $1 AND status IN ('accepted', 'en_route', 'on_scene'))",
        username,
    )
    return found


async def settle(
    connection: Connection,
    usernames: Sequence[str],
    now: datetime,
    traceparent: str | None = None,
    positions: Mapping[str, Position | None] = MappingProxyType({}),
) -> None:
    """Officers whose assignments have changed: `busy` while they work on something, else as they were, or available
    again. Locks them; writes them and their rows for the board. `positions`: where they have said to be by now."""
    for username, officer in (await select_for_update(connection, usernames)).items():
        await _sum_up(connection, username, now)
        status = status_of_work(officer.status, working=await has_work(connection, username))
        after = msgspec.structs.replace(officer.at(positions.get(username)), status=status, updated_at=now)
        await save(connection, after, traceparent)


async def _sum_up(connection: Connection, username: str, now: datetime) -> None:
    """Put on the officer what the own assignments come to: what choosing looks at (dispatcher/choosing.py)."""
    midnight = now.astimezone(JAKARTA).replace(hour=0, minute=0, second=0, microsecond=0)
    await connection.execute(
        """
        UPDATE officer SET accepted_on = $3, open_offers = sums.offers, accepted_count = sums.accepted,
                           work_ended_at = greatest(work_ended_at, sums.ended_at)
          FROM (SELECT count(*) FILTER (WHERE status = 'offered') AS offers,
                       count(*) FILTER (WHERE accepted_at >= $2) AS accepted,
                       max(updated_at) FILTER (WHERE accepted_at IS NOT NULL
                                                 AND status IN ('completed', 'declined', 'released')) AS ended_at
                  FROM assignment WHERE officer = $1
                   AND (status IN ('offered', 'accepted', 'en_route', 'on_scene') OR updated_at >= $2)) AS sums
         WHERE username = $1
        """,
        username,
        midnight,
        midnight.date(),
    )


async def add(connection: Connection, officer: Officer) -> None:
    """An officer who is new, or comes back; on the board from now on. The account must exist."""
    await connection.execute(
        f"INSERT INTO officer ({_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"  # noqa: S608
        f" ON CONFLICT (username) DO UPDATE SET ({_COLUMNS}) = ROW ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        *_values(officer),
    )
    row = officer.row(None)
    await outbox_store.add(
        connection, [outbox_store.row_changed(FeedChannel.OFFICERS, officer.username, row, officer.tags(), None)]
    )


async def save(connection: Connection, officer: Officer, traceparent: str | None = None) -> OfficerRow:
    """Write an officer whose row is locked, and the row for the board (the answer), with the assignment as it is.

    Who has left the board does not come back to it.
    """
    await connection.execute(
        f"UPDATE officer SET ({_COLUMNS}) = ROW ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"  # noqa: S608
        " WHERE username = $1",
        *_values(officer),
    )
    found = await connection.fetchrow(
        f"SELECT {_ASSIGNMENT}, c.disabled_at IS NULL AS in_use"  # noqa: S608
        " FROM officer o JOIN account c USING (username) WHERE username = $1",
        officer.username,
    )
    row = officer.row(found["assignment_id"] if found else None)
    if found and found["in_use"]:
        tags = officer.tags()
        await outbox_store.add(
            connection,
            [outbox_store.row_changed(FeedChannel.OFFICERS, officer.username, row, tags, tags, traceparent)],
        )
    return row


async def row_of(connection: Connection, officer: Officer) -> OfficerRow:
    """The officer as others see them now."""
    assignment_id = await connection.fetchval(
        f"SELECT {_ASSIGNMENT} FROM officer o WHERE username = $1",  # noqa: S608
        officer.username,
    )
    return officer.row(assignment_id)


async def leave(connection: Connection, username: str, now: datetime) -> None:
    """An officer whose account ended: off duty, without a position, and no longer on the board."""
    officer = (await select_for_update(connection, [username])).get(username)
    if officer is None:
        return
    gone: Officer = msgspec.structs.replace(officer.off_duty(), updated_at=now)
    await connection.execute(
        f"UPDATE officer SET ({_COLUMNS}) = ROW ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"  # noqa: S608
        " WHERE username = $1",
        *_values(gone),
    )
    await outbox_store.add(connection, [outbox_store.row_removed(FeedChannel.OFFICERS, username, officer.tags())])


async def select_rows(
    connection: Connection, agencies: Sequence[AgencyRef], after: str, limit: int
) -> list[OfficerRow]:
    """Officers by username, of these agencies (none given: of all), whose accounts are in use."""
    rows = await connection.fetch(
        f"SELECT o.*, {_ASSIGNMENT} FROM officer o JOIN account c USING (username)"  # noqa: S608
        " WHERE username > $1 AND c.disabled_at IS NULL"
        " AND ($2::text[] = '{}' OR o.regency || '/' || o.agency = ANY($2)) ORDER BY username LIMIT $3",
        after,
        [str(agency) for agency in agencies],
        limit,
    )
    return [_from_row(row).row(row["assignment_id"]) for row in rows]


async def select_skills(connection: Connection, usernames: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """What these officers can do."""
    rows = await connection.fetch("SELECT username, skills FROM officer WHERE username = ANY($1)", list(usernames))
    return {row["username"]: tuple(row["skills"]) for row in rows}


async def set_skills(connection: Connection, username: str, skills: Sequence[str]) -> None:
    """What an officer, whose row is locked, can do from now on."""
    await connection.execute("UPDATE officer SET skills = $2 WHERE username = $1", username, list(skills))


async def select_board(connection: Connection) -> list[outbox_store.Outgoing]:
    """The row of every officer whose account is in use."""
    rows = await connection.fetch(
        f"SELECT o.*, {_ASSIGNMENT} FROM officer o JOIN account c USING (username) WHERE c.disabled_at IS NULL"  # noqa: S608
    )
    shown = [(_from_row(row), row["assignment_id"]) for row in rows]
    return [
        outbox_store.row_changed(FeedChannel.OFFICERS, one.username, one.row(assignment), one.tags(), None)
        for one, assignment in shown
    ]


def _values(officer: Officer) -> tuple[object, ...]:
    return (
        officer.username,
        officer.name,
        officer.agency.regency.value,
        officer.agency.agency.value,
        officer.status.value,
        officer.lat,
        officer.lon,
        officer.accuracy_m,
        officer.position_at,
        officer.updated_at,
    )
