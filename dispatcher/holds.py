"""The end of a hold that was to end by itself: what the clock calls when `Incident.hold_ends_at` has come."""

from dataclasses import replace

from dispatcher import incident_store
from dispatcher.decisions import incident_verbs_hold
from infra.postgres import Connection


async def resume(connection: Connection, incident_id: str, traceparent: str | None = None) -> bool:
    """Let the incident go on, in the caller's transaction, which locks it; False when it is not its time (any more).

    Late or twice does no harm.
    """
    incident = (await incident_store.select_for_update(connection, [incident_id])).get(incident_id)
    if incident is None:
        return False
    now = await connection.fetchval("SELECT clock_timestamp()")
    change = incident_verbs_hold.resume_when_due(incident, now)
    if change is None:
        return False
    await incident_store.save(connection, [replace(change, traceparent=traceparent)])
    return True
