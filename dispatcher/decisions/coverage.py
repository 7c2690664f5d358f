"""Where nobody could be in time: per kecamatan the nearest free officers, the gaps, and who should move."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from dispatcher.decisions.recommend import is_seen, travel_minutes
from schemas.gazetteer import Kecamatan

#: Officers named per kecamatan.
NEAREST: Final = 3


@dataclass(frozen=True, slots=True)
class FreeOfficer:
    """Somebody who could be asked, and where they were last seen (WGS 84)."""

    username: str
    name: str
    lat: float
    lon: float
    position_at: datetime


@dataclass(frozen=True, slots=True)
class Near:
    """An officer and the minutes to the middle of a kecamatan: by road, and the age of the position on top."""

    username: str
    name: str
    minutes: float


@dataclass(frozen=True, slots=True)
class Covered:
    """A kecamatan and who is nearest to its middle."""

    kecamatan: Kecamatan
    nearest: tuple[Near, ...]
    within_reach: bool


@dataclass(frozen=True, slots=True)
class Move:
    """Somebody who is not missed where they are, and who would close a gap."""

    username: str
    name: str
    #: The code of the kecamatan to go to.
    to: str
    minutes: float
    #: In Indonesian, for operators.
    because: str


@dataclass(frozen=True, slots=True)
class Coverage:
    """What an agency's free officers cover. `moves` are in their order: each counts on those before it."""

    kecamatan: tuple[Covered, ...]
    moves: tuple[Move, ...]

    @property
    def gaps(self) -> tuple[str, ...]:
        """Codes of the kecamatan that nobody would reach in time."""
        return tuple(one.kecamatan.code for one in self.kecamatan if not one.within_reach)


def cover(kecamatan: Sequence[Kecamatan], officers: Sequence[FreeOfficer], reach: timedelta, now: datetime) -> Coverage:
    """What these officers cover of these kecamatan: one is covered when somebody is within `reach` of its middle.

    A move is suggested where it leaves nothing uncovered that was covered; the shortest such one first, until no gap
    is left or nobody can be spared. Officers without a usable position count for nothing.
    """
    seen = sorted((one for one in officers if is_seen(one.position_at, now)), key=lambda one: one.username)
    limit = reach.total_seconds() / 60
    minutes = {one.username: _minutes(one, kecamatan, now) for one in seen}
    covered = []
    for place, area in enumerate(kecamatan):
        near = sorted((minutes[one.username][place], one.username, one.name) for one in seen)[:NEAREST]
        nearest = tuple(Near(username, name, round(time, 1)) for time, username, name in near)
        covered.append(Covered(area, nearest, bool(near) and near[0][0] <= limit))
    return Coverage(tuple(covered), _moves(kecamatan, seen, minutes, limit))


def _minutes(officer: FreeOfficer, kecamatan: Sequence[Kecamatan], now: datetime) -> list[float]:
    age = max((now - officer.position_at).total_seconds() / 60, 0.0)
    return [age + travel_minutes(area.lat, area.lon, officer.lat, officer.lon) for area in kecamatan]


def _moves(
    kecamatan: Sequence[Kecamatan],
    officers: Sequence[FreeOfficer],
    minutes: Mapping[str, Sequence[float]],
    limit: float,
) -> tuple[Move, ...]:
    reached = {name: {n for n, time in enumerate(times) if time <= limit} for name, times in minutes.items()}
    holders = [sum(n in places for places in reached.values()) for n in range(len(kecamatan))]
    staying = {one.username: one for one in officers}
    moves = []
    while gaps := [n for n, count in enumerate(holders) if not count]:
        spare = [name for name in staying if all(holders[n] > 1 for n in reached[name])]
        best = min(
            ((minutes[name][gap], kecamatan[gap].code, name, gap) for name in spare for gap in gaps), default=None
        )
        if best is None:
            break
        time, code, name, gap = best
        officer, area = staying.pop(name), kecamatan[gap]
        for n in reached[name]:
            holders[n] -= 1
        # from there, what is within reach of the middle of the gap
        for n, other in enumerate(kecamatan):
            holders[n] += travel_minutes(area.lat, area.lon, other.lat, other.lon) <= limit
        left = (
            f"{len(reached[name])} kecamatan yang dijangkaunya tetap terjaga"
            if reached[name]
            else "tidak menjaga apa pun"
        )
        because = f"{area.name} tidak terjangkau; {left}"
        moves.append(Move(name, officer.name, code, round(time, 1), because))
    return tuple(moves)
