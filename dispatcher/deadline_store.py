"""What is due for an incident, and when: written in the transaction that makes it due, fired once by the clocks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from dispatcher.decisions.change import Change
from dispatcher.decisions.clock import COUNTED, LADDERS, same_times
from dispatcher.decisions.escalation import ladder
from dispatcher.decisions.incident import ENDED, Incident
from dispatcher.decisions.policy import Policy
from infra.postgres import Connection
from schemas.vocabulary import ClockKind, IncidentStatus

#: The incident's row leaves the board.
LEAVE_BOARD: Final = "leave_board"
#: It goes on after a hold with an end. The clocks with a ladder, and `closed`, are named as in `ClockKind`.
HOLD_ENDS: Final = "hold_ends"
#: An offer to an officer was not answered in time, or another time of asking has come (dispatcher/offers.py).
ANSWER: Final = "answer"
_PLANNED: Final = frozenset({LEAVE_BOARD, HOLD_ENDS, *COUNTED})
#: contract.md section 3: a row leaves 60 min after custody ended, 24 h after `resolved`.
ON_BOARD_AFTER_END: Final = timedelta(minutes=60)
ON_BOARD_AFTER_RESOLVED: Final = timedelta(hours=24)

#: Between a kind and its subject in the table: an incident has one row of each.
_OF: Final = "/"

#: The times at which each kind fires, in their order.
Plan = Mapping[str, tuple[datetime, ...]]


@dataclass(frozen=True, slots=True)
class Deadline:
    """One thing that is due."""

    id: int
    incident_id: str
    kind: str
    #: When it was due; of a ladder the first rung that has not fired.
    due_at: datetime
    #: Of `answer`: the assignment, or a word of who has set it.
    subject: str | None = None
    #: Rungs of the ladder that have fired before, and the times of all.
    step: int = 0
    rungs: tuple[datetime, ...] = ()


@dataclass(frozen=True, slots=True)
class Claimed:
    """Deadlines that are ours until the transaction ends, with PostgreSQL's clock and what counts as due by it."""

    deadlines: Sequence[Deadline]
    now: datetime
    until: datetime


def leaves_board_at(incident: Incident) -> datetime | None:
    """When its row has been seen for long enough; None while there is work on it, or when it has left already."""
    if not incident.on_board:
        return None
    if incident.status in ENDED:
        return (incident.ended_at or incident.updated_at) + ON_BOARD_AFTER_END
    if incident.status is IncidentStatus.RESOLVED:
        return (incident.resolved_at or incident.updated_at) + ON_BOARD_AFTER_RESOLVED
    return None


def plan(incident: Incident, policy: Policy) -> Plan:
    """Everything that is due for it. Pure: it follows from the incident and the policy."""
    once = {
        LEAVE_BOARD: leaves_board_at(incident),
        HOLD_ENDS: incident.hold_ends_at if incident.status is IncidentStatus.ON_HOLD else None,
        ClockKind.CLOSED.value: incident.closes_at,
    }
    found: dict[str, tuple[datetime, ...]] = {kind: (at,) for kind, at in once.items() if at is not None}
    for clock in LADDERS:
        if rungs := tuple(at for _, at in ladder(incident, clock, policy)):
            found[clock.value] = rungs
    return found


async def schedule(connection: Connection, changes: Sequence[Change], policy: Policy) -> None:
    """Set, move or stop what is due because of these changes. The incidents' rows must be locked or new.

    What has fired stays fired when its time moves within the past; what moves into the future fires then.
    """
    due: list[dict[str, object]] = []
    stopped: list[tuple[str, str]] = []
    for change in changes:
        before, after = change.before, change.after
        same_policy = before is not None and before.policy_version == after.policy_version
        if before is not None and same_policy and same_times(before, after):
            continue
        old = plan(before, policy) if before else {}
        new = plan(after, policy)
        due += [
            {"i": after.id, "k": kind, "r": rungs}
            for kind, rungs in new.items()
            if not same_policy or old.get(kind) != rungs
        ]
        gone = set(_PLANNED) if before and not same_policy else set(old)
        stopped += [(after.id, kind) for kind in gone - set(new)]
    if due:
        await connection.execute(_SET, due)
    if stopped:
        await connection.execute(
            "UPDATE deadline SET fired_at = now() WHERE fired_at IS NULL"
            " AND (incident_id, kind) IN (SELECT i, k FROM unnest($1::text[], $2::text[]) AS u (i, k))",
            [incident for incident, _ in stopped],
            [kind for _, kind in stopped],
        )


