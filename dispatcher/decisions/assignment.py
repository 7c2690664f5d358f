"""An assignment and its lifecycle: one officer on one incident, one table of moves, verbs that say what happened."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final

import msgspec

from dispatcher.decisions.incident import ACTIVE_ASSIGNMENT, new_id
from schemas.assignment import AssignmentRow
from schemas.incident import IncidentOfficer
from schemas.place import AgencyRef
from schemas.vocabulary import AssignmentStatus, IncidentStatus, OfficerStatus

S = AssignmentStatus

#: Every move there is. A status that is missing on the right cannot be reached from the one on the left.
NEXT: Final[Mapping[AssignmentStatus, frozenset[AssignmentStatus]]] = {
    # Asked: the officer answers, or the offer is taken back by the clock or because the incident is settled.
    S.OFFERED: frozenset({S.ACCEPTED, S.DECLINED, S.EXPIRED, S.RELEASED}),
    # Said yes. Setting out need not be told; who finds that it cannot be done hands it back with a reason.
    S.ACCEPTED: frozenset({S.EN_ROUTE, S.ON_SCENE, S.DECLINED, S.RELEASED}),
    # On the way: a broken motorbike is a reason too.
    S.EN_ROUTE: frozenset({S.ON_SCENE, S.DECLINED, S.RELEASED}),
    # There. What was begun is ended with a word about it.
    S.ON_SCENE: frozenset({S.COMPLETED, S.RELEASED}),
    S.COMPLETED: frozenset(),
    S.DECLINED: frozenset(),
    S.EXPIRED: frozenset(),
    S.RELEASED: frozenset(),
}

#: The verbs of `POST /assignments/{id}/{verb}` and where each leads.
VERBS: Final[Mapping[str, AssignmentStatus]] = {
    "accept": S.ACCEPTED,
    "decline": S.DECLINED,
    "depart": S.EN_ROUTE,
    "arrive": S.ON_SCENE,
    "complete": S.COMPLETED,
}

#: The officer has said yes and is not done: `busy` follows from these.
WORKING: Final = frozenset({S.ACCEPTED, S.EN_ROUTE, S.ON_SCENE})

#: Named on the incident: who is asked, who is on it, who did it.
_ON_THE_INCIDENT: Final = ACTIVE_ASSIGNMENT | {S.COMPLETED}


class IllegalStep(ValueError):
    """The table has no such move; the message names both ends."""


class Assignment(msgspec.Struct, frozen=True, kw_only=True):
    """One officer's work on one incident. `version` counts its history entries."""

    id: str
    version: int
    incident_id: str
    #: Username.
    officer: str
    officer_name: str
    agency: AgencyRef
    status: AssignmentStatus
    #: Why this officer was chosen.
    because: tuple[str, ...] = ()
    #: A person has asked for just this officer: nobody else's yes takes the offer back.
    named: bool = False
    #: PostgreSQL's clock, as all times below.
    offered_at: datetime
    updated_at: datetime
    answer_due_at: datetime | None = None
    accepted_at: datetime | None = None
    on_scene_at: datetime | None = None
    completed_at: datetime | None = None
    note: str | None = None
    photo_ids: tuple[str, ...] = ()

    def row(self) -> AssignmentRow:
        """As others see it."""
        return AssignmentRow(
            id=self.id,
            version=self.version,
            incident_id=self.incident_id,
            officer=self.officer,
            officer_name=self.officer_name,
            agency=self.agency.agency,
            regency=self.agency.regency,
            status=self.status,
            offered_at=self.offered_at,
            updated_at=self.updated_at,
            answer_due_at=self.answer_due_at,
            accepted_at=self.accepted_at,
            on_scene_at=self.on_scene_at,
            completed_at=self.completed_at,
            note=self.note,
        )


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of an assignment's history."""

    assignment_id: str
    #: The assignment's version after it.
    version: int
    status: AssignmentStatus
    actor: str
    at: datetime
    #: The phone's clock, clamped to the time since the offer; kept beside, never trusted.
    device_at: datetime | None = None
    lat: float | None = None
    lon: float | None = None
    reason: str | None = None


class Phone(msgspec.Struct, frozen=True, kw_only=True):
    """What the officer's phone says of itself while acting."""

    at: datetime | None = None
    lat: float | None = None
    lon: float | None = None


