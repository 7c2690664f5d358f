"""Messages to people in PostgreSQL: the moves that somebody is to be told of, and what is told to whom by which way.

A move is written in its own transaction, as a row with nothing but its key, so that intake does no work for messages
and none is lost. A moment later `dispatcher.teller` makes notifications of it; `dispatcher.delivery` sends these.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import asyncpg
import msgspec

from dispatcher.decisions import assignment, notify
from dispatcher.decisions.change import Change
from dispatcher.decisions.incident import new_id
from dispatcher.decisions.notify import Move, Step, Template
from dispatcher.decisions.notify_text import Fields
from infra.postgres import Connection
from schemas.vocabulary import AssignmentStatus, IncidentStatus

#: What staff read on their screens; there is nothing to send.
DESK: Final = "desk"

# Moves --------------------------------------------------------------------------------------------------------------


async def note_changes(connection: Connection, changes: Sequence[Change]) -> None:
    """Somebody may have to be told of these, once the caller's transaction is committed. The incidents are locked."""
    told: list[tuple[str, int]] = []
    for change in changes:
        before = change.before.status if change.before else None
        for event in change.events:
            if notify.is_told(before, event):
                told.append((event.incident_id, event.version))
            before = event.status
    if told:
        await connection.execute(
            "INSERT INTO notification_move (incident_id, version) SELECT * FROM unnest($1::text[], $2::int[])",
            [incident for incident, _ in told],
            [version for _, version in told],
        )


async def note_step(connection: Connection, incident_id: str, step: assignment.Step) -> None:
    """The same for a step of an assignment."""
    if notify.is_told_of_step(step.status):
        await connection.execute(
            "INSERT INTO notification_move (incident_id, assignment_id, version) VALUES ($1, $2, $3)",
            incident_id,
            step.assignment_id,
            step.version,
        )


@dataclass(frozen=True, slots=True)
class Taken:
    """A move that waits to be told; `what` is None when its history is gone."""

    id: int
    what: Move | Step | None


_MOVES: Final = """
SELECT m.id, m.incident_id, m.assignment_id, m.version, h.change, h.status, h.detail, hb.status AS before,
       s.status AS step, sb.status AS step_before, s.actor, a.officer
  FROM (SELECT * FROM notification_move
         WHERE CASE WHEN $2::bigint IS NULL THEN try_after <= now() ELSE id = $2 END ORDER BY id LIMIT $1) m
  LEFT JOIN incident_history h ON m.assignment_id IS NULL AND (h.incident_id, h.version) = (m.incident_id, m.version)
  LEFT JOIN incident_history hb
    ON m.assignment_id IS NULL AND (hb.incident_id, hb.version) = (m.incident_id, m.version - 1)
  LEFT JOIN assignment a ON a.id = m.assignment_id
  LEFT JOIN assignment_history s ON (s.assignment_id, s.version) = (m.assignment_id, m.version)
  LEFT JOIN assignment_history sb ON (sb.assignment_id, sb.version) = (m.assignment_id, m.version - 1)
 ORDER BY m.id
"""


async def take(connection: Connection, most: int, only: int | None = None) -> list[Taken]:
    """The oldest moves that wait, `most` at most, or just the one with the id `only`. One worker at a time."""
    return [Taken(row["id"], _what(row)) for row in await connection.fetch(_MOVES, most, only)]


def _what(row: asyncpg.Record) -> Move | Step | None:
    if row["assignment_id"] is not None:
        if row["step"] is None or row["officer"] is None:
            return None
        return Step(
            row["assignment_id"],
            row["incident_id"],
            row["version"],
            AssignmentStatus(row["step"]),
            AssignmentStatus(row["step_before"]) if row["step_before"] else None,
            row["actor"],
            row["officer"],
        )
    if row["change"] is None:
        return None
    before = IncidentStatus(row["before"]) if row["before"] else None
    status = IncidentStatus(row["status"])
    return Move(row["incident_id"], row["version"], row["change"], status, before, row["detail"])


async def told(connection: Connection, taken: Sequence[Taken]) -> None:
    """These are told, or nobody is to be."""
    await connection.execute("DELETE FROM notification_move WHERE id = ANY($1)", [one.id for one in taken])


async def postpone(connection: Connection, move_id: int, delay: timedelta) -> None:
    """Try again later; the transaction has failed."""
    await connection.execute("UPDATE notification_move SET try_after = now() + $2 WHERE id = $1", move_id, delay)


# Notifications ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """One receiver of one move by one way."""

    move: str
    incident_id: str
    assignment_id: str | None
    receiver: str
    channel: str
    template: Template
    fields: Fields
    matter: str | None
    urgent: bool
    #: Not to be bundled with others.
    alone: bool
    send_after: datetime
    give_up_at: datetime


