"""What road sensors and wifi nodes say: readings closed as sent, open in Kafka."""

from typing import Annotated, Literal

from msgspec import Meta

from schemas.wire import Count, DeviceId, Inbound, Latitude, Line, Longitude, NonNegative, Record, Timestamp

Speed = Annotated[float, Meta(ge=0, le=300, description="km/h")]
Share = Annotated[float, Meta(ge=0, le=1, description="share of the time the loop is occupied, 0 to 1")]


class TrafficReading(Inbound, frozen=True, gc=False, tag_field="kind", tag="traffic"):
    """One reading of a road sensor, as sent."""

    sensor_id: DeviceId
    observed_at: Timestamp
    speed_kmh: Speed | None = None
    occupancy: Share | None = None
    flow_per_h: NonNegative | None = None
    travel_time_s: NonNegative | None = None
    lat: Latitude | None = None
    lon: Longitude | None = None
    segment: Line | None = None
    direction: Line | None = None


class WifiReading(Inbound, frozen=True, gc=False, tag_field="kind", tag="wifi"):
    """One heartbeat of a public wifi node, as sent. Counts of clients only, never an address."""

    node_id: DeviceId
    observed_at: Timestamp
    state: Literal["up", "down"]
    clients: Count
    uplink: Line | None = None
    rx_mbps: NonNegative | None = None
    tx_mbps: NonNegative | None = None
    lat: Latitude | None = None
    lon: Longitude | None = None


Reading = TrafficReading | WifiReading


class TrafficObserved(
    TrafficReading, frozen=True, gc=False, forbid_unknown_fields=False, tag_field="kind", tag="traffic"
):
    """Value of `id.bekasi.telemetry.traffic-observed.v1`: the reading, open to fields of a later release."""


class WifiObserved(WifiReading, frozen=True, gc=False, forbid_unknown_fields=False, tag_field="kind", tag="wifi"):
    """Value of `id.bekasi.telemetry.wifi-observed.v1`: the heartbeat, open to fields of a later release."""


class RejectedReading(Record, frozen=True):
    """Why the reading at `index` of the array was not taken."""

    index: int
    message: str


class TelemetryReceipt(Record, frozen=True):
    """Answer of `POST /api/v1/telemetry`, once Kafka has the accepted ones."""

    accepted: int
    rejected: tuple[RejectedReading, ...]
