"""What a set of rules does that nobody may have meant: rules that never fire, and pairs where only the order decides.

A rule fires when some case fits it and none of those before it. Each condition looks at one part of a case alone, so a
case is searched part by part: for each value of a part it is known which earlier rules accept it, and what counts is
only how few of them are left. Words and places are taken to be said alone, for who says more fits more rules. Parts are
combined freely, also as no real case has them (a kelurahan and a road elsewhere): so a rule that is called dead here
never fires, and one that is not called so might still never do.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations, product
from typing import Final, TypeVar

from dispatcher.decisions.rule import CHECKS, Case, Rule, minutes, phrase, place_called
from schemas.gazetteer import gazetteer
from schemas.vocabulary import Category, DayKind, Priority, Regency, RoadAuthority, SightingSource

#: Steps of one search, and of all of them together: a set that wants more is told to be unknown in part.
_STEPS: Final = 20_000
_ALL_STEPS: Final = 300_000
#: More of them nobody reads.
_MOST_CONFLICTS: Final = 50

_NOON: Final = 12 * 60

T = TypeVar("T")

#: The parts of a case, each with the conditions that look at it; those that tell most apart come first.
_PARTS: Final[Mapping[str, tuple[str, ...]]] = {
    "category": ("category",),
    "area": ("regency", "kecamatan", "kelurahan"),
    "road": ("road",),
    "words": ("words",),
    "places": ("places",),
    "source": ("source",),
    "priority": ("priority",),
    "day": ("day",),
    "time": ("time",),
}


@dataclass(frozen=True, slots=True)
class Dead:
    """A rule that never fires. `by`: the rules before it that take its cases; none: nothing can fit it at all."""

    number: int
    by: tuple[int, ...]
    example: Case | None


@dataclass(frozen=True, slots=True)
class Conflict:
    """Two rules that want different things of `example`: the first decides, and neither is the other's special case."""

    first: int
    second: int
    example: Case


@dataclass(frozen=True, slots=True)
class Findings:
    """Rules by their number from 1. Not `complete`: too many conditions to look at all of them."""

    dead: tuple[Dead, ...]
    conflicts: tuple[Conflict, ...]
    complete: bool


class _TooMany(Exception):
    """A search has taken too many steps."""


def look_through(rules: Sequence[Rule]) -> Findings:
    """Everything of it; up to seconds for hundreds of rules, so not on an event loop."""
    search = _Search(rules)
    dead: list[Dead] = []
    conflicts: list[Conflict] = []
    complete = True
    for at in range(len(rules)):
        try:
            found = _dead(search, at)
            if found is not None:
                dead.append(found)
        except _TooMany:
            complete = False
    alive = sorted(set(range(len(rules))) - {one.number - 1 for one in dead})
    for first, second in combinations(alive, 2):
        if rules[first].outcome == rules[second].outcome:
            continue
        if len(conflicts) == _MOST_CONFLICTS:
            complete = False
            break
        try:
            # an exception, as far as their categories are the same, comes before what it is excepted from
            if search.case((first,), (second,), category_of=second) is None:
                continue
            example = search.case((first, second), range(first))
            if example is not None:
                conflicts.append(Conflict(first + 1, second + 1, example))
        except _TooMany:
            complete = False
    return Findings(tuple(dead), tuple(conflicts), complete)


def _dead(search: "_Search", at: int) -> Dead | None:
    if search.case((at,), range(at)) is not None:
        return None
    own = search.case((at,), ())
    if own is None:
        return Dead(at + 1, (), None)
    takers = [before for before in range(at) if search.case((before, at), range(before)) is not None]
    alone = [before for before in takers if search.case((at,), (before,)) is None]
    return Dead(at + 1, tuple(number + 1 for number in alone[:1] or takers), own)


