"""The clocks of an incident: from when on each counts, when it is due, what stops it and what meets it.

Everything here follows from the incident and the policy, so verbs need not know about it: `timed` is put between a
decision and its being saved.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

import msgspec

from dispatcher.decisions.calendar import Calendar
from dispatcher.decisions.change import Change, Decision
from dispatcher.decisions.hold import FIELD_CHECK
from dispatcher.decisions.incident import ENDED, Incident
from dispatcher.decisions.policy import Policy
from dispatcher.decisions.sla import Promise
from schemas.vocabulary import AssignmentStatus, ClockKind, IncidentStatus

S = IncidentStatus
#: Somebody is to do something about it: its clocks run.
AT_WORK: Final = frozenset(IncidentStatus) - ENDED - {S.RESOLVED}
#: Done, as far as we know or for good.
SETTLED: Final = frozenset({S.RESOLVED, S.CLOSED})
_ARRIVED: Final = frozenset({AssignmentStatus.ON_SCENE, AssignmentStatus.COMPLETED})
#: Those with a ladder. `accept` is the assignment's, and `closed` acts by itself.
LADDERS: Final = (ClockKind.FIRST_LOOK, ClockKind.ON_SCENE, ClockKind.RESOLVED)
#: Those of an incident.
COUNTED: Final = (*LADDERS, ClockKind.CLOSED)

#: Intervals in which clocks stand still, oldest first and apart from each other; None: it lasts.
Stops = Sequence[tuple[datetime, datetime | None]]


def ends(
    start: datetime, promise: Promise, calendar: Calendar, stops: Stops = (), *, share: float = 1.0
) -> datetime | None:
    """When `share` of the promised span has passed since `start`, the stops left out.

    None while a stop lasts and it had not passed before. A longer stop never brings it forward.
    """
    in_days = promise.within.working_days is not None
    at, left = start, promise.within.length(calendar) * share
    for since, until in stops:
        if until is not None and until <= at:
            continue
        since = max(since, at)
        passed = calendar.between(at, since) if in_days else since - at
        if passed >= left:
            break
        if until is None:
            return None
        at, left = until, left - passed
    return calendar.after(at, left) if in_days else at + left


def started_at(incident: Incident, clock: ClockKind) -> datetime | None:
    """From when on its time is counted: the report, or for what comes after that the reopening; None before it has."""
    if clock is ClockKind.FIRST_LOOK:
        return incident.opened_at
    if clock is ClockKind.CLOSED:
        return incident.resolved_at if incident.status in SETTLED else None
    return incident.reopened_at or incident.opened_at


def is_running(incident: Incident, clock: ClockKind) -> bool:
    """It is not met yet and still can be; also while it stands still."""
    match clock:
        case ClockKind.FIRST_LOOK:
            return incident.looked_at is None and incident.agency is None and incident.status in AT_WORK
        case ClockKind.ON_SCENE:
            return incident.on_scene_at is None and incident.status in AT_WORK
        case ClockKind.RESOLVED:
            return incident.status in AT_WORK
        case ClockKind.CLOSED:
            return incident.status is S.RESOLVED
        case ClockKind.ACCEPT:
            return False


def due_at(incident: Incident, clock: ClockKind, policy: Policy, *, share: float = 1.0) -> datetime | None:
    """When `share` of the span has passed; None where nothing is promised or began, or while the clock stands still."""
    promise = promise_of(incident, clock, policy)
    start = started_at(incident, clock)
    if promise is None or start is None:
        return None
    stops = () if clock is ClockKind.CLOSED else incident.clock_stops
    return ends(start, promise, policy.calendar(promise), stops, share=share)


def timed(change: Change, policy: Policy) -> Change:
    """The change with everything in it that time decides: what was met by it, and what is due when.

    The due time of a clock that does not run any more stays as it is, whatever is decided anew. Done twice it is the
    same.
    """
    before, after = change.before, change.after
    if before is not None and before.policy_version == policy.times_version and same_times(before, after):
        return change
    after = _met(before, after)
    due = {
        clock: due_at(after, clock, policy)
        for clock in COUNTED
        if is_running(after, clock) or before is None or is_running(before, clock)
    }
    gone = after.status is S.TRANSFERRED
    after = msgspec.structs.replace(
        after,
        first_look_due_at=None if gone else due.get(ClockKind.FIRST_LOOK, after.first_look_due_at),
        on_scene_due_at=None if gone else due.get(ClockKind.ON_SCENE, after.on_scene_due_at),
        due_at=None if gone else due.get(ClockKind.RESOLVED, after.due_at),
        closes_at=due.get(ClockKind.CLOSED) if after.status is S.RESOLVED else None,
        policy_version=policy.times_version,
    )
    return replace(change, after=after, decisions=(*change.decisions, *_why(before, after, policy)))


def due_of(incident: Incident, clock: ClockKind) -> datetime | None:
    """When it is due, as was found last; None while that cannot be told."""
    match clock:
        case ClockKind.FIRST_LOOK:
            return incident.first_look_due_at
        case ClockKind.ON_SCENE:
            return incident.on_scene_due_at
        case ClockKind.RESOLVED:
            return incident.due_at
        case ClockKind.CLOSED:
            return incident.closes_at
        case ClockKind.ACCEPT:
            return None


def met_at(incident: Incident, clock: ClockKind) -> datetime | None:
    """When it was met; None as long as it is not."""
    match clock:
        case ClockKind.FIRST_LOOK:
            return incident.looked_at
        case ClockKind.ON_SCENE:
            return incident.on_scene_at
        case ClockKind.RESOLVED:
            return incident.resolved_at if incident.status in SETTLED else None
        case ClockKind.CLOSED | ClockKind.ACCEPT:
            return None


def promise_of(incident: Incident, clock: ClockKind, policy: Policy) -> Promise | None:
    """What it is promised for this clock."""
    checked = any(pause.reason == FIELD_CHECK for pause in incident.pauses)
    return policy.promise(clock, incident.category, incident.priority, incident.agency, field_check=checked)


def same_times(before: Incident, after: Incident) -> bool:
    """Whether by one policy everything is due at the same time for both, being one incident before and after."""
    return _matters(before) == _matters(after)


def _matters(incident: Incident) -> tuple[object, ...]:
    """What due times follow from."""
    return (
        incident.status,
        incident.category,
        incident.priority,
        incident.agency,
        incident.pauses,
        incident.reopened_at,
        incident.resolved_at,
        incident.officers,
        incident.on_board,
    )


def _met(before: Incident | None, after: Incident) -> Incident:
    """What the change has met: an agency has it, an officer has come."""
    now = after.updated_at
    if before is not None and after.reopened_at != before.reopened_at:
        after = msgspec.structs.replace(after, on_scene_at=None)
    # What was somebody's before there were clocks was looked at, nobody knows when.
    was_known = before is not None and _is_known(before)
    if after.looked_at is None and _is_known(after) and not was_known:
        after = msgspec.structs.replace(after, looked_at=now)
    come = {one.id for one in after.officers if one.status in _ARRIVED}
    were = {one.id for one in before.officers if one.status in _ARRIVED} if before else set()
    if after.on_scene_at is None and come - were:
        after = msgspec.structs.replace(after, on_scene_at=now)
    return after


def _is_known(incident: Incident) -> bool:
    """Whose it is; or that it is nobody's."""
    return incident.agency is not None or incident.status not in AT_WORK


def _why(before: Incident | None, after: Incident, policy: Policy) -> tuple[Decision, ...]:
    """Why it is due then, when that is new."""
    promise = promise_of(after, ClockKind.RESOLVED, policy)
    if promise is None or after.due_at is None or (before is not None and after.due_at == before.due_at):
        return ()
    stood = sum(((until or after.updated_at) - since for since, until in after.clock_stops), timedelta())
    because = [f"selesai dalam {promise.within.in_words()}"]
    if stood:
        because.append(f"jeda {stood / timedelta(hours=1):.1f} jam tidak dihitung")
    return (Decision("clock", after.due_at.isoformat(), tuple(because)),)
