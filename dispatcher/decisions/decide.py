"""One sighting against the incidents around it: it joins one or opens one, with every reason kept."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from dispatcher.decisions import evidence
from dispatcher.decisions.change import Change, Decision, Evidence
from dispatcher.decisions.correlate import Candidate, Grouping, correlate
from dispatcher.decisions.incident import INCIDENT, TRAINING_INCIDENT, Incident, move, new_id, opened
from dispatcher.decisions.policy import DEFAULT_POLICY, Policy
from dispatcher.decisions.prioritise import highest, prioritise
from dispatcher.decisions.routing import Routing, route
from dispatcher.decisions.rule import Case, case_of
from dispatcher.decisions.sighting import SENSOR, WIFI, Sighting
from schemas.vocabulary import IncidentStatus, Priority, ReportChannel

#: The dispatcher as an actor in the history.
ACTOR: Final = "dispatcher"
#: Names of places that an incident collects from its reports.
_NAMES_KEPT: Final = 20
_JOINED: Final = {SENSOR: "sensor_joined", WIFI: "node_joined"}
_MOVED: Final = {
    IncidentStatus.ROUTED: "routed",
    IncidentStatus.TRIAGE: "sent_to_triage",
    IncidentStatus.TRANSFERRED: "transferred",
}


def decide(
    sighting: Sighting, candidates: Iterable[Candidate], now: datetime, policy: Policy = DEFAULT_POLICY
) -> Change:
    """What the sighting changes: the incident that it joins, or a new one. `now` is the database's clock.

    Due times come after it, from what is saved (`dispatcher.decisions.clock.timed`).
    """
    grouping = correlate(sighting, candidates)
    if grouping.joined is not None:
        return _join(sighting, grouping.joined.incident, grouping, now, policy)
    return _open(sighting, grouping, now, policy)


def _open(sighting: Sighting, grouping: Grouping, now: datetime, policy: Policy) -> Change:
    located, category = sighting.located, sighting.category
    weight = _weight(sighting, reports_before=0)
    urgency, _ = prioritise(category, at_least=Priority.NORMAL, emergency=sighting.emergency, evidence=weight)
    routing = route(_case(sighting, urgency, policy), policy, sure=sighting.sure)
    priority, why_so_urgent = prioritise(
        category, at_least=routing.priority, emergency=sighting.emergency, evidence=weight
    )
    handed_over = routing.status is IncidentStatus.TRANSFERRED
    fresh = Incident(
        id=new_id(TRAINING_INCIDENT if policy.training else INCIDENT),
        version=1,
        category=category,
        status=IncidentStatus.NEW,
        priority=priority,
        kecamatan=located.kecamatan_code,
        kelurahan=located.kelurahan_code,
        lat=located.lat,
        lon=located.lon,
        place_precision=located.precision,
        address=sighting.address,
        named_places=located.named[:_NAMES_KEPT],
        opened_at=now,
        updated_at=now,
        received_at=sighting.arrived_at,
        last_report_at=sighting.arrived_at,
        report_count=1 if sighting.is_report else 0,
        sources=(sighting.source,),
        confidence=sighting.confidence,
        evidence=weight,
        photo_url=sighting.photo_url,
        predecessor=grouping.predecessor,
    )
    first = opened(fresh, actor=ACTOR, now=now, detail=_what(sighting))
    after, event = move(
        fresh,
        routing.status,
        _MOVED[routing.status],
        actor=ACTOR,
        now=now,
        note=routing.told,
        public=handed_over,
        agency=routing.agency,
        co_agencies=routing.co_agencies,
        transferred_to=routing.transferred_to,
        skills=routing.skills,
        officers_needed=routing.officers,
    )
    decisions = [
        *sighting.decisions,
        Decision("correlate", "opened", grouping.because, report_id=sighting.report_id),
        Decision("prioritise", priority.value, why_so_urgent, round(weight, 3), sighting.report_id),
        _why_routed(routing, sighting),
    ]
    return Change(None, after, (first, event), tuple(decisions), (_evidence(sighting, weight),), sighting.traceparent)


def _join(sighting: Sighting, incident: Incident, grouping: Grouping, now: datetime, policy: Policy) -> Change:
    weight = _weight(sighting, reports_before=incident.report_count)
    total = evidence.add(incident.evidence, incident.received_at, weight, sighting.arrived_at, incident.category)
    priority, why_so_urgent = prioritise(
        incident.category, at_least=incident.priority, emergency=sighting.emergency, evidence=total
    )
    after, event = move(
        incident,
        incident.status,
        _JOINED.get(sighting.source, "report_joined"),
        actor=ACTOR,
        now=now,
        detail=_what(sighting),
        priority=priority,
        received_at=max(incident.received_at, sighting.arrived_at),
        last_report_at=max(incident.last_report_at, sighting.arrived_at),
        report_count=incident.report_count + (1 if sighting.is_report else 0),
        sources=tuple(dict.fromkeys((*incident.sources, sighting.source))),
        confidence=max(incident.confidence, sighting.confidence),
        evidence=total,
        named_places=tuple(dict.fromkeys((*incident.named_places, *sighting.located.named)))[:_NAMES_KEPT],
        photo_url=incident.photo_url or sighting.photo_url,
    )
    decisions = [
        *sighting.decisions,
        Decision("correlate", "joined", grouping.because, grouping.score, sighting.report_id),
    ]
    if priority is not incident.priority:
        decisions.append(Decision("prioritise", priority.value, why_so_urgent, round(total, 3), sighting.report_id))
    joined = Change(incident, after, (event,), tuple(decisions), (_evidence(sighting, weight),), sighting.traceparent)
    return _out_of_triage(sighting, joined, now, policy)


def _out_of_triage(sighting: Sighting, joined: Change, now: datetime, policy: Policy) -> Change:
    """What waits for a person's look is routed when a report that is sure tells of the same."""
    incident = joined.after
    if incident.status is not IncidentStatus.TRIAGE:
        return joined
    routing = route(_case(sighting, incident.priority, policy), policy, sure=sighting.sure)
    if routing.status is not IncidentStatus.ROUTED:
        return joined
    after, event = move(
        incident,
        routing.status,
        _MOVED[routing.status],
        actor=ACTOR,
        now=now,
        agency=routing.agency,
        co_agencies=routing.co_agencies,
        priority=highest((incident.priority, routing.priority)),
        skills=routing.skills,
        officers_needed=routing.officers,
    )
    return joined.then(Change(incident, after, (event,), (_why_routed(routing, sighting),)))


