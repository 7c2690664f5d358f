"""What people do to an incident: each verb answers with the change it makes. Who may is asked before."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from dispatcher.decisions.assignment import Assignment, officers_of, standing_of
from dispatcher.decisions.change import Change, Decision
from dispatcher.decisions.incident import VERBS, IllegalMove, Incident, move
from schemas.vocabulary import AssignmentStatus, IncidentStatus


class Unusable(ValueError):
    """The verb cannot be done with what was given; `field` is what would have to be different."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class NothingChanges(Unusable):
    """The verb would leave everything as it is; `field` is what was missing to do more."""


def require(incident: Incident, verb: str) -> None:
    """Raises `IllegalMove` when the incident's status does not allow the verb."""
    if incident.status not in VERBS[verb]:
        raise IllegalMove(f"an incident that is {incident.status} does not take {verb}")


def goes_on(incident: Incident) -> IncidentStatus:
    """Where one stands that nobody is on and that is not settled: with its agency, or before a person's look."""
    return IncidentStatus.ROUTED if incident.agency else IncidentStatus.TRIAGE


def note(incident: Incident, text: str, *, public: bool, actor: str, now: datetime) -> Change:
    """Words of a person beside the work; with `public` the citizen reads them too."""
    after, event = move(incident, incident.status, "noted", actor=actor, now=now, note=text, public=public)
    return Change(incident, after, (event,))


def assign(incident: Incident, offered: Assignment, team: Sequence[Assignment], *, actor: str, now: datetime) -> Change:
    """An officer was asked. `team`: all its assignments, the new one among them. Raises `IllegalMove`."""
    require(incident, "assign")
    change = follow(incident, offered, team, "assigned", actor=actor, now=now)
    decision = Decision("assign", offered.officer, offered.because)
    return Change(incident, change.after, change.events, (decision,))


def follow(
    incident: Incident,
    moved: Assignment,
    team: Sequence[Assignment],
    change: str,
    *,
    actor: str,
    now: datetime,
    note: str | None = None,
    device_at: datetime | None = None,
) -> Change:
    """The incident after one of its assignments has moved; `team` is all of them as they are now.

    When the last active one has completed, the change is `resolved`. Raises `IllegalMove`.
    """
    status = standing_of(team, last=moved.status)
    detail: Mapping[str, str] = {"assignment": moved.id, "officer": moved.officer}
    if moved.status is AssignmentStatus.COMPLETED and status is IncidentStatus.RESOLVED:
        change = "resolved"
    after, event = move(
        incident,
        status,
        change,
        actor=actor,
        now=now,
        note=note,
        device_at=device_at,
        detail=detail,
        officers=officers_of(team),
    )
    return Change(incident, after, (event,))
