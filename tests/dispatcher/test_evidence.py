"""What speaks for an incident adds up, and for a jam it fades by half every quarter of an hour."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.decisions.evidence import add, standing, weight_of_report
from dispatcher.decisions.prioritise import prioritise
from schemas.vocabulary import Category, Priority, ReportChannel
from tests.dispatcher.factories import MINUTE, NOW

MINUTES = st.integers(0, 120).map(lambda n: n * MINUTE)


def test_channels_weigh_what_the_city_gives_them() -> None:
    def weight(channel: ReportChannel, *, photo: bool = False, placed: bool = True, before: int = 0) -> float:
        return weight_of_report(channel, photo=photo, placed=placed, reports_before=before)

    assert weight(ReportChannel.POC) == 1.0
    assert weight(ReportChannel.CALL_CENTER) == 0.7
    assert weight(ReportChannel.APP, photo=True) == 0.6
    assert weight(ReportChannel.APP, photo=True, placed=False) == 0.4
    assert weight(ReportChannel.WHATSAPP) == 0.4
    assert weight(ReportChannel.APP, before=2) == pytest.approx(0.7)
    assert weight(ReportChannel.APP, before=3) == 0.4


def test_a_jams_evidence_halves_every_quarter_of_an_hour() -> None:
    assert add(0.8, NOW, 0.0, NOW + 15 * MINUTE, Category.TRAFFIC_JAM) == pytest.approx(0.4)
    assert add(0.8, NOW, 0.0, NOW + 15 * MINUTE, Category.FLOOD) == 0.8


def test_evidence_never_falls_below_nothing() -> None:
    assert add(0.4, NOW, -0.6, NOW, Category.TRAFFIC_JAM) == 0.0


@given(MINUTES, MINUTES, st.floats(0, 2), st.floats(0, 2))
def test_the_order_in_which_evidence_arrives_does_not_matter(
    one: timedelta, other: timedelta, weight: float, more: float
) -> None:
    last = max(one, other)
    forth = add(weight, NOW + one, more, NOW + other, Category.TRAFFIC_JAM)
    back = add(more, NOW + other, weight, NOW + one, Category.TRAFFIC_JAM)
    assert forth == pytest.approx(back)
    assert forth <= weight + more
    assert add(forth, NOW + last, 0, NOW + last, Category.TRAFFIC_JAM) == pytest.approx(forth)


def test_suspected_from_a_lone_report_confirmed_from_two_good_ones() -> None:
    assert [standing(total) for total in (0.39, 0.4, 0.9, 0.9999, 1.3)] == [
        "unconfirmed",
        "suspected",
        "suspected",
        "confirmed",
        "confirmed",
    ]


def test_a_confirmed_jam_is_high_and_an_emergency_critical() -> None:
    def priority(category: Category, evidence: float, *, emergency: bool = False) -> Priority:
        return prioritise(category, at_least=Priority.NORMAL, emergency=emergency, evidence=evidence)[0]

    assert priority(Category.TRAFFIC_JAM, 0.8) is Priority.NORMAL
    assert priority(Category.TRAFFIC_JAM, 1.0) is Priority.HIGH
    assert priority(Category.ILLEGAL_DUMPING, 3.0) is Priority.NORMAL
    assert priority(Category.ILLEGAL_DUMPING, 0.4, emergency=True) is Priority.CRITICAL


@given(st.sampled_from(Category), st.sampled_from(Priority), st.booleans(), st.floats(0, 5))
def test_priority_never_falls_by_itself(category: Category, before: Priority, emergency: bool, evidence: float) -> None:
    order = list(Priority)
    after, because = prioritise(category, at_least=before, emergency=emergency, evidence=evidence)
    assert order.index(after) >= order.index(before)
    assert because
