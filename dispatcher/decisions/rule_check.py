"""What is wrong with rules beyond their shape: names that are nobody's, outcomes that contradict themselves."""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import NamedTuple

from dispatcher.decisions.rule import MOST_RULES, Rule, When, minutes, phrase, place_called
from schemas.gazetteer import gazetteer
from schemas.vocabulary import OUTSIDE_BODIES, Category


class Flaw(NamedTuple):
    """What is wrong, and where: names and numbers from the list of rules on, such as (2, "when", "words", 0)."""

    path: tuple[str | int, ...]
    message: str


def flaws(rules: Sequence[Rule]) -> list[Flaw]:
    """Everything that is wrong with them, in their order; rules with none of it may go live."""
    found = []
    if not rules:
        found.append(Flaw((), "there is no rule"))
    if len(rules) > MOST_RULES:
        found.append(Flaw((MOST_RULES,), f"more than {MOST_RULES} rules"))
    first_called: dict[str, int] = {}
    for number, rule in enumerate(rules[:MOST_RULES]):
        before = first_called.setdefault(rule.name.casefold(), number)
        if before != number:
            found.append(Flaw((number, "name"), f"rule {before + 1} has this name"))
        found += [Flaw((number, *path), message) for path, message in (*_of_outcome(rule), *_of_conditions(rule.when))]
    return found


def _of_outcome(rule: Rule) -> Iterator[Flaw]:
    chosen = [name for name in ("agency", "transfer_to") if getattr(rule, name) is not None]
    if len(chosen) + rule.triage != 1:
        yield Flaw((), "say one of agency, transfer_to and triage: true")
    if rule.agency in OUTSIDE_BODIES:
        yield Flaw(("agency",), "an outside body takes no orders: use transfer_to")
    if rule.transfer_to is not None and rule.transfer_to not in OUTSIDE_BODIES:
        yield Flaw(("transfer_to",), f"one of {', '.join(sorted(OUTSIDE_BODIES))}")
    for at, co_agency in enumerate(rule.co_agencies):
        if co_agency in OUTSIDE_BODIES:
            yield Flaw(("co_agencies", at), "an outside body cannot help here")
        if co_agency is rule.agency or co_agency in rule.co_agencies[:at]:
            yield Flaw(("co_agencies", at), "named already")
    if rule.agency is None:
        for name in ("co_agencies", "skills"):
            if getattr(rule, name):
                yield Flaw((name,), "goes with an agency only")
        if rule.officers > 1:
            yield Flaw(("officers",), "goes with an agency only")
    if rule.agency is not None and Category.OTHER in rule.when.category:
        yield Flaw(("when", "category"), "other is never dispatched to an agency")


def _of_conditions(when: When) -> Iterator[Flaw]:
    for name in When.__struct_fields__:
        values = getattr(when, name)
        yield from (
            Flaw(("when", name, at), "named already") for at, value in enumerate(values) if value in values[:at]
        )
    for name, known in (("kecamatan", _kecamatan()), ("kelurahan", _kelurahan())):
        for at, code in enumerate(getattr(when, name)):
            if code not in known:
                yield Flaw(("when", name, at), f"no {name} of Bekasi has this code")
    for at, hours in enumerate(when.time):
        start, end = minutes(hours)
        if start == end:
            yield Flaw(("when", "time", at), "begins when it ends")
    for at, words in enumerate(when.words):
        if not phrase(words):
            yield Flaw(("when", "words", at), "no words in it")
    for at, place in enumerate(when.places):
        if place_called(place) is None:
            yield Flaw(("when", "places", at), "not one place that we know by its name")


@cache
def _kecamatan() -> frozenset[str]:
    return frozenset(area.code for area in gazetteer().kecamatan)


@cache
def _kelurahan() -> frozenset[str]:
    return frozenset(area.code for area in gazetteer().kelurahan)
