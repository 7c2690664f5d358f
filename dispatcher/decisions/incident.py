"""An incident and its lifecycle: one table of moves, and verbs that answer with what is after and what happened."""

import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Final

import msgspec

from schemas.incident import IncidentOfficer, IncidentRow
from schemas.place import AgencyRef
from schemas.vocabulary import CATEGORY_LABEL, AssignmentStatus, Category, IncidentStatus, Priority, Role

_CROCKFORD: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

S = IncidentStatus

#: Every move there is. A status that is missing on the right cannot be reached from the one on the left.
NEXT: Final[Mapping[IncidentStatus, frozenset[IncidentStatus]]] = {
    # Judged by rules: to an agency, to a person for verification, or over the border.
    S.NEW: frozenset({S.TRIAGE, S.ROUTED, S.TRANSFERRED}),
    # A person has looked: it is known whose it is, or it turned out to be settled already.
    S.TRIAGE: frozenset({S.ROUTED, S.TRANSFERRED, S.RESOLVED}),
    # An agency has it. It may be judged anew (back to triage is a person's word), worked on, or settled by a call.
    S.ROUTED: frozenset({S.TRIAGE, S.ROUTED, S.ASSIGNED, S.TRANSFERRED, S.RESOLVED}),
    # An officer is asked; declining brings it back to the agency.
    S.ASSIGNED: frozenset({S.ROUTED, S.ASSIGNED, S.IN_PROGRESS, S.RESOLVED}),
    # An officer works on it; handing it back leaves it with the agency.
    S.IN_PROGRESS: frozenset({S.ROUTED, S.ASSIGNED, S.IN_PROGRESS, S.RESOLVED}),
    # Held by a person; nothing reaches this state yet.
    S.ON_HOLD: frozenset(),
    # Done, as far as we know; the citizen has time to say no.
    S.RESOLVED: frozenset({S.CLOSED}),
    S.CLOSED: frozenset(),
    S.TRANSFERRED: frozenset(),
    S.REJECTED: frozenset(),
    S.MERGED: frozenset(),
}

#: Reports may join an incident that stands here.
JOINABLE: Final = frozenset({S.NEW, S.TRIAGE, S.ROUTED, S.ASSIGNED, S.IN_PROGRESS, S.ON_HOLD})
#: Custody has ended; the row leaves the board some time after.
ENDED: Final = frozenset({S.CLOSED, S.REJECTED, S.MERGED, S.TRANSFERRED})

#: From which status a person may use a verb of `POST /incidents/{id}/{verb}`.
VERBS: Final[Mapping[str, frozenset[IncidentStatus]]] = {
    "triage": frozenset({S.NEW, S.TRIAGE, S.ROUTED}),
    "assign": frozenset({S.ROUTED, S.ASSIGNED, S.IN_PROGRESS}),
    "note": frozenset(IncidentStatus),
    "resolve": frozenset({S.TRIAGE, S.ROUTED, S.ASSIGNED, S.IN_PROGRESS}),
    "close": frozenset({S.RESOLVED}),
}

#: Who may use a verb. Scope by agency is checked beside it.
MAY: Final[Mapping[str, frozenset[Role]]] = {
    "triage": frozenset({Role.OPERATOR, Role.SUPERVISOR, Role.ADMIN}),
    "assign": frozenset({Role.OPERATOR, Role.SUPERVISOR, Role.DISPATCHER, Role.ADMIN}),
    # All who work, and area heads, who read and note; executives only read.
    "note": frozenset(Role) - {Role.EXECUTIVE},
    "resolve": frozenset({Role.OPERATOR, Role.SUPERVISOR, Role.DISPATCHER, Role.ADMIN}),
    "close": frozenset({Role.OPERATOR, Role.SUPERVISOR, Role.ADMIN}),
}


class IllegalMove(ValueError):
    """The table has no such move; the message names both ends."""


