"""Waiting: an incident is put on hold for a reason, and goes on when somebody says so or its time has come."""

from collections.abc import Sequence
from datetime import datetime

from dispatcher.decisions.assignment import Assignment, officers_of
from dispatcher.decisions.change import Change, Decision
from dispatcher.decisions.hold import OTHER, REASONS, held
from dispatcher.decisions.incident import Incident, move
from dispatcher.decisions.incident_verbs import Unusable, goes_on, require
from schemas.vocabulary import IncidentStatus


def hold(
    incident: Incident, words: str, team: Sequence[Assignment], *, until: datetime | None, actor: str, now: datetime
) -> Change:
    """It waits, and nobody is on it meanwhile. `team`: its assignments, those still active released already.

    The citizen reads a reason of the vocabulary (dispatcher.decisions.hold); free words are for staff, and stop no
    clock. Raises `IllegalMove`, and `Unusable` for an `until` that has passed.
    """
    require(incident, "hold")
    if until is not None and until <= now:
        raise Unusable("until", "has passed already")
    pause = held(words, now, until)
    known = REASONS.get(pause.reason)
    detail = {"reason": pause.reason}
    if until is not None:
        detail["until"] = until.isoformat()
    after, event = move(
        incident,
        IncidentStatus.ON_HOLD,
        "held",
        actor=actor,
        now=now,
        note=known.name if known else words,
        public=pause.reason != OTHER,
        detail=detail,
        pauses=(*incident.pauses, pause),
        officers=officers_of(team),
    )
    clock = "waktu berhenti" if pause.stops_clock else "waktu tetap berjalan"
    return Change(incident, after, (event,), (Decision("hold", pause.reason, (clock, f"menurut {actor}")),))


def resume(incident: Incident, *, actor: str, now: datetime) -> Change:
    """It goes on, with its agency or before a person's look; the clock calls it once `hold_ends_at` has come.

    Raises `IllegalMove`.
    """
    require(incident, "resume")
    after, event = move(incident, goes_on(incident), "resumed", actor=actor, now=now)
    return Change(incident, after, (event,))
