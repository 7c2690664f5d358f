"""Whom to send: the available officers of an agency, nearest first, each with the reason; or why there is nobody."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from dispatcher.decisions.cells import distance_m
from schemas.vocabulary import OfficerStatus

#: How far an officer may have gone since the position was told: 20 km/h, the pace of Bekasi's streets by day. A start
#: value, not a measurement.
_PACE_M_PER_MIN: Final = 20_000 / 60
#: An older position says nothing about where somebody is.
POSITION_KEPT: Final = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Candidate:
    """An officer of the agency as the recommender sees them."""

    username: str
    status: OfficerStatus
    lat: float | None = None
    lon: float | None = None
    position_at: datetime | None = None
    #: Offers not yet answered, on whatever incident.
    open_offers: int = 0
    #: Is already asked for or at work on this very incident.
    on_it: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """An officer who can be asked, and why at this place of the list (in Indonesian, for operators)."""

    username: str
    because: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Recommendation:
    """The best first. When `ranked` is empty, `shortfall` says why (in English, as all errors)."""

    ranked: tuple[Choice, ...]
    shortfall: tuple[str, ...]


def recommend(
    candidates: Sequence[Candidate], lat: float | None, lon: float | None, agency: str, now: datetime
) -> Recommendation:
    """Rank the available officers of `agency` for an incident at a place (None while unknown).

    Whoever has an unanswered offer comes after those who have none; then the least distance counts, to which the way
    that could have been gone since the position was told is added. Who has no usable position comes last.
    """
    free = [one for one in candidates if one.status is OfficerStatus.AVAILABLE and not one.on_it]
    ranked = sorted(free, key=lambda one: (one.open_offers, _reach_m(one, lat, lon, now), one.username))
    choices = tuple(Choice(one.username, _because(one, lat, lon, now)) for one in ranked)
    return Recommendation(choices, () if choices else _shortfall(candidates, agency))


def _has_place(one: Candidate, now: datetime) -> bool:
    return one.lat is not None and one.position_at is not None and now - one.position_at <= POSITION_KEPT


def _distance_m(one: Candidate, lat: float | None, lon: float | None, now: datetime) -> float | None:
    if lat is None or lon is None or one.lat is None or one.lon is None or not _has_place(one, now):
        return None
    return distance_m(lat, lon, one.lat, one.lon)


def _reach_m(one: Candidate, lat: float | None, lon: float | None, now: datetime) -> float:
    distance = _distance_m(one, lat, lon, now)
    return float("inf") if distance is None else distance + _age_min(one, now) * _PACE_M_PER_MIN


def _age_min(one: Candidate, now: datetime) -> float:
    return max((now - one.position_at).total_seconds() / 60, 0.0) if one.position_at else 0.0


def _because(one: Candidate, lat: float | None, lon: float | None, now: datetime) -> tuple[str, ...]:
    distance = _distance_m(one, lat, lon, now)
    if lat is None or lon is None:
        where = "siap; lokasi kejadian belum diketahui"
    elif distance is None:
        where = "siap; tanpa posisi dalam 30 menit terakhir"
    else:
        where = f"siap, {distance / 1000:.1f} km dari lokasi, posisi {_age_min(one, now):.0f} menit lalu"
    return (where, f"{one.open_offers} tawaran belum dijawab") if one.open_offers else (where,)


def _shortfall(candidates: Sequence[Candidate], agency: str) -> tuple[str, ...]:
    if not candidates:
        return (f"{agency} has no officers",)
    causes = []
    if on_it := sum(one.on_it for one in candidates):
        causes.append(f"{on_it} of {agency} on this incident already")
    others = [one for one in candidates if not one.on_it]
    for status, words in _WORDS.items():
        if count := sum(one.status is status for one in others):
            causes.append(f"{count} of {agency} {words}")
    return tuple(causes)


_WORDS: Final = {
    OfficerStatus.BUSY: "busy with another incident",
    OfficerStatus.ON_BREAK: "on a break",
    OfficerStatus.OFF_DUTY: "off duty",
}
