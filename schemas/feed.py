"""What is on the board besides incidents, and the records of `bekasi.feed.v1` that carry it to the feed nodes."""

from collections.abc import Mapping

from schemas.vocabulary import (
    AgencyCode,
    Category,
    DeviceState,
    IncidentStatus,
    OfficerStatus,
    Regency,
    RoadLevel,
)
from schemas.wire import Record, Timestamp


class PublicIncidentRow(Record, frozen=True):
    """What anyone may see of an incident; place rounded to 0.001°, about 110 m."""

    id: str
    version: int
    category: Category
    title: str
    status: IncidentStatus
    agency: AgencyCode | None
    regency: Regency | None
    kecamatan: str | None
    lat: float | None
    lon: float | None
    opened_at: Timestamp
    updated_at: Timestamp
    report_count: int


class OfficerRow(Record, frozen=True):
    """An officer on the map; key is the username."""

    id: str
    name: str
    agency: AgencyCode
    regency: Regency
    status: OfficerStatus
    lat: float | None
    lon: float | None
    position_at: Timestamp | None
    assignment_id: str | None


class SensorRow(Record, frozen=True):
    """A road sensor's newest reading; key is the sensor's id."""

    id: str
    lat: float | None
    lon: float | None
    segment: str | None
    level: RoadLevel
    speed_kmh: float | None
    observed_at: Timestamp
    state: DeviceState


class WifiNodeRow(Record, frozen=True):
    """A wifi node's newest heartbeat; key is the node's id."""

    id: str
    lat: float | None
    lon: float | None
    state: DeviceState
    clients: int | None
    uplink: str | None
    observed_at: Timestamp


class KpiRow(Record, frozen=True):
    """One key figure of the city; key is its name. `value` null when it cannot be told."""

    name: str
    value: float | None
    unit: str
    at: Timestamp


class FeedPulsed(Record, frozen=True):
    """Value of `id.bekasi.feed.pulsed.v1`: per channel, up to when everything acknowledged is contained.

    Key `pulse:<shard>`; a node's `as_of` of a channel is the least over the last pulses of all `shards`. A channel that
    a node does not know is of a later release, and nothing to it.
    """

    shard: int
    shards: int
    as_of: Mapping[str, Timestamp]


#: What a row is filtered and scoped by: `agency` ("32.75/DLH"), `kecamatan` ("32.75.03"), `category`, `status`.
Tags = Mapping[str, str]
