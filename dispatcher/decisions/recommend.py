"""Whom to send: the officers of an agency by how soon they can be there and how fair it is, each with the reasons.

The score is minutes, and the least is the best:

    travel + age of the position + 5 × incidents accepted today + (15 − minutes since the last one ended, if positive)
    + 5 when rostered for another kecamatan

`travel` is the straight line × 1.3 at 20 km/h. The age counts in full, for so far may somebody have gone meanwhile.
The numbers are start values of ours, to be fitted to what was driven; no measurement of Bekasi's streets is behind
them.
"""

import heapq
import math
import operator
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

import msgspec

from dispatcher.decisions.cells import METRES_PER_DEGREE
from schemas.vocabulary import OfficerStatus

#: 20 km/h, the pace of Bekasi's streets by day.
PACE_M_PER_MIN: Final = 20_000 / 60
#: A way by road against the straight line.
DETOUR: Final = 1.3
#: An older position says nothing about where somebody is.
POSITION_KEPT: Final = timedelta(minutes=30)
#: Who has just ended work is asked again at once only when somebody else would take this much longer.
REST: Final = timedelta(minutes=15)
#: Each incident accepted today counts like so much longer a way.
_JOB_MIN: Final = 5.0
#: Taking somebody away from the kecamatan they are rostered for, the same.
_AREA_MIN: Final = 5.0
_NOWHERE: Final = math.inf
_AVAILABLE: Final = OfficerStatus.AVAILABLE
_KEPT_S: Final = POSITION_KEPT.total_seconds()
_REST_S: Final = REST.total_seconds()
_MIN_PER_DEGREE: Final = METRES_PER_DEGREE * DETOUR / PACE_M_PER_MIN


class Candidate(msgspec.Struct, frozen=True):
    """An officer of the agency as the recommender sees them. Ages are in seconds before now: thousands of officers are
    looked at, and floats are read and compared in a fraction of the time of dates."""

    username: str
    status: OfficerStatus
    lat: float | None = None
    lon: float | None = None
    position_age_s: float | None = None
    #: Offers not yet answered, on whatever incident.
    open_offers: int = 0
    #: Incidents accepted since midnight in Jakarta.
    accepted_today: int = 0
    #: Since the last work ended (done, handed back or taken back).
    rested_s: float | None = None
    #: Rostered for now; None where the agency keeps no roster.
    on_shift: bool | None = None
    #: The kecamatan that the shift is for; None for all of the regency.
    area: str | None = None
    #: Is without a skill that the task needs.
    lacks_skill: bool = False
    #: Is already asked for or at work on this very incident.
    on_it: bool = False
    #: Has said no to this incident, or nothing, since it was last asked around.
    refused: bool = False
    #: The same, in an earlier round.
    refused_before: bool = False


@dataclass(frozen=True, slots=True)
class Task:
    """What somebody is wanted for."""

    #: `32.75/DISHUB`, for words about shortfalls.
    agency: str
    #: WGS 84; None while unknown.
    lat: float | None = None
    lon: float | None = None
    kecamatan: str | None = None
    #: How long the way may take; None when it does not matter.
    reach: timedelta | None = None
    skills: frozenset[str] = frozenset()
    #: How many are wanted.
    officers: int = 1


@dataclass(frozen=True, slots=True)
class Choice:
    """An officer who can be asked, and why at this place of the list (in Indonesian, for operators)."""

    username: str
    because: tuple[str, ...]
    #: Nothing speaks against it: on shift, rested, seen lately, within reach.
    fit: bool = True
    #: Minutes; None without a position or a place. See the head of this file.
    score: float | None = None
    #: Minutes by road, estimated from the position as it was told.
    travel_min: float | None = None


class Cause(StrEnum):
    """Why an officer is not the one to send; the first that fits, from what cannot be helped to what can."""

    ON_IT = "on_this_incident"
    BUSY = "busy"
    LACKS_SKILL = "lacks_skill"
    REFUSED = "refused"
    OFF_DUTY = "off_duty"
    ON_BREAK = "on_break"
    # who has one of these can be asked all the same, after the others
    NOT_ON_SHIFT = "not_on_shift"
    RESTING = "resting"
    POSITION_TOO_OLD = "position_too_old"
    OUT_OF_REACH = "out_of_reach"


@dataclass(frozen=True, slots=True)
class Shortfall:
    """One cause for that nobody, or not enough, can be sent, and how many officers it keeps."""

    #: A `Cause`, `no_officers`, `too_few` or `nobody_on_shift`.
    cause: str
    count: int
    #: In English, as all errors.
    words: str
    #: In Indonesian, for operators.
    because: str


