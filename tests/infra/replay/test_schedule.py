"""When rows are due, and what times they get: arithmetic for every pace."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.replay.schedule import Schedule, shift_to_now

paces = st.floats(0.01, 1e4)
seconds = st.floats(0, 1e6)


def test_rows_are_spaced_as_recorded_and_n_times_as_fast() -> None:
    assert [Schedule(1, 100, 5000).due(recorded) for recorded in (5000, 5010, 5060)] == [100, 110, 160]
    assert [Schedule(60, 100, 5000).due(recorded) for recorded in (5000, 5060, 5600)] == [100, 101, 110]


def test_flat_out_and_what_is_older_than_the_first_is_due_at_once() -> None:
    assert Schedule(0, 100, 5000).due(9999) == 100
    assert Schedule(1, 100, 5000).due(10) == 100


def test_flat_out_the_newest_row_is_now() -> None:
    assert 2000 + shift_to_now(now=9000, first=1000, last=2000, pace=0) == 9000


@given(pace=paces, duration=seconds, share=st.floats(0, 1))
def test_no_row_is_ever_sent_with_a_time_to_come(pace: float, duration: float, share: float) -> None:
    first, now = 1_000_000.0, 2_000_000_000.0
    shift = shift_to_now(now, first, first + duration, pace)
    recorded = first + share * duration
    assert recorded + shift <= Schedule(pace, now, first).due(recorded) + 0.01


@given(pace=st.floats(1, 1e4), duration=seconds)
def test_the_newest_row_has_the_time_at_which_it_is_sent(pace: float, duration: float) -> None:
    first, now = 1_000_000.0, 2_000_000_000.0
    shift = shift_to_now(now, first, first + duration, pace)
    assert first + duration + shift == pytest.approx(Schedule(pace, now, first).due(first + duration), abs=0.01)
