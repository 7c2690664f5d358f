"""Sensors and wifi nodes as staff list them: by id, with their newest reading."""

import msgspec

from dispatcher.decisions.device import Sensor, WifiNode
from infra.postgres import Connection


async def sensors_after(connection: Connection, after: str, limit: int) -> list[Sensor]:
    """The next `limit` sensors behind an id."""
    rows = await connection.fetch(
        "SELECT id, registered, lat, lon, segment, direction, free_flow_kmh, speed_kmh, level, observed_at,"
        " received_at, detection, incident_id FROM sensor WHERE id > $1 ORDER BY id LIMIT $2",
        after,
        limit,
    )
    return [msgspec.convert(dict(row), Sensor) for row in rows]


async def nodes_after(connection: Connection, after: str, limit: int) -> list[WifiNode]:
    """The next `limit` wifi nodes behind an id."""
    rows = await connection.fetch(
        "SELECT id, registered, lat, lon, uplink, clients, observed_at, received_at, detection, incident_id"
        " FROM wifi_node WHERE id > $1 ORDER BY id LIMIT $2",
        after,
        limit,
    )
    return [msgspec.convert(dict(row), WifiNode) for row in rows]
