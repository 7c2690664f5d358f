"""What one shift tells the next, read from what has happened: open, at risk, on hold, who is out, notes, changes."""

from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Final

import asyncpg
import msgspec

from dispatcher.decisions.incident import ACTIVE_ASSIGNMENT
from dispatcher.decisions.incident_verbs_ending import REPORTER
from dispatcher.desk.scope import Scope
from infra.postgres import Connection
from schemas.vocabulary import OPEN_STATUSES, AssignmentStatus, Category, IncidentStatus, Priority
from schemas.wire import Record, Timestamp

#: What is due within this is at risk: half a shift, in which the next one can still do something.
AT_RISK: Final = timedelta(hours=4)
#: Of each list; beside it stands how many there are in all.
MOST: Final = 200

_UNDER_CLOCK: Final = sorted(OPEN_STATUSES - {IncidentStatus.RESOLVED})
#: Of incidents `i` in the scope $1 (agencies; none: all), $2 (kecamatan), $3 (kelurahan).
_IN_SCOPE: Final = (
    "($1::text[] = '{}' OR i.regency || '/' || i.agency = ANY($1) OR i.co_agencies && $1)"
    " AND ($2::text IS NULL OR i.kecamatan = $2) AND ($3::text IS NULL OR i.kelurahan = $3)"
)


class HandoverLine(Record, frozen=True):
    """An incident in a list."""

    id: str
    title: str
    category: Category
    status: IncidentStatus
    priority: Priority
    due_at: Timestamp | None


class HandoverHeld(HandoverLine, frozen=True):
    """One that waits: why, since when, and until when if that was said."""

    reason: str | None
    since: Timestamp | None
    until: Timestamp | None


class HandoverChanged(HandoverLine, frozen=True):
    """One that has changed: how it stood when the shift began; null: it was not there."""

    was: IncidentStatus | None
    updated_at: Timestamp


class OfficerOut(Record, frozen=True):
    """An officer at work, or asked."""

    officer_id: str
    name: str
    status: AssignmentStatus
    since: Timestamp
    incident_id: str
    title: str


class HandoverNote(Record, frozen=True):
    """A note of staff."""

    incident_id: str
    title: str
    at: Timestamp
    actor: str
    note: str


class HandoverContent(Record, frozen=True):
    """All of it, as of `until`. Lists hold up to 200; how many there are in all stands in `counts` under their name."""

    since: Timestamp
    until: Timestamp
    #: Open incidents by status.
    open: dict[str, int]
    #: What happened since the shift began, by its name in the history (`opened`, `resolved`, `reopened` …).
    happened: dict[str, int]
    counts: dict[str, int]
    overdue: tuple[HandoverLine, ...]
    at_risk: tuple[HandoverLine, ...]
    on_hold: tuple[HandoverHeld, ...]
    officers_out: tuple[OfficerOut, ...]
    notes: tuple[HandoverNote, ...]
    changed: tuple[HandoverChanged, ...]


def digest_of(content: object) -> str:
    """SHA-256 of the content in one spelling of JSON, as hex: what both sign."""
    return sha256(msgspec.json.encode(content, order="deterministic")).hexdigest()


