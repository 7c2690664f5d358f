"""An assignment as others see it: one officer's work on one incident."""

from schemas.vocabulary import AgencyCode, AssignmentStatus, Regency
from schemas.wire import Record, Timestamp


class AssignmentRow(Record, frozen=True):
    """One assignment, whole."""

    id: str
    version: int
    incident_id: str
    officer: str
    officer_name: str
    agency: AgencyCode
    regency: Regency
    status: AssignmentStatus
    offered_at: Timestamp
    updated_at: Timestamp
    #: By when the officer should have answered.
    answer_due_at: Timestamp | None = None
    accepted_at: Timestamp | None = None
    on_scene_at: Timestamp | None = None
    completed_at: Timestamp | None = None
    note: str | None = None


class AssignmentChanged(Record, frozen=True):
    """Value of `id.bekasi.assignment.changed.v1` on `bekasi.assignment.v1`, keyed by incident."""

    assignment_id: str
    incident_id: str
    version: int
    change: str
    at: Timestamp
    actor: str
    assignment: AssignmentRow
