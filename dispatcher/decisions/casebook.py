"""What one batch knows: the incidents around its sightings, those that it opens itself, and what it changes."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple, Self
from zlib import crc32

import msgspec

from dispatcher.decisions.cells import cell_of, cells_within
from dispatcher.decisions.change import Change
from dispatcher.decisions.correlate import TEXTS_KEPT, Candidate, holder_of, reach
from dispatcher.decisions.decide import decide
from dispatcher.decisions.incident import Incident
from dispatcher.decisions.policy import DEFAULT_POLICY, Policy
from dispatcher.decisions.sighting import Sighting
from schemas.vocabulary import Category


class Patch(NamedTuple):
    """A piece of the city and a category: what is locked, and where incidents are looked up.

    `cell` is a cell of the grid (`dispatcher.decisions.cells`), or for what is known by its area alone, a negative
    number of the kecamatan, which is then named beside it.
    """

    category: Category
    cell: int
    kecamatan: str | None = None

    @classmethod
    def of_area(cls, category: Category, kecamatan: str) -> Self:
        return cls(category, -1 - crc32(kecamatan.encode()), kecamatan)


def patches_around(sighting: Sighting) -> tuple[Patch, ...]:
    """Where the incident that it belongs to must be; nothing for what groups with nothing."""
    located, category = sighting.located, sighting.category
    if located.outside:
        return ()
    if sighting.point is not None:
        cells = cells_within(*sighting.point, reach(category).radius_m)
        return tuple(Patch(category, cell) for cell in cells)
    return (Patch.of_area(category, located.kecamatan_code),) if located.kecamatan_code else ()


def home(category: Category, lat: float | None, lon: float | None, kecamatan: str | None) -> Patch | None:
    """The patch that an incident lies in."""
    if lat is not None and lon is not None:
        return Patch(category, cell_of(lat, lon))
    return Patch.of_area(category, kecamatan) if kecamatan else None


class Casebook:
    """Decides sightings one after the other; what one opens the next one may join."""

    def __init__(self, candidates: Iterable[Candidate] = (), policy: Policy = DEFAULT_POLICY) -> None:
        """`candidates`: every incident in reach of the sightings to come."""
        self._policy = policy
        self._candidates: dict[str, Candidate] = {}
        self._at: dict[Patch, dict[str, None]] = {}
        self._changes: dict[str, Change] = {}
        for candidate in candidates:
            self._keep(candidate)

    @property
    def changes(self) -> tuple[Change, ...]:
        """What is to be saved, one change per incident."""
        return tuple(self._changes.values())

    def incident(self, incident_id: str) -> Incident | None:
        """As it is by now; of a merged one, the one that has its reports."""
        candidate = self._candidates.get(incident_id)
        return holder_of(candidate, self._candidates).incident if candidate else None

    def take(self, sighting: Sighting, now: datetime) -> str:
        """Decide where a sighting belongs, and return the id of its incident."""
        change = decide(sighting, self._around(sighting), now, self._policy)
        self.note(change)
        known = self._candidates.get(change.after.id)
        first, last = (known.first_arrival, known.last_arrival) if known else (sighting.arrived_at, sighting.arrived_at)
        words = (sighting.text,) if sighting.is_report else ()
        self._keep(
            Candidate(
                change.after,
                min(first, sighting.arrived_at),
                max(last, sighting.arrived_at),
                _first_and_newest((*known.texts, *words) if known else words),
            )
        )
        return change.after.id

    def note(self, change: Change) -> None:
        """Keep a change that was decided elsewhere, such as a device's all-clear."""
        incident_id = change.after.id
        earlier = self._changes.get(incident_id)
        self._changes[incident_id] = earlier.then(change) if earlier else change
        known = self._candidates.get(incident_id)
        if known:
            self._candidates[incident_id] = msgspec.structs.replace(known, incident=change.after)

    def _around(self, sighting: Sighting) -> list[Candidate]:
        ids = {incident_id for patch in patches_around(sighting) for incident_id in self._at.get(patch, ())}
        found = {incident_id: self._candidates[incident_id] for incident_id in ids}
        for candidate in list(found.values()):
            while (into := candidate.incident.merged_into) is not None and into in self._candidates:
                found[into] = candidate = self._candidates[into]
        return list(found.values())

    def _keep(self, candidate: Candidate) -> None:
        incident = candidate.incident
        self._candidates[incident.id] = candidate
        patch = home(incident.category, incident.lat, incident.lon, incident.kecamatan)
        if patch is not None:
            self._at.setdefault(patch, {})[incident.id] = None


def _first_and_newest(texts: tuple[str, ...]) -> tuple[str, ...]:
    return texts if len(texts) <= TEXTS_KEPT else (texts[0], *texts[1 - TEXTS_KEPT :])
