"""Assignments in PostgreSQL, saved with their history and the event that goes out to Kafka."""

from typing import Final

import asyncpg
import msgspec

from dispatcher import audit_store, deadline_store, notification_store, outbox_store
from dispatcher.decisions.assignment import Assignment, Step
from dispatcher.outbox_store import Outgoing
from infra.postgres import Connection
from schemas import topics
from schemas.assignment import AssignmentChanged
from schemas.envelope import new_traceparent
from schemas.place import AgencyRef
from schemas.vocabulary import AgencyCode, AssignmentStatus, Regency
from schemas.wire import encode

#: An assignment with what its officer is called, for `from_row`.
SELECT: Final = (
    "SELECT a.id, a.version, a.incident_id, a.officer, o.name, o.regency, o.agency, a.status, a.because, a.named,"
    " a.offered_at, a.updated_at, a.answer_due_at, a.accepted_at, a.on_scene_at, a.completed_at, a.note, a.photo_ids"
    " FROM assignment a JOIN officer o ON o.username = a.officer"
)

#: The first move of an assignment, whatever it is, answers the offer.
_ANSWERED_VERSION: Final = 2


class StaleAssignment(Exception):
    """Somebody else has changed the assignment since it was read."""


def from_row(row: asyncpg.Record) -> Assignment:
    """What `SELECT` has found."""
    return Assignment(
        id=row["id"],
        version=row["version"],
        incident_id=row["incident_id"],
        officer=row["officer"],
        officer_name=row["name"],
        agency=AgencyRef(regency=Regency(row["regency"]), agency=AgencyCode(row["agency"])),
        status=AssignmentStatus(row["status"]),
        because=tuple(row["because"]),
        named=row["named"],
        offered_at=row["offered_at"],
        updated_at=row["updated_at"],
        answer_due_at=row["answer_due_at"],
        accepted_at=row["accepted_at"],
        on_scene_at=row["on_scene_at"],
        completed_at=row["completed_at"],
        note=row["note"],
        photo_ids=tuple(row["photo_ids"]),
    )


async def select(connection: Connection, assignment_id: str) -> Assignment | None:
    """As it is now, unlocked."""
    row = await connection.fetchrow(f"{SELECT} WHERE a.id = $1", assignment_id)
    return from_row(row) if row else None


async def select_team(connection: Connection, incident_id: str) -> list[Assignment]:
    """All assignments of an incident, oldest first."""
    rows = await connection.fetch(f"{SELECT} WHERE a.incident_id = $1 ORDER BY a.offered_at, a.id", incident_id)
    return [from_row(row) for row in rows]


async def select_team_for_update(connection: Connection, incident_id: str) -> list[Assignment]:
    """The same, locked in the order of ids. The incident must be locked already (see officer_store)."""
    rows = await connection.fetch(f"{SELECT} WHERE a.incident_id = $1 ORDER BY a.id FOR UPDATE OF a", incident_id)
    return sorted((from_row(row) for row in rows), key=lambda one: (one.offered_at, one.id))


async def select_last_step(connection: Connection, assignment_id: str) -> Step | None:
    """The newest entry of an assignment's history."""
    row = await connection.fetchrow(
        "SELECT assignment_id, version, status, actor, at, device_at, lat, lon, reason FROM assignment_history"
        " WHERE assignment_id = $1 ORDER BY version DESC LIMIT 1",
        assignment_id,
    )
    return msgspec.convert(dict(row), Step) if row else None


async def insert(connection: Connection, assignment: Assignment, step: Step, traceparent: str | None) -> None:
    """A new assignment, and by when it is to be answered. Its incident and officer must be locked."""
    await connection.execute(
        "INSERT INTO assignment (id, version, incident_id, officer, status, because, named, offered_at,"
        " updated_at, answer_due_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        assignment.id,
        assignment.version,
        assignment.incident_id,
        assignment.officer,
        assignment.status.value,
        list(assignment.because),
        assignment.named,
        assignment.offered_at,
        assignment.updated_at,
        assignment.answer_due_at,
    )
    if assignment.answer_due_at is not None:
        await deadline_store.set_answer(connection, assignment.incident_id, assignment.id, assignment.answer_due_at)
    await _append(connection, assignment, step, traceparent)


async def update(connection: Connection, assignment: Assignment, step: Step, traceparent: str | None) -> None:
    """A moved assignment, one version on; nobody waits for an answer any more.

    Raises `StaleAssignment`: the second fence behind the lock.
    """
    written = await connection.fetchval(
        "UPDATE assignment SET version = $2, status = $3, updated_at = $4, accepted_at = $5, on_scene_at = $6,"
        " completed_at = $7, note = $8, photo_ids = $9 WHERE id = $1 AND version = $2 - 1 RETURNING id",
        assignment.id,
        assignment.version,
        assignment.status.value,
        assignment.updated_at,
        assignment.accepted_at,
        assignment.on_scene_at,
        assignment.completed_at,
        assignment.note,
        list(assignment.photo_ids),
    )
    if written is None:
        raise StaleAssignment(assignment.id)
    if assignment.version == _ANSWERED_VERSION:
        await deadline_store.cancel_answer(connection, assignment.incident_id, assignment.id)
    await _append(connection, assignment, step, traceparent)


async def _append(connection: Connection, assignment: Assignment, step: Step, traceparent: str | None) -> None:
    await connection.execute(
        "INSERT INTO assignment_history (assignment_id, version, status, actor, at, device_at, lat, lon, reason)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        step.assignment_id,
        step.version,
        step.status.value,
        step.actor,
        step.at,
        step.device_at,
        step.lat,
        step.lon,
        step.reason,
    )
    await audit_store.record_step(connection, step)
    await notification_store.note_step(connection, assignment.incident_id, step)
    changed = AssignmentChanged(
        assignment_id=assignment.id,
        incident_id=assignment.incident_id,
        version=assignment.version,
        change=step.status.value,
        at=step.at,
        actor=step.actor,
        assignment=assignment.row(),
    )
    await outbox_store.add(
        connection,
        [
            Outgoing(
                topics.ASSIGNMENT.name,
                assignment.incident_id,
                topics.ASSIGNMENT_CHANGED,
                encode(changed),
                {},
                traceparent or new_traceparent(),
            )
        ],
    )
