"""Whom to send: nearest first, with the age of positions and open offers considered, or why there is nobody."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from dispatcher.decisions.recommend import Candidate, recommend
from schemas.vocabulary import OfficerStatus

NOW = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
LAT, LON = -6.2253, 107.0010


def at(name: str, km: float, minutes_ago: float = 0, **fields: object) -> Candidate:
    values = {"status": OfficerStatus.AVAILABLE, "lat": LAT + km / 111.195, "lon": LON, **fields}
    return Candidate(name, position_at=NOW - timedelta(minutes=minutes_ago), **values)  # type: ignore[arg-type]


def names(*candidates: Candidate) -> list[str]:
    return [choice.username for choice in recommend(candidates, LAT, LON, "32.75/DISHUB", NOW).ranked]


def test_the_nearest_comes_first() -> None:
    assert names(at("far", 3), at("near", 0.5), at("middle", 1)) == ["near", "middle", "far"]


def test_an_old_position_counts_as_further_away_and_a_very_old_one_as_none() -> None:
    assert names(at("fresh", 3), at("twenty minutes ago", 1, 20)) == ["fresh", "twenty minutes ago"]
    nowhere = Candidate("nowhere", OfficerStatus.AVAILABLE)
    assert names(nowhere, at("an hour ago", 0, 60), at("far", 20)) == ["far", "an hour ago", "nowhere"]


def test_who_has_not_answered_an_offer_is_asked_after_the_others() -> None:
    assert names(at("asked", 0.1, open_offers=1), at("free", 8)) == ["free", "asked"]


def test_reasons_are_told_in_the_operators_language() -> None:
    found = recommend([at("budi", 1.234, 3, open_offers=2)], LAT, LON, "32.75/DISHUB", NOW)
    assert found.ranked[0].because == ("siap, 1.2 km dari lokasi, posisi 3 menit lalu", "2 tawaran belum dijawab")
    unplaced = recommend([at("budi", 1)], None, None, "32.75/DISHUB", NOW)
    assert unplaced.ranked[0].because == ("siap; lokasi kejadian belum diketahui",)


def test_a_shortfall_names_its_causes() -> None:
    assert recommend([], LAT, LON, "32.75/PJU", NOW).shortfall == ("32.75/PJU has no officers",)
    found = recommend(
        [
            at("a", 1, status=OfficerStatus.BUSY),
            at("b", 1, status=OfficerStatus.OFF_DUTY),
            at("c", 1, status=OfficerStatus.OFF_DUTY),
            at("d", 1, on_it=True),
        ],
        LAT,
        LON,
        "32.75/DISHUB",
        NOW,
    )
    assert found.shortfall == (
        "1 of 32.75/DISHUB on this incident already",
        "1 of 32.75/DISHUB busy with another incident",
        "2 of 32.75/DISHUB off duty",
    )


@given(
    st.lists(
        st.builds(
            at,
            st.text("abcdef", min_size=1, max_size=3),
            st.floats(0, 30),
            st.floats(-10, 90),
            status=st.sampled_from(OfficerStatus),
            on_it=st.booleans(),
            open_offers=st.integers(0, 3),
        ),
        max_size=8,
        unique_by=lambda one: one.username,
    )
)
def test_exactly_the_available_are_ranked_in_whatever_order_they_come(candidates: list[Candidate]) -> None:
    ranked = names(*candidates)
    free = {one.username for one in candidates if one.status is OfficerStatus.AVAILABLE and not one.on_it}
    assert set(ranked) == free and len(ranked) == len(free)
    assert names(*reversed(candidates)) == ranked
    assert bool(recommend(candidates, LAT, LON, "x", NOW).shortfall) == (not ranked)
