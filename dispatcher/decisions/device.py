"""A road sensor and a wifi node: where they are, their newest reading, and what one more reading makes of them."""

from datetime import datetime
from typing import Self

import msgspec

from dispatcher.decisions.detect import Judged, SpeedState, judge
from dispatcher.decisions.detect_wifi import Beaten, BeatState, beat
from schemas.feed import SensorRow, WifiNodeRow
from schemas.telemetry import TrafficReading, WifiReading
from schemas.vocabulary import DeviceState, RoadLevel


class Sensor(msgspec.Struct, frozen=True, kw_only=True):
    """A road sensor."""

    id: str
    #: Place and road of a registered one are the register's, whatever its readings say.
    registered: bool = False
    lat: float | None = None
    lon: float | None = None
    segment: str | None = None
    direction: str | None = None
    #: As registered.
    free_flow_kmh: float | None = None
    speed_kmh: float | None = None
    level: RoadLevel = RoadLevel.UNKNOWN
    observed_at: datetime
    #: The broker's time.
    received_at: datetime
    detection: SpeedState = SpeedState()
    #: Of the jam that it sees now.
    incident_id: str | None = None

    @classmethod
    def after(cls, before: Self | None, reading: TrafficReading, received_at: datetime) -> tuple[Self, Judged | None]:
        """The sensor after a reading newer than its newest, and the judgement of its speed, if it has one."""
        known = before or cls(id=reading.sensor_id, observed_at=reading.observed_at, received_at=received_at)
        judged = None
        if reading.speed_kmh is not None:
            judged = judge(known.detection, reading.observed_at, reading.speed_kmh, known.free_flow_kmh)
        told = reading if not known.registered else known
        place = reading if told is reading and reading.lat is not None and reading.lon is not None else known
        after = cls(
            id=known.id,
            registered=known.registered,
            lat=place.lat,
            lon=place.lon,
            segment=told.segment or known.segment,
            direction=told.direction or known.direction,
            free_flow_kmh=known.free_flow_kmh,
            speed_kmh=reading.speed_kmh,
            level=judged.level if judged else RoadLevel.UNKNOWN,
            observed_at=reading.observed_at,
            received_at=max(received_at, known.received_at),
            detection=judged.state if judged else known.detection,
            incident_id=known.incident_id,
        )
        return after, judged

    def row(self) -> SensorRow:
        """As the wall sees it."""
        return SensorRow(
            id=self.id,
            lat=self.lat,
            lon=self.lon,
            segment=self.segment,
            level=self.level,
            speed_kmh=self.speed_kmh,
            observed_at=self.observed_at,
            state=DeviceState.UP,
        )


class WifiNode(msgspec.Struct, frozen=True, kw_only=True):
    """A public wifi node."""

    id: str
    registered: bool = False
    lat: float | None = None
    lon: float | None = None
    uplink: str | None = None
    clients: int | None = None
    observed_at: datetime
    #: The broker's time.
    received_at: datetime
    detection: BeatState = BeatState()
    #: Of the outage that it is part of now.
    incident_id: str | None = None

    @classmethod
    def after(cls, before: Self | None, reading: WifiReading, received_at: datetime) -> tuple[Self, Beaten | None]:
        """The node after a beat newer than its newest, and what the beat says of it."""
        known = before or cls(id=reading.node_id, observed_at=reading.observed_at, received_at=received_at)
        beaten = beat(known.detection, reading.observed_at, up=reading.state == "up")
        after = msgspec.structs.replace(
            known,
            uplink=reading.uplink or known.uplink,
            clients=reading.clients,
            observed_at=reading.observed_at,
            received_at=max(received_at, known.received_at),
            detection=beaten.state if beaten else known.detection,
        )
        if not known.registered and reading.lat is not None and reading.lon is not None:
            after = msgspec.structs.replace(after, lat=reading.lat, lon=reading.lon)
        return after, beaten

    def row(self) -> WifiNodeRow:
        """As the wall sees it."""
        return WifiNodeRow(
            id=self.id,
            lat=self.lat,
            lon=self.lon,
            state=self.detection.state,
            clients=self.clients,
            uplink=self.uplink,
            observed_at=self.observed_at,
        )
