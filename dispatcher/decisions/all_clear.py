"""A device sees its jam or outage gone: that weighs against the incident, and settles one that nobody else knows of."""

from collections.abc import Collection
from datetime import datetime
from typing import Final

from dispatcher.decisions import evidence
from dispatcher.decisions.change import Change, Decision, Evidence
from dispatcher.decisions.decide import ACTOR
from dispatcher.decisions.incident import ENDED, Incident, move
from dispatcher.decisions.sighting import SENSOR, WIFI
from schemas.vocabulary import IncidentStatus

#: Nobody has begun to work on it, or is asked to.
_UNTOUCHED: Final = frozenset({IncidentStatus.TRIAGE, IncidentStatus.ROUTED})
_SAID: Final = {
    SENSOR: ("sensor_cleared", evidence.SENSOR_FREE_FLOW, "Sensor melihat arus lancar kembali"),
    WIFI: ("node_back", evidence.WIFI_UP, "Titik wifi menyala kembali"),
}


def all_clear(
    incident: Incident,
    source: str,
    device_id: str,
    *,
    still_seen_by: Collection[str],
    because: tuple[str, ...],
    arrived_at: datetime,
    now: datetime,
) -> Change | None:
    """What it means for the incident that the device belonged to; None when that has ended already.

    `still_seen_by`: other devices that go on seeing it. An incident known from such devices alone, all of them clear
    now and nobody on it, is resolved; where a person has reported it, a person says that it is over.
    """
    if incident.status in ENDED or incident.status is IncidentStatus.RESOLVED:
        return None
    said, weight, words = _SAID[source]
    total = evidence.add(incident.evidence, incident.received_at, weight, arrived_at, incident.category)
    after, cleared = move(
        incident,
        incident.status,
        said,
        actor=ACTOR,
        now=now,
        note=words,
        detail={source: device_id},
        evidence=total,
        received_at=max(incident.received_at, arrived_at),
    )
    decision = Decision("detect", said, because)
    change = Change(
        incident, after, (cleared,), (decision,), (Evidence(source, device_id, weight, arrived_at, "; ".join(because)),)
    )
    by_devices_alone = set(incident.sources) <= {SENSOR, WIFI}
    if not by_devices_alone or still_seen_by or incident.status not in _UNTOUCHED:
        return change
    settled, resolved = move(after, IncidentStatus.RESOLVED, "resolved", actor=ACTOR, now=now, note=words, public=True)
    return change.then(Change(after, settled, (resolved,)))
