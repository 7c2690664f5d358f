"""What a decision hands to the shell: an incident before and after, its history entries, reasons and evidence."""

from dataclasses import dataclass
from datetime import datetime

from dispatcher.decisions.incident import Event, Incident
from dispatcher.decisions.rule import RuleRef


@dataclass(frozen=True, slots=True)
class Decision:
    """Why one judgement came out as it did: kept with the incident and shown (promise 8)."""

    #: `classify`, `locate`, `correlate`, `prioritise`, `route`, `assign`, `clock`, `detect`.
    judgement: str
    outcome: str
    because: tuple[str, ...]
    score: float | None = None
    report_id: str | None = None
    #: The routing rule that decided, with `route`; without one a person did, or no rule was asked.
    rule: RuleRef | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """Something that speaks for an incident (or, with a negative weight, against it)."""

    #: A report channel, `sensor` or `wifi`.
    source: str
    source_id: str
    weight: float
    at: datetime
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """One incident before and after, with everything that is written beside it. `before` None: it is new.

    Several events may lie between: a batch may join three reports to one incident, each an entry of its history.
    """

    before: Incident | None
    after: Incident
    events: tuple[Event, ...]
    decisions: tuple[Decision, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    traceparent: str | None = None

    def then(self, later: "Change") -> "Change":
        """This change and a later one of the same incident as one."""
        return Change(
            before=self.before,
            after=later.after,
            events=self.events + later.events,
            decisions=self.decisions + later.decisions,
            evidence=self.evidence + later.evidence,
            traceparent=later.traceparent or self.traceparent,
        )
