"""Whose it is: the table by the city's own words, and nothing guessed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.decisions.judgement import Located
from dispatcher.decisions.routing import RULES, route
from schemas.geography import PlaceHit
from schemas.vocabulary import Category, IncidentStatus, Regency

KOTA, KABUPATEN = Regency.KOTA_BEKASI, Regency.KABUPATEN_BEKASI


def located(regency: Regency | None = KOTA, *, outside: str | None = None, across: PlaceHit | None = None) -> Located:
    return Located(
        precision="exact" if regency or outside else "unknown",
        outside=outside is not None,
        outside_where=outside,
        regency=regency,
        kecamatan_code="32.75.01" if regency else None,
        kecamatan="Bekasi Timur" if regency else None,
        kelurahan_code=None,
        kelurahan=None,
        lat=None,
        lon=None,
        place_precision="exact" if regency else None,
        alternatives=(across,) if across else (),
        named=(),
        evidence=(),
    )


@pytest.mark.parametrize(
    ("category", "regency", "agency", "others"),
    [
        (Category.TRAFFIC_JAM, KOTA, "32.75/DISHUB", []),
        (Category.TRAFFIC_JAM, KABUPATEN, "32.16/DISHUB", []),
        (Category.ILLEGAL_DUMPING, KOTA, "32.75/DLH", []),
        (Category.ROAD_DAMAGE, KABUPATEN, "32.16/DBMSDA", []),
        (Category.FLOOD, KOTA, "32.75/DBMSDA", ["32.75/BPBD"]),
        (Category.STREET_LIGHT, KOTA, "32.75/PJU", []),
        (Category.STREET_LIGHT, KABUPATEN, "32.16/DISHUB", []),
        (Category.PUBLIC_WIFI, KOTA, "32.75/DISKOMINFO", []),
        (Category.CROWDING, KABUPATEN, "32.16/SATPOL_PP", ["32.16/DISHUB"]),
    ],
)
def test_each_category_goes_to_the_dinas_of_its_government(
    category: Category, regency: Regency, agency: str, others: list[str]
) -> None:
    routing = route(category, located(regency), sure=True)
    assert routing.status is IncidentStatus.ROUTED
    assert str(routing.agency) == agency
    assert [str(other) for other in routing.co_agencies] == others


def test_what_is_not_sure_is_not_guessed() -> None:
    for category, sure, regency in [
        (Category.TRAFFIC_JAM, False, KOTA),
        (Category.OTHER, True, KOTA),
        (Category.TRAFFIC_JAM, True, None),
    ]:
        routing = route(category, located(regency), sure=sure)
        assert (routing.status, routing.agency) == (IncidentStatus.TRIAGE, None)
        assert routing.because


@given(st.sampled_from(Category), st.booleans())
def test_what_lies_outside_is_handed_over_whatever_it_is(category: Category, sure: bool) -> None:
    routing = route(category, located(None, outside="Jakarta Timur"), sure=sure)
    assert (routing.status, routing.transferred_to) == (IncidentStatus.TRANSFERRED, "OTHER_GOV")
    assert routing.transferred_where == "Jakarta Timur"
    assert "di luar Bekasi: Jakarta Timur" in routing.because


def test_near_the_border_the_other_government_stays_visible() -> None:
    hit = PlaceHit(
        kecamatan_code="32.16.06",
        kecamatan="Tambun Selatan",
        regency=KABUPATEN,
        kelurahan_code=None,
        kelurahan=None,
        precision="approximate",
        score=0.9,
    )
    routing = route(Category.TRAFFIC_JAM, located(KOTA, across=hit), sure=True)
    assert str(routing.agency) == "32.75/DISHUB"
    assert "dekat perbatasan: mungkin 32.16/DISHUB (Tambun Selatan)" in routing.because


def test_every_rule_can_be_reached() -> None:
    reached = {route(category, located(regency), sure=True).because[0] for category in Category for regency in Regency}
    assert {f"aturan {number}: {rule.name}" for number, rule in enumerate(RULES, start=1)} <= reached
