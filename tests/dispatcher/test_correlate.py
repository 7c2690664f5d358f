"""Which incident a sighting belongs to: near, soon and of the same place; the same answer for everybody who asks."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.decisions.casebook import Casebook
from dispatcher.decisions.correlate import Candidate, correlate, reach
from dispatcher.decisions.decide import decide
from dispatcher.decisions.sighting import Sighting, of_report
from schemas.gazetteer import gazetteer
from schemas.vocabulary import Category, IncidentStatus
from tests.dispatcher.factories import MINUTE, NOW, SUMMARECON, a_report, north_of

#: Junctions that texts name, far and near alike: the name decides.
JUNCTIONS = ("Simpang Bojong", "Simpang Melati", "Simpang Pekayon", "Perempatan Kartini", "Simpang Caman")
TEMPLATES = (
    "Macet total di {}, mohon petugas",
    "Kendaraan tidak bergerak di {}, macet parah",
    "Lapor pak, {} macet panjang sejak pagi",
)
#: Not on the very edge, where the rounding of coordinates decides.
METRES = st.floats(0, 400).filter(lambda metres: abs(metres - 250) > 0.1)
MINUTES = st.integers(0, 90).map(lambda n: n * MINUTE)


def sighting(text: str = "Macet total, kendaraan tidak bergerak", metres: float = 0, **fields: Any) -> Sighting:
    """A report `metres` north of Summarecon that arrives `after` the first."""
    after = fields.pop("after", timedelta())
    if not fields:
        fields["place"] = north_of(SUMMARECON, metres)
    return of_report(a_report(text, **fields), NOW + after, gazetteer(), "")


def opened_by(first: Sighting) -> Candidate:
    """The incident that a first sighting opens."""
    change = decide(first, (), NOW)
    return Candidate(change.after, first.arrived_at, first.arrived_at, (first.text,))


def together(first: Sighting, second: Sighting) -> bool:
    return correlate(second, [opened_by(first)]).joined is not None


def incidents_of(*sightings: Sighting) -> int:
    casebook = Casebook()
    return len({casebook.take(each, NOW) for each in sightings})


@given(METRES, MINUTES)
def test_a_jam_groups_within_250_metres_and_half_an_hour(metres: float, after: timedelta) -> None:
    assert together(sighting(), sighting(metres=metres, after=after)) == (metres <= 250 and after <= 30 * MINUTE)


@given(METRES, MINUTES, st.sampled_from(TEMPLATES), st.sampled_from(TEMPLATES))
def test_swapping_two_reports_changes_nothing(metres: float, after: timedelta, one: str, other: str) -> None:
    first = sighting(one.format("jalan ini"))
    second = sighting(other.format("jalan ini"), metres=metres, after=after)
    assert together(first, second) == together(second, first)
    assert incidents_of(first, second) == incidents_of(second, first)


@given(st.sampled_from(TEMPLATES), st.permutations(JUNCTIONS), METRES, MINUTES)
def test_a_template_with_another_junction_never_joins(
    template: str, junctions: list[str], metres: float, after: timedelta
) -> None:
    first = sighting(template.format(junctions[0]))
    second = sighting(template.format(junctions[1]), metres=metres, after=after)
    assert not together(first, second)
    assert incidents_of(first, second) == 2


@given(st.permutations([0.0, 60.0, 120.0, 180.0, 240.0]))
def test_the_order_of_candidates_does_not_matter(metres: list[float]) -> None:
    candidates = {each: opened_by(sighting(metres=each)) for each in sorted(metres)}
    found = correlate(sighting(metres=130), [candidates[each] for each in metres]).joined
    assert found == candidates[120.0]


@given(st.permutations(range(6)), st.floats(0, 250))
def test_reports_of_one_jam_are_one_incident_in_whatever_order_they_come(order: list[int], spread: float) -> None:
    reports = [sighting(metres=spread * n / 10, after=n * MINUTE) for n in range(6)]
    assert incidents_of(*(reports[n] for n in order)) == 1


def test_of_two_that_fit_equally_the_oldest_is_joined() -> None:
    one, other = opened_by(sighting()), opened_by(sighting())
    best = min((one, other), key=lambda candidate: candidate.incident.id)
    assert correlate(sighting(), [one, other]).joined == correlate(sighting(), [other, one]).joined == best


@pytest.mark.parametrize(
    ("category", "metres", "hours"),
    [(Category.ILLEGAL_DUMPING, 60, 72), (Category.FLOOD, 100, 24), (Category.ROAD_DAMAGE, 100, 24)],
)
def test_each_category_has_its_own_reach(category: Category, metres: int, hours: int) -> None:
    assert (reach(category).radius_m, reach(category).window) == (metres, timedelta(hours=hours))


def test_another_category_at_the_same_place_is_another_incident() -> None:
    assert not together(sighting(), sighting("Tumpukan sampah liar di pinggir jalan, bau busuk"))


def test_a_group_that_has_run_three_hours_is_locked_and_followed() -> None:
    first = opened_by(sighting())
    running = Candidate(first.incident, NOW, NOW + 179 * MINUTE, first.texts)
    assert correlate(sighting(after=179 * MINUTE), [running]).joined == running
    grouping = correlate(sighting(after=180 * MINUTE), [running])
    assert (grouping.joined, grouping.predecessor) == (None, first.incident.id)


def test_what_is_resolved_takes_nothing_more_but_is_followed() -> None:
    first = sighting()
    change = decide(first, (), NOW)
    resolved = type(change.after)(
        **{name: getattr(change.after, name) for name in change.after.__struct_fields__ if name != "status"},
        status=IncidentStatus.RESOLVED,
    )
    grouping = correlate(sighting(after=MINUTE), [Candidate(resolved, NOW, NOW, (first.text,))])
    assert (grouping.joined, grouping.predecessor) == (None, change.after.id)


def test_areas_without_a_point_group_only_by_a_place_that_both_name() -> None:
    def told(text: str) -> Sighting:
        return sighting(text, address="Kelurahan Jatirasa")

    assert told("Banjir").point is None
    assert not together(told("Banjir selutut"), told("Banjir masuk rumah"))
    assert together(
        told("Banjir selutut di Perumahan Pondok Gede Permai"), told("Banjir di PGP masuk rumah, mohon bantuan")
    )


def test_an_area_and_a_point_in_it_do_not_group() -> None:
    point = sighting("Banjir di jalan ini", place=(-6.3020, 106.9560))
    area = sighting("Banjir di jalan ini", address=f"Kelurahan {point.located.kelurahan}")
    assert area.located.kelurahan_code == point.located.kelurahan_code
    assert not together(point, area)


def test_a_guess_joins_only_what_is_told_in_like_words() -> None:
    unsure = "Kenapa ya jalan di depan pasar ini"
    assert not sighting(unsure).sure
    assert not together(sighting(), sighting(unsure))
    assert not together(sighting(unsure), sighting())
