"""Whose it is: put into other hands, inside the two governments and outside of them, and never out of sight.

What goes to the other government is theirs at once and stays open; what goes to an outside body is `transferred`: we
cannot say more of it than who has it, since when and from whom, and may take it back (`reopen`).
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from dispatcher.decisions.assignment import Assignment, officers_of
from dispatcher.decisions.change import Change, Decision
from dispatcher.decisions.incident import Incident, move
from dispatcher.decisions.incident_verbs import Unusable, require
from schemas.place import AgencyRef
from schemas.vocabulary import OUTSIDE_BODIES, AgencyCode, IncidentStatus, Regency

#: The same work in the other government, where it has no dinas of that name.
_INSTEAD: Final = {(Regency.KABUPATEN_BEKASI, AgencyCode.PJU): AgencyCode.DISHUB}


def reroute(
    incident: Incident,
    agency: AgencyRef,
    reason: str,
    team: Sequence[Assignment],
    *,
    actor: str,
    now: datetime,
) -> Change:
    """Another agency's from now on. `team`: its assignments, those still active released already.

    Raises `IllegalMove`, and `Unusable` for an agency that has it already or is none of the two governments'.
    """
    require(incident, "reroute")
    _refuse(agency, incident)
    after, event = move(
        incident,
        IncidentStatus.ROUTED,
        "rerouted",
        actor=actor,
        now=now,
        note=reason,
        officers=officers_of(team),
        **_theirs(incident, agency),
    )
    return Change(incident, after, (event,), (_why(str(agency), actor, reason),))


def transfer(
    incident: Incident,
    to: str,
    reason: str,
    team: Sequence[Assignment],
    *,
    actor: str,
    now: datetime,
) -> Change:
    """Handed over to an outside body (`PLN`), or to the other government (`32.16`, or one agency of theirs:
    `32.16/DLH`), with a reason that the citizen reads. `team` as in `reroute`.

    Raises `IllegalMove`, and `Unusable` for what is nobody's name, or one's own.
    """
    require(incident, "transfer")
    receiver = _receiver(incident, to)
    holder = receiver.value if isinstance(receiver, AgencyCode) else str(receiver)
    after, event = move(
        incident,
        IncidentStatus.TRANSFERRED,
        "transferred",
        actor=actor,
        now=now,
        note=reason,
        public=True,
        transferred_to=holder,
        officers=officers_of(team),
    )
    handed_over = Change(incident, after, (event,), (_why(holder, actor, reason),))
    if isinstance(receiver, AgencyCode):
        return handed_over
    theirs = _theirs(incident, receiver)
    open_again, received = move(
        after, IncidentStatus.ROUTED, "received", actor=actor, now=now, transferred_to=None, ended_at=None, **theirs
    )
    return handed_over.then(Change(after, open_again, (received,)))


def _theirs(incident: Incident, agency: AgencyRef) -> dict[str, Any]:
    """What changes with the agency. Who helped the one before goes on helping inside the same government."""
    same_side = incident.agency is not None and incident.agency.regency is agency.regency
    helping = incident.co_agencies if same_side else ()
    return {
        "agency": agency,
        "co_agencies": tuple(one for one in helping if one != agency),
        # what the rule asked of the other agency's officers
        "skills": (),
        "officers_needed": 1,
    }


def _receiver(incident: Incident, to: str) -> AgencyCode | AgencyRef:
    if to in OUTSIDE_BODIES:
        return AgencyCode(to)
    if to in frozenset(Regency):
        if incident.agency is None:
            raise Unusable("to", "say which agency of theirs, such as 32.16/DLH")
        code = _INSTEAD.get((Regency(to), incident.agency.agency), incident.agency.agency)
        agency = AgencyRef(regency=Regency(to), agency=code)
    else:
        try:
            agency = AgencyRef.parse(to)
        except ValueError as error:
            raise Unusable("to", "not an outside body, a government or an agency of one") from error
    if incident.agency is not None and incident.agency.regency is agency.regency:
        raise Unusable("to", "is the same government: reroute it")
    _refuse(agency, incident, "to")
    return agency


def _refuse(agency: AgencyRef, incident: Incident, field: str = "agency") -> None:
    if agency.agency in OUTSIDE_BODIES:
        raise Unusable(field, "is no agency of the two governments: transfer it")
    if agency == incident.agency:
        raise Unusable(field, "has it already")


def _why(holder: str, actor: str, reason: str) -> Decision:
    return Decision("route", holder, (f"menurut {actor}", reason))
