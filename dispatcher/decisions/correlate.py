"""Which incident a new sighting belongs to, if any: near enough, soon enough, and not naming another place."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple

import msgspec

from dispatcher.decisions.cells import distance_m
from dispatcher.decisions.incident import JOINABLE, Incident
from dispatcher.decisions.judgement import YesNoUnknown
from dispatcher.decisions.sameness import compare
from dispatcher.decisions.sighting import Sighting
from schemas.vocabulary import Category, IncidentStatus

#: How many texts of an incident are compared: the first, and the newest.
TEXTS_KEPT: Final = 6


@dataclass(frozen=True, slots=True)
class Reach:
    """How far apart in place and time two sightings of one event may be (domain.md, Grouping)."""

    radius_m: float
    window: timedelta
    #: A group that has run so long is locked; what follows opens a linked successor.
    locked_after: timedelta


_ELSE: Final = Reach(100.0, timedelta(hours=24), timedelta(days=14))
_REACHES: Final[Mapping[Category, Reach]] = {
    Category.TRAFFIC_JAM: Reach(250.0, timedelta(minutes=30), timedelta(hours=3)),
    Category.ILLEGAL_DUMPING: Reach(60.0, timedelta(hours=72), timedelta(days=14)),
}


#: Older than this nothing is in reach of anything.
LONGEST_WINDOW: Final = max(one.window for one in (_ELSE, *_REACHES.values()))

#: Why an incident takes no more reports, where it is not that it has run for too long.
_SETTLED: Final[Mapping[IncidentStatus, str]] = {
    IncidentStatus.RESOLVED: "sudah selesai",
    IncidentStatus.CLOSED: "sudah ditutup",
    IncidentStatus.REJECTED: "sudah ditolak",
    IncidentStatus.TRANSFERRED: "sudah diteruskan",
    IncidentStatus.MERGED: "sudah digabung",
}


def reach(category: Category) -> Reach:
    """How far sightings of a category reach."""
    return _REACHES.get(category, _ELSE)


class Whereabouts(NamedTuple):
    """The place of an incident: a point (WGS 84), or the codes of its area alone."""

    lat: float | None
    lon: float | None
    kecamatan: str | None
    kelurahan: str | None


class Candidate(msgspec.Struct, frozen=True):
    """An incident that a sighting might belong to, with what grouping looks at."""

    incident: Incident
    #: Arrival of its first and newest sighting, the broker's time; a sensor that still sees the jam counts as newest.
    first_arrival: datetime
    last_arrival: datetime
    #: Words of its reports: the first, then the newest, at most `TEXTS_KEPT`.
    texts: tuple[str, ...] = ()


def in_reach(sighting: Sighting, where: Whereabouts, last_arrival: datetime) -> bool:
    """Whether an incident there might be the same event, before its words, and how long it has been, are looked at.

    One that is older than the incident's newest sighting may come late, from a partition that is behind: how early the
    first was is told by its reports alone.
    """
    if _nearness(sighting, where) is None:
        return False
    return sighting.arrived_at - last_arrival <= reach(sighting.category).window


class Grouping(msgspec.Struct, frozen=True):
    """The answer: an incident to join, or none (and perhaps the one that a new incident follows)."""

    joined: Candidate | None
    #: An incident of the same event that takes no more: settled, handed over, or locked for its age.
    predecessor: str | None
    #: Shown to operators, so it is Indonesian.
    because: tuple[str, ...]
    #: 0–1 for what was joined.
    score: float | None = None


class _Words(msgspec.Struct, frozen=True):
    #: Alike enough to be one event.
    same: bool
    #: They name one place.
    one_place: bool
    score: float
    because: tuple[str, ...]


class _Match(msgspec.Struct, frozen=True):
    candidate: Candidate
    score: float
    because: tuple[str, ...]


def correlate(sighting: Sighting, candidates: Iterable[Candidate]) -> Grouping:
    """The best of the candidates that tell of the same event. Their order does not matter.

    Candidates of another category, out of reach or naming another place are passed over. What belongs to a merged one
    joins the one that has its reports, wherever that is, if it is among the candidates.
    """
    candidates = tuple(candidates)
    by_id = {candidate.incident.id: candidate for candidate in candidates}
    matches = [match for candidate in candidates if (match := _match(sighting, candidate))]
    # The nearest; of equals the oldest, then the first id: every worker comes to the same answer.
    matches.sort(key=lambda match: (-match.score, match.candidate.incident.opened_at, match.candidate.incident.id))
    for match in matches:
        holder = holder_of(match.candidate, by_id)
        if _takes_more(holder, sighting):
            merged = () if holder is match.candidate else (f"{match.candidate.incident.id} sudah digabung ke sana",)
            return Grouping(holder, None, (*match.because, *merged), match.score)
    if matches:
        before = holder_of(matches[0].candidate, by_id).incident
        why = _SETTLED.get(before.status, "sudah terlalu lama berjalan")
        return Grouping(None, before.id, (f"melanjutkan {before.id}, yang {why}", *matches[0].because))
    return Grouping(None, None, ("tidak ada insiden yang sama di sekitar pada waktu itu",))


def holder_of(candidate: Candidate, by_id: Mapping[str, Candidate]) -> Candidate:
    """The one that has its reports: itself, or what it was merged into as far as that is known."""
    while (into := candidate.incident.merged_into) is not None and into in by_id:
        candidate = by_id[into]
    return candidate


def _takes_more(candidate: Candidate, sighting: Sighting) -> bool:
    limit = reach(candidate.incident.category).locked_after
    return candidate.incident.status in JOINABLE and sighting.arrived_at - candidate.first_arrival < limit


def _match(sighting: Sighting, candidate: Candidate) -> _Match | None:
    incident = candidate.incident
    if incident.category is not sighting.category:
        return None
    near = _nearness(sighting, Whereabouts(incident.lat, incident.lon, incident.kecamatan, incident.kelurahan))
    window = reach(sighting.category).window
    gap = _gap(sighting.arrived_at, candidate.first_arrival, candidate.last_arrival)
    if near is None or gap > window:
        return None
    nearness, place = near
    words = _likeness(sighting.text, candidate.texts, gap, window)
    if words is None or not _enough(words, sighting, incident):
        return None
    score = 0.5 * nearness + 0.3 * (1 - gap / window) + 0.2 * words.score
    return _Match(candidate, round(score, 3), (place, f"selang {gap / timedelta(minutes=1):.0f} menit", *words.because))


def _likeness(text: str, others: Sequence[str], gap: timedelta, window: timedelta) -> _Words | None:
    """How alike the words are to the likest of the others; None when they name another place or direction.

    A name that one of them shares is the same place, though another one names more.
    """
    compared = [compare(text, other, gap, window) for other in others] if text else []
    if _differs([each.same_place for each in compared]) or _differs([each.same_direction for each in compared]):
        return None
    if not compared:
        return _Words(False, False, 0.5, ())
    likest = max(compared, key=lambda each: each.score)
    return _Words(likest.same, likest.same_place == "yes", likest.score, likest.evidence)


def _differs(answers: Sequence[YesNoUnknown]) -> bool:
    return "no" in answers and "yes" not in answers


def _nearness(sighting: Sighting, where: Whereabouts) -> tuple[float, str] | None:
    """1 for the same point, 0 at the edge of reach; None out of reach. Two areas without a point: the same area."""
    point = sighting.point
    if point is not None and where.lat is not None and where.lon is not None:
        metres = distance_m(*point, where.lat, where.lon)
        radius = reach(sighting.category).radius_m
        return (1 - metres / radius, f"jarak {metres:.0f} m") if metres <= radius else None
    if point is None and where.lat is None:
        located = sighting.located
        area = (located.kecamatan_code, located.kelurahan_code)
        if located.kecamatan_code is not None and area == (where.kecamatan, where.kelurahan):
            return 0.5, "wilayah yang sama disebut"
    # An area and a point in it: too little to say that they are one.
    return None


def _gap(arrived_at: datetime, first: datetime, last: datetime) -> timedelta:
    """How long before the first or after the newest sighting; none in between."""
    return max(first - arrived_at, arrived_at - last, timedelta())


def _enough(words: _Words, sighting: Sighting, incident: Incident) -> bool:
    """Near and soon is enough for what is known for sure. A guess needs like words too, or it would swallow its
    neighbours; and where no coordinates say how near it is, both must name one place."""
    if not sighting.located.precision == incident.place_precision == "exact":
        return words.same and words.one_place
    is_sure = sighting.sure and sighting.category is not Category.OTHER and incident.status is not IncidentStatus.TRIAGE
    return is_sure or words.same