async def select_content(connection: Connection, scope: Scope, since: datetime) -> HandoverContent:
    """Call it in a transaction that sees one moment."""
    who = ([str(agency) for agency in scope.agencies], scope.kecamatan, scope.kelurahan)
    until: datetime = await connection.fetchval("SELECT now()")
    open_ = await connection.fetch(
        f"SELECT i.status AS name, count(*) AS n FROM incident i WHERE {_IN_SCOPE} AND i.status = ANY($4)"  # noqa: S608
        " GROUP BY 1 ORDER BY 1",
        *who,
        sorted(OPEN_STATUSES),
    )
    happened = await connection.fetch(
        "SELECT h.change AS name, count(*) AS n FROM incident i JOIN incident_history h ON h.incident_id = i.id"  # noqa: S608
        f" WHERE {_IN_SCOPE} AND i.updated_at >= $4 AND h.at >= $4 GROUP BY 1 ORDER BY 1",
        *who,
        since,
    )
    overdue = await _due(connection, who, until - timedelta(days=36_500), until)
    at_risk = await _due(connection, who, until, until + AT_RISK)
    on_hold = await connection.fetch(
        "SELECT i.id, i.title, i.category, i.status, i.priority, i.due_at, i.pauses -> -1 AS pause,"  # noqa: S608
        f" count(*) OVER () AS n FROM incident i WHERE {_IN_SCOPE} AND i.status = 'on_hold'"
        " ORDER BY i.updated_at, i.id LIMIT $4",
        *who,
        MOST,
    )
    out = await connection.fetch(
        "SELECT a.officer AS officer_id, o.name, a.status, a.updated_at AS since, a.incident_id, i.title,"  # noqa: S608
        " count(*) OVER () AS n FROM assignment a JOIN officer o ON o.username = a.officer"
        f" JOIN incident i ON i.id = a.incident_id WHERE {_IN_SCOPE} AND a.status = ANY($5)"
        " ORDER BY o.name, a.offered_at, a.id LIMIT $4",
        *who,
        MOST,
        sorted(ACTIVE_ASSIGNMENT),
    )
    notes = await connection.fetch(
        "SELECT h.incident_id, i.title, h.at, h.actor, h.note, count(*) OVER () AS n FROM incident i"  # noqa: S608
        f" JOIN incident_history h ON h.incident_id = i.id WHERE {_IN_SCOPE} AND i.updated_at >= $5 AND h.at >= $5"
        " AND h.note IS NOT NULL AND h.actor <> ALL($6) ORDER BY h.at, h.incident_id, h.version LIMIT $4",
        *who,
        MOST,
        since,
        [REPORTER, "dispatcher"],
    )
    changed = await connection.fetch(
        "SELECT i.id, i.title, i.category, i.status, i.priority, i.due_at, i.updated_at, (SELECT h.status"  # noqa: S608
        "   FROM incident_history h WHERE h.incident_id = i.id AND h.at < $5 ORDER BY h.version DESC LIMIT 1) AS was,"
        f" count(*) OVER () AS n FROM incident i WHERE {_IN_SCOPE} AND i.updated_at >= $5"
        " ORDER BY i.updated_at DESC, i.id LIMIT $4",
        *who,
        MOST,
        since,
    )
    lists = {"overdue": overdue, "at_risk": at_risk, "on_hold": on_hold, "officers_out": out, "notes": notes}
    return HandoverContent(
        since=since,
        until=until,
        open={row["name"]: row["n"] for row in open_},
        happened={row["name"]: row["n"] for row in happened},
        counts={name: rows[0]["n"] if rows else 0 for name, rows in {**lists, "changed": changed}.items()},
        overdue=tuple(_line(row) for row in overdue),
        at_risk=tuple(_line(row) for row in at_risk),
        on_hold=tuple(_held(row) for row in on_hold),
        officers_out=tuple(_out(row) for row in out),
        notes=tuple(
            HandoverNote(**{name: row[name] for name in ("incident_id", "title", "at", "actor", "note")})
            for row in notes
        ),
        changed=tuple(_changed(row) for row in changed),
    )


async def _due(
    connection: Connection, who: tuple[object, ...], first: datetime, last: datetime
) -> list[asyncpg.Record]:
    return await connection.fetch(
        "SELECT i.id, i.title, i.category, i.status, i.priority, i.due_at, count(*) OVER () AS n"  # noqa: S608
        f" FROM incident i WHERE {_IN_SCOPE} AND i.status = ANY($5) AND i.due_at >= $6 AND i.due_at < $7"
        " ORDER BY i.due_at, i.id LIMIT $4",
        *who,
        MOST,
        _UNDER_CLOCK,
        first,
        last,
    )


def _fields(row: asyncpg.Record) -> dict[str, Any]:
    return {
        "id": row["id"],
        "title": row["title"],
        "category": Category(row["category"]),
        "status": IncidentStatus(row["status"]),
        "priority": Priority(row["priority"]),
        "due_at": row["due_at"],
    }


def _line(row: asyncpg.Record) -> HandoverLine:
    return HandoverLine(**_fields(row))


def _held(row: asyncpg.Record) -> HandoverHeld:
    pause = row["pause"] or {}
    return HandoverHeld(
        **_fields(row),
        reason=pause.get("reason"),
        since=_time(pause.get("since")),
        until=_time(pause.get("planned_until")),
    )


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _out(row: asyncpg.Record) -> OfficerOut:
    return OfficerOut(
        officer_id=row["officer_id"],
        name=row["name"],
        status=AssignmentStatus(row["status"]),
        since=row["since"],
        incident_id=row["incident_id"],
        title=row["title"],
    )


def _changed(row: asyncpg.Record) -> HandoverChanged:
    return HandoverChanged(
        **_fields(row), was=IncidentStatus(row["was"]) if row["was"] else None, updated_at=row["updated_at"]
    )
