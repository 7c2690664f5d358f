"""What a report is about: weighs the rules of `category_rules`; where they leave doubt an operator looks first."""

import re
from collections.abc import Sequence
from math import prod
from typing import Final, NamedTuple

from dispatcher.decisions.category_rules import AGAINST, COMES_OF, FOR, Rule
from dispatcher.decisions.category_words import EFFECT_AFTER, EFFECT_BEFORE, NAMES
from dispatcher.decisions.emergency import alarms
from dispatcher.decisions.judgement import Classification
from dispatcher.decisions.spelling import STOP, plain
from dispatcher.decisions.word_patterns import PatternTable, Reading
from schemas.vocabulary import CATEGORY_LABEL, Category

#: From this confidence on a report is dispatched without a look by an operator. A needless dispatch costs an officer's
#: hour, so nineteen of twenty dispatched texts shall be right; on the given 151 texts this threshold does better.
DISPATCH_FROM: Final = 0.6

#: Below this a category is not even a guess, and the report is `other`.
GUESS_FROM: Final = 0.25

#: How much a citizen's own choice of category adds: never enough to dispatch alone, enough to tip a fair guess.
HINT_WEIGHT: Final = 0.45

#: What remains of words that tell of an effect when the text also names a cause.
EFFECT_SHARE: Final = 0.45

#: A rule of another category is a cause from this weight on.
CAUSE_FROM: Final = 0.5

#: How much the second-best category takes from the confidence in the best.
RIVAL_SHARE: Final = 0.5

#: Words of a text that are read: what somebody is sent for is said by then, and the time for one text stays bounded.
_WORDS_READ: Final = 300

#: How far, in words, an effect's word may stand from "menyebabkan" or "karena".
_EFFECT_REACH: Final = 8
_AFTER: Final = re.compile(rf"(?<!\S)(?:{EFFECT_AFTER})(?P<reach>(?: [^ {STOP}]+){{0,{_EFFECT_REACH}}})")
_BEFORE: Final = re.compile(rf"(?P<reach>(?:(?<!\S)[^ {STOP}]+ ){{0,{_EFFECT_REACH}}})(?:{EFFECT_BEFORE})(?!\S)")
#: A text without any of these words tells of no effect, and is spared the two searches above.
_EFFECT_WORDS: Final = frozenset(f"{EFFECT_AFTER}|{EFFECT_BEFORE}".split("|"))

_SPEAK_FOR: Final = PatternTable((rule.pattern, rule) for rule in FOR)
_SPEAK_AGAINST: Final = PatternTable((doubt.pattern, doubt) for doubt in AGAINST)
_MERE_NAMES: Final = PatternTable((name, None) for name in NAMES)


class Finding(NamedTuple):
    """A rule that matched, with where in the text and whether it tells of an effect."""

    rule: Rule
    start: int
    end: int
    effect: bool


def classify(text: str, hint: Category | None = None) -> Classification:
    """The best category for a citizen's text, how sure it is, and the rules that spoke; any text gives an answer.

    `hint` is the category the citizen chose: evidence, not truth. `other` is never dispatched.
    """
    everything = Reading(" ".join(plain(text).split()[:_WORDS_READ]))
    reading = _MERE_NAMES.removed_from(everything)
    findings = _findings(reading)
    doubts = _SPEAK_AGAINST.found_in(reading)
    weights: dict[Category, list[float]] = {category: [] for category in Category}
    for finding in findings:
        weights[finding.rule.category].append(_weight(finding, findings))
    if hint is not None and hint is not Category.OTHER:
        weights[hint].append(HINT_WEIGHT)
    strength = dict.fromkeys(Category, 0.0)
    for category, spoken in weights.items():
        if spoken:
            doubted = [doubt.weight for doubt in doubts if not doubt.categories or category in doubt.categories]
            strength[category] = _either(spoken) * (1 - _either(doubted))
    for cause, effect, share in COMES_OF:
        strength[effect] *= 1 - share * strength[cause]
    ranked = sorted(strength, key=lambda category: -strength[category])
    best, rival = ranked[0], ranked[1]
    confidence = strength[best] * (1 - RIVAL_SHARE * strength[rival])
    if strength[best] < GUESS_FROM:
        # nothing known speaks for `other` half; words that speak against all categories speak for it
        against_all = [doubt.weight for doubt in doubts if not doubt.categories]
        best, confidence = Category.OTHER, 1 - 0.5 * (1 - _either(against_all))
    emergency = alarms(everything)
    return Classification(
        category=best,
        confidence=round(confidence, 3),
        evidence=(
            *(f"darurat: {why}" for why in emergency),
            *_spoken(reading, findings, best),
            *dict.fromkeys(f"ragu: {doubt.why}" for doubt in doubts),
        ),
        emergency=bool(emergency),
        dispatch=best is not Category.OTHER and confidence >= DISPATCH_FROM,
    )


def _findings(reading: Reading) -> list[Finding]:
    effects = []
    if not _EFFECT_WORDS.isdisjoint(reading.present):
        effects = [match.span("reach") for told in (_AFTER, _BEFORE) for match in told.finditer(reading.words)]
    found = []
    for each, rule in _SPEAK_FOR.near(reading):
        spans = each.spans(reading)
        if spans:
            told_as_effect = all(any(low <= start < high for low, high in effects) for start, _ in spans)
            found.append(Finding(rule, *spans[0], told_as_effect))
    return found


def _weight(finding: Finding, findings: list[Finding]) -> float:
    has_cause = finding.effect and any(
        not other.effect and other.rule.weight >= CAUSE_FROM and other.rule.category is not finding.rule.category
        for other in findings
    )
    return finding.rule.weight * (EFFECT_SHARE if has_cause else 1.0)


def _either(weights: Sequence[float]) -> float:
    """How sure at least one of independent signs is right."""
    return 1 - prod([1 - weight for weight in weights])


def _spoken(reading: Reading, findings: list[Finding], best: Category) -> list[str]:
    """The rules that matched and the words they matched, those of the best category first."""
    ordered = sorted(findings, key=lambda finding: (finding.rule.category is not best, -finding.rule.weight))
    return [
        f"{CATEGORY_LABEL[finding.rule.category][0]}: {finding.rule.why} “{reading.words[finding.start : finding.end]}”"
        for finding in ordered
    ]