class Incident(msgspec.Struct, frozen=True, kw_only=True):
    """One event in the city, whole. `version` counts its history entries; every verb raises it by one."""

    id: str
    version: int
    category: Category
    status: IncidentStatus
    priority: Priority
    #: Whose it is; None in triage when nobody's yet.
    agency: AgencyRef | None = None
    co_agencies: tuple[AgencyRef, ...] = ()
    #: Kemendagri codes.
    kecamatan: str | None = None
    kelurahan: str | None = None
    #: Where it began; later reports do not move it, so that a chain of neighbours cannot wander through the city.
    lat: float | None = None
    lon: float | None = None
    #: `exact`, `landmark`, `kelurahan`, `kecamatan`, `unknown` (dispatcher.decisions.locate).
    place_precision: str = "unknown"
    #: Readable place, for the title and the officer.
    address: str | None = None
    #: Roads and junctions that its reports name, normalised; another name is another event.
    named_places: tuple[str, ...] = ()
    #: Where custody went, when `transferred`.
    transferred_to: str | None = None
    #: PostgreSQL's clock.
    opened_at: datetime
    updated_at: datetime
    #: The broker's time of its newest report or reading.
    received_at: datetime
    last_report_at: datetime
    first_look_due_at: datetime | None = None
    due_at: datetime | None = None
    resolved_at: datetime | None = None
    ended_at: datetime | None = None
    report_count: int = 0
    sources: tuple[str, ...] = ()
    #: Of the classification, 0 to 1.
    confidence: float
    #: Sum of weights of what speaks for it (domain.md, Grouping): suspected from 0.4, confirmed from 1.0.
    evidence: float = 0.0
    officers: tuple[IncidentOfficer, ...] = ()
    photo_url: str | None = None
    #: The locked incident that this one follows.
    predecessor: str | None = None
    #: False once its row has left the wall.
    on_board: bool = True

    @property
    def title(self) -> str:
        """Category and place, never a citizen's words: `Kemacetan · Jl Ahmad Yani`."""
        return f"{CATEGORY_LABEL[self.category][0]} · {self.address or 'lokasi belum diketahui'}"

    def row(self) -> IncidentRow:
        """As others see it."""
        return IncidentRow(
            id=self.id,
            version=self.version,
            category=self.category,
            title=self.title,
            status=self.status,
            priority=self.priority,
            agency=self.agency.agency if self.agency else None,
            regency=self.agency.regency if self.agency else None,
            kecamatan=self.kecamatan,
            kelurahan=self.kelurahan,
            lat=self.lat,
            lon=self.lon,
            address=self.address,
            opened_at=self.opened_at,
            updated_at=self.updated_at,
            received_at=self.received_at,
            due_at=self.due_at,
            report_count=self.report_count,
            sources=self.sources,
            confidence=round(self.confidence, 3),
            officers=self.officers,
            photo_url=self.photo_url,
        )

    def tags(self) -> dict[str, str]:
        """What its row is scoped and filtered by on the feed."""
        tags = {"category": self.category.value, "status": self.status.value}
        if self.agency:
            tags["agency"] = str(self.agency)
        if self.co_agencies:
            tags["co_agencies"] = ",".join(map(str, self.co_agencies))
        if self.kecamatan:
            tags["kecamatan"] = self.kecamatan
        return tags


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of an incident's history: what happened, who did it, when and why."""

    incident_id: str
    #: The incident's version after it.
    version: int
    #: A past participle: `opened`, `report_joined`, `triaged`, `assigned`, `resolved` …
    change: str
    status: IncidentStatus
    #: Username, or `dispatcher` for what the rules did.
    actor: str
    at: datetime
    #: The device's clock, where a phone acted; kept beside, never trusted.
    device_at: datetime | None = None
    note: str | None = None
    #: Shown to the citizen.
    public: bool = False
    detail: Mapping[str, str] = {}


def new_id(prefix: str) -> str:
    """A random id with 50 bits that can be read aloud, such as `INC-7K3F9Q2M4T`."""
    bits = secrets.randbits(50)
    return f"{prefix}-" + "".join(_CROCKFORD[bits >> shift & 31] for shift in range(0, 50, 5))


def legal_verbs(incident: Incident) -> tuple[str, ...]:
    """The verbs that its status allows, whoever asks."""
    return tuple(verb for verb, statuses in VERBS.items() if incident.status in statuses)


def move(
    incident: Incident,
    to: IncidentStatus,
    change: str,
    *,
    actor: str,
    now: datetime,
    note: str | None = None,
    public: bool = False,
    device_at: datetime | None = None,
    detail: Mapping[str, str] | None = None,
    **fields: object,
) -> tuple[Incident, Event]:
    """The incident after a move and its history entry; `fields` change with it. Raises `IllegalMove`.

    A move to the status it has is a change of something else (a note, a joined report) and always legal.
    """
    if to is not incident.status and to not in NEXT[incident.status]:
        raise IllegalMove(f"an incident that is {incident.status} cannot become {to}")
    after: Incident = msgspec.structs.replace(
        incident, **{"status": to, "version": incident.version + 1, "updated_at": now, **fields}
    )
    if to is S.RESOLVED and incident.status is not S.RESOLVED:
        after = msgspec.structs.replace(after, resolved_at=now)
    if to in ENDED and incident.status not in ENDED:
        after = msgspec.structs.replace(after, ended_at=now)
    event = Event(
        incident_id=incident.id,
        version=after.version,
        change=change,
        status=to,
        actor=actor,
        at=now,
        device_at=device_at,
        note=note,
        public=public,
        detail=detail or {},
    )
    return after, event


def opened(incident: Incident, *, actor: str, now: datetime, detail: Mapping[str, str] | None = None) -> Event:
    """The first history entry of a new incident, whose version is 1."""
    return Event(
        incident_id=incident.id,
        version=incident.version,
        change="opened",
        status=incident.status,
        actor=actor,
        at=now,
        detail=detail or {},
    )


#: Assignments that count as somebody being on it.
ACTIVE_ASSIGNMENT: Final = frozenset(
    {AssignmentStatus.OFFERED, AssignmentStatus.ACCEPTED, AssignmentStatus.EN_ROUTE, AssignmentStatus.ON_SCENE}
)
