"""The simulated day: a rhythm, shifts that cover it, texts that are understood, and the same choices from a seed."""

import time
from random import Random

import pytest

from infra.local.sign_ins import STAFF
from infra.simulate.city import City
from infra.simulate.day import BEGINS_AT, Day, rhythm
from infra.simulate.shift import Shift
from infra.simulate.texts import complaint, meant
from schemas.vocabulary import Category, Role

HOURS = [hour / 10 for hour in range(240)]


def test_the_rate_of_reports_is_kept_over_a_day_and_peaks_in_the_rush_hours() -> None:
    assert sum(map(rhythm, HOURS)) / len(HOURS) == pytest.approx(1, abs=0.02)
    busiest = sorted(HOURS, key=rhythm)[-30:]
    assert all(6.5 <= hour <= 9 or 16 <= hour <= 19 for hour in busiest)
    assert rhythm(3) < 0.3


def test_a_day_begins_at_six_and_passes_as_fast_as_asked() -> None:
    day = Day(3600, time.monotonic() - 20)
    assert day.hours == pytest.approx(BEGINS_AT + 20, abs=1)
    assert Day(20).hour == pytest.approx(BEGINS_AT, abs=0.1)
    assert Day(20).real(8).total_seconds() == 8 * 3600 / 20


@pytest.mark.parametrize("of", [1, 2, 3, 4])
def test_officers_of_one_agency_cover_the_day(of: int) -> None:
    crew = [Shift(place, of) for place in range(of)]
    on_duty = [sum(one.into(BEGINS_AT + hour) is not None for one in crew) for hour in HOURS]
    assert min(on_duty) >= (1 if of > 1 else 0)
    assert on_duty[0] >= 1, "somebody is there when the day begins"
    assert {one.number(BEGINS_AT + 24 * 3 + 0.1) for one in crew[:1]} == {3}


def test_whoever_reads_what_citizens_write_knows_what_is_meant() -> None:
    for category in Category:
        if category is not Category.CROWDING:  # seen by wifi nodes, not told by citizens
            assert {meant(complaint(Random(seed), category, "Pasar Tambun")) for seed in range(50)} == {category}
    assert meant("sesuatu yang lain") is None


def test_a_seed_makes_the_same_city() -> None:
    def scenes(seed: int) -> list[tuple[Category, float, float]]:
        city = City(Random(f"{seed}:city"))
        return [(one.category, one.lat, one.lon) for one in (city.begin_scene(0) for _ in range(20))]

    assert scenes(1) == scenes(1) != scenes(2)


def test_all_kinds_of_staff_are_employed_and_nobody_twice() -> None:
    assert {person.role for person in STAFF} == {Role.OPERATOR, Role.SUPERVISOR, Role.DISPATCHER, Role.OFFICER}
    assert len({person.username for person in STAFF}) == len(STAFF)
    sent_to = {person.agency for person in STAFF if person.role is Role.OFFICER}
    assert {person.agency for person in STAFF if person.role is Role.DISPATCHER} == sent_to