@dataclass(frozen=True, slots=True)
class Recommendation:
    """The best first. `shortfalls` say why fewer than wanted are fit, also when somebody can be asked all the same."""

    ranked: tuple[Choice, ...]
    shortfalls: tuple[Shortfall, ...]

    @property
    def in_words(self) -> str:
        """The causes in one sentence."""
        return "; ".join(one.words for one in self.shortfalls)


class _Eye:
    """A task, with what is the same for every officer worked out once."""

    __slots__ = ("east", "kecamatan", "lat", "lon", "reach")

    def __init__(self, task: Task) -> None:
        self.lat, self.lon = task.lat, task.lon
        self.east = math.cos(math.radians(task.lat or 0.0))
        self.kecamatan = task.kecamatan
        self.reach = _NOWHERE if task.reach is None else task.reach.total_seconds() / 60

    def keeps(self, one: Candidate) -> Cause | None:
        """Why the officer cannot be asked."""
        if one.on_it:
            return Cause.ON_IT
        if one.lacks_skill:
            return Cause.LACKS_SKILL
        if one.status is not _AVAILABLE:
            return _OF_STATUS[one.status]
        return Cause.REFUSED if one.refused else None

    def speaks_against(self, one: Candidate, travel: float | None) -> Cause | None:
        """Why the officer is asked after others."""
        if one.refused_before:
            return Cause.REFUSED
        if one.on_shift is False:
            return Cause.NOT_ON_SHIFT
        if one.rested_s is not None and one.rested_s < _REST_S:
            return Cause.RESTING
        if travel is None:
            return None if self.lat is None else Cause.POSITION_TOO_OLD
        return Cause.OUT_OF_REACH if travel > self.reach else None

    def travel_min(self, one: Candidate) -> float | None:
        """By road; None without a place or a position that still says something."""
        lat, lon, age = one.lat, one.lon, one.position_age_s
        if self.lat is None or self.lon is None or lat is None or lon is None or age is None or age > _KEPT_S:
            return None
        return math.hypot(lat - self.lat, (lon - self.lon) * self.east) * _MIN_PER_DEGREE

    def fairness_min(self, one: Candidate) -> float:
        """What the officer has done today, rests from, and is rostered for."""
        minutes = _JOB_MIN * one.accepted_today
        if one.rested_s is not None and one.rested_s < _REST_S:
            minutes += (_REST_S - max(one.rested_s, 0.0)) / 60
        if one.area is not None and self.kecamatan is not None and one.area != self.kecamatan:
            minutes += _AREA_MIN
        return minutes


#: What an officer is ranked by, the least first; the username makes it one order.
_Key = tuple[bool, bool, int, float, float, str]


def recommend(candidates: Sequence[Candidate], task: Task, *, most: int | None = None) -> Recommendation:
    """Rank who can be asked: available, with the skills, not on it, not asked in vain just now. `most`: of the best.

    Who has said no before comes last, then who is not on shift, then who has an unanswered offer; among equals the
    score decides. Who has no usable position comes after who has one.
    """
    eye = _Eye(task)
    entries: list[tuple[_Key, Candidate, float | None]] = []
    fit = 0
    for one in candidates:
        if eye.keeps(one) is not None:
            continue
        travel, fairness = eye.travel_min(one), eye.fairness_min(one)
        if fit < task.officers and eye.speaks_against(one, travel) is None:
            fit += 1
        score = _NOWHERE if travel is None else travel + _age_min(one) + fairness
        key = (one.refused_before, one.on_shift is False, one.open_offers, score, fairness, one.username)
        entries.append((key, one, travel))
    best = sorted(entries, key=_by_key) if most is None else heapq.nsmallest(most, entries, key=_by_key)
    ranked = tuple(
        Choice(
            one.username,
            _because(one, task, travel),
            fit=eye.speaks_against(one, travel) is None,
            score=None if travel is None else round(key[3], 1),
            travel_min=None if travel is None else round(travel, 1),
        )
        for key, one, travel in best
    )
    return Recommendation(ranked, () if fit >= task.officers else _shortfalls(candidates, task, eye))


_by_key = operator.itemgetter(0)


def _age_min(one: Candidate) -> float:
    return max(one.position_age_s or 0.0, 0.0) / 60


