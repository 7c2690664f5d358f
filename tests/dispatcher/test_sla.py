"""Due times: hours for what is urgent, working days of Jakarta for the rest."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from dispatcher.decisions.sla import JAKARTA, WorkingDays, due, is_working_day, promise
from schemas.vocabulary import Category

#: Hypothesis wants the bounds naive.
TIMES_OF_2026 = st.datetimes(
    datetime(2026, 1, 1),  # noqa: DTZ001
    datetime(2026, 11, 30),  # noqa: DTZ001
    timezones=st.just(JAKARTA),
)


def jakarta(month: int, day: int, hour: int = 9, minute: int = 0) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=JAKARTA)


def test_a_jam_is_promised_minutes_and_dumping_working_days() -> None:
    assert promise(Category.TRAFFIC_JAM).first_look == timedelta(minutes=5)
    assert promise(Category.TRAFFIC_JAM).resolve == timedelta(hours=3)
    assert promise(Category.ILLEGAL_DUMPING).first_look == timedelta(hours=2)
    assert promise(Category.ILLEGAL_DUMPING).resolve == WorkingDays(4)
    assert promise(Category.ROAD_DAMAGE).resolve == WorkingDays(5)
    assert [promise(c).accept for c in (Category.TRAFFIC_JAM, Category.ILLEGAL_DUMPING, Category.FLOOD)] == [
        timedelta(minutes=2),
        timedelta(minutes=30),
        timedelta(minutes=60),
    ]


def test_hours_run_through_weekends() -> None:
    saturday = jakarta(11, 21)
    assert due(saturday, timedelta(hours=3)) == saturday + timedelta(hours=3)


def test_working_days_skip_a_weekend() -> None:
    assert due(jakarta(11, 19, 10, 30), WorkingDays(4)) == jakarta(11, 25, 10, 30)


def test_working_days_skip_holidays_and_joint_leave() -> None:
    # Tuesday before Nyepi and Idulfitri 1447 H: the 18th to the 24th are free.
    assert due(jakarta(3, 17), WorkingDays(1)) == jakarta(3, 25)


def test_what_comes_on_a_free_day_starts_with_the_next_working_day() -> None:
    assert due(jakarta(11, 22, 15), WorkingDays(1)) == jakarta(11, 24, 0)


def test_the_day_is_that_of_jakarta_whatever_zone_is_asked_in() -> None:
    # Sunday 18:00 UTC is Monday 01:00 in Jakarta, a working day.
    assert due(datetime(2026, 11, 22, 18, tzinfo=UTC), WorkingDays(1)) == jakarta(11, 24, 1)


@given(TIMES_OF_2026, st.integers(0, 10), st.integers(0, 10))
def test_two_spans_one_after_the_other_are_their_sum(start: datetime, first: int, second: int) -> None:
    assert due(due(start, WorkingDays(first)), WorkingDays(second)) == due(start, WorkingDays(first + second))


@given(TIMES_OF_2026, TIMES_OF_2026, st.integers(0, 10))
def test_what_starts_later_is_never_due_earlier(one: datetime, other: datetime, days: int) -> None:
    first, last = sorted((one, other))
    assert due(first, WorkingDays(days)) <= due(last, WorkingDays(days))


@given(TIMES_OF_2026, st.integers(1, 10))
def test_nothing_is_due_on_a_free_day(start: datetime, days: int) -> None:
    assert is_working_day(due(start, WorkingDays(days)).astimezone(JAKARTA).date())
