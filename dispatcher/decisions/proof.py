"""Proof of work: photo, place and time of a completion held against its incident. What is doubtful is flagged, never
refused: an officer without signal has still done the work, and the shift lead looks."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

import msgspec

from dispatcher.decisions.cells import distance_m
from dispatcher.decisions.change import Change, Decision
from dispatcher.decisions.incident import Incident
from schemas.vocabulary import Category

#: Further away than this is not there: a jam reaches 250 m, and a phone between houses is wrong by some 50 m.
FAR_M: Final = 300.0
#: A phone whose clock is further off than this, or that tells so much later, cannot be taken at its word.
TIME_OFF: Final = timedelta(minutes=30)
#: What can be seen afterwards is shown: Kabupaten Bekasi asks for photo proof of "done". A jam that is over, a crowd
#: that has gone and a node that is up again leave nothing to take a photo of.
PHOTO_ASKED: Final = frozenset({Category.ILLEGAL_DUMPING, Category.ROAD_DAMAGE, Category.FLOOD, Category.STREET_LIGHT})


class Flag(StrEnum):
    """What is doubtful about a completion."""

    #: The category asks for a photo, and staff sent none.
    NO_PHOTO = "no_photo"
    #: Every photo was sent before the officer was asked at all.
    OLD_PHOTO = "old_photo"
    #: The phone did not say where it was.
    NO_PLACE = "no_place"
    #: It was further away than `FAR_M`.
    FAR_AWAY = "far_away"
    #: It did not say when.
    NO_TIME = "no_time"
    #: Its time is more than `TIME_OFF` from ours.
    TIME_OFF = "time_off"


@dataclass(frozen=True, slots=True)
class Done:
    """What was shown with `complete`, or by the desk with `resolve`."""

    #: When it was said, by our clock.
    now: datetime
    #: When each photo that staff sent came in; those of the citizens prove nothing.
    photos_at: Sequence[datetime] = ()
    #: Since when it was this person's work; None at the desk, which has no phone on the spot.
    asked_at: datetime | None = None
    #: The phone's own time and place, as it said them.
    device_at: datetime | None = None
    lat: float | None = None
    lon: float | None = None


@dataclass(frozen=True, slots=True)
class Proof:
    """The answer: what is doubtful, and every finding in words for operators (Indonesian)."""

    flags: tuple[Flag, ...]
    because: tuple[str, ...]


def judge(incident: Incident, done: Done) -> Proof:
    """Hold what was shown against the incident."""
    findings = [_photo(incident, done)]
    if done.asked_at is not None:
        findings += [_place(incident, done), _time(done)]
    return Proof(tuple(flag for flag, _ in findings if flag), tuple(words for _, words in findings))


def shown(change: Change, proof: Proof) -> Change:
    """The change with the finding kept: as a decision, and as flags of the incident. Those of other officers stay."""
    flags = tuple(dict.fromkeys((*change.after.flags, *(flag.value for flag in proof.flags))))
    outcome = ",".join(proof.flags) or "ok"
    return replace(
        change,
        after=msgspec.structs.replace(change.after, flags=flags),
        decisions=(*change.decisions, Decision("proof", outcome, proof.because)),
    )


_Finding = tuple[Flag | None, str]


def _photo(incident: Incident, done: Done) -> _Finding:
    if not done.photos_at:
        asked = incident.category in PHOTO_ASKED
        return (Flag.NO_PHOTO, "tanpa foto, padahal diminta") if asked else (None, "foto tidak diminta")
    since = done.asked_at or incident.opened_at
    if max(done.photos_at) < since:
        return Flag.OLD_PHOTO, "foto dikirim sebelum penugasan"
    return None, f"{len(done.photos_at)} foto"


def _place(incident: Incident, done: Done) -> _Finding:
    if done.lat is None or done.lon is None:
        return Flag.NO_PLACE, "ponsel tidak menyebut lokasi"
    if incident.lat is None or incident.lon is None or incident.place_precision not in ("exact", "landmark"):
        return None, "lokasi insiden tidak cukup pasti untuk dibandingkan"
    metres = distance_m(incident.lat, incident.lon, done.lat, done.lon)
    if metres > FAR_M:
        return Flag.FAR_AWAY, f"{metres:.0f} m dari lokasi, lebih dari {FAR_M:.0f} m"
    return None, f"{metres:.0f} m dari lokasi"


def _time(done: Done) -> _Finding:
    if done.device_at is None:
        return Flag.NO_TIME, "ponsel tidak menyebut waktu"
    minutes = (done.device_at - done.now) / timedelta(minutes=1)
    if abs(done.device_at - done.now) > TIME_OFF:
        return Flag.TIME_OFF, f"waktu ponsel {minutes:+.0f} menit dari waktu server"
    return None, f"waktu ponsel {minutes:+.0f} menit"
