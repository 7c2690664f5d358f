"""The clocks of an incident as people see them."""

from datetime import datetime

from dispatcher.decisions.clock import COUNTED, due_of, is_running, met_at, started_at
from dispatcher.decisions.escalation import ladder
from dispatcher.decisions.incident import Incident
from dispatcher.decisions.policy import Policy
from schemas.incident import ClockRow
from schemas.vocabulary import ClockKind, ClockState


def clocks(incident: Incident, policy: Policy, now: datetime) -> tuple[ClockRow, ...]:
    """The clocks as people see them, those that have begun; in the order of `ClockKind`."""
    rows = []
    for clock in COUNTED:
        start, due, met = started_at(incident, clock), due_of(incident, clock), met_at(incident, clock)
        if start is None or (due is None and not _stands_still(incident, clock)):
            continue
        rungs = ladder(incident, clock, policy)
        rows.append(
            ClockRow(
                clock=clock,
                started_at=start,
                due_at=due,
                warns_at=rungs[0][1] if rungs and rungs[0][0].at < 1 else None,
                met_at=met,
                state=_state(incident, clock, due, met, now),
            )
        )
    return tuple(rows)


def _state(
    incident: Incident, clock: ClockKind, due: datetime | None, met: datetime | None, now: datetime
) -> ClockState:
    if met is not None:
        return ClockState.BREACHED if due is not None and met > due else ClockState.MET
    if is_running(incident, clock):
        if due is None:
            return ClockState.PAUSED
        return ClockState.BREACHED if due < now and clock is not ClockKind.CLOSED else ClockState.RUNNING
    over = incident.resolved_at or incident.ended_at
    return ClockState.BREACHED if due is not None and over is not None and over > due else ClockState.VOID


def _stands_still(incident: Incident, clock: ClockKind) -> bool:
    return is_running(incident, clock) and incident.paused is not None and incident.paused.stops_clock
