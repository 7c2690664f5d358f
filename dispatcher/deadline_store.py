"""What is due for an incident, and when: written in the transaction that makes it due, fired once by the clocks."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from dispatcher.decisions.change import Change
from dispatcher.decisions.incident import ENDED, Incident
from infra.postgres import Connection
from schemas.vocabulary import IncidentStatus

#: The incident's row leaves the board.
LEAVE_BOARD: Final = "leave_board"
#: contract.md section 3: a row leaves 60 min after custody ended, 24 h after `resolved`.
ON_BOARD_AFTER_END: Final = timedelta(minutes=60)
ON_BOARD_AFTER_RESOLVED: Final = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Deadline:
    """One thing that is due."""

    id: int
    incident_id: str
    kind: str
    due_at: datetime


def leaves_board_at(incident: Incident) -> datetime | None:
    """When its row has been seen for long enough; None while there is work on it, or when it has left already."""
    if not incident.on_board:
        return None
    if incident.status in ENDED:
        return (incident.ended_at or incident.updated_at) + ON_BOARD_AFTER_END
    if incident.status is IncidentStatus.RESOLVED:
        return (incident.resolved_at or incident.updated_at) + ON_BOARD_AFTER_RESOLVED
    return None


async def schedule(connection: Connection, changes: Sequence[Change]) -> None:
    """Set, move or cancel what is due because of these changes. The incidents' rows must be locked or new."""
    due = {change.after.id: leaves_board_at(change.after) for change in changes}
    was_due = {change.before.id for change in changes if change.before and leaves_board_at(change.before)}
    set_ = {incident: at for incident, at in due.items() if at is not None}
    if set_:
        await connection.execute(
            "INSERT INTO deadline (incident_id, kind, due_at)"
            " SELECT i, $1, d FROM unnest($2::text[], $3::timestamptz[]) AS u (i, d) ORDER BY i"
            " ON CONFLICT (incident_id, kind) DO UPDATE SET due_at = excluded.due_at, fired_at = NULL",
            LEAVE_BOARD,
            list(set_),
            list(set_.values()),
        )
    cancelled = sorted(incident for incident, at in due.items() if at is None and incident in was_due)
    if cancelled:
        await connection.execute(
            "DELETE FROM deadline WHERE incident_id = ANY($1) AND kind = $2 AND fired_at IS NULL",
            cancelled,
            LEAVE_BOARD,
        )


async def claim_next(connection: Connection, ahead: timedelta) -> Deadline | None:
    """The oldest deadline that is due by PostgreSQL's clock, marked as fired and locked with its incident until the
    transaction ends; None when there is none that nobody else is at. `ahead` lets the clock run fast."""
    # Neither the deadline nor its incident is waited for: who commands the incident first is not held up by us.
    row = await connection.fetchrow(
        "SELECT d.id, d.incident_id, d.kind, d.due_at FROM deadline d JOIN incident i ON i.id = d.incident_id"
        " WHERE d.fired_at IS NULL AND d.due_at <= now() + $1 ORDER BY d.due_at, d.id LIMIT 1 FOR UPDATE SKIP LOCKED",
        ahead,
    )
    if row is None:
        return None
    await connection.execute("UPDATE deadline SET fired_at = now() WHERE id = $1", row["id"])
    return Deadline(row["id"], row["incident_id"], row["kind"], row["due_at"])


async def postpone(connection: Connection, deadline: Deadline, delay: timedelta) -> None:
    """Try again later; the deadline's transaction has failed."""
    await connection.execute(
        "UPDATE deadline SET due_at = now() + $2 WHERE id = $1 AND fired_at IS NULL", deadline.id, delay
    )
