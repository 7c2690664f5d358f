"""Rules as they are asked for and shown: structs of the API, and how stored ones become them."""

from collections.abc import Sequence
from typing import Annotated, Any

from msgspec import Meta

from dispatcher import rules_trial
from dispatcher.decisions.rule import MOST_RULES, Rule
from dispatcher.decisions.rule_findings import Findings, in_words
from dispatcher.decisions.rule_trial import Trial
from dispatcher.rules_store import Draft, Live
from schemas.wire import SEEN, Inbound, Record, Timestamp

Why = Annotated[str, Meta(min_length=1, max_length=500, pattern=SEEN)]
RulesVersion = Annotated[int, Meta(ge=0, le=2**31 - 1, description="That is live, as last read")]


class NewDraft(Inbound, frozen=True):
    """Rules in their order: the first that fits decides."""

    rules: Annotated[tuple[Rule, ...], Meta(min_length=1, max_length=MOST_RULES)]
    why: Why | None = None


class ApplyRules(Inbound, frozen=True):
    """Make them live; refused when another version has gone live meanwhile."""

    version: RulesVersion
    why: Why | None = None


class RuleRow(Rule, frozen=True, kw_only=True, omit_defaults=False):
    """A rule with its place in the order, from 1."""

    number: int


class RulesPage(Record, frozen=True):
    """The rules that are live; `version` names the set."""

    items: tuple[RuleRow, ...]
    next_cursor: str | None
    version: int


class RulesVersionRow(Record, frozen=True):
    """A set that is or was live. Version 0 came with the release."""

    version: int
    by: str | None
    at: Timestamp | None
    why: str
    rules: tuple[RuleRow, ...]


class DeadRule(Record, frozen=True):
    """A rule that never fires: those in `by` take all its cases; with none, nothing can fit it."""

    number: int
    name: str
    by: tuple[int, ...]
    example: dict[str, str] | None


class RuleConflict(Record, frozen=True):
    """Two rules that want different things of `example`; the first decides."""

    first: int
    second: int
    example: dict[str, str]


class RuleFindings(Record, frozen=True):
    """What rules do that may not be meant. Not `complete`: too many conditions to look at all of them."""

    never_fire: tuple[DeadRule, ...]
    conflicts: tuple[RuleConflict, ...]
    complete: bool


class DraftRow(Record, frozen=True):
    """A draft; `based_on` is the version that was live when it was written."""

    id: str
    why: str
    based_on: int
    drafted_by: str
    drafted_at: Timestamp
    tried_at: Timestamp | None
    applied_as: int | None
    rules: tuple[RuleRow, ...]


class DraftMade(DraftRow, frozen=True):
    """A new draft, and what can be said of it at once."""

    findings: RuleFindings


class RuleShift(Record, frozen=True, rename={"before": "from", "after": "to"}):
    """So many incidents would go to another place; some of them by their ids."""

    before: str
    after: str
    count: int
    examples: tuple[str, ...]


class RuleFired(Record, frozen=True):
    """How many incidents a rule would have decided."""

    number: int
    name: str
    fired: int


class TrialRow(Record, frozen=True):
    """What the draft would have done with the incidents of these days, beside the rules that are live (`against`).

    `complete` is false when there were more incidents than are tried (the newest 10,000) or time was over.
    """

    days: int
    against: int
    incidents: int
    changed: int
    changes: tuple[RuleShift, ...]
    rules: tuple[RuleFired, ...]
    findings: RuleFindings
    complete: bool


class RuleFigures(Record, frozen=True):
    """How often a rule decided, and how often a person then gave it to somebody else."""

    version: int
    rule: str
    fired: int
    rerouted: int
    share: float


def rows(rules: Sequence[Rule]) -> tuple[RuleRow, ...]:
    return tuple(
        RuleRow(number=number, **{name: getattr(rule, name) for name in Rule.__struct_fields__})
        for number, rule in enumerate(rules, start=1)
    )


def version_row(live: Live) -> RulesVersionRow:
    return RulesVersionRow(
        version=live.rules.version, by=live.by, at=live.at, why=live.why, rules=rows(live.rules.rules)
    )


def draft_fields(draft: Draft) -> dict[str, Any]:
    fields = {name: getattr(draft, name) for name in Draft.__struct_fields__}
    return {**fields, "rules": rows(draft.rules)}


def findings_row(rules: Sequence[Rule], findings: Findings) -> RuleFindings:
    return RuleFindings(
        never_fire=tuple(
            DeadRule(
                number=dead.number,
                name=rules[dead.number - 1].name,
                by=dead.by,
                example=in_words(dead.example) if dead.example else None,
            )
            for dead in findings.dead
        ),
        conflicts=tuple(
            RuleConflict(first=found.first, second=found.second, example=in_words(found.example))
            for found in findings.conflicts
        ),
        complete=findings.complete,
    )


def trial_row(days: int, against: int, rules: Sequence[Rule], trial: Trial, findings: Findings) -> TrialRow:
    return TrialRow(
        days=days,
        against=against,
        incidents=trial.looked_at,
        changed=trial.changed,
        changes=tuple(
            RuleShift(before=shift.before, after=shift.after, count=shift.count, examples=shift.examples)
            for shift in trial.shifts
        ),
        rules=tuple(
            RuleFired(number=number, name=rule.name, fired=fired)
            for number, (rule, fired) in enumerate(zip(rules, trial.fired, strict=True), start=1)
        ),
        findings=findings_row(rules, findings),
        complete=trial.complete and trial.looked_at < rules_trial.MOST_INCIDENTS,
    )
