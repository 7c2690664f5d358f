"""Whom to send: soonest and fairest first, with the age of positions considered, or why there is nobody."""

from dataclasses import replace
from datetime import timedelta

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.decisions.recommend import DETOUR, PACE_M_PER_MIN, Candidate, Cause, Task, recommend, travel_minutes
from schemas.vocabulary import OfficerStatus

LAT, LON = -6.2253, 107.0010
TASK = Task("32.75/DISHUB", LAT, LON, "32.75.03")


def at(name: str, km: float, minutes_ago: float = 0, **fields: object) -> Candidate:
    values = {"status": OfficerStatus.AVAILABLE, "lat": LAT + km / 111.195, "lon": LON, **fields}
    return Candidate(name, position_age_s=minutes_ago * 60, **values)  # type: ignore[arg-type]


def names(*candidates: Candidate, task: Task = TASK) -> list[str]:
    return [choice.username for choice in recommend(candidates, task).ranked]


def causes(*candidates: Candidate, task: Task = TASK) -> dict[str, int]:
    return {one.cause: one.count for one in recommend(candidates, task).shortfalls}


def test_the_nearest_comes_first() -> None:
    assert names(at("far", 3), at("near", 0.5), at("middle", 1)) == ["near", "middle", "far"]


def test_an_old_position_counts_as_further_away_and_a_very_old_one_as_none() -> None:
    assert names(at("fresh", 3), at("twenty minutes ago", 1, 20)) == ["fresh", "twenty minutes ago"]
    nowhere = Candidate("nowhere", OfficerStatus.AVAILABLE)
    assert names(nowhere, at("an hour ago", 0, 60), at("far", 20)) == ["far", "an hour ago", "nowhere"]


def test_who_has_not_answered_an_offer_is_asked_after_the_others() -> None:
    assert names(at("asked", 0.1, open_offers=1), at("free", 8)) == ["free", "asked"]


def test_who_has_worked_last_rests_while_another_is_not_much_further() -> None:
    tired = at("tired", 0.5, rested_s=60 * (1))
    assert names(tired, at("rested", 2)) == ["rested", "tired"], "14 minutes of rest are missing"
    assert names(tired, at("far away", 9)) == ["tired", "far away"], "nobody is spared at any price"
    assert names(at("had a rest", 0.5, rested_s=60 * (16)), at("rested", 2)) == ["had a rest", "rested"]


def test_who_has_done_much_today_is_asked_after_who_has_done_little() -> None:
    assert names(at("busy day", 0.5, accepted_today=3), at("calm day", 2)) == ["calm day", "busy day"]
    everywhere = replace(TASK, lat=None, lon=None)
    assert names(at("busy day", 1, accepted_today=1), at("calm day", 9), task=everywhere) == ["calm day", "busy day"]


def test_who_is_not_on_shift_comes_after_who_is_however_near() -> None:
    assert names(at("at home", 0.1, on_shift=False), at("on shift", 9, on_shift=True)) == ["on shift", "at home"]


def test_taking_somebody_from_another_kecamatan_counts_like_a_longer_way() -> None:
    here = at("here", 2, on_shift=True, area="32.75.03")
    there = at("there", 1, on_shift=True, area="32.75.01")
    assert names(there, here) == ["here", "there"]


def test_only_who_has_the_skills_is_asked() -> None:
    assert names(at("near", 0.1, lacks_skill=True), at("able", 5)) == ["able"]
    assert causes(at("near", 0.1, lacks_skill=True)) == {Cause.LACKS_SKILL: 1}


def test_who_has_just_refused_is_left_out_and_who_has_before_comes_last() -> None:
    assert names(at("no", 0.1, refused=True), at("no before", 1, refused_before=True), at("far", 20)) == [
        "far",
        "no before",
    ]


def test_reasons_are_told_in_the_operators_language() -> None:
    found = recommend([at("budi", 1.234, 3, open_offers=2, accepted_today=1, on_shift=False)], TASK)
    assert found.ranked[0].because == (
        "siap, 1.2 km dari lokasi, ± 5 menit, posisi 3 menit lalu",
        "di luar jadwal dinas",
        "1 tugas hari ini",
        "2 tawaran belum dijawab",
    )
    unplaced = recommend([at("budi", 1)], replace(TASK, lat=None, lon=None))
    assert unplaced.ranked[0].because == ("siap; lokasi kejadian belum diketahui",)


