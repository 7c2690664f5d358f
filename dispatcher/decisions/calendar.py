"""Working time: which days and hours an office works, and by when a span of working time has passed."""

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Annotated, Final, Literal
from zoneinfo import ZoneInfo

from msgspec import Meta

from schemas.wire import Inbound, Line

JAKARTA: Final = ZoneInfo("Asia/Jakarta")

#: `07:30`; `24:00` is the end of the day.
Hour = Annotated[str, Meta(pattern=r"^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$(?!\n)")]
IsoWeekday = Annotated[int, Meta(ge=1, le=7, description="1 is Monday")]


class FreeDay(Inbound, frozen=True):
    """A day on which an office does not work although it is one of its weekdays."""

    day: date
    name: Line
    #: National holiday (libur nasional) or joint leave (cuti bersama).
    kind: Literal["holiday", "joint_leave"] = "holiday"


class Calendar(Inbound, frozen=True, cache_hash=True):
    """When an office works, in Jakarta's time: the same hours on each of its weekdays but the free days."""

    weekdays: Annotated[tuple[IsoWeekday, ...], Meta(min_length=1, max_length=7)]
    opens: Hour
    closes: Hour
    free_days: Annotated[tuple[FreeDay, ...], Meta(max_length=1000)] = ()

    def __post_init__(self) -> None:
        if _of_day(self.opens) >= _of_day(self.closes):
            raise ValueError("an office opens before it closes")
        if len(set(self.weekdays)) != len(self.weekdays):
            raise ValueError("a weekday is named once")
        if len({free.day for free in self.free_days}) != len(self.free_days):
            raise ValueError("a free day is named once")

    @property
    def day(self) -> timedelta:
        """Working time of one working day."""
        return _of_day(self.closes) - _of_day(self.opens)

    def is_working_day(self, day: date) -> bool:
        """One of its weekdays and not free."""
        return self.works_on(day.toordinal())

    def after(self, start: datetime, length: timedelta) -> datetime:
        """When `length` of working time has passed since `start` (any zone, which the answer has too).

        Outside the hours time stands. What ends with the hours of a day is due when they end, not on the morning
        after. Longer spans never end earlier, a later start never ends earlier, and two spans one after the other are
        their sum.
        """
        day, passed = _opening(self, start)
        days, rest = divmod(passed + length, self.day)
        if days and not rest:
            days, rest = days - 1, self.day
        return (_opens_at(self, _later(self, day, days)) + rest).astimezone(start.tzinfo)

    def between(self, start: datetime, end: datetime) -> timedelta:
        """Working time from `start` to `end`; none when that is before."""
        day, passed = _opening(self, start)
        last = end.astimezone(JAKARTA)
        until, works = last.toordinal(), self.works_on
        if until < day:
            return timedelta()
        passed = sum(map(works, range(day, until))) * self.day - passed
        if works(until):
            passed += min(max(_since_midnight(last) - _of_day(self.opens), timedelta()), self.day)
        return max(passed, timedelta())

    def works_on(self, day: int) -> bool:
        """The same of a proleptic ordinal."""
        return (day - 1) % 7 + 1 in self.weekdays and day not in _free(self)


def _since_midnight(at: datetime) -> timedelta:
    return timedelta(hours=at.hour, minutes=at.minute, seconds=at.second, microseconds=at.microsecond)


@lru_cache(maxsize=64)
def _of_day(hour: str) -> timedelta:
    hours, _, minutes = hour.partition(":")
    return timedelta(hours=int(hours), minutes=int(minutes))


# asked for with each rung of each clock of an incident
@lru_cache(maxsize=4096)
def _opening(calendar: Calendar, start: datetime) -> tuple[int, timedelta]:
    """The day (proleptic ordinal) on which it works at `start`, or next, and how much of that day has passed."""
    at = start.astimezone(JAKARTA)
    day, passed = at.toordinal(), _since_midnight(at) - _of_day(calendar.opens)
    if passed >= calendar.day or not calendar.works_on(day):
        return _later(calendar, day, 1), timedelta()
    return day, max(passed, timedelta())


@lru_cache(maxsize=4096)
def _opens_at(calendar: Calendar, day: int) -> datetime:
    return (datetime.fromordinal(day).replace(tzinfo=JAKARTA) + _of_day(calendar.opens)).astimezone(UTC)


# the same few days are asked for with every incident
@lru_cache(maxsize=4096)
def _later(calendar: Calendar, day: int, count: int) -> int:
    """The working day that is `count` after this one (proleptic ordinals)."""
    for _ in range(count):
        day += 1
        while not calendar.works_on(day):  # there are weekdays, and free days come to an end
            day += 1
    return day


# asked for with every day that is counted; a city has few calendars
@lru_cache(maxsize=64)
def _free(calendar: Calendar) -> frozenset[int]:
    return frozenset(free.day.toordinal() for free in calendar.free_days)


def _listed(text: str) -> Iterable[FreeDay]:
    for line in text.strip().splitlines():
        found = re.fullmatch(r"\s*(\d{4}-\d\d-\d\d) ([LC]) (.+)", line)
        if found is None:
            raise ValueError(f"not a free day: {line}")
        day, kind, name = found.groups()
        yield FreeDay(day=date.fromisoformat(day), name=name, kind="holiday" if kind == "L" else "joint_leave")


#: National holidays (L) and joint leave (C) by the joint decree of three ministers of 19 September 2025 (No. 1497, 2
#: and 5 of 2025), and the first day of the year after.
_FREE_DAYS: Final = """
    2026-01-01 L Tahun Baru
    2026-01-16 L Isra Mikraj
    2026-02-16 C Imlek
    2026-02-17 L Imlek
    2026-03-18 C Nyepi
    2026-03-19 L Nyepi
    2026-03-20 C Idulfitri
    2026-03-21 L Idulfitri
    2026-03-22 L Idulfitri
    2026-03-23 C Idulfitri
    2026-03-24 C Idulfitri
    2026-04-03 L Wafat Yesus Kristus
    2026-04-05 L Paskah
    2026-05-01 L Hari Buruh
    2026-05-14 L Kenaikan Yesus Kristus
    2026-05-15 C Kenaikan Yesus Kristus
    2026-05-27 L Iduladha
    2026-05-28 C Iduladha
    2026-05-31 L Waisak
    2026-06-01 L Hari Lahir Pancasila
    2026-06-16 L Tahun Baru Islam
    2026-08-17 L Hari Kemerdekaan
    2026-08-25 L Maulid Nabi
    2026-12-24 C Natal
    2026-12-25 L Natal
    2027-01-01 L Tahun Baru
"""

#: Perpres 21/2023: five days a week from 07:30, 37.5 h beside the rests; the longer Friday is left out, so that each
#: working day is as long as any other.
OFFICE: Final = Calendar(weekdays=(1, 2, 3, 4, 5), opens="07:30", closes="16:00", free_days=tuple(_listed(_FREE_DAYS)))