async def insert(connection: Connection, notifications: Sequence[Notification]) -> None:
    """Keep them; what is there already (promise 2) stays as it is. Of a matter that somebody has acknowledged nobody
    is told any more."""
    matters = sorted({one.matter for one in notifications if one.matter})
    rows = await connection.fetch(
        "SELECT DISTINCT matter FROM notification WHERE matter = ANY($1) AND acknowledged_at IS NOT NULL", matters
    )
    settled = {row["matter"] for row in rows}
    await connection.executemany(
        "INSERT INTO notification (id, move, incident_id, assignment_id, receiver, channel, template, fields, matter,"
        " urgent, alone, send_after, give_up_at, state, came_back, done_at)"
        " SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, s,"
        " CASE WHEN s = 'suppressed' THEN 'acknowledged' END, CASE WHEN s <> 'waiting' THEN clock_timestamp() END"
        " FROM CAST($14 AS text) AS s ON CONFLICT (move, receiver, channel) DO NOTHING",
        [
            (
                new_id("NTF"),
                one.move,
                one.incident_id,
                one.assignment_id,
                one.receiver,
                one.channel,
                one.template.value,
                msgspec.to_builtins(one.fields),
                one.matter,
                one.urgent,
                one.alone,
                one.send_after,
                one.give_up_at,
                "suppressed" if one.matter in settled else "sent" if one.channel == DESK else "waiting",
            )
            for one in notifications
        ],
    )


async def settle(connection: Connection, matter: str, actor: str) -> None:
    """The matter is answered, by the work itself: nothing more of it is sent, and it is no longer unread."""
    await connection.execute(
        "UPDATE notification SET acknowledged_at = clock_timestamp(), acknowledged_by = $2,"
        " state = CASE WHEN state = 'waiting' THEN 'suppressed' ELSE state END,"
        " came_back = CASE WHEN state = 'waiting' THEN 'answered' ELSE came_back END,"
        " done_at = coalesce(done_at, clock_timestamp()) WHERE matter = $1 AND acknowledged_at IS NULL",
        matter,
        actor,
    )


async def last_told(connection: Connection, receivers: Collection[str]) -> Mapping[str, tuple[Template, str]]:
    """What each of these was told last: template and holder. One who was told nothing is not in it."""
    rows = await connection.fetch(
        "SELECT r.receiver, n.template, n.fields ->> 'holder' AS holder FROM unnest($1::text[]) AS r (receiver)"
        " CROSS JOIN LATERAL (SELECT template, fields FROM notification n WHERE n.receiver = r.receiver"
        " ORDER BY seq DESC LIMIT 1) AS n",
        list(receivers),
    )
    return {row["receiver"]: (Template(row["template"]), row["holder"] or "") for row in rows}


# Sending ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Part:
    """One notification of a parcel."""

    id: str
    move: str
    incident_id: str
    assignment_id: str | None
    template: Template
    fields: Fields
    matter: str | None


@dataclass(frozen=True, slots=True)
class Parcel:
    """What goes out as one message: notifications of one receiver, oldest first, marked as being sent."""

    #: Of the first of them; the same for every attempt.
    id: str
    receiver: str
    attempts: int
    give_up_at: datetime
    urgent: bool
    parts: tuple[Part, ...]
    #: An attempt was under way when its worker died or stalled: it may have arrived.
    in_doubt: bool


