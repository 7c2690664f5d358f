"""By when something is due: the city's promises per category, counted in hours or in working days of Asia/Jakarta."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from schemas.vocabulary import Category

JAKARTA: Final = ZoneInfo("Asia/Jakarta")

#: Days on which no office works, beside Saturday and Sunday: national holidays (L) and joint leave (C) by the joint
#: decree of three ministers of 19 September 2025 (No. 1497, 2 and 5 of 2025), and the first day of the year after.
HOLIDAYS: Final = frozenset(
    {
        date(2026, 1, 1),  # L Tahun Baru
        date(2026, 1, 16),  # L Isra Mikraj
        date(2026, 2, 16),  # C Imlek
        date(2026, 2, 17),  # L Imlek
        date(2026, 3, 18),  # C Nyepi
        date(2026, 3, 19),  # L Nyepi
        date(2026, 3, 20),  # C Idulfitri
        date(2026, 3, 21),  # L Idulfitri
        date(2026, 3, 22),  # L Idulfitri
        date(2026, 3, 23),  # C Idulfitri
        date(2026, 3, 24),  # C Idulfitri
        date(2026, 4, 3),  # L Wafat Yesus Kristus
        date(2026, 4, 5),  # L Paskah
        date(2026, 5, 1),  # L Hari Buruh
        date(2026, 5, 14),  # L Kenaikan Yesus Kristus
        date(2026, 5, 15),  # C Kenaikan Yesus Kristus
        date(2026, 5, 27),  # L Iduladha
        date(2026, 5, 28),  # C Iduladha
        date(2026, 5, 31),  # L Waisak
        date(2026, 6, 1),  # L Hari Lahir Pancasila
        date(2026, 6, 16),  # L Tahun Baru Islam
        date(2026, 8, 17),  # L Hari Kemerdekaan
        date(2026, 8, 25),  # L Maulid Nabi
        date(2026, 12, 24),  # C Natal
        date(2026, 12, 25),  # L Natal
        date(2027, 1, 1),  # L Tahun Baru
    }
)


@dataclass(frozen=True, slots=True)
class WorkingDays:
    """A span counted in working days."""

    count: int


Span = timedelta | WorkingDays


@dataclass(frozen=True, slots=True)
class Promise:
    """What a category is promised (domain.md, Times)."""

    #: From the report until an agency has it.
    first_look: Span
    #: How long an officer has to answer an offer before the next best is asked.
    accept: timedelta
    resolve: Span


_MINUTE: Final = timedelta(minutes=1)
_HOUR: Final = timedelta(hours=1)
_ELSE: Final = Promise(first_look=6 * _HOUR, accept=60 * _MINUTE, resolve=WorkingDays(5))
_PROMISES: Final[Mapping[Category, Promise]] = {
    Category.TRAFFIC_JAM: Promise(first_look=5 * _MINUTE, accept=2 * _MINUTE, resolve=3 * _HOUR),
    Category.ILLEGAL_DUMPING: Promise(first_look=2 * _HOUR, accept=30 * _MINUTE, resolve=WorkingDays(4)),
}


def in_words(span: Span) -> str:
    """In Indonesian, for operators: `3 jam`, `4 hari kerja`."""
    if isinstance(span, WorkingDays):
        return f"{span.count} hari kerja"
    minutes = span / timedelta(minutes=1)
    return f"{minutes / 60:g} jam" if minutes >= 60 else f"{minutes:g} menit"


def promise(category: Category) -> Promise:
    """What an incident of this category is promised."""
    return _PROMISES.get(category, _ELSE)


def is_working_day(day: date) -> bool:
    """Monday to Friday and no holiday, in Jakarta."""
    return day.weekday() < 5 and day not in HOLIDAYS


def due(start: datetime, span: Span) -> datetime:
    """When `span` has passed since `start` (any zone).

    Working days are counted by the clock in Jakarta: a working day later is the same time on the next working day, and
    what starts on a free day starts with the first hour of the working day after it. Longer spans never end earlier,
    and two spans one after the other are their sum.
    """
    if isinstance(span, timedelta):
        return start + span
    local = start.astimezone(JAKARTA)
    day, at = local.date(), local.time()
    if not is_working_day(day):
        day, at = _next_working_day(day), time()
    for _ in range(span.count):
        day = _next_working_day(day)
    return datetime.combine(day, at, JAKARTA).astimezone(start.tzinfo)


# the same few weeks are asked for with every incident
@lru_cache(maxsize=256)
def _next_working_day(day: date) -> date:
    day += timedelta(days=1)
    while not is_working_day(day):
        day += timedelta(days=1)
    return day
