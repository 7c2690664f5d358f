"""Coverage: a kecamatan that nobody reaches is a gap, and whoever is sent there is not missed elsewhere."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from dispatcher.decisions.coverage import FreeOfficer, cover
from dispatcher.decisions.recommend import travel_minutes
from schemas.gazetteer import Kecamatan, gazetteer
from schemas.vocabulary import Regency

NOW = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
KOTA = [area for area in gazetteer().kecamatan if area.regency is Regency.KOTA_BEKASI]
REACH = timedelta(minutes=15)


def officer(name: str, area: Kecamatan, minutes_ago: float = 0) -> FreeOfficer:
    return FreeOfficer(name, name.title(), area.lat, area.lon, NOW - timedelta(minutes=minutes_ago))


def area_of(code: str) -> Kecamatan:
    return next(area for area in KOTA if area.code == code)


def test_without_officers_every_kecamatan_is_a_gap_and_nobody_can_move() -> None:
    found = cover(KOTA, [], REACH, NOW)
    assert len(found.gaps) == 12 and found.moves == ()
    assert all(one.nearest == () for one in found.kecamatan)


def test_one_officer_in_each_kecamatan_leaves_no_gap() -> None:
    found = cover(KOTA, [officer(area.code, area) for area in KOTA], REACH, NOW)
    assert found.gaps == () and found.moves == ()
    assert all(one.nearest[0].minutes == 0 for one in found.kecamatan)


def test_one_of_two_at_the_same_place_is_sent_to_the_gap_and_the_other_stays() -> None:
    north, south = max(KOTA, key=lambda area: area.lat), min(KOTA, key=lambda area: area.lat)
    found = cover([north, south], [officer("ani", north), officer("budi", north)], REACH, NOW)
    assert found.gaps == (south.code,)
    (move,) = found.moves
    assert (move.username, move.to) == ("ani", south.code)
    assert south.name in move.because
    assert cover([north, south], [officer("ani", north)], REACH, NOW).moves == (), (
        "who alone covers a place is not sent"
    )


def test_an_old_position_covers_less_and_a_very_old_one_nothing() -> None:
    area = KOTA[0]
    assert cover([area], [officer("ani", area, 10)], REACH, NOW).gaps == ()
    assert cover([area], [officer("ani", area, 20)], REACH, NOW).gaps == (area.code,)
    assert cover([area], [officer("ani", area, 31)], timedelta(hours=5), NOW).kecamatan[0].nearest == ()


OFFICERS = st.lists(
    st.builds(officer, st.text("abcdefgh", min_size=2, max_size=3), st.sampled_from(KOTA), st.floats(0, 40)),
    max_size=15,
    unique_by=lambda one: one.username,
)


@given(OFFICERS, st.integers(1, 90))
def test_moves_close_gaps_and_open_none(officers: list[FreeOfficer], minutes: int) -> None:
    reach = timedelta(minutes=minutes)
    found = cover(KOTA, officers, reach, NOW)
    assert found == cover(KOTA, officers[::-1], reach, NOW)
    assert len({move.username for move in found.moves}) == len(found.moves), "each moves once"
    assert len(found.moves) <= len(found.gaps)
    sent = {move.username: area_of(move.to) for move in found.moves}
    stay = [one for one in officers if one.username not in sent]
    there = [FreeOfficer(name, name, area.lat, area.lon, NOW) for name, area in sent.items()]
    after = cover(KOTA, [*stay, *there], reach, NOW)
    assert set(after.gaps) <= set(found.gaps) - {move.to for move in found.moves}


@given(OFFICERS, st.integers(1, 90))
def test_a_kecamatan_is_covered_exactly_when_its_nearest_officer_is_in_time(
    officers: list[FreeOfficer], minutes: int
) -> None:
    for one in cover(KOTA, officers, timedelta(minutes=minutes), NOW).kecamatan:
        times = [
            (NOW - each.position_at).total_seconds() / 60
            + travel_minutes(one.kecamatan.lat, one.kecamatan.lon, each.lat, each.lon)
            for each in officers
            if NOW - each.position_at <= timedelta(minutes=30)
        ]
        assert one.within_reach == (min(times, default=float("inf")) <= minutes)
        assert [round(near.minutes, 1) for near in one.nearest] == [round(time, 1) for time in sorted(times)[:3]]
