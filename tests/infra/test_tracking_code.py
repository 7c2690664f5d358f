"""Tracking codes: every code given out is known again however it is typed, everything else is not."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra import tracking_code

SECRET = bytes(range(32))
OTHER = bytes(32)


def test_a_code_has_five_groups_of_four_letters_and_digits() -> None:
    assert re.fullmatch(r"([0-9A-HJKMNP-TV-Z]{4}-){4}[0-9A-HJKMNP-TV-Z]{4}", tracking_code.new(SECRET))


def test_codes_are_random() -> None:
    assert len({tracking_code.new(SECRET) for _ in range(1000)}) == 1000


@pytest.mark.parametrize(
    "typed",
    [
        lambda code: code,
        lambda code: code.lower(),
        lambda code: code.replace("-", ""),
        lambda code: code.replace("-", " "),
        lambda code: f"  {code}\t",
        lambda code: code.replace("-", "–"),
        lambda code: code.replace("0", "o").replace("1", "l"),
        lambda code: code.replace("0", "O").replace("1", "I"),
        lambda code: "-".join(code.replace("-", "")),
    ],
    ids=["as given", "lower", "joined", "blanks", "around", "dashes", "o l", "O I", "each apart"],
)
def test_a_code_is_known_however_it_is_typed(typed) -> None:  # type: ignore[no-untyped-def]
    for _ in range(50):
        code = tracking_code.new(SECRET)
        assert tracking_code.check(SECRET, typed(code)) == code


def test_a_code_of_another_city_is_not_known() -> None:
    assert tracking_code.check(OTHER, tracking_code.new(SECRET)) is None


def test_one_wrong_letter_is_noticed() -> None:
    code = tracking_code.new(SECRET)
    for place, letter in enumerate(code):
        if letter != "-":
            wrong = code[:place] + ("7" if letter != "7" else "8") + code[place + 1 :]
            assert tracking_code.check(SECRET, wrong) is None


@pytest.mark.parametrize(
    "text", ["", "-", "0" * 20, "U" * 20, "é" * 20, "0" * 10_000, "\0" * 20, "ⅠⅡ" * 10, "../../etc"]
)
def test_what_is_no_code_is_not_known(text: str) -> None:
    assert tracking_code.check(SECRET, text) is None


@given(st.text(max_size=80))
def test_no_text_makes_it_fail(text: str) -> None:
    tracking_code.check(SECRET, text)
