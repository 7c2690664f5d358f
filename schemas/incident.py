"""An incident as others see it: the row on the board, and the event that says what happened to it."""

from schemas.vocabulary import (
    AgencyCode,
    AssignmentStatus,
    Category,
    ClockKind,
    ClockState,
    IncidentStatus,
    Priority,
    Regency,
)
from schemas.wire import Record, Timestamp


class IncidentOfficer(Record, frozen=True):
    """An officer on an incident; `status` is that of the assignment."""

    id: str
    name: str
    status: AssignmentStatus


class IncidentRow(Record, frozen=True):
    """One incident on the board, whole (contract section 3). Null while unknown."""

    id: str
    version: int
    category: Category
    #: Made by us of category and place, never of citizens' words.
    title: str
    status: IncidentStatus
    priority: Priority
    agency: AgencyCode | None
    regency: Regency | None
    #: Kemendagri codes.
    kecamatan: str | None
    kelurahan: str | None
    lat: float | None
    lon: float | None
    address: str | None
    opened_at: Timestamp
    updated_at: Timestamp
    #: The broker's time of its newest report or reading, so that a push's latency is `at` − `received_at`.
    received_at: Timestamp
    due_at: Timestamp | None
    report_count: int
    #: Where it is known from: report channels, `sensor`, `wifi`.
    sources: tuple[str, ...]
    #: Of the classification, 0 to 1.
    confidence: float
    officers: tuple[IncidentOfficer, ...] = ()
    photo_url: str | None = None


class IncidentChanged(Record, frozen=True):
    """Value of `id.bekasi.incident.changed.v1` on `bekasi.incident.v1`: one history entry and the row after it."""

    incident_id: str
    version: int
    #: What happened, a past participle: `opened`, `report_joined`, `triaged`, `assigned` …
    change: str
    at: Timestamp
    actor: str
    incident: IncidentRow


class ClockRow(Record, frozen=True):
    """One clock of an incident. `due_at` is null while it stands still."""

    clock: ClockKind
    started_at: Timestamp
    due_at: Timestamp | None
    #: When it is warned of the breach.
    warns_at: Timestamp | None
    met_at: Timestamp | None
    state: ClockState
