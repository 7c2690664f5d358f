"""The audit: entries written in the transaction of what they tell of, and the chain over them, written a moment later.

`record` takes no lock, so that no transaction waits for another's entry; the sealer (`dispatcher.sealer`) chains what
has been committed.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import asyncpg
from msgspec.structs import asdict

from dispatcher.decisions.assignment import Step
from dispatcher.decisions.audit_chain import (
    GENESIS,
    NOTE_KEY_BYTES,
    Entry,
    Head,
    decision_line,
    digest,
    history_line,
    link,
    note_digest,
    step_line,
)
from dispatcher.decisions.change import Change, Decision
from dispatcher.decisions.incident import Event
from infra.postgres import Connection

#: Action of an entry that tells of several incidents at once, as a batch of reports does.
INCIDENTS_CHANGED: Final = "incidents_changed"
#: Before the past participle of what happened to one incident.
INCIDENT: Final = "incident_"
#: Before the status that an assignment has come to.
ASSIGNMENT: Final = "assignment_"
#: A note was erased; the subject is `INCIDENT/VERSION`, the detail has the digest that the chain knows it by.
NOTE_ERASED: Final = "note_erased"
#: Actor of an entry that several have a part in.
_SEVERAL: Final = "dispatcher"

_COLUMNS: Final = "id, at, actor, action, subject, personal, detail"


@dataclass(frozen=True, slots=True)
class Sealed:
    """An entry with its place in the chain; None while it waits for the sealer."""

    entry: Entry
    seq: int | None
    hash: bytes | None


async def record(
    connection: Connection,
    *,
    actor: str,
    action: str,
    subject: str,
    detail: Mapping[str, object] | None = None,
    personal: bool = False,
) -> None:
    """Tell the audit, in the caller's transaction, that `actor` has done `action` (past tense) to `subject` (an id).

    No personal data: ids, names of fields, counts. A look at personal data has `personal=True`, and whose it is as its
    subject (`report:<id>`, `incident:<id>`): by this `patriot privacy report` finds who looked.
    """
    await connection.execute(
        "INSERT INTO audit_entry (actor, action, subject, personal, detail) VALUES ($1, $2, $3, $4, $5)",
        actor,
        action,
        subject,
        personal,
        dict(detail or {}),
    )


# What incident_store and assignment_store tell -----------------------------------------------------------------------


def note_keys(events: Sequence[Event]) -> list[bytes | None]:
    """A new key for each event that has a note, in one draw."""
    drawn = os.urandom(NOTE_KEY_BYTES * sum(event.note is not None for event in events))
    parts = iter(drawn[n : n + NOTE_KEY_BYTES] for n in range(0, len(drawn), NOTE_KEY_BYTES))
    return [None if event.note is None else next(parts) for event in events]


async def record_changes(
    connection: Connection, changes: Sequence[Change], keys: Sequence[bytes | None], decision_ids: Sequence[int]
) -> None:
    """One entry for all these changes. `keys` of their events' notes, `decision_ids` of their decisions, both in their
    order. A change without either tells nothing (a row that leaves the board)."""
    told: list[object] = []
    first_event = first_decision = 0
    for change in changes:
        events, decisions = change.events, change.decisions
        own_keys = keys[first_event : first_event + len(events)]
        ids = decision_ids[first_decision : first_decision + len(decisions)]
        first_event, first_decision = first_event + len(events), first_decision + len(decisions)
        if not events and not decisions:
            continue
        history = [
            history_line(asdict(event), None if key is None or event.note is None else note_digest(key, event.note))
            for event, key in zip(events, own_keys, strict=True)
        ]
        reasons = [decision_line(_fields(decision), change.after.updated_at) for decision in decisions]
        told.append([change.after.id, [event.version for event in events], ids, digest(history, reasons)])
    if not told:
        return
    actors = {event.actor for change in changes for event in change.events}
    alone = changes[0] if len(changes) == 1 else None
    await record(
        connection,
        actor=actors.pop() if len(actors) == 1 else _SEVERAL,
        action=f"{INCIDENT}{alone.events[-1].change}" if alone and alone.events else INCIDENTS_CHANGED,
        subject=alone.after.id if alone else f"{len(told)} incidents",
        detail={"changes": told},
    )


async def record_step(connection: Connection, step: Step) -> None:
    """One entry for a step of an assignment."""
    await record(
        connection,
        actor=step.actor,
        action=f"{ASSIGNMENT}{step.status}",
        subject=step.assignment_id,
        detail={"version": step.version, "digest": digest(step_line(asdict(step)))},
    )


# The chain ----------------------------------------------------------------------------------------------------------


async def seal(connection: Connection, most: int) -> tuple[int, Head | None]:
    """Chain the oldest entries that are committed and not chained yet, `most` at most; answers how many, and where the
    chain then ends, unsigned.

    Call it in a transaction that alone seals (`dispatcher.sealer`). What comes late is chained late, once. The chain
    goes on behind the newest head, not behind the newest entry: a tail that was cut off leaves a gap.
    """
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} FROM audit_entry WHERE seq IS NULL ORDER BY id LIMIT $1",  # noqa: S608
        most,
    )
    if not rows:
        return 0, None
    end = await select_end(connection)
    seq, hash_ = (end.seq, end.hash) if end else (0, GENESIS)
    links = []
    for row in rows:
        seq += 1
        hash_ = link(hash_, seq, _entry(row))
        links.append((row["id"], seq, hash_))
    await connection.execute(
        "UPDATE audit_entry e SET seq = u.seq, hash = u.hash"
        " FROM unnest($1::bigint[], $2::bigint[], $3::bytea[]) AS u (id, seq, hash) WHERE e.id = u.id",
        [one[0] for one in links],
        [one[1] for one in links],
        [one[2] for one in links],
    )
    now: datetime = await connection.fetchval("SELECT clock_timestamp()")
    hour = now.replace(minute=0, second=0, microsecond=0)
    return len(rows), Head(hour=hour, seq=seq, hash=hash_, at=now)


async def put_head(connection: Connection, head: Head) -> bool:
    """Keep where the chain ends; True for the first head of its hour."""
    made: bool = await connection.fetchval(
        "INSERT INTO audit_head (hour, seq, hash, at, signature) VALUES ($1, $2, $3, $4, $5)"
        " ON CONFLICT (hour) DO UPDATE SET seq = excluded.seq, hash = excluded.hash, at = excluded.at,"
        " signature = excluded.signature RETURNING xmax = 0",
        head.hour,
        head.seq,
        head.hash,
        head.at,
        head.signature,
    )
    return made


async def select_end(connection: Connection) -> Head | None:
    """The newest head; None while nothing is chained."""
    row = await connection.fetchrow("SELECT hour, seq, hash, at, signature FROM audit_head ORDER BY seq DESC LIMIT 1")
    return _head(row) if row else None


async def select_heads(connection: Connection) -> list[Head]:
    """Every head, oldest first."""
    rows = await connection.fetch("SELECT hour, seq, hash, at, signature FROM audit_head ORDER BY seq, hour")
    return [_head(row) for row in rows]


async def waiting(connection: Connection) -> int:
    """How many entries wait for the sealer."""
    count: int = await connection.fetchval("SELECT count(*) FROM audit_entry WHERE seq IS NULL")
    return count


# Questions ----------------------------------------------------------------------------------------------------------


async def select_sealed(connection: Connection, after: int, limit: int) -> list[Sealed]:
    """The chain behind the `after`-th link, in its order."""
    rows = await connection.fetch(
        f"SELECT {_COLUMNS}, seq, hash FROM audit_entry WHERE seq > $1 ORDER BY seq LIMIT $2",  # noqa: S608
        after,
        limit,
    )
    return [Sealed(_entry(row), row["seq"], row["hash"]) for row in rows]


async def select_waiting(connection: Connection) -> list[Sealed]:
    """What waits for the sealer, oldest first."""
    rows = await connection.fetch(f"SELECT {_COLUMNS} FROM audit_entry WHERE seq IS NULL ORDER BY id")  # noqa: S608
    return [Sealed(_entry(row), None, None) for row in rows]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which entries; None wants any. `until` is not included."""

    actor: str | None = None
    action: str | None = None
    subject: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    personal: bool | None = None


