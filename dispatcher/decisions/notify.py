"""Who is told what on which move of an incident or an assignment. Pure: people and reports are handed in."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from dispatcher.decisions.incident import Event, Incident
from dispatcher.decisions.telling import Audience
from schemas.place import AgencyRef
from schemas.vocabulary import AgencyCode, AssignmentStatus, IncidentStatus, Priority, Role, Told

S = IncidentStatus


class Template(StrEnum):
    """Everything that is ever said; the words are in `notify_id.toml` and `notify_en.toml`."""

    OFFER = "offer"
    TAKEN_BACK = "taken_back"
    DUE_SOON = "due_soon"
    OVERDUE = "overdue"
    ESCALATED = "escalated"
    NOBODY_TO_ASK = "nobody_to_ask"
    HANDED_OVER = "handed_over"
    CO_AGENCY = "co_agency"
    CO_AGENCY_DONE = "co_agency_done"
    PROOF_DOUBTFUL = "proof_doubtful"
    REPORT_JOINED = "report_joined"
    REPORT_ROUTED = "report_routed"
    REPORT_ASSIGNED = "report_assigned"
    REPORT_IN_PROGRESS = "report_in_progress"
    REPORT_RESOLVED = "report_resolved"
    REPORT_REJECTED = "report_rejected"
    REPORT_TRANSFERRED = "report_transferred"
    REPORT_REOPENED = "report_reopened"


_REPORTER: Final[Mapping[IncidentStatus, Template]] = {
    S.ROUTED: Template.REPORT_ROUTED,
    S.ASSIGNED: Template.REPORT_ASSIGNED,
    S.IN_PROGRESS: Template.REPORT_IN_PROGRESS,
    S.RESOLVED: Template.REPORT_RESOLVED,
    S.REJECTED: Template.REPORT_REJECTED,
    S.TRANSFERRED: Template.REPORT_TRANSFERRED,
}
_LADDER: Final[Mapping[str, Template]] = {
    "due_soon": Template.DUE_SOON,
    "overdue": Template.OVERDUE,
    "escalated": Template.ESCALATED,
}
#: An officer who said no, or nothing: who reports is not told of how we look for another, nor of a hold that ends.
_INWARD: Final = frozenset({"declined", "expired", "released", "resumed", "unmerged"})
#: It came to an agency by somebody's word; what the rules route is on its screen.
_BY_HAND: Final = frozenset({"rerouted", "received"})
#: Of an assignment: what its officer is told, or what answers what was told.
_STEPS: Final = frozenset(
    {
        AssignmentStatus.OFFERED,
        AssignmentStatus.ACCEPTED,
        AssignmentStatus.DECLINED,
        AssignmentStatus.EXPIRED,
        AssignmentStatus.RELEASED,
    }
)
#: Whom nobody has to remind of it any more.
SETTLED: Final = frozenset({S.RESOLVED, S.CLOSED, S.REJECTED, S.TRANSFERRED, S.MERGED})
#: What is no news once the incident is settled.
OF_OPEN_WORK: Final = frozenset({Template.DUE_SOON, Template.OVERDUE, Template.ESCALATED, Template.NOBODY_TO_ASK})
_AT_ONCE: Final = frozenset({Template.OFFER, Template.TAKEN_BACK, Template.NOBODY_TO_ASK})
_OF_NIGHTS: Final = frozenset({Priority.HIGH, Priority.CRITICAL})


@dataclass(frozen=True, slots=True)
class Move:
    """One entry of an incident's history, and how the incident stood before it."""

    incident_id: str
    version: int
    change: str
    status: IncidentStatus
    before: IncidentStatus | None
    detail: Mapping[str, str]

    @property
    def id(self) -> str:
        return f"{self.incident_id}/{self.version}"


@dataclass(frozen=True, slots=True)
class Step:
    """One entry of an assignment's history."""

    assignment_id: str
    incident_id: str
    version: int
    status: AssignmentStatus
    #: Of the entry before; None for an offer.
    before: AssignmentStatus | None
    actor: str
    officer: str

    @property
    def id(self) -> str:
        return f"{self.assignment_id}/{self.version}"