def test_a_shortfall_names_its_causes() -> None:
    (nobody,) = recommend([], replace(TASK, agency="32.75/PJU")).shortfalls
    assert (nobody.cause, nobody.words) == ("no_officers", "32.75/PJU has no officers")
    found = recommend(
        [
            at("a", 1, status=OfficerStatus.BUSY),
            at("b", 1, status=OfficerStatus.OFF_DUTY),
            at("c", 1, status=OfficerStatus.OFF_DUTY),
            at("d", 1, on_it=True),
        ],
        TASK,
    )
    assert [one.words for one in found.shortfalls] == [
        "1 of 32.75/DISHUB on this incident already",
        "1 of 32.75/DISHUB busy with another incident",
        "2 of 32.75/DISHUB off duty",
    ]
    assert found.shortfalls[-1].because == "2 petugas 32.75/DISHUB tidak berdinas"


def test_who_can_be_asked_all_the_same_is_a_shortfall_while_nobody_is_fit() -> None:
    jam = replace(TASK, reach=timedelta(minutes=30))
    assert causes(at("old", 1, 45), task=jam) == {Cause.POSITION_TOO_OLD: 1}
    assert causes(at("far", 12), task=jam) == {Cause.OUT_OF_REACH: 1}
    assert causes(at("tired", 1, rested_s=60 * (3))) == {Cause.RESTING: 1}
    assert causes(at("home", 1, on_shift=False)) == {"nobody_on_shift": 0, Cause.NOT_ON_SHIFT: 1}
    assert causes(at("break", 1, status=OfficerStatus.ON_BREAK)) == {Cause.ON_BREAK: 1}
    for one in (at("old", 1, 45), at("far", 12), at("tired", 1, rested_s=60 * (3))):
        (choice,) = recommend([one], jam).ranked
        assert not choice.fit
    assert causes(at("far", 12), at("near", 1), task=jam) == {}, "one is wanted, and one is fit"
    assert causes(at("far", 12), at("near", 1), task=replace(jam, officers=2)) == {Cause.OUT_OF_REACH: 1}


def test_the_way_by_road_is_the_straight_line_and_a_detour_at_the_pace_of_the_streets() -> None:
    km = travel_minutes(LAT, LON, LAT + 1 / 111.195, LON) * PACE_M_PER_MIN / DETOUR / 1000
    assert abs(km - 1) < 0.001


OFFICERS = st.lists(
    st.builds(
        at,
        st.text("abcdef", min_size=1, max_size=3),
        st.floats(0, 30),
        st.floats(-10, 90),
        status=st.sampled_from(OfficerStatus),
        on_it=st.booleans(),
        open_offers=st.integers(0, 3),
        accepted_today=st.integers(0, 9),
        rested_s=st.none() | st.floats(-10, 3600),
        on_shift=st.none() | st.booleans(),
        area=st.none() | st.sampled_from(["32.75.03", "32.75.01"]),
        lacks_skill=st.booleans(),
        refused=st.booleans(),
        refused_before=st.booleans(),
    ),
    max_size=8,
    unique_by=lambda one: one.username,
)
TASKS = st.builds(
    Task,
    st.just("32.75/DISHUB"),
    st.just(LAT) | st.none(),
    st.just(LON),
    st.sampled_from(["32.75.03", None]),
    st.none() | st.integers(1, 90).map(lambda minutes: timedelta(minutes=minutes)),
    st.sampled_from([frozenset(), frozenset({"derek"})]),
    st.integers(1, 3),
)


@given(OFFICERS, TASKS)
def test_exactly_those_who_can_be_asked_are_ranked_in_whatever_order_they_come(
    candidates: list[Candidate], task: Task
) -> None:
    found = recommend(candidates, task)
    ranked = [choice.username for choice in found.ranked]
    free = {
        one.username
        for one in candidates
        if one.status is OfficerStatus.AVAILABLE and not one.on_it and not one.refused and not one.lacks_skill
    }
    assert set(ranked) == free and len(ranked) == len(free)
    assert names(*reversed(candidates), task=task) == ranked
    fit = sum(choice.fit for choice in found.ranked)
    assert bool(found.shortfalls) == (fit < task.officers)


@given(OFFICERS, TASKS, st.integers(0, 9))
def test_the_best_few_are_the_beginning_of_the_whole_list(candidates: list[Candidate], task: Task, most: int) -> None:
    assert recommend(candidates, task, most=most).ranked == recommend(candidates, task).ranked[:most]


@given(OFFICERS, TASKS, st.data())
def test_who_comes_nearer_or_rests_or_does_less_never_falls_back(
    candidates: list[Candidate], task: Task, data: st.DataObject
) -> None:
    before = names(*candidates, task=task)
    if not before:
        return
    chosen = data.draw(st.sampled_from(before))
    better = [
        msgspec.structs.replace(
            one,
            lat=LAT,
            lon=LON,
            position_age_s=0.0,
            accepted_today=0,
            rested_s=None,
            open_offers=0,
            on_shift=True,
            area=None,
            refused_before=False,
        )
        if one.username == chosen
        else one
        for one in candidates
    ]
    assert names(*better, task=task).index(chosen) <= before.index(chosen)
