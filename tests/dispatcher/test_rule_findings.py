"""What rules do that nobody may have meant: what is called dead never fires, what is called a conflict is one."""

from typing import TypeVar

from hypothesis import given
from hypothesis import strategies as st

from dispatcher.decisions.policy import Policy
from dispatcher.decisions.routing import route
from dispatcher.decisions.rule import Case, Rule, RuleSet, When, fits
from dispatcher.decisions.rule_check import flaws
from dispatcher.decisions.rule_findings import look_through
from schemas.gazetteer import gazetteer
from schemas.vocabulary import AgencyCode, Category, DayKind, Priority, Regency, RoadAuthority

T = TypeVar("T")
KOTA, KABUPATEN = Regency.KOTA_BEKASI, Regency.KABUPATEN_BEKASI
CATEGORIES = (Category.TRAFFIC_JAM, Category.FLOOD, Category.OTHER)
AREAS = [area for area in gazetteer().kelurahan if area.kecamatan_code in ("32.75.01", "32.16.06")][:6]
PHRASES = ("banjir", "banjir bandang", "kabel putus")
PLACES = ("Simpang Pekayon", "Jalan Ahmad Yani")


def some(values: tuple[T, ...]) -> st.SearchStrategy[tuple[T, ...]]:
    return st.lists(st.sampled_from(values), max_size=2, unique=True).map(tuple)


WHENS = st.builds(
    When,
    category=some(CATEGORIES),
    regency=some(tuple(Regency)),
    kecamatan=some(("32.75.01", "32.16.06")),
    road=some((RoadAuthority.TOLL, RoadAuthority.REGENCY)),
    time=some(("06:00-09:00", "22:00-05:00", "05:00-22:00")),
    day=some(tuple(DayKind)),
    priority=some((Priority.NORMAL, Priority.CRITICAL)),
    words=some(PHRASES),
    places=some(PLACES),
)
RULES = st.lists(st.tuples(WHENS, st.sampled_from((AgencyCode.DISHUB, AgencyCode.BPBD))), min_size=1, max_size=6).map(
    lambda drawn: tuple(Rule(name=f"r{n}", when=when, agency=to) for n, (when, to) in enumerate(drawn))
)
CASES = st.builds(
    lambda area, **fields: Case(regency=area.regency, kecamatan=area.kecamatan_code, kelurahan=area.code, **fields),
    st.sampled_from(AREAS),
    category=st.sampled_from(CATEGORIES),
    road=st.sampled_from(RoadAuthority),
    minute=st.integers(0, 1439),
    day=st.sampled_from(DayKind),
    priority=st.sampled_from(Priority),
    words=some(PHRASES).map(" . ".join),
    places=some(PLACES).map(frozenset),
)


@given(RULES, st.lists(CASES, min_size=20, max_size=60))
def test_a_rule_that_is_called_dead_never_fires(rules: tuple[Rule, ...], cases: list[Case]) -> None:
    dead = {rules[one.number - 1].name for one in look_through(rules).dead}
    live = Policy(rules=RuleSet(version=1, rules=rules))
    for case in cases:
        decided = route(case, live, sure=True).rule
        assert decided is None or decided.name not in dead


@given(RULES)
def test_every_example_is_true(rules: tuple[Rule, ...]) -> None:
    found = look_through(rules)
    assert found.complete
    for dead in found.dead:
        rule = rules[dead.number - 1]
        assert all(by < dead.number for by in dead.by)
        # only what contradicts itself has no example
        assert (dead.example is None) == (not dead.by)
        if dead.example is not None:
            assert fits(rule.when, dead.example)
            assert any(fits(before.when, dead.example) for before in rules[: dead.number - 1])
    for conflict in found.conflicts:
        first, second = rules[conflict.first - 1], rules[conflict.second - 1]
        assert first.outcome != second.outcome
        assert fits(first.when, conflict.example) and fits(second.when, conflict.example)
        assert next(n for n, rule in enumerate(rules, 1) if fits(rule.when, conflict.example)) == conflict.first


FEW = st.lists(
    st.builds(
        When,
        category=some(CATEGORIES[:2]),
        regency=some(tuple(Regency)),
        time=some(("06:00-09:00", "22:00-05:00", "05:00-22:00", "09:00-06:00")),
        words=some(PHRASES),
    ),
    min_size=1,
    max_size=7,
).map(lambda whens: tuple(Rule(name=f"r{n}", when=when, agency=AgencyCode.DISHUB) for n, when in enumerate(whens)))
EVERY_CASE = [
    Case(category=category, regency=regency, minute=minute, words=words)
    # one that no rule names stands for all the others
    for category in (*CATEGORIES[:2], Category.CROWDING)
    for regency in Regency
    for minute in (0, 300, 360, 540, 1320)
    for words in ("", *PHRASES)
]


