"""What happens when time runs out: who is told at which rung of the ladder, what closes by itself, what is due anew."""

from datetime import datetime
from typing import Final

from dispatcher.decisions.change import Change
from dispatcher.decisions.clock import COUNTED, due_of, ends, is_running, promise_of, started_at, timed
from dispatcher.decisions.incident import Incident, move
from dispatcher.decisions.policy import Policy
from dispatcher.decisions.sla import Rung
from schemas.vocabulary import ClockKind, IncidentStatus

#: The clocks as an actor in the history.
ACTOR: Final = "dispatcher"

S = IncidentStatus


def ladder(incident: Incident, clock: ClockKind, policy: Policy) -> tuple[tuple[Rung, datetime], ...]:
    """The rungs of a running clock and when each is due, in their order; without those that cannot be told yet."""
    promise, start = promise_of(incident, clock, policy), started_at(incident, clock)
    if promise is None or start is None or not is_running(incident, clock):
        return ()
    calendar, stops = policy.calendar(promise), incident.clock_stops
    dues = ((rung, ends(start, promise, calendar, stops, share=rung.at)) for rung in promise.ladder)
    return tuple((rung, at) for rung, at in dues if at is not None)


def climb(
    incident: Incident, clock: ClockKind, *, fired: int, until: datetime, now: datetime, policy: Policy
) -> Change | None:
    """What is told of the clock: the rungs after the first `fired` ones that are due at `until`, an entry each.

    The history entry is what notifications are made of: `change` is `due_soon`, `overdue` or `escalated`; the detail
    says which `clock`, who is to be told (`tell`, codes of `Told` with commas) and when that was due (`due_at`). It
    travels as `id.bekasi.incident.changed.v1` through the outbox like every other.
    """
    at, entries = incident, []
    for rung, due in ladder(incident, clock, policy)[fired:]:
        if due > until:
            break
        at, event = move(
            at,
            at.status,
            "due_soon" if rung.at < 1 else "overdue" if rung.at == 1 else "escalated",
            actor=ACTOR,
            now=now,
            detail={"clock": clock.value, "tell": ",".join(rung.tell), "due_at": due.isoformat()},
        )
        entries.append(event)
    return Change(incident, at, tuple(entries)) if entries else None


def close_by_time(incident: Incident, *, now: datetime) -> Change | None:
    """Nobody has said that it is not done: it is closed. None when it is not `resolved` any more."""
    if incident.status is not S.RESOLVED:
        return None
    after, event = move(
        incident, S.CLOSED, "closed", actor=ACTOR, now=now, detail={"clock": ClockKind.CLOSED.value}, public=True
    )
    return Change(incident, after, (event,))


def rescheduled(incident: Incident, policy: Policy, *, now: datetime) -> Change:
    """The incident by a policy that was decided anew. Without an entry when nothing is due at another time; what had no
    clocks at all (policy -1) gets them without a word."""
    after = timed(Change(incident, incident, ()), policy).after
    first = incident.policy_version < 0
    moved = {
        clock.value: due_of(after, clock)
        for clock in COUNTED
        if due_of(after, clock) != due_of(incident, clock)
        # the board shows that one
        and (clock is ClockKind.RESOLVED or not first or due_of(incident, clock) is not None)
    }
    if not moved:
        return Change(incident, after, ())
    told = {clock: at.isoformat() if at else "" for clock, at in moved.items()}
    after, event = move(after, after.status, "rescheduled", actor=ACTOR, now=now, detail=told)
    return Change(incident, after, (event,))
