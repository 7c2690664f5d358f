"""What the turns of devices mean for incidents: a jam begun or over at a sensor, a wifi node down or back."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from dispatcher import candidate_store, incident_store, policy_store, telemetry_store
from dispatcher.decisions.all_clear import all_clear
from dispatcher.decisions.casebook import Casebook
from dispatcher.decisions.sighting import Sighting
from infra.postgres import Connection


class Turn(msgspec.Struct, frozen=True):
    """One device sees something begin (a sighting), or sees it gone."""

    device_id: str
    #: `sensor` or `wifi`.
    source: str
    #: The incident that the device belonged to before the batch.
    incident_id: str | None
    #: What it sees; None: it is over.
    sighting: Sighting | None
    #: The figures that say so.
    because: tuple[str, ...]
    #: The broker's time.
    arrived_at: datetime


async def write(connection: Connection, turns: Sequence[Turn], now: datetime) -> dict[str, str | None]:
    """Save what turns mean for incidents, in their order. Returns for each device the incident that it is on now.

    The devices' own rows must be locked, and be written by the caller afterwards.
    """
    if not turns:
        return {}
    belongs = {turn.device_id: turn.incident_id for turn in reversed(turns)}
    candidates = await candidate_store.select_for_update(
        connection,
        [turn.sighting for turn in turns if turn.sighting],
        also={incident_id for incident_id in belongs.values() if incident_id},
    )
    policy = await policy_store.live(connection)
    casebook = Casebook(candidates, policy)
    seen_by: dict[str, set[str]] = {}
    on = await telemetry_store.devices_on(connection, [candidate.incident.id for candidate in candidates])
    for incident_id, devices in on.items():
        seen_by.setdefault(_holder(casebook, incident_id), set()).update(devices)
    for turn in turns:
        was_on = belongs[turn.device_id]
        if turn.sighting:
            belongs[turn.device_id] = joined = casebook.take(turn.sighting, now)
            seen_by.setdefault(joined, set()).add(turn.device_id)
        elif was_on:
            belongs[turn.device_id] = None
            was_on = _holder(casebook, was_on)
            seen_by.setdefault(was_on, set()).discard(turn.device_id)
            incident = casebook.incident(was_on)
            change = incident and all_clear(
                incident,
                turn.source,
                turn.device_id,
                still_seen_by=seen_by[was_on],
                because=turn.because,
                arrived_at=turn.arrived_at,
                now=now,
            )
            if change:
                casebook.note(change)
    await incident_store.save(connection, casebook.changes, policy)
    return belongs


def _holder(casebook: Casebook, incident_id: str) -> str:
    """The incident that has the reports of this one: a device stays on what it saw, though that may be merged."""
    incident = casebook.incident(incident_id)
    return incident.id if incident else incident_id