def offer(
    incident_id: str,
    officer: str,
    officer_name: str,
    agency: AgencyRef,
    *,
    actor: str,
    now: datetime,
    answer_within: timedelta,
    because: Iterable[str] = (),
    named: bool = False,
) -> tuple[Assignment, Step]:
    """A new assignment: the officer is asked and should answer within `answer_within`."""
    assignment = Assignment(
        id=new_id("ASG"),
        version=1,
        incident_id=incident_id,
        officer=officer,
        officer_name=officer_name,
        agency=agency,
        status=S.OFFERED,
        because=tuple(because),
        named=named,
        offered_at=now,
        updated_at=now,
        answer_due_at=now + answer_within,
    )
    return assignment, Step(assignment_id=assignment.id, version=1, status=S.OFFERED, actor=actor, at=now)


def move(
    assignment: Assignment,
    to: AssignmentStatus,
    *,
    actor: str,
    now: datetime,
    phone: Phone | None = None,
    reason: str | None = None,
    note: str | None = None,
    photo_ids: tuple[str, ...] = (),
) -> tuple[Assignment, Step]:
    """The assignment after a move and its history entry. Raises `IllegalStep`.

    `reason` is why it was declined or released, `note` and `photo_ids` what was done.
    """
    if to not in NEXT[assignment.status]:
        raise IllegalStep(f"an assignment that is {assignment.status} cannot become {to}")
    after: Assignment = msgspec.structs.replace(
        assignment,
        status=to,
        version=assignment.version + 1,
        updated_at=now,
        accepted_at=now if to is S.ACCEPTED else assignment.accepted_at,
        on_scene_at=now if to is S.ON_SCENE else assignment.on_scene_at,
        completed_at=now if to is S.COMPLETED else assignment.completed_at,
        note=note if note is not None else assignment.note,
        photo_ids=photo_ids or assignment.photo_ids,
    )
    said = phone or Phone()
    step = Step(
        assignment_id=assignment.id,
        version=after.version,
        status=to,
        actor=actor,
        at=now,
        device_at=clamped(said.at, assignment.offered_at, now) if said.at is not None else None,
        lat=said.lat,
        lon=said.lon,
        reason=reason,
    )
    return after, step


def clamped(device_at: datetime, earliest: datetime, now: datetime) -> datetime:
    """A device's time as it can be at all: not before `earliest`, not after `now`."""
    return min(max(device_at, earliest), now)


def legal_verbs(assignment: Assignment) -> tuple[str, ...]:
    """The verbs that its status allows, whoever asks."""
    return tuple(verb for verb, to in VERBS.items() if to in NEXT[assignment.status])


def status_of_work(status: OfficerStatus, *, working: bool) -> OfficerStatus:
    """What an officer is after the own assignments have changed: `busy` while working, and available after that."""
    if working:
        return OfficerStatus.BUSY
    return OfficerStatus.AVAILABLE if status is OfficerStatus.BUSY else status


def standing_of(team: Iterable[Assignment], *, last: AssignmentStatus) -> IncidentStatus:
    """Where the assignments put their incident after one of them has become `last`.

    Somebody works: in progress. Somebody is asked: assigned. Nobody is left: resolved when the last one has completed
    it, else it is the agency's again.
    """
    active = [assignment.status for assignment in team if assignment.status in ACTIVE_ASSIGNMENT]
    if any(status in WORKING for status in active):
        return IncidentStatus.IN_PROGRESS
    if active:
        return IncidentStatus.ASSIGNED
    return IncidentStatus.RESOLVED if last is S.COMPLETED else IncidentStatus.ROUTED


def officers_of(team: Iterable[Assignment]) -> tuple[IncidentOfficer, ...]:
    """Who is named on the incident, in the order they were asked; an officer once, with the newest assignment."""
    newest: dict[str, IncidentOfficer] = {}
    for assignment in sorted(team, key=lambda one: (one.offered_at, one.id)):
        newest.pop(assignment.officer, None)
        if assignment.status in _ON_THE_INCIDENT:
            newest[assignment.officer] = IncidentOfficer(
                id=assignment.officer, name=assignment.officer_name, status=assignment.status
            )
    return tuple(newest.values())
