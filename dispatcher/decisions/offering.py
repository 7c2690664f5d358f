"""How officers are asked for an incident, one after the other, until enough have said yes: one table, one value."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Final

import msgspec

from dispatcher.decisions.assignment import WORKING, Assignment
from dispatcher.decisions.incident import ACTIVE_ASSIGNMENT, VERBS, Incident
from dispatcher.decisions.staffing import Staffing
from schemas.place import AgencyRef
from schemas.vocabulary import AssignmentStatus, IncidentStatus


class OfferingState(StrEnum):
    """Where the asking stands."""

    #: Somebody is asked, and the next best will be.
    ASKING = "asking"
    #: Enough have said yes: nobody else is asked, unless one hands it back.
    ANSWERED = "answered"
    #: Nobody is left; the shift lead should find somebody.
    SHIFT_LEAD = "shift_lead"
    #: Nor has the shift lead in time; it is before the head of the agency.
    AGENCY_HEAD = "agency_head"


S = OfferingState

#: Every move there is. An offering that is not there (nobody was asked by rules, or it has ended) is None.
NEXT: Final[Mapping[OfferingState, frozenset[OfferingState]]] = {
    S.ASKING: frozenset({S.ANSWERED, S.SHIFT_LEAD}),
    # One of those who had said yes hands it back.
    S.ANSWERED: frozenset({S.ASKING, S.SHIFT_LEAD}),
    # Somebody has come on shift, or a person asks anew; an officer who was asked as the second one says yes.
    S.SHIFT_LEAD: frozenset({S.ASKING, S.ANSWERED, S.AGENCY_HEAD}),
    S.AGENCY_HEAD: frozenset({S.ASKING, S.ANSWERED}),
}

#: Whom the incident was brought before, in this order.
ESCALATED: Final = (S.SHIFT_LEAD, S.AGENCY_HEAD)

#: Only here somebody may be asked.
ASKABLE: Final = VERBS["assign"]


class IllegalOffering(ValueError):
    """The table has no such move; the message names both ends."""


class Offering(msgspec.Struct, frozen=True, kw_only=True):
    """The asking for one incident, since its last beginning."""

    incident_id: str
    #: Whose officers are asked. An incident that has gone to another agency is asked around anew.
    agency: AgencyRef
    state: OfferingState
    #: How many are wanted.
    officers: int
    skills: tuple[str, ...] = ()
    began_at: datetime
    changed_at: datetime

    def moved(self, to: OfferingState, now: datetime) -> "Offering":
        """The offering in another state; the same when it is in it already. Raises `IllegalOffering`."""
        if to is self.state:
            return self
        if to not in NEXT[self.state]:
            raise IllegalOffering(f"an offering that is {self.state} cannot become {to}")
        after: Offering = msgspec.structs.replace(self, state=to, changed_at=now)
        return after

    def holds_for(self, incident: Incident) -> bool:
        """Whether somebody may still be asked for the incident by this offering."""
        return incident.status in ASKABLE and incident.agency == self.agency

    def refused(self, team: Iterable[Assignment]) -> frozenset[str]:
        """Who was asked in this round and said no, or nothing, or handed it back: not asked again in it."""
        return frozenset(one.officer for one in team if one.offered_at >= self.began_at and one.status in _REFUSALS)

    def missing(self, team: Iterable[Assignment]) -> int:
        """How many more are to be asked now: wanted, less who is asked, at work or done with it."""
        team = tuple(team)
        return max(self.officers - sum(one.status in ACTIVE_ASSIGNMENT for one in team) - self._done(team), 0)

    def answered(self, team: Iterable[Assignment]) -> bool:
        """Whether as many as are wanted have said yes."""
        team = tuple(team)
        return sum(one.status in WORKING for one in team) + self._done(team) >= self.officers

    def needless(self, team: Iterable[Assignment]) -> tuple[Assignment, ...]:
        """Open offers to take back, for enough have said yes; whom a person has named is wanted beside them."""
        team = tuple(team)
        if not self.answered(team):
            return ()
        return tuple(one for one in team if one.status is AssignmentStatus.OFFERED and not one.named)

    def _done(self, team: Iterable[Assignment]) -> int:
        return sum(one.completed_at is not None and one.completed_at >= self.began_at for one in team)


_REFUSALS: Final = frozenset({AssignmentStatus.DECLINED, AssignmentStatus.EXPIRED})


def needed_skills(incident: Incident, staffing: Staffing) -> tuple[str, ...]:
    """What each officer must be able to do: by the rule that has routed it, and by the agency's table."""
    return tuple(sorted({*incident.skills, *staffing.skills}))


def begin(incident: Incident, staffing: Staffing, team: Sequence[Assignment], now: datetime) -> Offering:
    """A new round, for an incident that has an agency. Who asks while some are at work wants one more."""
    if incident.agency is None:
        raise IllegalOffering("an incident without an agency has nobody to be asked")
    working = sum(one.status in WORKING for one in team)
    wanted = max(staffing.officers, incident.officers_needed)
    return Offering(
        incident_id=incident.id,
        agency=incident.agency,
        state=S.ASKING,
        officers=max(wanted, working + 1) if working else wanted,
        skills=needed_skills(incident, staffing),
        began_at=now,
        changed_at=now,
    )


def requested(before: Incident | None, after: Incident, staffing: Staffing, now: datetime) -> Offering | None:
    """The offering by which rules begin to ask at once: the incident has just come to an agency whose officers are
    asked without a person's word. None for every other change."""
    came = after.status is IncidentStatus.ROUTED and (
        before is None or before.status not in ASKABLE or before.agency != after.agency
    )
    if not came or after.agency is None or not staffing.automatic:
        return None
    return begin(after, staffing, (), now)


def refused_ever(team: Iterable[Assignment]) -> frozenset[str]:
    """Who has ever said no to this incident, or nothing."""
    return frozenset(one.officer for one in team if one.status in _REFUSALS)
