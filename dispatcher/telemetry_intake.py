"""Readings of sensors and wifi nodes: kept, judged, shown on the wall, and turned into incidents where they say so."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Final, cast

import msgspec

from dispatcher import device_turns, outbox_store, telemetry_store
from dispatcher.decisions.detect_wifi import SUSPECT_AFTER, Heard, silent
from dispatcher.decisions.device import Sensor, WifiNode
from dispatcher.decisions.sighting import of_node, of_sensor
from dispatcher.device_turns import Turn
from dispatcher.effects import Message
from dispatcher.outbox_store import Outgoing
from infra.postgres import Connection
from schemas.geography import Geography
from schemas.telemetry import TrafficObserved, TrafficReading, WifiObserved, WifiReading
from schemas.topics import TELEMETRY, TRAFFIC_OBSERVED, WIFI_OBSERVED
from schemas.vocabulary import FeedChannel

#: Places of devices whose kecamatan is remembered: they stand still.
_PLACES_KEPT: Final = 10_000


class TelemetryIntake:
    """The effects of readings. The same device, kind and `observed_at` again has none."""

    name: Final = "telemetry"
    topics: Final = (TELEMETRY.name,)
    types: Final[Mapping[str, type[msgspec.Struct]]] = {
        TRAFFIC_OBSERVED: TrafficObserved,
        WIFI_OBSERVED: WifiObserved,
    }
    remembers_ids: Final = False

    def __init__(self, geography: Geography) -> None:
        """`geography` places points."""
        self._geography = geography
        self._tags_at = lru_cache(_PLACES_KEPT)(self._find_tags)
        # Since when we hear devices without a gap, and until when: a silence of ours is none of theirs.
        self._listening_since: datetime | None = None
        self._last_heard: datetime | None = None

    async def apply(self, connection: Connection, messages: Sequence[Message], now: datetime) -> None:
        """Keep the readings, bring each device up to date, and write what its turns mean for incidents."""
        traffic: list[tuple[TrafficReading, datetime]] = []
        beats: list[tuple[WifiReading, datetime]] = []
        self._hear(messages)
        # By its type's name: asking each value whether it is one takes as long as sorting it.
        for message in messages:
            if message.envelope.type == TRAFFIC_OBSERVED:
                traffic.append((cast(TrafficReading, message.value), message.received_at))
            else:
                beats.append((cast(WifiReading, message.value), message.received_at))
        # By the device's clock: a late reading of a batch is no late one.
        traffic.sort(key=lambda reading: reading[0].observed_at)
        beats.sort(key=lambda reading: reading[0].observed_at)
        if traffic:
            await telemetry_store.insert_traffic(connection, traffic)
            await self._apply_traffic(connection, traffic, now)
        if beats:
            await telemetry_store.insert_wifi(connection, beats)
            await self._apply_beats(connection, beats, now)

    async def _apply_traffic(
        self, connection: Connection, readings: Sequence[tuple[TrafficReading, datetime]], now: datetime
    ) -> None:
        known = await telemetry_store.sensors_for_update(connection, {reading.sensor_id for reading, _ in readings})
        sensors: dict[str, Sensor] = {}
        turns: list[Turn] = []
        for reading, received_at in readings:
            before = sensors.get(reading.sensor_id) or known.get(reading.sensor_id)
            if before is not None and reading.observed_at <= before.observed_at:
                continue
            sensor, judged = Sensor.after(before, reading, received_at)
            sensors[sensor.id] = sensor
            if judged and judged.turn:
                began = judged.turn == "began"
                sees = of_sensor(sensor, received_at, judged.because, self._geography) if began else None
                turns.append(Turn(sensor.id, "sensor", sensor.incident_id, sees, judged.because, received_at))
        await self._save_sensors(connection, sensors, known, await device_turns.write(connection, turns, now))

    async def _apply_beats(
        self, connection: Connection, beats: Sequence[tuple[WifiReading, datetime]], now: datetime
    ) -> None:
        known = await telemetry_store.nodes_for_update(connection, {beat.node_id for beat, _ in beats})
        nodes: dict[str, WifiNode] = {}
        turns: list[Turn] = []
        for beat, received_at in beats:
            before = nodes.get(beat.node_id) or known.get(beat.node_id)
            if before is not None and beat.observed_at <= before.observed_at:
                continue
            node, beaten = WifiNode.after(before, beat, received_at)
            nodes[node.id] = node
            if beaten and beaten.turn:
                down = beaten.turn == "down"
                sees = of_node(node, received_at, beaten.because, self._geography) if down else None
                turns.append(Turn(node.id, "wifi", node.incident_id, sees, beaten.because, received_at))
        await self._save_nodes(connection, nodes, known, await device_turns.write(connection, turns, now))

    async def sweep_silent_nodes(self, connection: Connection, as_of: datetime, now: datetime) -> int:
        """Find wifi nodes that have fallen silent, inside a transaction of the caller's; returns how many changed.

        `as_of`: every reading that was acknowledged until then has been applied. While there is a lag it must not be
        called: what is not read yet would look like silence.
        """
        quiet = await telemetry_store.quiet_nodes_for_update(connection, as_of - SUSPECT_AFTER)
        known = {node.id: node for node in quiet}
        deaf = self._last_heard is None or as_of - self._last_heard > SUSPECT_AFTER
        fallen = silent(
            [Heard(node.id, node.detection, node.received_at) for node in quiet],
            as_of,
            None if deaf else self._listening_since,
        )
        nodes = {
            node_id: msgspec.structs.replace(known[node_id], detection=beaten.state)
            for node_id, beaten in fallen.items()
        }
        turns: list[Turn] = []
        for node in nodes.values():
            if fallen[node.id].turn == "down":
                because = fallen[node.id].because
                sees = of_node(node, as_of, because, self._geography)
                turns.append(Turn(node.id, "wifi", node.incident_id, sees, because, as_of))
        await self._save_nodes(connection, nodes, known, await device_turns.write(connection, turns, now))
        return len(nodes)

    def _hear(self, messages: Sequence[Message]) -> None:
        last = max(message.received_at for message in messages)
        if self._last_heard is None or last - self._last_heard > SUSPECT_AFTER:
            # There was a gap before these messages, or is one among them.
            for received_at in sorted({message.received_at for message in messages}):
                if self._last_heard is None or received_at - self._last_heard > SUSPECT_AFTER:
                    self._listening_since = received_at
                self._last_heard = max(received_at, self._last_heard or received_at)
        self._last_heard = max(last, self._last_heard or last)

    async def _save_sensors(
        self,
        connection: Connection,
        sensors: Mapping[str, Sensor],
        before: Mapping[str, Sensor],
        belongs: Mapping[str, str | None],
    ) -> None:
        await telemetry_store.upsert_sensors(
            connection,
            [
                msgspec.structs.replace(sensor, incident_id=belongs.get(sensor.id, sensor.incident_id))
                for sensor in sensors.values()
            ],
        )
        await outbox_store.add(
            connection, [self._shown(FeedChannel.SENSORS, s, before.get(s.id)) for s in sensors.values()]
        )

    async def _save_nodes(
        self,
        connection: Connection,
        nodes: Mapping[str, WifiNode],
        before: Mapping[str, WifiNode],
        belongs: Mapping[str, str | None],
    ) -> None:
        await telemetry_store.upsert_nodes(
            connection,
            [
                msgspec.structs.replace(node, incident_id=belongs.get(node.id, node.incident_id))
                for node in nodes.values()
            ],
        )
        await outbox_store.add(
            connection, [self._shown(FeedChannel.WIFI_NODES, n, before.get(n.id)) for n in nodes.values()]
        )

    async def select_board(self, connection: Connection) -> list[Outgoing]:
        """The row of every device."""
        sensors, nodes = await telemetry_store.select_devices(connection)
        return [
            *(self._shown(FeedChannel.SENSORS, sensor, None) for sensor in sensors),
            *(self._shown(FeedChannel.WIFI_NODES, node, None) for node in nodes),
        ]

    def _shown(self, channel: FeedChannel, device: Sensor | WifiNode, before: Sensor | WifiNode | None) -> Outgoing:
        """The device's row for the wall."""
        tags_before = self._tags_at(before.lat, before.lon) if before else None
        return outbox_store.row_changed(
            channel, device.id, device.row(), self._tags_at(device.lat, device.lon), tags_before
        )

    def _find_tags(self, lat: float | None, lon: float | None) -> dict[str, str]:
        hit = self._geography.locate(lat, lon) if lat is not None and lon is not None else None
        return {"kecamatan": hit.kecamatan_code} if hit else {}
