"""How an incident ends: done, settled for good, or refused; and what its reporters say of that."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from dispatcher.decisions.assignment import Assignment, officers_of
from dispatcher.decisions.change import Change
from dispatcher.decisions.incident import IllegalMove, Incident, move
from dispatcher.decisions.incident_verbs import goes_on, require
from schemas.vocabulary import IncidentStatus

#: A reporter who is not satisfied reopens until then (contract.md, feedback).
REOPENED_WITHIN: Final = timedelta(days=14)
#: Whoever has reported, as an actor in the history. No username: those have no blanks.
REPORTER: Final = "the reporter"
_NOT_SATISFIED: Final = "Pelapor belum puas dengan hasilnya"


def resolve(
    incident: Incident, text: str, team: Sequence[Assignment], *, photo_ids: Sequence[str], actor: str, now: datetime
) -> Change:
    """Done, with an answer that the citizen reads. `team`: its assignments, those still active released already.

    Raises `IllegalMove`.
    """
    require(incident, "resolve")
    after, event = move(
        incident,
        IncidentStatus.RESOLVED,
        "resolved",
        actor=actor,
        now=now,
        note=text,
        public=True,
        detail={"photos": ",".join(photo_ids)} if photo_ids else None,
        officers=officers_of(team),
    )
    return Change(incident, after, (event,))


def close(incident: Incident, *, actor: str, now: datetime) -> Change:
    """Settled for good. Raises `IllegalMove`."""
    require(incident, "close")
    after, event = move(incident, IncidentStatus.CLOSED, "closed", actor=actor, now=now)
    return Change(incident, after, (event,))


def reject(incident: Incident, reason: str, team: Sequence[Assignment], *, actor: str, now: datetime) -> Change:
    """Nothing will be done, for a reason that the citizen reads. `team`: its assignments, none of them active.

    Raises `IllegalMove`.
    """
    require(incident, "reject")
    after, event = move(
        incident,
        IncidentStatus.REJECTED,
        "rejected",
        actor=actor,
        now=now,
        note=reason,
        public=True,
        officers=officers_of(team),
    )
    return Change(incident, after, (event,))


def reopen(incident: Incident, reason: str, *, actor: str, now: datetime, public: bool = False) -> Change:
    """Taken up again, or taken back from whom it was handed over to; its promise counts from now.

    Raises `IllegalMove`.
    """
    require(incident, "reopen")
    after, event = move(
        incident,
        goes_on(incident),
        "reopened",
        actor=actor,
        now=now,
        note=reason,
        public=public,
        reopened_at=now,
        resolved_at=None,
        ended_at=None,
        transferred_to=None,
        flags=(),
        on_board=True,
    )
    return Change(incident, after, (event,))


def may_reopen(status: IncidentStatus, resolved_at: datetime | None, now: datetime) -> bool:
    """Whether a reporter who is not satisfied reopens it now."""
    return (
        status in (IncidentStatus.RESOLVED, IncidentStatus.CLOSED)
        and resolved_at is not None
        and now - resolved_at <= REOPENED_WITHIN
    )


def judged_by_reporter(incident: Incident, *, satisfied: bool, report_id: str, now: datetime) -> Change:
    """A reporter's word on the answer: a no reopens it, the yes of its only reporter closes it.

    Raises `IllegalMove` when there is no answer to judge, or a no comes too late.
    """
    if incident.status not in (IncidentStatus.RESOLVED, IncidentStatus.CLOSED):
        raise IllegalMove("there is no answer yet to be satisfied with")
    if not satisfied:
        if not may_reopen(incident.status, incident.resolved_at, now):
            raise IllegalMove(f"more than {REOPENED_WITHIN.days} days have passed: send a new report")
        return reopen(incident, _NOT_SATISFIED, actor=REPORTER, now=now, public=True)
    after, event = move(
        incident, incident.status, "confirmed", actor=REPORTER, now=now, detail={"report_id": report_id}
    )
    said = Change(incident, after, (event,))
    if incident.report_count > 1 or after.status is IncidentStatus.CLOSED:
        return said
    return said.then(close(after, actor=REPORTER, now=now))
