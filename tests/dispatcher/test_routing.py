"""Whose it is: the table by the city's own words, and nothing guessed."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.decisions.calendar import OFFICE
from dispatcher.decisions.default_rules import DEFAULT_RULES
from dispatcher.decisions.judgement import Located
from dispatcher.decisions.policy import DEFAULT_POLICY, Policy
from dispatcher.decisions.reference import Agency
from dispatcher.decisions.routing import Routing
from dispatcher.decisions.routing import route as by_policy
from dispatcher.decisions.rule import Case, Rule, RuleRef, RuleSet, When, case_of, day_kind
from schemas.geography import PlaceHit
from schemas.vocabulary import AgencyCode, Category, DayKind, IncidentStatus, Priority, Regency, RoadAuthority
from tests.dispatcher.factories import NOW

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


def case(category: Category, where: Located, words: str = "", at: datetime = NOW) -> Case:
    return case_of(
        category, where, address=None, words=words, source="app", priority=Priority.NORMAL, at=at, calendar=OFFICE
    )


def route(category: Category, where: Located, *, sure: bool) -> Routing:
    return by_policy(case(category, where), DEFAULT_POLICY, sure=sure)


def policy(*rules: Rule, version: int = 7) -> Policy:
    return Policy(rules=RuleSet(version=version, rules=rules))


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
    assert {f"aturan {n} versi 0: {rule.name}" for n, rule in enumerate(DEFAULT_RULES.rules, start=1)} <= reached


FLOOD_ANYWHERE = Rule(name="banjir", when=When(category=(Category.FLOOD,)), agency=AgencyCode.DBMSDA)


def test_the_first_rule_that_fits_decides_and_is_named_with_its_version() -> None:
    special = Rule(
        name="banjir Kota", when=When(regency=(KOTA,)), agency=AgencyCode.BPBD, skills=("perahu",), officers=2
    )
    rules = policy(special, FLOOD_ANYWHERE)
    first = by_policy(case(Category.FLOOD, located(KOTA)), rules, sure=True)
    assert (str(first.agency), first.rule, first.skills, first.officers) == (
        "32.75/BPBD", RuleRef("banjir Kota", 7), ("perahu",), 2,
    )  # fmt: skip
    assert first.because[0] == "aturan 1 versi 7: banjir Kota"
    second = by_policy(case(Category.FLOOD, located(KABUPATEN)), rules, sure=True)
    assert (str(second.agency), second.rule) == ("32.16/DBMSDA", RuleRef("banjir", 7))
    none = by_policy(case(Category.CROWDING, located(KABUPATEN)), rules, sure=True)
    assert (none.status, none.rule) == (IncidentStatus.TRIAGE, None)


def test_a_jam_on_a_toll_road_goes_to_its_operator_and_the_citizen_is_told() -> None:
    toll = Rule(name="tol", when=When(road=(RoadAuthority.TOLL,)), transfer_to=AgencyCode.TOLL)
    rules = policy(toll, Rule(name="sisa", agency=AgencyCode.DISHUB))
    jam = case(Category.TRAFFIC_JAM, located(KOTA), "Macet total di tol Jakarta-Cikampek km 12")
    routing = by_policy(jam, rules, sure=True)
    assert (routing.status, routing.transferred_to, routing.outcome) == (IncidentStatus.TRANSFERRED, "TOLL", "TOLL")
    assert routing.told == "diteruskan ke Operator jalan tol"
    assert "jalan tol: Tol Jakarta-Cikampek" in routing.because
    towards = case(Category.TRAFFIC_JAM, located(KOTA), "Macet di Simpang Pekayon arah tol")
    assert str(by_policy(towards, rules, sure=True).agency) == "32.75/DISHUB"


@pytest.mark.parametrize(
    ("local", "fits"),
    [("21:59", False), ("22:00", True), ("00:00", True), ("04:59", True), ("05:00", False), ("12:00", False)],
)
def test_hours_are_of_jakarta_and_go_over_midnight(local: str, fits: bool) -> None:
    night = policy(Rule(name="malam", when=When(time=("22:00-05:00",)), agency=AgencyCode.SATPOL_PP))
    at = datetime.fromisoformat(f"2026-11-20T{local}:00+07:00").astimezone(UTC)
    assert (by_policy(case(Category.CROWDING, located(KOTA), at=at), night, sure=True).agency is not None) is fits


def test_a_holiday_is_told_from_a_weekend_and_a_workday() -> None:
    kinds = [day_kind(OFFICE, date(2026, 12, day)) for day in (23, 25, 26)]
    assert kinds == [DayKind.WORKDAY, DayKind.HOLIDAY, DayKind.WEEKEND]
    sunday_holiday = date(2026, 4, 5)
    assert day_kind(OFFICE, sunday_holiday) is DayKind.HOLIDAY


def test_words_and_places_are_known_in_any_spelling() -> None:
    cable = policy(Rule(name="kabel", when=When(words=("kabel putus",)), transfer_to=AgencyCode.PLN))
    said = case(Category.ROAD_DAMAGE, located(KOTA), "Ada KABEL, putus!! di jl. raya")
    assert by_policy(said, cable, sure=True).transferred_to == "PLN"
    junction = policy(Rule(name="pekayon", when=When(places=("pekayon",)), agency=AgencyCode.DISHUB))
    there = case(Category.TRAFFIC_JAM, located(KOTA)).naming(["Simpang Pekayon"])
    assert by_policy(there, junction, sure=True).agency is not None
    elsewhere = case(Category.TRAFFIC_JAM, located(KOTA)).naming(["Simpang Caman"])
    assert by_policy(elsewhere, junction, sure=True).agency is None


def test_other_is_routed_by_no_rule_that_does_not_name_it() -> None:
    everything = policy(Rule(name="semua", agency=AgencyCode.DISHUB))
    assert by_policy(case(Category.OTHER, located(KOTA)), everything, sure=True).status is IncidentStatus.TRIAGE


def test_nothing_new_goes_to_an_agency_that_is_not_active() -> None:
    closed = Agency(code=AgencyCode.DBMSDA, regency=KOTA, name="DBMSDA", active=False)
    now = Policy(rules=RuleSet(version=3, rules=(FLOOD_ANYWHERE,)), agencies=(closed,))
    routing = by_policy(case(Category.FLOOD, located(KOTA)), now, sure=True)
    assert (routing.status, routing.agency, routing.rule) == (IncidentStatus.TRIAGE, None, RuleRef("banjir", 3))
    assert str(by_policy(case(Category.FLOOD, located(KABUPATEN)), now, sure=True).agency) == "32.16/DBMSDA"