@given(FEW)
def test_exactly_the_rules_that_fire_for_no_case_are_called_dead(rules: tuple[Rule, ...]) -> None:
    fire = {next((n for n, rule in enumerate(rules, 1) if fits(rule.when, case)), 0) for case in EVERY_CASE}
    assert {one.number for one in look_through(rules).dead} == set(range(1, len(rules) + 1)) - fire


def dead_numbers(*rules: Rule) -> list[tuple[int, tuple[int, ...]]]:
    return [(one.number, one.by) for one in look_through(rules).dead]


def rule(to: AgencyCode = AgencyCode.DISHUB, **when: object) -> Rule:
    return Rule(name=str(when) + to, when=When(**when), agency=to)  # type: ignore[arg-type]


def test_a_rule_after_one_that_asks_less_is_dead() -> None:
    assert dead_numbers(rule(category=(Category.FLOOD,)), rule(category=(Category.FLOOD,), regency=(KOTA,))) == [
        (2, (1,))
    ]


def test_a_rule_whose_cases_several_share_is_dead_and_all_of_them_are_named() -> None:
    night, day = rule(time=("22:00-05:00",)), rule(time=("05:00-22:00",))
    assert dead_numbers(night, day, rule(category=(Category.FLOOD,))) == [(3, (1, 2))]
    gap = rule(time=("05:00-21:59",))
    assert dead_numbers(night, gap, rule(category=(Category.FLOOD,))) == []


def test_a_rule_that_contradicts_itself_is_dead_by_nobody() -> None:
    assert dead_numbers(rule(regency=(KOTA,), kecamatan=("32.16.06",))) == [(1, ())]


def test_all_kelurahan_of_a_kecamatan_are_not_the_kecamatan() -> None:
    codes = tuple(area.code for area in gazetteer().kelurahan if area.kecamatan_code == "32.75.01")
    # where only the kecamatan is known the second one still decides
    assert dead_numbers(rule(kelurahan=codes), rule(kecamatan=("32.75.01",))) == []


def test_a_longer_phrase_after_a_shorter_one_is_dead() -> None:
    assert dead_numbers(rule(words=("banjir",)), rule(words=("banjir bandang", "banjir rob"))) == [(2, (1,))]


def test_an_exception_before_the_general_rule_is_no_conflict_and_a_crossing_is() -> None:
    general = rule(AgencyCode.DISHUB, category=(Category.TRAFFIC_JAM,))
    exception = rule(AgencyCode.SATPOL_PP, category=(Category.TRAFFIC_JAM,), regency=(KOTA,))
    assert look_through((exception, general)).conflicts == ()
    # nor is one of several categories, of which the general rule has one
    of_two = rule(AgencyCode.SATPOL_PP, category=(Category.TRAFFIC_JAM, Category.FLOOD), regency=(KOTA,))
    assert look_through((of_two, general)).conflicts == ()
    night = rule(AgencyCode.BPBD, category=(Category.TRAFFIC_JAM,), time=("22:00-05:00",))
    [crossing] = look_through((exception, night, general)).conflicts
    assert (crossing.first, crossing.second) == (1, 2)


def test_what_is_wrong_is_told_with_its_place() -> None:
    rules = (
        Rule(name="satu", when=When(kecamatan=("99.99.99",), time=("06:00-06:00",)), agency=AgencyCode.PLN),
        Rule(name="SATU", agency=AgencyCode.DISHUB, transfer_to=AgencyCode.DLH, co_agencies=(AgencyCode.DISHUB,)),
        Rule(name="lain", when=When(words=("!!",), places=("entah",)), triage=True, officers=2),
        Rule(name="lain-lain", when=When(category=(Category.OTHER,)), agency=AgencyCode.DLH),
    )  # fmt: skip
    assert [flaw.path for flaw in flaws(rules)] == [
        (0, "agency"), (0, "when", "kecamatan", 0), (0, "when", "time", 0),
        (1, "name"), (1,), (1, "transfer_to"), (1, "co_agencies", 0),
        (2, "officers"), (2, "when", "words", 0), (2, "when", "places", 0),
        (3, "when", "category"),
    ]  # fmt: skip
    assert flaws(()) != []