class _Search:
    """Looks for cases, with what is known of the rules worked out once."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = rules
        self._left = _ALL_STEPS
        self._said_before: dict[tuple[str, tuple[tuple[str, ...], ...]], dict[int, Case]] = {}
        values = {
            "category": [Case(category=category) for category in Category],
            "area": _areas(),
            "road": [Case(category=Category.FLOOD, road=road) for road in _first(RoadAuthority.REGENCY, RoadAuthority)],
            "source": [Case(category=Category.FLOOD, source=source.value) for source in SightingSource],
            "priority": [Case(category=Category.FLOOD, priority=each) for each in _first(Priority.NORMAL, Priority)],
            "day": [Case(category=Category.FLOOD, day=day) for day in DayKind],
            "time": [Case(category=Category.FLOOD, minute=minute) for minute in _turns(rules)],
        }
        #: Per part its values with the rules that accept them, as bits; of those that the same accept, the first.
        self._accepting = {part: self._told_apart(part, cases) for part, cases in values.items()}

    def _told_apart(self, part: str, cases: Iterable[Case]) -> dict[int, Case]:
        told: dict[int, Case] = {}
        for case in cases:
            told.setdefault(self._accepted(part, case), case)
        return told

    def _accepted(self, part: str, case: Case) -> int:
        checks = [CHECKS[name] for name in _PARTS[part]]
        return sum(1 << at for at, rule in enumerate(self._rules) if all(check(rule.when, case) for check in checks))

    def case(self, wanted: Sequence[int], unwanted: Iterable[int], category_of: int | None = None) -> Case | None:
        """A case that fits all of `wanted` and none of `unwanted` (places in the list); None when there is none.

        `category_of`: and is of a category that this one asks for too.
        """
        fits_all = _bits(wanted)
        options = []
        for part in _PARTS:
            needed = fits_all | (1 << category_of if category_of is not None and part == "category" else 0)
            accepting = self._accepting.get(part) or self._said(part, wanted)
            options.append([(mask, case) for mask, case in accepting.items() if mask & needed == needed])
            if not options[-1]:
                return None
        self._steps = _STEPS
        found = self._find(options, 0, _bits(unwanted), set())
        return None if found is None else _together(found)

    def _find(
        self, options: Sequence[list[tuple[int, Case]]], at: int, alive: int, failed: set[tuple[int, int]]
    ) -> list[Case] | None:
        """A value of each part from the one numbered `at` on, so that none of the rules of `alive` accepts all."""
        if not alive:
            return [part[0][1] for part in options[at:]]
        if at == len(options) or (at, alive) in failed:
            return None
        self._steps -= 1
        self._left -= 1
        if self._steps < 0 or self._left < 0:
            raise _TooMany
        # with the same left one value is as good as the other
        left = {alive & mask: case for mask, case in reversed(options[at])}
        tried: list[int] = []
        for still in sorted(left, key=int.bit_count):
            # what cannot be kept from fewer rules cannot be kept from more
            if any(fewer & still == fewer for fewer in tried):
                continue
            rest = self._find(options, at + 1, still, failed)
            if rest is not None:
                return [left[still], *rest]
            tried.append(still)
        failed.add((at, alive))
        return None

    def _said(self, part: str, wanted: Sequence[int]) -> dict[int, Case]:
        """The least that can be said to fit all of `wanted`: a phrase, or a place, of each that asks for one."""
        asked = tuple(values for at in wanted if (values := getattr(self._rules[at].when, part)))
        if (part, asked) not in self._said_before:
            if part == "words":
                texts = product(*([phrase(words) for words in values] for values in asked))
                cases = [Case(category=Category.FLOOD, words=" . ".join(dict.fromkeys(said))) for said in texts]
            else:
                named = product(*([place_called(place) or "" for place in values] for values in asked))
                cases = [Case(category=Category.FLOOD, places=frozenset(said)) for said in named]
            self._said_before[part, asked] = self._told_apart(part, cases)
        return self._said_before[part, asked]


def _bits(places: Iterable[int]) -> int:
    return sum(1 << at for at in places)


def _together(found: Sequence[Case]) -> Case:
    """One case of a value for each part."""
    fields = {"area": ("regency", "kecamatan", "kelurahan"), "time": ("minute",)}
    chosen = {
        field: getattr(case, field)
        for part, case in zip(_PARTS, found, strict=True)
        for field in fields.get(part, (part,))
    }
    return Case(**chosen)


def _turns(rules: Sequence[Rule]) -> list[int]:
    """Minutes of the day at which the hours of some rule begin or end: between them nothing changes."""
    spans = [minutes(hours) for rule in rules for hours in rule.when.time]
    return _first(_NOON, sorted({0, *(minute % 1440 for span in spans for minute in span)}))


def _first(ordinary: T, values: Iterable[T]) -> list[T]:
    """The ordinary value before the others: of values that are as good as each other, an example has the first."""
    return list(dict.fromkeys((ordinary, *values)))


@cache
def _areas() -> tuple[Case, ...]:
    """Every kelurahan, and where no more is known than the kecamatan or the regency."""
    regencies = [Case(category=Category.FLOOD, regency=regency) for regency in Regency]
    kecamatan = [
        Case(category=Category.FLOOD, regency=area.regency, kecamatan=area.code) for area in gazetteer().kecamatan
    ]
    kelurahan = [
        Case(category=Category.FLOOD, regency=area.regency, kecamatan=area.kecamatan_code, kelurahan=area.code)
        for area in gazetteer().kelurahan
    ]
    return (*regencies, *kecamatan, *kelurahan)


def in_words(case: Case) -> dict[str, str]:
    """A case as people read it: each part that says something."""
    said = {
        "category": case.category.value,
        "regency": case.regency.value if case.regency else "",
        "kecamatan": case.kecamatan or "",
        "kelurahan": case.kelurahan or "",
        "road": case.road.value,
        "time": f"{case.minute // 60:02}:{case.minute % 60:02}",
        "day": case.day.value,
        "priority": case.priority.value,
        "source": case.source,
        "words": case.words,
        "places": ", ".join(sorted(case.places)),
    }
    return {name: value for name, value in said.items() if value}