_WANTED: Final = (
    "($1::text IS NULL OR actor = $1) AND ($2::text IS NULL OR action = $2) AND ($3::text IS NULL OR subject = $3)"
    " AND ($4::timestamptz IS NULL OR at >= $4) AND ($5::timestamptz IS NULL OR at < $5)"
    " AND ($6::boolean IS NULL OR personal = $6)"
)


async def select_page(connection: Connection, wanted: Wanted, *, after: int = 0, limit: int) -> list[Sealed]:
    """Entries in the order of their ids, behind the id `after`."""
    rows = await connection.fetch(
        f"SELECT {_COLUMNS}, seq, hash FROM audit_entry WHERE {_WANTED} AND id > $7 ORDER BY id LIMIT $8",  # noqa: S608
        *_values(wanted),
        after,
        limit,
    )
    return [Sealed(_entry(row), row["seq"], row["hash"]) for row in rows]


async def select_newest(connection: Connection, wanted: Wanted, *, limit: int) -> list[Sealed]:
    """The newest entries, oldest of them first."""
    rows = await connection.fetch(
        f"SELECT {_COLUMNS}, seq, hash FROM audit_entry WHERE {_WANTED} ORDER BY id DESC LIMIT $7",  # noqa: S608
        *_values(wanted),
        limit,
    )
    return [Sealed(_entry(row), row["seq"], row["hash"]) for row in reversed(rows)]


def _values(wanted: Wanted) -> tuple[object, ...]:
    return wanted.actor, wanted.action, wanted.subject, wanted.since, wanted.until, wanted.personal


def _entry(row: asyncpg.Record) -> Entry:
    return Entry(
        id=row["id"],
        at=row["at"],
        actor=row["actor"],
        action=row["action"],
        subject=row["subject"],
        personal=row["personal"],
        detail=row["detail"],
    )


def _head(row: asyncpg.Record) -> Head:
    return Head(hour=row["hour"], seq=row["seq"], hash=row["hash"], at=row["at"], signature=row["signature"])


def _fields(decision: Decision) -> Mapping[str, object]:
    return {name: getattr(decision, name) for name in Decision.__slots__}