def travel_minutes(lat: float, lon: float, other_lat: float, other_lon: float) -> float:
    """By road between two points of the city: the straight line (equirectangular) × `DETOUR` at `PACE_M_PER_MIN`."""
    return math.hypot(other_lat - lat, (other_lon - lon) * math.cos(math.radians(lat))) * _MIN_PER_DEGREE


def is_seen(position_at: datetime | None, now: datetime) -> bool:
    """Whether a position of then still says where somebody is."""
    return position_at is not None and now - position_at <= POSITION_KEPT


def _because(one: Candidate, task: Task, travel: float | None) -> tuple[str, ...]:
    if task.lat is None or task.lon is None:
        reasons = ["siap; lokasi kejadian belum diketahui"]
    elif travel is None:
        reasons = ["siap; tanpa posisi dalam 30 menit terakhir"]
    else:
        km = travel * PACE_M_PER_MIN / DETOUR / 1000
        reasons = [f"siap, {km:.1f} km dari lokasi, ± {travel:.0f} menit, posisi {_age_min(one):.0f} menit lalu"]
        if task.reach is not None and travel > task.reach.total_seconds() / 60:
            reasons.append(f"di luar jangkauan {task.reach.total_seconds() / 60:.0f} menit")
    if one.on_shift is False:
        reasons.append("di luar jadwal dinas")
    elif one.on_shift and one.area is not None and one.area == task.kecamatan:
        reasons.append("dijadwalkan di kecamatan ini")
    elif one.on_shift and one.area is not None:
        reasons.append("dijadwalkan di kecamatan lain")
    if one.rested_s is not None and one.rested_s < _REST_S:
        reasons.append(f"baru selesai {max(one.rested_s, 0.0) / 60:.0f} menit lalu")
    if one.accepted_today:
        reasons.append(f"{one.accepted_today} tugas hari ini")
    if one.open_offers:
        reasons.append(f"{one.open_offers} tawaran belum dijawab")
    if task.skills:
        reasons.append(f"keahlian: {', '.join(sorted(task.skills))}")
    if one.refused_before:
        reasons.append("pernah menolak atau tidak menjawab kejadian ini")
    return tuple(reasons)


def _shortfalls(candidates: Sequence[Candidate], task: Task, eye: _Eye) -> tuple[Shortfall, ...]:
    of = task.agency
    if not candidates:
        return (Shortfall("no_officers", 0, f"{of} has no officers", f"{of} tidak punya petugas"),)
    kept = Counter(eye.keeps(one) or eye.speaks_against(one, eye.travel_min(one)) for one in candidates)
    found = [
        Shortfall(cause, kept[cause], f"{kept[cause]} of {of} {english}", f"{kept[cause]} petugas {of} {indonesian}")
        for cause, (english, indonesian) in _WORDS.items()
        if cause in kept
    ]
    if any(one.on_shift is False for one in candidates) and not any(one.on_shift for one in candidates):
        words = (f"nobody of {of} is on shift now", f"tidak ada petugas {of} yang dijadwalkan sekarang")
        found.insert(0, Shortfall("nobody_on_shift", 0, *words))
    if not found:
        count = len(candidates)
        found.append(Shortfall("too_few", count, f"{of} has no more than {count}", f"{of} hanya punya {count} petugas"))
    return tuple(found)


_OF_STATUS: Final[Mapping[OfficerStatus, Cause]] = {
    OfficerStatus.BUSY: Cause.BUSY,
    OfficerStatus.ON_BREAK: Cause.ON_BREAK,
    OfficerStatus.OFF_DUTY: Cause.OFF_DUTY,
}
_WORDS: Final[Mapping[Cause, tuple[str, str]]] = {
    Cause.ON_IT: ("on this incident already", "sudah di kejadian ini"),
    Cause.BUSY: ("busy with another incident", "sibuk di kejadian lain"),
    Cause.LACKS_SKILL: ("without the skill it needs", "tanpa keahlian yang diperlukan"),
    Cause.REFUSED: ("declined it or did not answer", "menolak atau tidak menjawab"),
    Cause.ON_BREAK: ("on a break", "sedang istirahat"),
    Cause.OFF_DUTY: ("off duty", "tidak berdinas"),
    Cause.NOT_ON_SHIFT: ("not on shift", "di luar jadwal"),
    Cause.RESTING: ("resting after their last incident", "baru selesai bertugas"),
    Cause.POSITION_TOO_OLD: ("without a position of the last 30 minutes", "tanpa posisi dalam 30 menit terakhir"),
    Cause.OUT_OF_REACH: ("out of reach", "di luar jangkauan"),
}
