"""Working time: offices work their hours on their days, and time stands in between."""

from datetime import UTC, date, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.decisions.calendar import JAKARTA, OFFICE, Calendar, FreeDay

#: Hypothesis wants the bounds naive.
TIMES_OF_2026 = st.datetimes(
    datetime(2026, 1, 1),  # noqa: DTZ001
    datetime(2026, 11, 30),  # noqa: DTZ001
    timezones=st.just(JAKARTA),
)
LENGTHS = st.timedeltas(timedelta(), timedelta(hours=200))
ROUND_THE_CLOCK = Calendar(weekdays=(1, 2, 3, 4, 5, 6, 7), opens="00:00", closes="24:00")
CALENDARS = st.builds(
    Calendar,
    weekdays=st.sets(st.integers(1, 7), min_size=1).map(tuple),
    opens=st.sampled_from(("00:00", "07:30", "09:15")),
    closes=st.sampled_from(("12:00", "16:00", "24:00")),
    free_days=st.sets(st.dates(date(2026, 1, 1), date(2026, 12, 31)), max_size=40).map(
        lambda days: tuple(FreeDay(day=day, name="libur") for day in days)
    ),
)


def jakarta(month: int, day: int, hour: int = 9, minute: int = 0) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=JAKARTA)


def days(count: float) -> timedelta:
    return count * OFFICE.day


def test_working_days_skip_a_weekend() -> None:
    assert OFFICE.after(jakarta(11, 19, 10, 30), days(4)) == jakarta(11, 25, 10, 30)


def test_working_days_skip_holidays_and_joint_leave() -> None:
    # Tuesday before Nyepi and Idulfitri 1447 H: the 18th to the 24th are free.
    assert OFFICE.after(jakarta(3, 17), days(1)) == jakarta(3, 25)


def test_what_comes_on_a_free_day_is_due_at_the_end_of_the_first_working_day() -> None:
    assert OFFICE.after(jakarta(11, 22, 15), days(1)) == jakarta(11, 23, 16)


def test_what_comes_after_hours_starts_in_the_morning() -> None:
    assert OFFICE.after(jakarta(11, 19, 20), timedelta(hours=1)) == jakarta(11, 20, 8, 30)


def test_the_day_is_that_of_jakarta_whatever_zone_is_asked_in() -> None:
    # Sunday 23:30 UTC is Monday 06:30 in Jakarta, before the office opens.
    due = OFFICE.after(datetime(2026, 11, 22, 23, 30, tzinfo=UTC), timedelta(minutes=30))
    assert due == jakarta(11, 23, 8)
    assert due.utcoffset() == timedelta()


@given(TIMES_OF_2026, LENGTHS)
def test_round_the_clock_it_is_the_clock_on_the_wall(start: datetime, length: timedelta) -> None:
    assert ROUND_THE_CLOCK.after(start, length) == start + length
    assert ROUND_THE_CLOCK.between(start, start + length) == length


@given(CALENDARS, TIMES_OF_2026, LENGTHS, LENGTHS)
def test_two_spans_one_after_the_other_are_their_sum(
    calendar: Calendar, start: datetime, first: timedelta, second: timedelta
) -> None:
    if second:  # none after the hours is the next morning
        assert calendar.after(calendar.after(start, first), second) == calendar.after(start, first + second)


@given(CALENDARS, TIMES_OF_2026, TIMES_OF_2026, LENGTHS)
def test_what_starts_later_is_never_due_earlier(
    calendar: Calendar, one: datetime, other: datetime, length: timedelta
) -> None:
    first, last = sorted((one, other))
    assert calendar.after(first, length) <= calendar.after(last, length)


@given(CALENDARS, TIMES_OF_2026, LENGTHS, LENGTHS)
def test_a_longer_span_is_never_due_earlier(
    calendar: Calendar, start: datetime, one: timedelta, other: timedelta
) -> None:
    shorter, longer = sorted((one, other))
    assert calendar.after(start, shorter) <= calendar.after(start, longer)


@given(CALENDARS, TIMES_OF_2026, LENGTHS)
def test_until_it_is_due_just_the_span_has_passed(calendar: Calendar, start: datetime, length: timedelta) -> None:
    assert calendar.between(start, calendar.after(start, length)) == length


@given(CALENDARS, st.lists(TIMES_OF_2026, min_size=3, max_size=3))
def test_the_time_between_adds_up(calendar: Calendar, times: list[datetime]) -> None:
    first, second, third = sorted(times)
    assert calendar.between(first, second) + calendar.between(second, third) == calendar.between(first, third)


@given(TIMES_OF_2026, st.integers(1, 10))
def test_nothing_is_due_while_nobody_works(start: datetime, count: int) -> None:
    due = OFFICE.after(start, days(count)).astimezone(JAKARTA)
    assert OFFICE.is_working_day(due.date())
    assert jakarta(1, 1, 7, 30).time() <= due.time() <= jakarta(1, 1, 16).time()


@pytest.mark.parametrize(
    "wrong",
    [
        {"weekdays": [1, 1], "opens": "08:00", "closes": "16:00"},
        {"weekdays": [], "opens": "08:00", "closes": "16:00"},
        {"weekdays": [8], "opens": "08:00", "closes": "16:00"},
        {"weekdays": [1], "opens": "16:00", "closes": "08:00"},
        {"weekdays": [1], "opens": "08:00", "closes": "24:01"},
        {"weekdays": [1], "opens": "8:00", "closes": "16:00"},
        {
            "weekdays": [1],
            "opens": "08:00",
            "closes": "16:00",
            "free_days": [{"day": "2026-01-01", "name": "a"}, {"day": "2026-01-01", "name": "b"}],
        },
    ],
)
def test_a_calendar_that_cannot_be_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(wrong, Calendar)
