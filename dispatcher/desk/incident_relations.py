"""What an incident has to do with others: who had it when, which were merged into it, split from it or follow it; and
what its reporters said of the answer."""

from collections.abc import Sequence
from dataclasses import dataclass

from dispatcher import feedback_store
from dispatcher.decisions.incident import CUSTODY, Incident
from dispatcher.decisions.reference import Agency, holder_name
from dispatcher.desk.incident_query import HistoryEntry
from infra.postgres import Connection
from schemas.wire import Record, Timestamp


class CustodyOfIncident(Record, frozen=True):
    """Who had it from when on; `holder` null: nobody."""

    #: `32.75/DLH`, or an outside body such as `PLN`.
    holder: str | None
    name: str | None
    since: Timestamp
    #: Who put it there, and why.
    by: str
    reason: str | None


class FeedbackOfIncident(Record, frozen=True):
    """What a reporter said of an answer; the comment is null for those who read without personal data."""

    report_id: str
    satisfied: bool
    comment: str | None
    at: Timestamp


@dataclass(frozen=True, slots=True)
class Relations:
    """Ids of others, oldest first; those outside the asker's scope are left out."""

    merged: tuple[str, ...]
    splits: tuple[str, ...]
    successors: tuple[str, ...]
    feedback: tuple[FeedbackOfIncident, ...]


async def select_relations(connection: Connection, incident: Incident, *, personal: bool) -> Relations:
    """Call it in the transaction of the row, so that both tell of one moment."""
    rows = await connection.fetch(
        "SELECT id, merged_into, split_from, predecessor FROM incident"
        " WHERE merged_into = $1 OR split_from = $1 OR predecessor = $1 ORDER BY opened_at, id",
        incident.id,
    )
    said = await feedback_store.select_of_incident(connection, incident.id)
    return Relations(
        merged=tuple(row["id"] for row in rows if row["merged_into"] == incident.id),
        splits=tuple(row["id"] for row in rows if row["split_from"] == incident.id),
        successors=tuple(row["id"] for row in rows if row["predecessor"] == incident.id),
        feedback=tuple(
            FeedbackOfIncident(
                report_id=one.report_id,
                satisfied=one.satisfied,
                comment=one.comment if personal else None,
                at=one.at,
            )
            for one in said
        ),
    )


def custody_of(history: Sequence[HistoryEntry], agencies: Sequence[Agency]) -> tuple[CustodyOfIncident, ...]:
    """Every time that it changed hands, oldest first, as its history tells. `agencies`: those named anew."""
    found: list[CustodyOfIncident] = []
    for entry in history:
        if CUSTODY not in entry.detail:
            continue
        holder = entry.detail[CUSTODY] or None
        if found and found[-1].holder == holder:
            continue
        found.append(
            CustodyOfIncident(
                holder=holder,
                name=holder_name(agencies, holder) if holder else None,
                since=entry.at,
                by=entry.actor,
                reason=entry.note,
            )
        )
    return tuple(found)
