"""What people do to an incident: each verb answers with the change it makes. Who may is asked before."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import msgspec

from dispatcher.decisions.assignment import Assignment, officers_of, standing_of
from dispatcher.decisions.cells import distance_m
from dispatcher.decisions.change import Change, Decision
from dispatcher.decisions.incident import VERBS, IllegalMove, Incident, move
from dispatcher.decisions.judgement import Located
from dispatcher.decisions.policy import DEFAULT_POLICY, Policy
from dispatcher.decisions.prioritise import highest
from dispatcher.decisions.readable_place import readable_place
from dispatcher.decisions.routing import Routing, route
from schemas.geography import PlaceHit
from schemas.vocabulary import AssignmentStatus, Category, ClockKind, IncidentStatus, Priority, Regency

#: A point corrected by less than this is the same place said better; its name stays (domain.md: a jam's radius).
_SAME_PLACE_M: Final = 250.0


class NothingChanges(ValueError):
    """The verb would leave everything as it is; `field` is what was missing to do more."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True, slots=True)
class Point:
    """A place that a person has pointed at, and the area it lies in (None: outside Bekasi)."""

    lat: float
    lon: float
    hit: PlaceHit | None


def require(incident: Incident, verb: str) -> None:
    """Raises `IllegalMove` when the incident's status does not allow the verb."""
    if incident.status not in VERBS[verb]:
        raise IllegalMove(f"an incident that is {incident.status} does not take {verb}")


def triage(
    incident: Incident,
    *,
    category: Category | None,
    priority: Priority | None,
    point: Point | None,
    actor: str,
    now: datetime,
    known_place: PlaceHit | None = None,
    policy: Policy = DEFAULT_POLICY,
) -> Change:
    """A person says what it is, how urgent and where; it is routed anew by the same rules as a report.

    `known_place` is the area of the place it has (when it has coordinates and `point` is None). Without a category
    that can be routed, or a place, it stays in triage. Raises `IllegalMove`, and `NothingChanges` when it stays in
    triage just as it was.
    """
    require(incident, "triage")
    located = _at(point.lat, point.lon, point.hit) if point else _where_it_is(incident, known_place)
    category = category or incident.category
    routing = route(category, located, sure=True)
    _refuse_idle(incident, category, priority, point, routing, located)
    handed_over = routing.status is IncidentStatus.TRANSFERRED
    urgency = priority or highest((incident.priority, routing.priority))
    promise = policy.promise(ClockKind.RESOLVED, category, urgency, routing.agency)
    judged = msgspec.structs.replace(
        _moved_to(incident, point) if point else incident,
        category=category,
        priority=urgency,
        agency=routing.agency,
        co_agencies=routing.co_agencies,
        transferred_to=routing.transferred_to,
        confidence=1.0,
        due_at=None
        if handed_over
        else policy.due(incident.opened_at, ClockKind.RESOLVED, category, urgency, routing.agency),
    )
    # Custody that goes elsewhere is something the citizen is told, as when the rules do it.
    why = ", ".join(routing.because) if handed_over else None
    after, event = move(judged, routing.status, "triaged", actor=actor, now=now, note=why, public=handed_over)
    said = (f"menurut {actor}",)
    decisions = [Decision("classify", category.value, said, score=1.0)]
    if point:
        decisions.append(Decision("locate", after.kelurahan or after.kecamatan or "di luar Bekasi", said))
    if priority:
        decisions.append(Decision("prioritise", priority.value, said))
    decisions.append(Decision("route", _outcome(routing), routing.because))
    if promise and after.due_at and after.due_at != incident.due_at:
        decisions.append(Decision("clock", after.due_at.isoformat(), (f"selesai dalam {promise.within.in_words()}",)))
    return Change(incident, after, (event,), tuple(decisions))


def _outcome(routing: Routing) -> str:
    return str(routing.agency) if routing.agency else routing.transferred_to or routing.status.value


def note(incident: Incident, text: str, *, public: bool, actor: str, now: datetime) -> Change:
    """Words of a person beside the work; with `public` the citizen reads them too."""
    after, event = move(incident, incident.status, "noted", actor=actor, now=now, note=text, public=public)
    return Change(incident, after, (event,))


def resolve(
    incident: Incident, text: str, team: Sequence[Assignment], *, photo_ids: Sequence[str], actor: str, now: datetime
) -> Change:
    """Done, with an answer that the citizen reads. `team`: its assignments, those still active released already.

    Raises `IllegalMove`.
    """
    require(incident, "resolve")
    after, event = move(
        incident,
        IncidentStatus.RESOLVED,
        "resolved",
        actor=actor,
        now=now,
        note=text,
        public=True,
        detail={"photos": ",".join(photo_ids)} if photo_ids else None,
        officers=officers_of(team),
    )
    return Change(incident, after, (event,))


def close(incident: Incident, *, actor: str, now: datetime) -> Change:
    """Settled for good. Raises `IllegalMove`."""
    require(incident, "close")
    after, event = move(incident, IncidentStatus.CLOSED, "closed", actor=actor, now=now)
    return Change(incident, after, (event,))


def assign(incident: Incident, offered: Assignment, team: Sequence[Assignment], *, actor: str, now: datetime) -> Change:
    """An officer was asked. `team`: all its assignments, the new one among them. Raises `IllegalMove`."""
    require(incident, "assign")
    change = follow(incident, offered, team, "assigned", actor=actor, now=now)
    decision = Decision("assign", offered.officer, offered.because)
    return Change(incident, change.after, change.events, (decision,))


def follow(
    incident: Incident,
    moved: Assignment,
    team: Sequence[Assignment],
    change: str,
    *,
    actor: str,
    now: datetime,
    note: str | None = None,
    device_at: datetime | None = None,
) -> Change:
    """The incident after one of its assignments has moved; `team` is all of them as they are now.

    When the last active one has completed, the change is `resolved`. Raises `IllegalMove`.
    """
    status = standing_of(team, last=moved.status)
    detail: Mapping[str, str] = {"assignment": moved.id, "officer": moved.officer}
    if moved.status is AssignmentStatus.COMPLETED and status is IncidentStatus.RESOLVED:
        change = "resolved"
    after, event = move(
        incident,
        status,
        change,
        actor=actor,
        now=now,
        note=note,
        device_at=device_at,
        detail=detail,
        officers=officers_of(team),
    )
    return Change(incident, after, (event,))


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


def _where_it_is(incident: Incident, known: PlaceHit | None) -> Located:
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


def _moved_to(incident: Incident, point: Point) -> Incident:
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