# New ones: whoever is first of a receiver takes along all that waits for it, but what is to go alone. One that is
# locked is somebody's parcel, and those behind it wait for their turn: two workers never tear a bundle apart.
_FRESH: Final = """
WITH first AS (
    SELECT n.seq, n.id, n.receiver, n.alone FROM notification n
     WHERE n.channel = $1 AND n.state = 'waiting' AND n.bundle IS NULL AND n.send_after <= now()
       AND NOT EXISTS (
           SELECT FROM notification e WHERE e.receiver = n.receiver AND e.channel = n.channel AND e.state = 'waiting'
              AND e.bundle IS NULL AND (e.send_after, e.seq) < (n.send_after, n.seq))
     ORDER BY n.send_after, n.seq LIMIT $2 FOR UPDATE SKIP LOCKED
), parts AS (
    SELECT n.seq, f.id AS leader FROM first f JOIN notification n
        ON n.receiver = f.receiver AND n.channel = $1 AND n.state = 'waiting' AND n.bundle IS NULL
     WHERE n.seq = f.seq OR NOT (f.alone OR n.alone)
       FOR UPDATE OF n
)
"""
# Those that are tried again, and those that a worker has left in the middle: just the same parts, by their first.
_AGAIN: Final = """
WITH first AS (
    SELECT n.bundle FROM notification n
     WHERE n.channel = $1 AND n.bundle IS NOT NULL
       AND (n.state = 'waiting' AND n.send_after <= now() OR n.state = 'sending' AND n.lease_until < now())
       AND NOT EXISTS (
           SELECT FROM notification e WHERE e.bundle = n.bundle AND e.state IN ('waiting', 'sending') AND e.seq < n.seq)
     ORDER BY n.send_after, n.seq LIMIT $2 FOR UPDATE SKIP LOCKED
), parts AS (
    SELECT n.seq, f.bundle AS leader FROM first f JOIN notification n ON n.bundle = f.bundle
     WHERE n.state IN ('waiting', 'sending')
       FOR UPDATE OF n
)
"""
_MARK: Final = """
UPDATE notification n
   SET state = 'sending', bundle = p.leader, attempts = n.attempts + 1, lease_until = now() + $3
  FROM parts p JOIN notification o USING (seq) WHERE n.seq = p.seq
RETURNING n.seq, n.id, n.bundle, n.receiver, n.attempts, n.give_up_at, n.urgent, n.move, n.incident_id,
          n.assignment_id, n.template, n.fields, n.matter, o.state AS was
"""


async def claim(connection: Connection, channel: str, most: int, lease: timedelta, *, again: bool) -> list[Parcel]:
    """Mark what is due by this channel as being sent, until `lease` from now; `most` parcels at most. New ones, or
    `again` those that were tried before. Call it in a transaction of its own: it must be committed before anything
    goes out."""
    rows = await connection.fetch((_AGAIN if again else _FRESH) + _MARK, channel, most, lease)
    parcels: dict[str, list[asyncpg.Record]] = {}
    for row in sorted(rows, key=lambda row: row["seq"]):
        parcels.setdefault(row["bundle"], []).append(row)
    return [
        Parcel(
            id=bundle,
            receiver=found[0]["receiver"],
            attempts=max(row["attempts"] for row in found),
            give_up_at=max(row["give_up_at"] for row in found),
            urgent=any(row["urgent"] for row in found),
            parts=tuple(_part(row) for row in found),
            in_doubt=any(row["was"] == "sending" for row in found),
        )
        for bundle, found in parcels.items()
    ]


def _part(row: asyncpg.Record) -> Part:
    return Part(
        id=row["id"],
        move=row["move"],
        incident_id=row["incident_id"],
        assignment_id=row["assignment_id"],
        template=Template(row["template"]),
        fields=msgspec.convert(row["fields"], Fields),
        matter=row["matter"],
    )


async def needless(connection: Connection, parts: Sequence[Part]) -> Mapping[str, str]:
    """Which of them are no news any more, and why, by id."""
    rows = await connection.fetch(
        "SELECT u.id, CASE WHEN u.matter IS NOT NULL AND EXISTS (SELECT FROM notification n WHERE n.matter = u.matter"
        "                       AND n.acknowledged_at IS NOT NULL) THEN 'acknowledged'"
        "                  WHEN u.template = $6 AND a.status IS DISTINCT FROM 'offered' THEN 'answered'"
        "                  WHEN u.template = ANY($7) AND i.status = ANY($8) THEN 'settled' END AS why"
        "  FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[])"
        "       AS u (id, matter, template, assignment_id, incident_id)"
        "  LEFT JOIN assignment a ON a.id = u.assignment_id LEFT JOIN incident i ON i.id = u.incident_id",
        [one.id for one in parts],
        [one.matter for one in parts],
        [one.template.value for one in parts],
        [one.assignment_id for one in parts],
        [one.incident_id for one in parts],
        Template.OFFER.value,
        [template.value for template in notify.OF_OPEN_WORK],
        [status.value for status in notify.SETTLED],
    )
    return {row["id"]: row["why"] for row in rows if row["why"]}


async def public_notes(connection: Connection, moves: Sequence[str]) -> Mapping[str, str]:
    """What staff have said for everybody to read with these moves, as far as it is still there."""
    keys = [move.rpartition("/") for move in moves]
    rows = await connection.fetch(
        "SELECT h.incident_id, h.version, h.note FROM incident_history h"
        " JOIN unnest($1::text[], $2::int[]) AS u (i, v) ON (h.incident_id, h.version) = (u.i, u.v)"
        " WHERE h.public AND h.note IS NOT NULL",
        [incident for incident, _, _ in keys],
        [int(version) for _, _, version in keys],
    )
    return {f"{row['incident_id']}/{row['version']}": row["note"] for row in rows}


