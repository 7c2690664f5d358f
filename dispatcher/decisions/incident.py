"""An incident and its lifecycle: one table of moves, and verbs that answer with what is after and what happened."""

import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Final

import msgspec

from dispatcher.decisions.hold import Pause, ended
from schemas.incident import IncidentOfficer, IncidentRow
from schemas.place import AgencyRef
from schemas.vocabulary import CATEGORY_LABEL, AssignmentStatus, Category, IncidentStatus, Priority, Role

_CROCKFORD: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

#: In the detail of a history entry: who has it from then on.
CUSTODY: Final = "custody"

S = IncidentStatus

#: Every move there is. A status that is missing on the right cannot be reached from the one on the left.
NEXT: Final[Mapping[IncidentStatus, frozenset[IncidentStatus]]] = {
    # Judged by rules: to an agency, to a person for verification, or over the border.
    S.NEW: frozenset({S.TRIAGE, S.ROUTED, S.TRANSFERRED}),
    # A person looks: it is known whose it is, it is another's or none, or it turned out to be settled already.
    S.TRIAGE: frozenset({S.ROUTED, S.ON_HOLD, S.TRANSFERRED, S.RESOLVED, S.REJECTED, S.MERGED}),
    # An agency has it. It may be judged anew (back to triage is a person's word), worked on, or settled by a call.
    S.ROUTED: frozenset({S.TRIAGE, S.ASSIGNED, S.ON_HOLD, S.TRANSFERRED, S.RESOLVED, S.REJECTED, S.MERGED}),
    # An officer is asked; declining brings it back to the agency, as does whatever takes the officers off it.
    S.ASSIGNED: frozenset({S.ROUTED, S.IN_PROGRESS, S.ON_HOLD, S.TRANSFERRED, S.RESOLVED, S.REJECTED, S.MERGED}),
    # An officer works on it; handing it back leaves it with the agency. On the spot it may turn out to be anything.
    S.IN_PROGRESS: frozenset({S.ROUTED, S.ASSIGNED, S.ON_HOLD, S.TRANSFERRED, S.RESOLVED, S.REJECTED, S.MERGED}),
    # Nobody works on what waits. It goes on where it was known whose it is, or ends otherwise meanwhile.
    S.ON_HOLD: frozenset({S.TRIAGE, S.ROUTED, S.TRANSFERRED, S.RESOLVED, S.REJECTED, S.MERGED}),
    # Done, as far as we know; the citizen has time to say no, and then it begins anew.
    S.RESOLVED: frozenset({S.CLOSED, S.TRIAGE, S.ROUTED}),
    # Settled. What comes up again within the citizen's time is reopened; later it is another incident.
    S.CLOSED: frozenset({S.TRIAGE, S.ROUTED}),
    # Somebody else has it, until it is taken back.
    S.TRANSFERRED: frozenset({S.TRIAGE, S.ROUTED}),
    # A person said no, and may have been wrong.
    S.REJECTED: frozenset({S.TRIAGE, S.ROUTED}),
    # Its reports are with another incident, until that is undone.
    S.MERGED: frozenset({S.TRIAGE, S.ROUTED}),
}

#: Reports may join an incident that stands here.
JOINABLE: Final = frozenset({S.NEW, S.TRIAGE, S.ROUTED, S.ASSIGNED, S.IN_PROGRESS, S.ON_HOLD})
#: Custody has ended; the row leaves the board some time after.
ENDED: Final = frozenset({S.CLOSED, S.REJECTED, S.MERGED, S.TRANSFERRED})

#: Somebody may still do something about it: not settled, not elsewhere.
_AT_WORK: Final = frozenset({S.TRIAGE, S.ROUTED, S.ASSIGNED, S.IN_PROGRESS})

#: From which status a person may use a verb of `POST /incidents/{id}/{verb}`.
VERBS: Final[Mapping[str, frozenset[IncidentStatus]]] = {
    "triage": frozenset({S.NEW, S.TRIAGE, S.ROUTED}),
    "reroute": _AT_WORK | {S.ON_HOLD},
    "assign": frozenset({S.ROUTED, S.ASSIGNED, S.IN_PROGRESS}),
    "hold": _AT_WORK,
    "resume": frozenset({S.ON_HOLD}),
    "merge": _AT_WORK | {S.ON_HOLD},
    "unmerge": frozenset({S.MERGED}),
    "split": _AT_WORK | {S.ON_HOLD, S.RESOLVED},
    "note": frozenset(IncidentStatus),
    "resolve": _AT_WORK | {S.ON_HOLD},
    "close": frozenset({S.RESOLVED}),
    "reject": _AT_WORK | {S.ON_HOLD},
    "transfer": _AT_WORK | {S.ON_HOLD},
    "reopen": frozenset({S.RESOLVED, S.CLOSED, S.REJECTED, S.TRANSFERRED}),
}