def _case(sighting: Sighting, priority: Priority, policy: Policy) -> Case:
    return case_of(
        sighting.category,
        sighting.located,
        address=sighting.given_address,
        words=sighting.text,
        source=sighting.source,
        priority=priority,
        at=sighting.arrived_at,
        calendar=policy.office,
    )


def _weight(sighting: Sighting, *, reports_before: int) -> float:
    match sighting.source:
        case "sensor":
            return evidence.SENSOR_JAM
        case "wifi":
            return evidence.WIFI_DOWN
        case channel:
            return evidence.weight_of_report(
                ReportChannel(channel),
                photo=sighting.photo_url is not None,
                placed=sighting.point is not None,
                reports_before=reports_before,
            )


def _evidence(sighting: Sighting, weight: float) -> Evidence:
    return Evidence(sighting.source, sighting.id, weight, sighting.arrived_at)


def _why_routed(routing: Routing, sighting: Sighting) -> Decision:
    return Decision("route", routing.outcome, routing.because, report_id=sighting.report_id, rule=routing.rule)


def _what(sighting: Sighting) -> dict[str, str]:
    """Which report or device it was, for the history."""
    if sighting.is_report:
        return {"report_id": sighting.id, "channel": sighting.source}
    return {sighting.source: sighting.id}
