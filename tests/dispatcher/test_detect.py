"""A jam in a sensor's speeds: three slow samples begin it, three fast ones end it, old readings change nothing."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.decisions.detect import Judged, SpeedState, free_flow_kmh, judge, level
from schemas.vocabulary import RoadLevel

START = datetime(2026, 11, 20, 7, 0, tzinfo=UTC)
FREE_FLOW = 50.0
SPEEDS = st.lists(st.floats(0, 120), max_size=60)


def run(speeds: Sequence[float], registered: float | None = FREE_FLOW) -> list[Judged]:
    """The judgements of a reading a minute."""
    state, judged = SpeedState(), []
    for minute, speed in enumerate(speeds):
        after = judge(state, START + timedelta(minutes=minute), speed, registered)
        assert after is not None
        judged.append(after)
        state = after.state
    return judged


def turns(speeds: Sequence[float], registered: float | None = FREE_FLOW) -> list[tuple[int, str]]:
    return [(minute, after.turn) for minute, after in enumerate(run(speeds, registered)) if after.turn]


def test_three_slow_samples_begin_a_jam_and_three_fast_ones_end_it() -> None:
    assert turns([50, 20, 20, 20, 20, 40, 40, 40]) == [(3, "began"), (7, "over")]


def test_a_jam_counts_from_the_first_slow_sample() -> None:
    assert run([50, 20, 20, 20])[-1].state.jam_since == START + timedelta(minutes=1)


def test_a_fast_sample_between_slow_ones_starts_the_count_anew() -> None:
    assert turns([20, 20, 45, 20, 20]) == []


def test_speeds_between_the_two_bounds_neither_begin_nor_end_a_jam() -> None:
    between = 0.65 * FREE_FLOW
    assert turns([between] * 10) == []
    assert turns([20, 20, 20, *[between] * 10]) == [(2, "began")]


def test_a_jam_is_explained_by_its_figures() -> None:
    assert run([20, 20, 20])[-1].because == (
        "20 km/jam, 40% dari arus bebas",
        "arus bebas 50 km/jam, sesuai data ruas",
        "3 sampel berturut-turut di bawah 60%",
    )


@pytest.mark.parametrize("minutes", [0, -1, -600])
def test_an_older_or_repeated_reading_changes_nothing(minutes: int) -> None:
    state = run([20, 20])[-1].state
    assert judge(state, START + timedelta(minutes=1 + minutes), 20.0, FREE_FLOW) is None


def test_free_flow_is_assumed_until_twenty_samples_are_seen_and_then_their_85th_percentile() -> None:
    assert free_flow_kmh((0,) * 5, None)[0] == 40.0
    nineteen = run([60.0] * 19, None)[-1].state
    assert free_flow_kmh(nineteen.seen, None)[0] == 40.0
    learnt = run([30.0] * 84 + [60.0] * 16, None)[-1].state
    assert free_flow_kmh(learnt.seen, None)[0] == pytest.approx(61, abs=1)
    assert free_flow_kmh(learnt.seen, 80.0)[0] == 80.0


def test_a_week_of_samples_is_remembered_and_what_is_older_weighs_less() -> None:
    state = run([30.0] * 10_001 + [70.0] * 2_000, None)[-1].state
    assert sum(state.seen) < 10_000
    assert free_flow_kmh(state.seen, None)[0] > 60


def test_levels_are_those_of_datex() -> None:
    shares = [0.05, 0.10, 0.24, 0.25, 0.74, 0.75, 0.89, 0.90, 1.5]
    assert [level(share) for share in shares] == [
        RoadLevel.STATIONARY,
        RoadLevel.QUEUING,
        RoadLevel.QUEUING,
        RoadLevel.SLOW,
        RoadLevel.SLOW,
        RoadLevel.HEAVY,
        RoadLevel.HEAVY,
        RoadLevel.FREE_FLOW,
        RoadLevel.FREE_FLOW,
    ]


@given(SPEEDS)
def test_jams_begin_and_end_in_turn(speeds: list[float]) -> None:
    kinds = [kind for _, kind in turns(speeds, None)]
    assert kinds == ["began" if n % 2 == 0 else "over" for n in range(len(kinds))]


@given(SPEEDS, st.data())
def test_readings_again_or_late_lead_to_the_same_state(speeds: list[float], data: st.DataObject) -> None:
    once = SpeedState()
    for minute, speed in enumerate(speeds):
        once = (judge(once, START + timedelta(minutes=minute), speed) or Judged(once, RoadLevel.UNKNOWN, 0)).state
        again = data.draw(st.integers(0, minute))
        assert judge(once, START + timedelta(minutes=again), speeds[again]) is None
    assert once == (run(speeds, None)[-1].state if speeds else SpeedState())


@given(SPEEDS)
def test_a_state_survives_being_kept_as_json(speeds: list[float]) -> None:
    state = run(speeds, None)[-1].state if speeds else SpeedState()
    assert msgspec.json.decode(msgspec.json.encode(state), type=SpeedState) == state
