"""The breaker opens at 100 refused messages in a row, or more than half of the last 1,000."""

from hypothesis import given
from hypothesis import strategies as st

from dispatcher.breaker import IN_A_ROW, WINDOW, Breaker


def test_a_hundred_in_a_row_open_it_and_not_one_more_is_settled() -> None:
    breaker = Breaker()
    breaker.note([True] * 40)
    admitted, reason = breaker.admit([True] * 500)
    assert admitted == IN_A_ROW - 40
    assert reason is not None
    assert "100 messages in a row" in reason


def test_a_good_message_between_starts_the_run_anew() -> None:
    breaker = Breaker()
    breaker.note([True] * 99)
    assert breaker.admit([False, *[True] * 99]) == (100, None)


def test_more_than_half_of_a_thousand_open_it() -> None:
    breaker = Breaker()
    breaker.note([True, False] * 499)
    admitted, reason = breaker.admit([True, False, True, True, False])
    assert (admitted, reason is None) == (4, False)


def test_after_a_reset_it_counts_from_nothing() -> None:
    breaker = Breaker()
    breaker.note([True] * 99)
    breaker.reset()
    assert breaker.admit([True] * 99) == (99, None)


@given(st.lists(st.booleans(), max_size=2500), st.lists(st.booleans(), max_size=600))
def test_it_admits_just_as_many_as_a_count_by_hand(before: list[bool], coming: list[bool]) -> None:
    breaker = Breaker()
    breaker.note(before)
    admitted, reason = breaker.admit(coming)

    def opens(seen: list[bool]) -> bool:
        run = next((n for n, bad in enumerate(reversed(seen)) if not bad), len(seen))
        return run >= IN_A_ROW or sum(seen[-WINDOW:]) > WINDOW // 2

    by_hand = next((n for n in range(1, len(coming) + 1) if opens(before + coming[:n])), None)
    assert (admitted, reason is not None) == ((by_hand, True) if by_hand else (len(coming), False))