# One statement for all of a batch. Of a ladder whose times move, as many rungs count as fired as have fired and are
# past: now, or before the last one that fired (the clocks may run ahead).
_SET: Final = """
INSERT INTO deadline AS d (incident_id, kind, rungs, due_at)
SELECT i, k, r, r[1] FROM jsonb_to_recordset($1) AS u (i text, k text, r timestamptz[]) ORDER BY i, k
ON CONFLICT (incident_id, kind) DO UPDATE SET (rungs, step, due_at, fired_at) = (
    SELECT excluded.rungs, s, coalesce(excluded.rungs[s + 1], d.due_at),
           CASE WHEN s >= cardinality(excluded.rungs) THEN coalesce(d.fired_at, now()) END
      FROM (SELECT least(d.step, count(*))::int AS s
              FROM unnest(excluded.rungs) AS t WHERE t <= greatest(now(), d.rungs[d.step])) AS fired)
"""


async def set_answer(connection: Connection, incident_id: str, subject: str, due_at: datetime) -> None:
    """`offers.expire` is called at `due_at` for this subject: an assignment, or a word. The incident must be locked."""
    await connection.execute(
        "INSERT INTO deadline (incident_id, kind, due_at) VALUES ($1, $2, $3)"
        " ON CONFLICT (incident_id, kind) DO UPDATE SET due_at = excluded.due_at, fired_at = NULL",
        incident_id,
        f"{ANSWER}{_OF}{subject}",
        due_at,
    )


async def cancel_answer(connection: Connection, incident_id: str, subject: str) -> None:
    """It is answered. The incident must be locked."""
    await connection.execute(
        "DELETE FROM deadline WHERE incident_id = $1 AND kind = $2 AND fired_at IS NULL",
        incident_id,
        f"{ANSWER}{_OF}{subject}",
    )


async def claim(
    connection: Connection, ahead: timedelta, *, answers: bool = False, most: int = 1, only: int | None = None
) -> Claimed | None:
    """The oldest deadlines that are due by PostgreSQL's clock, at most `most` or just the one with the id `only`,
    marked as fired and locked with their incidents until the transaction ends; None when there is none that nobody
    else is at. Those of kind `answer`, or all but those. `ahead` lets the clock run fast."""
    # Neither the deadline nor its incident is waited for: who commands the incident first is not held up by us.
    rows = await connection.fetch(
        "SELECT d.id, d.incident_id, d.kind, d.due_at, d.step, d.rungs, now() AS now"
        "  FROM deadline d JOIN incident i ON i.id = d.incident_id"
        " WHERE d.fired_at IS NULL AND d.due_at <= now() + $1 AND starts_with(d.kind, $4) = $5"
        "   AND ($3::bigint IS NULL OR d.id = $3)"
        " ORDER BY d.due_at LIMIT $2 FOR UPDATE SKIP LOCKED",
        ahead,
        most,
        only,
        ANSWER + _OF,
        answers,
    )
    if not rows:
        return None
    deadlines = []
    for row in rows:
        kind, _, subject = row["kind"].partition(_OF)
        rungs = tuple(row["rungs"])
        deadlines.append(
            Deadline(row["id"], row["incident_id"], kind, row["due_at"], subject or None, row["step"], rungs)
        )
    claimed = Claimed(deadlines, rows[0]["now"], rows[0]["now"] + ahead)
    # Before the effects, which may set or stop any of them anew.
    await connection.execute(
        "UPDATE deadline d SET step = u.s, due_at = coalesce(d.rungs[u.s + 1], d.due_at),"
        " fired_at = CASE WHEN u.s >= cardinality(d.rungs) THEN now() END"
        " FROM unnest($1::bigint[], $2::int[]) AS u (id, s) WHERE d.id = u.id",
        [one.id for one in deadlines],
        [sum(at <= claimed.until for at in one.rungs) for one in deadlines],
    )
    return claimed


async def postpone(connection: Connection, deadline: Deadline, delay: timedelta) -> None:
    """Try again later; the deadline's transaction has failed."""
    await connection.execute(
        "UPDATE deadline SET due_at = now() + $2 WHERE id = $1 AND fired_at IS NULL", deadline.id, delay
    )
