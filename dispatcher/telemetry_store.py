"""Readings in PostgreSQL, and the newest of each device with what detection remembers of it."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

import msgspec

from dispatcher.decisions.device import Sensor, WifiNode
from infra.postgres import Connection
from schemas.telemetry import TrafficReading, WifiReading


async def insert_traffic(connection: Connection, readings: Sequence[tuple[TrafficReading, datetime]]) -> None:
    """Keep readings with their time of arrival; one that is there already stays as it is."""
    await connection.execute(
        """
        INSERT INTO traffic_reading
               (sensor_id, observed_at, received_at, speed_kmh, occupancy, flow_per_h, travel_time_s)
        SELECT id, to_timestamp(observed_s), to_timestamp(received_s), speed, occupancy, flow, travel_time
          FROM unnest($1::text[], $2::float8[], $3::float8[], $4::float8[], $5::float8[], $6::float8[], $7::float8[])
               AS u (id, observed_s, received_s, speed, occupancy, flow, travel_time)
            ON CONFLICT DO NOTHING
        """,
        [reading.sensor_id for reading, _ in readings],
        # As seconds: to the microsecond the same, and a third of the work of sending times.
        [reading.observed_at.timestamp() for reading, _ in readings],
        [received_at.timestamp() for _, received_at in readings],
        [reading.speed_kmh for reading, _ in readings],
        [reading.occupancy for reading, _ in readings],
        [reading.flow_per_h for reading, _ in readings],
        [reading.travel_time_s for reading, _ in readings],
    )


async def insert_wifi(connection: Connection, readings: Sequence[tuple[WifiReading, datetime]]) -> None:
    """Keep beats with their time of arrival; one that is there already stays as it is."""
    await connection.execute(
        """
        INSERT INTO wifi_reading (node_id, observed_at, received_at, state, clients, rx_mbps, tx_mbps)
        SELECT * FROM unnest($1::text[], $2::timestamptz[], $3::timestamptz[],
                             $4::text[], $5::int[], $6::float8[], $7::float8[])
            ON CONFLICT DO NOTHING
        """,
        [reading.node_id for reading, _ in readings],
        [reading.observed_at for reading, _ in readings],
        [received_at for _, received_at in readings],
        [reading.state for reading, _ in readings],
        [reading.clients for reading, _ in readings],
        [reading.rx_mbps for reading, _ in readings],
        [reading.tx_mbps for reading, _ in readings],
    )


async def select_devices(connection: Connection) -> tuple[list[Sensor], list[WifiNode]]:
    """All of them, unlocked."""
    sensors = await connection.fetch(
        "SELECT id, registered, lat, lon, segment, direction, free_flow_kmh, speed_kmh, level, observed_at,"
        " received_at, detection, incident_id FROM sensor"
    )
    nodes = await connection.fetch(
        "SELECT id, registered, lat, lon, uplink, clients, observed_at, received_at, detection, incident_id"
        " FROM wifi_node"
    )
    return (
        [msgspec.convert(dict(row), Sensor) for row in sensors],
        [msgspec.convert(dict(row), WifiNode) for row in nodes],
    )


async def sensors_for_update(connection: Connection, ids: Collection[str]) -> dict[str, Sensor]:
    """The sensors that are known of these, locked until the transaction ends."""
    rows = await connection.fetch(
        "SELECT id, registered, lat, lon, segment, direction, free_flow_kmh, speed_kmh, level, observed_at,"
        " received_at, detection, incident_id FROM sensor WHERE id = ANY($1) ORDER BY id FOR UPDATE",
        list(ids),
    )
    return {row["id"]: msgspec.convert(dict(row), Sensor) for row in rows}


async def nodes_for_update(connection: Connection, ids: Collection[str]) -> dict[str, WifiNode]:
    """The wifi nodes that are known of these, locked until the transaction ends."""
    rows = await connection.fetch(
        "SELECT id, registered, lat, lon, uplink, clients, observed_at, received_at, detection, incident_id"
        " FROM wifi_node WHERE id = ANY($1) ORDER BY id FOR UPDATE",
        list(ids),
    )
    return {row["id"]: msgspec.convert(dict(row), WifiNode) for row in rows}


async def quiet_nodes_for_update(connection: Connection, since: datetime) -> list[WifiNode]:
    """Nodes that are not down and were last heard before `since` (the broker's time), locked."""
    rows = await connection.fetch(
        "SELECT id, registered, lat, lon, uplink, clients, observed_at, received_at, detection, incident_id"
        " FROM wifi_node WHERE state <> 'down' AND received_at <= $1 ORDER BY id FOR UPDATE",
        since,
    )
    return [msgspec.convert(dict(row), WifiNode) for row in rows]


async def upsert_sensors(connection: Connection, sensors: Iterable[Sensor]) -> None:
    """Write sensors as they are now. Known ones must be locked; of two that meet anew the newer reading stays."""
    await connection.executemany(
        """
        INSERT INTO sensor AS s (id, lat, lon, segment, direction, speed_kmh, level, observed_at, received_at,
                                 detection, incident_id)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
            ON CONFLICT (id) DO UPDATE
           SET (lat, lon, segment, direction, speed_kmh, level, observed_at, received_at, detection, incident_id)
             = (excluded.lat, excluded.lon, excluded.segment, excluded.direction, excluded.speed_kmh, excluded.level,
                excluded.observed_at, excluded.received_at, excluded.detection, excluded.incident_id)
         WHERE s.observed_at <= excluded.observed_at
        """,
        [
            (s.id, s.lat, s.lon, s.segment, s.direction, s.speed_kmh, s.level, s.observed_at, s.received_at,
             s.detection, s.incident_id)
            for s in sorted(sensors, key=lambda sensor: sensor.id)
        ],
    )  # fmt: skip


async def upsert_nodes(connection: Connection, nodes: Iterable[WifiNode]) -> None:
    """Write wifi nodes as they are now. Known ones must be locked; of two that meet anew the newer beat stays."""
    await connection.executemany(
        """
        INSERT INTO wifi_node AS n (id, lat, lon, uplink, state, clients, observed_at, received_at, detection,
                                    incident_id)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
            ON CONFLICT (id) DO UPDATE
           SET (lat, lon, uplink, state, clients, observed_at, received_at, detection, incident_id)
             = (excluded.lat, excluded.lon, excluded.uplink, excluded.state, excluded.clients, excluded.observed_at,
                excluded.received_at, excluded.detection, excluded.incident_id)
         WHERE n.observed_at <= excluded.observed_at
        """,
        [
            (n.id, n.lat, n.lon, n.uplink, n.detection.state, n.clients, n.observed_at, n.received_at, n.detection,
             n.incident_id)
            for n in sorted(nodes, key=lambda node: node.id)
        ],
    )  # fmt: skip


async def devices_on(connection: Connection, incident_ids: Collection[str]) -> dict[str, set[str]]:
    """Which sensors and nodes still see each incident. Its row must be locked: then this does not change."""
    rows = await connection.fetch(
        "SELECT incident_id, id FROM sensor WHERE incident_id = ANY($1)"
        " UNION ALL SELECT incident_id, id FROM wifi_node WHERE incident_id = ANY($1)",
        list(incident_ids),
    )
    on: dict[str, set[str]] = {}
    for row in rows:
        on.setdefault(row["incident_id"], set()).add(row["id"])
    return on