@dataclass(frozen=True, slots=True)
class Person:
    """An account that may be told."""

    username: str
    role: Role
    #: Empty: the whole city.
    agencies: tuple[AgencyRef, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """A report of the incident, and what its reporter was told last."""

    id: str
    tracking_code: str
    #: Template and holder.
    told: tuple[Template, str] | None = None


@dataclass(frozen=True, slots=True)
class Notice:
    """One receiver of a move."""

    audience: Audience
    #: `user:<username>` or `report:<report id>`.
    receiver: str
    template: Template
    urgent: bool
    #: What an acknowledgement settles for everybody; None: for the receiver alone.
    matter: str | None = None
    tracking_code: str | None = None


def is_told(before: IncidentStatus | None, event: Event) -> bool:
    """Whether anybody may have to be told of this entry; `before`: the status ahead of it. Cheap: asked of all."""
    return (
        event.change in _LADDER
        or event.change in _BY_HAND
        or event.change in ("report_joined", "reopened")
        or (event.status is not before and event.status in _REPORTER and event.change not in _INWARD)
    )


def is_told_of_step(status: AssignmentStatus) -> bool:
    """Whether such a step of an assignment is told, or settles what was."""
    return status in _STEPS


def settles(step: Step) -> bool:
    """The officer has answered, or nobody waits for the answer: nothing more of the offer."""
    return step.status is not AssignmentStatus.OFFERED


def of_step(step: Step) -> tuple[Notice, ...]:
    """What the officer is told of an assignment: asked for, or taken back by somebody else."""
    receiver = f"user:{step.officer}"
    if step.status is AssignmentStatus.OFFERED:
        return (Notice(Audience.OFFICER, receiver, Template.OFFER, urgent=True, matter=step.assignment_id),)
    if step.status is AssignmentStatus.RELEASED and step.actor != step.officer:
        return (Notice(Audience.OFFICER, receiver, Template.TAKEN_BACK, urgent=True),)
    return ()


def of_move(
    move: Move,
    incident: Incident,
    people: Sequence[Person],
    reports: Sequence[Report],
    *,
    asking_since: datetime | None = None,
) -> tuple[Notice, ...]:
    """Everybody who is told of it, each once. `incident`: as it is by now; `asking_since`: when the present round of
    asking officers began."""
    found = [*_staff(move, incident, people, asking_since), *_reporters(move, incident, reports)]
    return tuple({notice.receiver: notice for notice in reversed(found)}.values())[::-1]


def _staff(move: Move, incident: Incident, people: Sequence[Person], asking_since: datetime | None) -> Iterable[Notice]:
    template = _LADDER.get(move.change)
    if template is not None and "to" in move.detail:
        # nobody is left whom the rules could ask
        matter = f"{incident.id} asking {asking_since.isoformat() if asking_since else move.version}"
        role = Told.AGENCY_HEAD if move.detail["to"] == Told.AGENCY_HEAD else Told.SHIFT_LEAD
        yield from _each(named(role, incident, people), Template.NOBODY_TO_ASK, incident, matter)
    elif template is not None:
        matter = _matter(template, move.detail.get("clock", ""), incident)
        for code in filter(None, move.detail.get("tell", "").split(",")):
            yield from _each(named(Told(code), incident, people), template, incident, matter)
    if move.change in _BY_HAND:
        yield from _each(named(Told.DISPATCHER, incident, people), Template.HANDED_OVER, incident)
    if move.change in _INWARD:
        return
    if move.status is S.ROUTED and (move.before is not S.ROUTED or move.change in _BY_HAND):
        yield from _each(_helpers(incident, people), Template.CO_AGENCY, incident)
    if move.status is S.RESOLVED and move.before is not S.RESOLVED:
        yield from _each(_helpers(incident, people), Template.CO_AGENCY_DONE, incident)
        if incident.flags:
            yield from _each(named(Told.SHIFT_LEAD, incident, people), Template.PROOF_DOUBTFUL, incident)


def _matter(template: Template, clock: str, incident: Incident) -> str:
    """The breach of one clock, and all that follows from it, is one matter; the warning before it is another, for who
    knows that it gets late has not answered for its being late. After a reopening it begins anew."""
    what = "warning" if template is Template.DUE_SOON else "breach"
    since = incident.reopened_at.isoformat() if incident.reopened_at else ""
    return f"{incident.id} {what} {clock} {since}".rstrip()


def _reporters(move: Move, incident: Incident, reports: Sequence[Report]) -> Iterable[Notice]:
    if move.change == "report_joined":
        joined = move.detail.get("report_id")
        template, concerned = Template.REPORT_JOINED, [one for one in reports if one.id == joined]
        if move.status not in _REPORTER:
            return
    elif move.change == "reopened":
        template, concerned = Template.REPORT_REOPENED, list(reports)
    elif move.status in _REPORTER and move.status is not move.before and move.change not in _INWARD:
        template, concerned = _REPORTER[move.status], list(reports)
    elif move.change in _BY_HAND and move.status is S.ROUTED:
        template, concerned = Template.REPORT_ROUTED, list(reports)
    else:
        return
    holder = holder_at(move, incident)
    for report in concerned:
        # the third officer who is asked is no news to who has heard that one was
        if report.told != (template, holder):
            yield Notice(
                Audience.REPORTER,
                f"report:{report.id}",
                template,
                urgent=incident.priority is Priority.CRITICAL,
                tracking_code=report.tracking_code,
            )


def holder_at(move: Move, incident: Incident) -> str:
    """Who had it after the move; empty for nobody."""
    return move.detail.get("custody", incident.holder or "")


def _each(names: Iterable[str], template: Template, incident: Incident, matter: str | None = None) -> Iterable[Notice]:
    urgent = template in _AT_ONCE or (template is not Template.DUE_SOON and incident.priority in _OF_NIGHTS)
    for name in names:
        yield Notice(Audience.STAFF, f"user:{name}", template, urgent, matter)


def _helpers(incident: Incident, people: Sequence[Person]) -> list[str]:
    return [
        one.username
        for one in people
        if one.role is Role.DISPATCHER and any(agency in one.agencies for agency in incident.co_agencies)
    ]


def named(told: Told, incident: Incident, people: Sequence[Person]) -> list[str]:
    """The usernames of those whom a word of the ladder means for this incident. Where a city has nobody of that kind,
    those who stand next to them: a breach is never told to nobody while there is somebody."""
    for wanted in (told, *_NEXT_TO[told]):
        if names := [one.username for one in people if _is(one, wanted, incident)]:
            return names
    return [one.username for one in people if one.role is Role.ADMIN]


#: A head is a director of the agency (they read without personal data); few cities give each of them an account.
_NEXT_TO: Final[Mapping[Told, tuple[Told, ...]]] = {
    Told.OPERATOR: (Told.SHIFT_LEAD,),
    Told.DISPATCHER: (Told.SHIFT_LEAD, Told.OPERATOR),
    Told.SHIFT_LEAD: (Told.OPERATOR,),
    Told.AGENCY_HEAD: (Told.SHIFT_LEAD, Told.OPERATOR),
    Told.CENTER_HEAD: (),
}


def _is(person: Person, told: Told, incident: Incident) -> bool:
    own = incident.agency is not None and incident.agency in person.agencies
    match told:
        case Told.OPERATOR:
            return person.role is Role.OPERATOR and (own or not person.agencies)
        case Told.DISPATCHER:
            return person.role is Role.DISPATCHER and own
        case Told.SHIFT_LEAD:
            return person.role is Role.SUPERVISOR and (own or not person.agencies)
        case Told.AGENCY_HEAD:
            return person.role is Role.EXECUTIVE and own
        case Told.CENTER_HEAD:
            center = any(one.agency is AgencyCode.DISKOMINFO for one in person.agencies)
            return person.role is Role.EXECUTIVE and center
