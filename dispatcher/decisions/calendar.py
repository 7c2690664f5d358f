"""Working time: which days and hours an office works, and by when a span of working time has passed."""

import re
from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Annotated, Final, Literal
from zoneinfo import ZoneInfo

from msgspec import Meta

from schemas.wire import Inbound, Line

JAKARTA: Final = ZoneInfo("Asia/Jakarta")

#: `07:30`; `24:00` is the end of the day.
Hour = Annotated[str, Meta(pattern=r"^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$(?!\n)")]
IsoWeekday = Annotated[int, Meta(ge=1, le=7, description="1 is Monday")]

_DAY: Final = timedelta(days=1)
#: A calendar in which so many days on end are free is a mistake; counting does not go on for ever because of it.
_LONGEST_BREAK: Final = 366


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
        return day.isoweekday() in self.weekdays and day not in _free(self)

    def after(self, start: datetime, length: timedelta) -> datetime:
        """When `length` of working time has passed since `start` (any zone, which the answer has too).

        Outside the hours time stands. What ends with the hours of a day is due when they end, not on the morning
        after. Longer spans never end earlier, a later start never ends earlier, and two spans one after the other are
        their sum.
        """
        opening = self._next(start.astimezone(JAKARTA))
        at = max(opening, start.astimezone(JAKARTA))
        left = length
        while at + left > (closing := self._closing(at)):
            left -= closing - at
            at = self._next(closing)
        return (at + left).astimezone(start.tzinfo)

    def between(self, start: datetime, end: datetime) -> timedelta:
        """Working time from `start` to `end`; none when that is before."""
        at, last, passed = start.astimezone(JAKARTA), end.astimezone(JAKARTA), timedelta()
        while (at := max(at, self._next(at))) < last:
            closing = self._closing(at)
            passed += min(closing, last) - at
            at = closing
        return passed

    def _next(self, at: datetime) -> datetime:
        """The opening of the day it works on at `at`, or next."""
        day = at.date()
        if at >= self._closing(at):
            day += _DAY
        for _ in range(_LONGEST_BREAK):
            if self.is_working_day(day):
                return datetime.combine(day, time(), JAKARTA) + _of_day(self.opens)
            day += _DAY
        raise ValueError("a calendar without working days")

    def _closing(self, at: datetime) -> datetime:
        return datetime.combine(at.date(), time(), JAKARTA) + _of_day(self.closes)


@lru_cache(maxsize=64)
def _of_day(hour: str) -> timedelta:
    hours, _, minutes = hour.partition(":")
    return timedelta(hours=int(hours), minutes=int(minutes))


# asked for with every day that is counted; a city has few calendars
@lru_cache(maxsize=64)
def _free(calendar: Calendar) -> frozenset[date]:
    return frozenset(free.day for free in calendar.free_days)


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