#: Who answers for the whole: operators of the center, the shift lead.
_IN_CHARGE: Final = frozenset({Role.OPERATOR, Role.SUPERVISOR, Role.ADMIN})
#: And who leads the work of one dinas.
_LEADING: Final = _IN_CHARGE | {Role.DISPATCHER}

#: Who may use a verb. Scope by agency is checked beside it.
MAY: Final[Mapping[str, frozenset[Role]]] = {
    "triage": _IN_CHARGE,
    "reroute": _LEADING,
    "assign": _LEADING,
    "hold": _LEADING,
    "resume": _LEADING,
    "merge": _LEADING,
    "unmerge": _LEADING,
    "split": _LEADING,
    # All who work, and area heads, who read and note; executives only read.
    "note": frozenset(Role) - {Role.EXECUTIVE},
    "resolve": _LEADING,
    # That nothing more will be done is not for the agency alone to say.
    "close": _IN_CHARGE,
    "reject": _IN_CHARGE,
    "transfer": _LEADING,
    "reopen": _LEADING,
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
    #: What the rule that routed it asks of officers: what each can do, and how many go.
    skills: tuple[str, ...] = ()
    officers_needed: int = 1
    #: Every time on hold, oldest first; the last one lasts while it is `on_hold`.
    pauses: tuple[Pause, ...] = ()
    #: The incident that has its reports, when `merged`.
    merged_into: str | None = None
    #: The incident that its first reports were taken out of.
    split_from: str | None = None
    #: When it was taken up again, the last time.
    reopened_at: datetime | None = None
    #: What is doubtful about the proof of work (dispatcher.decisions.proof).
    flags: tuple[str, ...] = ()
    #: PostgreSQL's clock.
    opened_at: datetime
    updated_at: datetime
    #: The broker's time of its newest report or reading.
    received_at: datetime
    last_report_at: datetime
    #: Found by `dispatcher.decisions.clock.timed`; null while a clock stands still or nothing is promised.
    first_look_due_at: datetime | None = None
    on_scene_due_at: datetime | None = None
    due_at: datetime | None = None
    #: When it closes by itself, while `resolved`.
    closes_at: datetime | None = None
    #: When it was first known whose it is, and when the first officer was there.
    looked_at: datetime | None = None
    on_scene_at: datetime | None = None
    #: The policy that the due times follow from; -1 before there was one.
    policy_version: int = -1
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

    @property
    def holder(self) -> str | None:
        """Who has it: an agency pair (`32.75/DLH`), an outside body (`PLN`), or nobody yet."""
        if self.status is S.TRANSFERRED:
            return self.transferred_to
        return str(self.agency) if self.agency else None

    @property
    def paused(self) -> Pause | None:
        """The pause that lasts."""
        return self.pauses[-1] if self.pauses and self.pauses[-1].until is None else None

    @property
    def hold_ends_at(self) -> datetime | None:
        """When it is to go on by itself."""
        return self.paused.planned_until if self.paused else None

    @property
    def clock_stops(self) -> tuple[tuple[datetime, datetime | None], ...]:
        """The intervals in which the clock stood still, oldest first and apart from each other; None: until now."""
        return tuple((pause.since, pause.until) for pause in self.pauses if pause.stops_clock)

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
        if self.kelurahan:
            tags["kelurahan"] = self.kelurahan
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


#: What ids of incidents begin with; those of a training city must not be taken for real ones.
INCIDENT: Final = "INC"
TRAINING_INCIDENT: Final = "LATIHAN"


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

    A move to the status it has is a change of something else (a note, a joined report) and always legal. Leaving
    `on_hold` ends the pause; an entry that puts it into other hands says so in its detail (`custody`).
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
    if to is not S.ON_HOLD and after.pauses:
        after = msgspec.structs.replace(after, pauses=ended(after.pauses, now))
    said = dict(detail or {})
    if after.holder != incident.holder:
        said[CUSTODY] = after.holder or ""
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
        detail=said,
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
