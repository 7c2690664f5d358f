"""What the city promises: per clock, category, priority and agency how long it may take, and who is told when."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from functools import lru_cache
from typing import Annotated, Final

from msgspec import Meta

from dispatcher.decisions.calendar import Calendar
from schemas.place import AgencyRef
from schemas.vocabulary import AgencyCode, Category, ClockKind, Priority, Regency, Told
from schemas.wire import Inbound

#: The calendar that a promise counts working days by, when it names none.
OFFICE_HOURS: Final = "office"


CalendarName = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_-]{0,39}$(?!\n)")]


class Span(Inbound, frozen=True, cache_hash=True):
    """How long: `minutes` by the clock on the wall, or `working_days` by a calendar. One of the two."""

    minutes: Annotated[int, Meta(ge=1, le=60 * 24 * 366)] | None = None
    working_days: Annotated[int, Meta(ge=1, le=250)] | None = None

    def __post_init__(self) -> None:
        if (self.minutes is None) == (self.working_days is None):
            raise ValueError("a span is minutes or working_days")

    def length(self, calendar: Calendar) -> timedelta:
        """As time: of the wall's clock, or of the calendar's."""
        if self.working_days is not None:
            return self.working_days * calendar.day
        return timedelta(minutes=self.minutes or 0)

    def in_words(self) -> str:
        """In Indonesian, for operators: `3 jam`, `4 hari kerja`."""
        if self.working_days is not None:
            return f"{self.working_days} hari kerja"
        minutes = self.minutes or 0
        return f"{minutes / 60:g} jam" if minutes >= 60 else f"{minutes} menit"


class Rung(Inbound, frozen=True, cache_hash=True):
    """A rung of the ladder: who is told once this share of the span has passed.

    Below 1 it is a warning (`due_soon`), at 1 the breach (`overdue`), above 1 it goes higher (`escalated`).
    """

    at: Annotated[float, Meta(gt=0, le=20)]
    tell: Annotated[tuple[Told, ...], Meta(min_length=1, max_length=5)]


#: Start values of ours; what is breached is known to the shift lead at once and to the head of agency before it has
#: taken twice as long.
LADDER: Final = (
    Rung(at=0.8, tell=(Told.DISPATCHER,)),
    Rung(at=1.0, tell=(Told.DISPATCHER, Told.SHIFT_LEAD)),
    Rung(at=1.5, tell=(Told.SHIFT_LEAD, Told.AGENCY_HEAD)),
)
#: Nobody's yet: the room that looks at it, and who leads the room.
FIRST_LOOK_LADDER: Final = (
    Rung(at=0.8, tell=(Told.OPERATOR,)),
    Rung(at=1.0, tell=(Told.SHIFT_LEAD,)),
    Rung(at=2.0, tell=(Told.SHIFT_LEAD, Told.CENTER_HEAD)),
)


class Promise(Inbound, frozen=True, cache_hash=True):
    """One line of the table; null fits everything. The first line of a clock that fits decides."""

    clock: ClockKind
    within: Span
    category: Category | None = None
    priority: Priority | None = None
    agency: AgencyCode | None = None
    regency: Regency | None = None
    #: Whether somebody had to look at the place first (a hold for that reason).
    field_check: bool | None = None
    calendar: CalendarName = OFFICE_HOURS
    #: In the order of their shares. Of no use to `accept` and `closed`, which act when they are due.
    ladder: Annotated[tuple[Rung, ...], Meta(max_length=10)] = ()

    def __post_init__(self) -> None:
        shares = [rung.at for rung in self.ladder]
        if shares != sorted(set(shares)):
            raise ValueError("the rungs of a ladder come in the order of their shares, each share once")

    def fits(self, category: Category, priority: Priority, agency: AgencyRef | None, *, field_check: bool) -> bool:
        """Whether this line is about such an incident."""
        return (
            self.category in (None, category)
            and self.priority in (None, priority)
            and self.agency in (None, agency.agency if agency else None)
            and self.regency in (None, agency.regency if agency else None)
            and self.field_check in (None, field_check)
        )


# asked for several times with every incident; a city has few kinds of them
@lru_cache(maxsize=4096)
def promise(
    promises: tuple[Promise, ...],
    clock: ClockKind,
    category: Category,
    priority: Priority,
    agency: AgencyRef | None,
    field_check: bool,
) -> Promise | None:
    """The first line of the clock that fits; None when none does."""
    lines = (one for one in promises if one.clock is clock)
    return next((one for one in lines if one.fits(category, priority, agency, field_check=field_check)), None)


def unnamed(promises: Iterable[Promise], calendars: Mapping[str, Calendar]) -> tuple[str, ...]:
    """The calendars that promises name and that there are not."""
    return tuple(sorted({OFFICE_HOURS, *(one.calendar for one in promises)} - set(calendars)))


def _minutes(minutes: int) -> Span:
    return Span(minutes=minutes)


def _days(days: int) -> Span:
    return Span(working_days=days)


_HOUR: Final = 60
_JAM: Final = Category.TRAFFIC_JAM
_DUMPING: Final = Category.ILLEGAL_DUMPING

#: domain.md, Times. Per clock: a jam, dumping, everything else.
_TABLE: Final[Mapping[ClockKind, tuple[Span, Span, Span]]] = {
    ClockKind.FIRST_LOOK: (_minutes(5), _minutes(2 * _HOUR), _minutes(6 * _HOUR)),
    ClockKind.ACCEPT: (_minutes(2), _minutes(30), _minutes(60)),
    ClockKind.ON_SCENE: (_minutes(30), _minutes(24 * _HOUR), _days(3)),
    ClockKind.RESOLVED: (_minutes(3 * _HOUR), _days(4), _days(5)),
    ClockKind.CLOSED: (_minutes(24 * _HOUR), _days(10), _days(10)),
}
_LADDERS: Final = {
    ClockKind.FIRST_LOOK: FIRST_LOOK_LADDER,
    ClockKind.ON_SCENE: LADDER,
    ClockKind.RESOLVED: LADDER,
}
#: "60 with field check", of all but jams and dumping.
_AFTER_FIELD_CHECK: Final = Promise(
    clock=ClockKind.RESOLVED, field_check=True, within=Span(working_days=60), ladder=LADDER
)


def _default() -> Iterator[Promise]:
    for clock, spans in _TABLE.items():
        for category, span in zip((_JAM, _DUMPING, None), spans, strict=True):
            if clock is ClockKind.RESOLVED and category is None:
                yield _AFTER_FIELD_CHECK
            yield Promise(clock=clock, category=category, within=span, ladder=_LADDERS.get(clock, ()))


PROMISES: Final = tuple(_default())
