"""Proof of work: what is missing, far away or late is flagged with its reason, and nothing is ever refused."""

from datetime import datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.decisions.change import Change
from dispatcher.decisions.incident import Incident
from dispatcher.decisions.proof import FAR_M, PHOTO_ASKED, TIME_OFF, Done, Flag, judge, shown
from schemas.vocabulary import Category, IncidentStatus, Priority
from tests.dispatcher.factories import MINUTE, NOW, SUMMARECON, north_of

ASKED = NOW - 20 * MINUTE


def an_incident(category: Category = Category.ILLEGAL_DUMPING, precision: str = "exact") -> Incident:
    return Incident(
        id="INC-PROOF00000",
        version=1,
        category=category,
        status=IncidentStatus.IN_PROGRESS,
        priority=Priority.NORMAL,
        lat=SUMMARECON[0],
        lon=SUMMARECON[1],
        place_precision=precision,
        opened_at=NOW - timedelta(hours=1),
        updated_at=NOW,
        received_at=NOW,
        last_report_at=NOW,
        confidence=1.0,
    )


def done(
    metres: float | None = 10, minutes: int | None = 0, photos: tuple[datetime, ...] = (NOW,), *, phone: bool = True
) -> Done:
    lat, lon = north_of(SUMMARECON, metres) if metres is not None else (None, None)
    at = NOW + minutes * MINUTE if minutes is not None else None
    return Done(NOW, photos, ASKED if phone else None, at, lat, lon)


def test_a_photo_from_the_spot_at_the_time_is_proof() -> None:
    proof = judge(an_incident(), done())
    assert proof.flags == () and proof.because == ("1 foto", "10 m dari lokasi", "waktu ponsel +0 menit")


@pytest.mark.parametrize(
    ("told", "flags"),
    [
        (done(photos=()), (Flag.NO_PHOTO,)),
        (done(photos=(ASKED - MINUTE,)), (Flag.OLD_PHOTO,)),
        (done(photos=(ASKED - MINUTE, NOW)), ()),
        (done(metres=None), (Flag.NO_PLACE,)),
        (done(metres=5_000), (Flag.FAR_AWAY,)),
        (done(minutes=None), (Flag.NO_TIME,)),
        (done(minutes=-90), (Flag.TIME_OFF,)),
        (done(minutes=90), (Flag.TIME_OFF,)),
        (done(metres=None, minutes=None, photos=()), (Flag.NO_PHOTO, Flag.NO_PLACE, Flag.NO_TIME)),
        # the desk has no phone on the spot
        (done(metres=None, minutes=None, phone=False), ()),
        (done(metres=None, minutes=None, photos=(), phone=False), (Flag.NO_PHOTO,)),
    ],
)
def test_what_is_missing_or_far_off_is_flagged(told: Done, flags: tuple[Flag, ...]) -> None:
    assert judge(an_incident(), told).flags == flags


@pytest.mark.parametrize("category", Category)
def test_only_what_can_be_seen_afterwards_needs_a_photo(category: Category) -> None:
    assert (Flag.NO_PHOTO in judge(an_incident(category), done(photos=())).flags) == (category in PHOTO_ASKED)


@given(st.floats(0, 3_000).filter(lambda metres: abs(metres - FAR_M) > 1), st.integers(-200, 200))
def test_distance_and_time_are_flagged_beyond_their_limits_alone(metres: float, minutes: int) -> None:
    flags = judge(an_incident(), done(metres, minutes)).flags
    assert (Flag.FAR_AWAY in flags) == (metres > FAR_M)
    assert (Flag.TIME_OFF in flags) == (abs(minutes * MINUTE) > TIME_OFF)


def test_a_place_known_by_its_kelurahan_alone_is_not_held_against_the_officer() -> None:
    proof = judge(an_incident(precision="kelurahan"), done(metres=5_000))
    assert proof.flags == () and "tidak cukup pasti" in proof.because[1]


def test_the_finding_is_kept_beside_the_change_and_flags_of_others_stay() -> None:
    before = msgspec.structs.replace(an_incident(), flags=("no_photo",))
    change = shown(Change(before, before, ()), judge(before, done(metres=5_000)))
    assert change.after.flags == ("no_photo", "far_away")
    [decision] = change.decisions
    assert (decision.judgement, decision.outcome) == ("proof", "far_away") and len(decision.because) == 3
