"""What reporters say of answers, in PostgreSQL: appended, one row each time somebody says something new."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from infra.postgres import Connection


class Feedback(msgspec.Struct, frozen=True, kw_only=True):
    """A reporter's word on one answer."""

    report_id: str
    #: The incident that answered.
    incident_id: str
    satisfied: bool
    #: In the citizen's own words.
    comment: str | None
    #: Tells which answer: the incident's `resolved_at` then.
    resolved_at: datetime
    at: datetime


async def select_last(connection: Connection, report_id: str) -> Feedback | None:
    """The newest word of this reporter."""
    row = await connection.fetchrow(
        "SELECT report_id, incident_id, satisfied, comment, resolved_at, at FROM feedback"
        " WHERE report_id = $1 ORDER BY id DESC LIMIT 1",
        report_id,
    )
    return Feedback(**row) if row else None


async def select_of_incident(connection: Connection, incident_id: str) -> list[Feedback]:
    """What its reporters have said of its answers, oldest first."""
    rows = await connection.fetch(
        "SELECT report_id, incident_id, satisfied, comment, resolved_at, at FROM feedback"
        " WHERE incident_id = $1 ORDER BY id",
        incident_id,
    )
    return [Feedback(**row) for row in rows]


async def insert(connection: Connection, feedback: Feedback) -> None:
    """Keep it. The incident must be locked."""
    await connection.execute(
        "INSERT INTO feedback (report_id, incident_id, satisfied, comment, resolved_at, at)"
        " VALUES ($1, $2, $3, $4, $5, $6)",
        feedback.report_id,
        feedback.incident_id,
        feedback.satisfied,
        feedback.comment,
        feedback.resolved_at,
        feedback.at,
    )


async def erase_comments(connection: Connection, report_ids: Sequence[str]) -> None:
    """What these reporters wrote is forgotten; whether they were satisfied stays."""
    await connection.execute("UPDATE feedback SET comment = NULL WHERE report_id = ANY($1)", list(report_ids))
