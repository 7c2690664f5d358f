"""A routing rule as data: what it asks of a case, and whose the case is then. The first of a set that fits decides."""

from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from functools import lru_cache
from typing import Annotated, Final, NamedTuple

import msgspec
from msgspec import Meta

from dispatcher.decisions.calendar import JAKARTA, Calendar
from dispatcher.decisions.judgement import Located
from dispatcher.decisions.place_names import Landmark, mentions
from dispatcher.decisions.road import road_named
from dispatcher.decisions.spelling import STOP, plain
from dispatcher.decisions.staffing import Skills
from schemas.gazetteer import Kecamatan, Kelurahan
from schemas.geography import PlaceHit
from schemas.vocabulary import AgencyCode, Category, DayKind, Priority, Regency, RoadAuthority, SightingSource
from schemas.wire import SEEN, Inbound

#: Rules of a set, and values of one condition: more cannot be overseen, and looking for shadows stays short.
MOST_RULES: Final = 200
_MOST_VALUES: Final = 50

_many: Final = Meta(max_length=_MOST_VALUES)
#: `06:00-09:00`, the end not included; `22:00-05:00` goes over midnight.
Hours = Annotated[str, Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]-(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$(?!\n)")]
Code = Annotated[str, Meta(max_length=20, pattern=r"^[0-9.]+$(?!\n)", description="Kemendagri code")]
Words = Annotated[str, Meta(min_length=2, max_length=60, pattern=SEEN)]
RuleName = Annotated[str, Meta(min_length=1, max_length=100, pattern=SEEN)]


class When(Inbound, frozen=True):
    """What a rule asks. A list that is empty asks nothing; of one that is not, one value must fit; all lists must.

    A rule without categories fits all but `other`.
    """

    category: Annotated[tuple[Category, ...], _many] = ()
    regency: Annotated[tuple[Regency, ...], _many] = ()
    kecamatan: Annotated[tuple[Code, ...], _many] = ()
    kelurahan: Annotated[tuple[Code, ...], _many] = ()
    #: Who manages the road that the report names (`roads.csv`); one that is not listed is the regency's own.
    road: Annotated[tuple[RoadAuthority, ...], _many] = ()
    #: Of the day in Jakarta, when the report arrived.
    time: Annotated[tuple[Hours, ...], _many] = ()
    day: Annotated[tuple[DayKind, ...], _many] = ()
    #: Before the rule: critical for words of an emergency, high for what is confirmed and gets worse.
    priority: Annotated[tuple[Priority, ...], _many] = ()
    source: Annotated[tuple[SightingSource, ...], _many] = ()
    #: Words or phrases of the report, in any spelling that we know.
    words: Annotated[tuple[Words, ...], _many] = ()
    #: Places that the report names: junctions, roads, kelurahan …
    places: Annotated[tuple[Words, ...], _many] = ()


class Rule(Inbound, frozen=True):
    """One line of the table: to an agency of the regency, to an outside body, or to a person."""

    name: RuleName
    when: When = When()
    agency: AgencyCode | None = None
    #: See it and help; do not lead.
    co_agencies: Annotated[tuple[AgencyCode, ...], Meta(max_length=5)] = ()
    transfer_to: AgencyCode | None = None
    triage: bool = False
    #: What it begins with.
    priority: Priority = Priority.NORMAL
    #: What each officer must be able to do, and how many go, beside what the agency's staffing says.
    skills: Skills = ()
    officers: Annotated[int, Meta(ge=1, le=10)] = 1

    @property
    def outcome(self) -> str:
        """What it does, as a word: an agency's code, `transfer to` a body, or `triage`."""
        if self.agency is not None:
            return self.agency.value
        return f"transfer to {self.transfer_to}" if self.transfer_to else "triage"


class RuleRef(NamedTuple):
    """The rule that has decided something: its name, in the set of this version."""

    name: str
    version: int


class RuleSet(msgspec.Struct, frozen=True, kw_only=True):
    """The rules in their order. 0 is the version of those in code; each set that goes live has the next."""

    version: int
    rules: tuple[Rule, ...]


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """What rules look at."""

    category: Category
    regency: Regency | None = None
    kecamatan: str | None = None
    kelurahan: str | None = None
    road: RoadAuthority = RoadAuthority.REGENCY
    #: Its name, where it is not the regency's own.
    road_name: str | None = None
    #: Of the day in Jakarta.
    minute: int = 720
    day: DayKind = DayKind.WORKDAY
    priority: Priority = Priority.NORMAL
    source: str = SightingSource.APP.value
    #: The reporter's words in our spelling.
    words: str = ""
    #: As `Located.named` has them.
    places: frozenset[str] = frozenset()
    outside: bool = False
    outside_where: str | None = None
    #: Other areas that it may be in.
    alternatives: tuple[PlaceHit, ...] = ()

    def naming(self, places: Iterable[str]) -> "Case":
        """The case with these places named too."""
        named: Case = msgspec.structs.replace(self, places=self.places | frozenset(places))
        return named


def case_of(
    category: Category,
    located: Located,
    *,
    address: str | None,
    words: str,
    source: str,
    priority: Priority,
    at: datetime,
    calendar: Calendar,
) -> Case:
    """A case of what was judged of a sighting or an incident.

    `address` and `words` are the reporter's, and name the road; `at`: when it came; `calendar`: the office's.
    """
    local = at.astimezone(JAKARTA)
    road = road_named(address or "", located.regency) or road_named(words, located.regency)
    return Case(
        category=category,
        regency=located.regency,
        kecamatan=located.kecamatan_code,
        kelurahan=located.kelurahan_code,
        road=road.authority if road else RoadAuthority.REGENCY,
        road_name=road.name if road else None,
        minute=local.hour * 60 + local.minute,
        day=day_kind(calendar, local.date()),
        priority=priority,
        source=source,
        words=plain(words),
        places=frozenset(located.named),
        outside=located.outside,
        outside_where=located.outside_where,
        alternatives=located.alternatives,
    )


def day_kind(calendar: Calendar, day: date) -> DayKind:
    """Holiday before weekend before workday."""
    if calendar.is_working_day(day):
        return DayKind.WORKDAY
    return DayKind.HOLIDAY if any(free.day == day for free in calendar.free_days) else DayKind.WEEKEND


def fits(when: When, case: Case) -> bool:
    """Whether all that is asked is so."""
    return all(check(when, case) for check in CHECKS.values())


def minutes(hours: str) -> tuple[int, int]:
    """`06:00-09:00` as minutes of the day; the end below the start goes over midnight."""
    start, end = ((int(each[:2]) * 60 + int(each[3:])) for each in hours.split("-"))
    return start, end


def _in_category(when: When, case: Case) -> bool:
    return case.category in when.category if when.category else case.category is not Category.OTHER


def _in_hours(when: When, case: Case) -> bool:
    return not when.time or any(_covers(hours, case.minute) for hours in when.time)


def _covers(hours: str, minute: int) -> bool:
    start, end = minutes(hours)
    return start <= minute < end if start < end else minute >= start or minute < end


def _says(when: When, case: Case) -> bool:
    return not when.words or any(f" {phrase(words)} " in f" {case.words} " for words in when.words)


def _names(when: When, case: Case) -> bool:
    return not when.places or any(place_called(name) in case.places for name in when.places)


#: Each condition by its name in `When`: nothing but its own part of a case counts for it.
CHECKS: Final[Mapping[str, Callable[[When, Case], bool]]] = {
    "category": _in_category,
    "regency": lambda when, case: not when.regency or case.regency in when.regency,
    "kecamatan": lambda when, case: not when.kecamatan or case.kecamatan in when.kecamatan,
    "kelurahan": lambda when, case: not when.kelurahan or case.kelurahan in when.kelurahan,
    "road": lambda when, case: not when.road or case.road in when.road,
    "source": lambda when, case: not when.source or case.source in when.source,
    "priority": lambda when, case: not when.priority or case.priority in when.priority,
    "day": lambda when, case: not when.day or case.day in when.day,
    "time": _in_hours,
    "words": _says,
    "places": _names,
}


@lru_cache(maxsize=4_096)
def phrase(words: str) -> str:
    """Words of a rule as they stand in a case; empty when nothing is left of them."""
    return " ".join(word for word in plain(words).split() if word != STOP)


@lru_cache(maxsize=4_096)
def place_called(name: str) -> str | None:
    """A place that a rule names as a case names it; None when it is none that we know, or more than one."""
    match [mention.place for mention in mentions(name)]:
        case [Landmark(name=found)]:
            return found
        case [Kelurahan(name=found) | Kecamatan(name=found)]:
            return found
        case _:
            return None
