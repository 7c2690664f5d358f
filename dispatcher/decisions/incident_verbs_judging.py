"""What an incident is, how urgent and where: a person says so, and it is routed anew by the city's rules."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

import msgspec

from dispatcher.decisions.cells import distance_m
from dispatcher.decisions.change import Change, Decision
from dispatcher.decisions.incident import Incident, move
from dispatcher.decisions.incident_verbs import NothingChanges, require
from dispatcher.decisions.judgement import Located
from dispatcher.decisions.policy import DEFAULT_POLICY, Policy
from dispatcher.decisions.prioritise import highest
from dispatcher.decisions.readable_place import readable_place
from dispatcher.decisions.routing import Routing, Words, case_of_incident, route
from schemas.geography import PlaceHit
from schemas.vocabulary import Category, IncidentStatus, Priority, Regency

#: A point corrected by less than this is the same place said better; its name stays (domain.md: a jam's radius).
_SAME_PLACE_M: Final = 250.0


@dataclass(frozen=True, slots=True)
class Point:
    """A place that a person has pointed at, and the area it lies in (None: outside Bekasi)."""

    lat: float
    lon: float
    hit: PlaceHit | None


def triage(
    incident: Incident,
    *,
    category: Category | None,
    priority: Priority | None,
    point: Point | None,
    actor: str,
    now: datetime,
    known_place: PlaceHit | None = None,
    words: Words | None = None,
    policy: Policy = DEFAULT_POLICY,
) -> Change:
    """A person says what it is, how urgent and where; it is routed anew by the same rules as a report.

    `known_place` is the area of the place it has (when it has coordinates and `point` is None), `words` what its first
    report says. Without a category
    that can be routed, or a place, it stays in triage. Raises `IllegalMove`, and `NothingChanges` when it stays in
    triage just as it was.
    """
    require(incident, "triage")
    located = _at(point.lat, point.lon, point.hit) if point else where_it_is(incident, known_place)
    category = category or incident.category
    case = case_of_incident(incident, located, words, policy, category=category, priority=priority)
    routing = route(case, policy, sure=True)
    _refuse_idle(incident, category, priority, point, routing, located)
    handed_over = routing.status is IncidentStatus.TRANSFERRED
    urgency = priority or highest((incident.priority, routing.priority))
    after, event = move(
        moved_to(incident, point) if point else incident,
        routing.status,
        "triaged",
        actor=actor,
        now=now,
        # Custody that goes elsewhere is something the citizen is told, as when the rules do it.
        note=routing.told,
        public=handed_over,
        category=category,
        priority=urgency,
        agency=routing.agency,
        co_agencies=routing.co_agencies,
        transferred_to=routing.transferred_to,
        skills=routing.skills,
        officers_needed=routing.officers,
        confidence=1.0,
    )
    said = (f"menurut {actor}",)
    decisions = [Decision("classify", category.value, said, score=1.0)]
    if point:
        decisions.append(Decision("locate", after.kelurahan or after.kecamatan or "di luar Bekasi", said))
    if priority:
        decisions.append(Decision("prioritise", priority.value, said))
    decisions.append(Decision("route", routing.outcome, routing.because, rule=routing.rule))
    return Change(incident, after, (event,), tuple(decisions))


def _at(lat: float, lon: float, hit: PlaceHit | None) -> Located:
    return Located(
        precision="exact",
        outside=hit is None,
        outside_where=None,
        regency=hit.regency if hit else None,
        kecamatan_code=hit.kecamatan_code if hit else None,
        kecamatan=hit.kecamatan if hit else None,
        kelurahan_code=hit.kelurahan_code if hit else None,
        kelurahan=hit.kelurahan if hit else None,
        lat=lat,
        lon=lon,
        place_precision=hit.precision if hit else None,
        alternatives=hit.alternatives if hit else (),
        named=(),
        evidence=(),
    )


def where_it_is(incident: Incident, known: PlaceHit | None) -> Located:
    """Its place for the rules; `known` is the area of its coordinates."""
    if known is not None and incident.lat is not None and incident.lon is not None:
        return _at(incident.lat, incident.lon, known)
    # A place given in words may be known no better than by its kecamatan, whose code begins with the regency's.
    return Located(
        precision="kecamatan" if incident.kecamatan else "unknown",
        outside=False,
        outside_where=None,
        regency=Regency(incident.kecamatan[:5]) if incident.kecamatan else None,
        kecamatan_code=incident.kecamatan,
        kecamatan=None,
        kelurahan_code=incident.kelurahan,
        kelurahan=None,
        lat=incident.lat,
        lon=incident.lon,
        place_precision=None,
        alternatives=(),
        named=(),
        evidence=(),
    )


def moved_to(incident: Incident, point: Point) -> Incident:
    """The incident at another place; its name stays when that is near."""
    hit = point.hit
    moved: Incident = msgspec.structs.replace(
        incident,
        lat=point.lat,
        lon=point.lon,
        place_precision="exact",
        kecamatan=hit.kecamatan_code if hit else None,
        kelurahan=hit.kelurahan_code if hit else None,
    )
    if _is_near(incident, point):
        return moved
    address = readable_place(_at(point.lat, point.lon, hit))
    elsewhere: Incident = msgspec.structs.replace(moved, address=address, named_places=())
    return elsewhere


def _is_near(incident: Incident, point: Point) -> bool:
    if incident.address is None or incident.lat is None or incident.lon is None:
        return False
    return distance_m(incident.lat, incident.lon, point.lat, point.lon) <= _SAME_PLACE_M


def _refuse_idle(
    incident: Incident,
    category: Category,
    priority: Priority | None,
    point: Point | None,
    routing: Routing,
    located: Located,
) -> None:
    """Somebody who asks again and again to route what cannot be routed is told what is missing, once and for all."""
    stays = routing.status is IncidentStatus.TRIAGE is incident.status
    if not stays or category is not incident.category or priority not in (None, incident.priority) or point:
        return
    if category is Category.OTHER:
        raise NothingChanges("category", "no agency is responsible for this category: say which it is")
    if located.regency is None:
        raise NothingChanges("lat", "the place is not known: say where it is")