async def finish(connection: Connection, parcel: Parcel, state: str, came_back: str) -> int:
    """What became of the parcel, for good: `sent`, `failed` or `suppressed`. Answers how many notifications; 0 when
    another attempt than ours has it by now."""
    done: str = await connection.execute(
        "UPDATE notification SET state = $3, came_back = $4, done_at = clock_timestamp(), lease_until = NULL"
        " WHERE bundle = $1 AND state = 'sending' AND attempts <= $2 AND id = ANY($5)",
        parcel.id,
        parcel.attempts,
        state,
        came_back,
        [part.id for part in parcel.parts],
    )
    return int(done.split()[-1])


async def suppress(connection: Connection, needless: Mapping[str, str]) -> None:
    """These are not sent, for these reasons."""
    await connection.execute(
        "UPDATE notification n SET state = 'suppressed', came_back = u.why, done_at = clock_timestamp(),"
        " lease_until = NULL FROM unnest($1::text[], $2::text[]) AS u (id, why)"
        " WHERE n.id = u.id AND state = 'sending'",
        list(needless),
        list(needless.values()),
    )


async def put_off(connection: Connection, parcel: Parcel, delay: timedelta, came_back: str) -> None:
    """The parcel is tried again later, with the same parts under the same id."""
    await connection.execute(
        "UPDATE notification SET state = 'waiting', send_after = now() + $3, came_back = $4, lease_until = NULL"
        " WHERE bundle = $1 AND state = 'sending' AND attempts <= $2 AND id = ANY($5)",
        parcel.id,
        parcel.attempts,
        delay,
        came_back,
        [part.id for part in parcel.parts],
    )


async def waiting_age(connection: Connection) -> Mapping[str, float]:
    """Seconds since the oldest was due that waits, per channel; `moves`: since the oldest move that nobody has told."""
    rows = await connection.fetch(
        "SELECT channel, extract(epoch FROM now() - min(send_after))::float8 AS age FROM notification"
        " WHERE state = 'waiting' GROUP BY 1 UNION ALL"
        " SELECT 'moves', extract(epoch FROM now() - min(at))::float8 FROM notification_move"
    )
    return {row["channel"]: max(row["age"] or 0.0, 0.0) for row in rows}


async def give_up(connection: Connection) -> None:
    """What nobody has sent although its time is over: the way it was to go is not there any more."""
    await connection.execute(
        "UPDATE notification SET state = 'failed', came_back = 'given up: no such way', done_at = clock_timestamp()"
        " WHERE state = 'waiting' AND give_up_at < now() - interval '1 hour'"
    )


async def forget(connection: Connection, before: datetime, most: int) -> int:
    """Delete what is done and older than that, `most` at most; answers how many."""
    done: str = await connection.execute(
        "DELETE FROM notification WHERE ctid = ANY(ARRAY(SELECT ctid FROM notification WHERE created_at < $1"
        " AND state IN ('sent', 'failed', 'suppressed') LIMIT $2))",
        before,
        most,
    )
    return int(done.split()[-1])


# Questions ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Shown:
    """A notification as its receiver sees it."""

    id: str
    part: Part
    urgent: bool
    created_at: datetime
    acknowledged_at: datetime | None
    acknowledged_by: str | None


async def select_page(
    connection: Connection, username: str, *, unread: bool | None, after: tuple[bool, datetime, str] | None, limit: int
) -> list[Shown]:
    """What somebody was told, unread first, then the newest; behind `after` (read, made, id)."""
    rows = await connection.fetch(
        "SELECT seq, id, move, incident_id, assignment_id, template, fields, matter, urgent, created_at,"
        " acknowledged_at, acknowledged_by FROM notification"
        " WHERE receiver = $1 AND channel = $2 AND state = 'sent'"
        " AND ($3::boolean IS NULL OR (acknowledged_at IS NULL) = $3)"
        " AND ($4::boolean IS NULL OR (acknowledged_at IS NOT NULL) > $4"
        "      OR (acknowledged_at IS NOT NULL) = $4 AND (created_at, id) < ($5, $6))"
        " ORDER BY (acknowledged_at IS NOT NULL), created_at DESC, id DESC LIMIT $7",
        f"user:{username}",
        DESK,
        unread,
        after[0] if after else None,
        after[1] if after else None,
        after[2] if after else None,
        limit,
    )
    return [
        Shown(row["id"], _part(row), row["urgent"], row["created_at"], row["acknowledged_at"], row["acknowledged_by"])
        for row in rows
    ]


async def acknowledge(connection: Connection, notification_id: str) -> bool:
    """The asker has it (`reach`): nobody is told of the matter again. False when it is not the asker's."""
    done: bool = await connection.fetchval("SELECT acknowledge_notification($1)", notification_id)
    return done
