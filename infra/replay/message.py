"""From a row of a recording to what the public API takes: which columns, which units, what a file lacks."""

import math
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from enum import StrEnum
from typing import Any, Final

import msgspec

from infra.problem import field_error
from infra.replay.recording import BadRow
from schemas.report import ReportDraft
from schemas.telemetry import TrafficReading, WifiReading
from schemas.wire import Record

Message = ReportDraft | TrafficReading | WifiReading

#: Times without an offset are those of the city.
_WIB: Final = timezone(timedelta(hours=7))
_NUMBERS: Final = frozenset(
    {"speed_kmh", "occupancy", "flow_per_h", "travel_time_s", "clients", "rx_mbps", "tx_mbps", "lat", "lon"}
)
#: Other names that recordings have for our fields, in the order in which they are looked for.
_ALSO_KNOWN_AS: Final[Mapping[str, tuple[str, ...]]] = {
    "observed_at": ("timestamp", "time", "submitted_at"),
    "description": ("text",),
}


class Kind(StrEnum):
    """What a row is. The measures are files of `timestamp, value`, as `patriot evaluate detect` reads them."""

    REPORT = "report"
    TRAFFIC = "traffic"
    WIFI = "wifi"
    SPEED = "speed"
    OCCUPANCY = "occupancy"
    TRAVEL_TIME = "travel_time"
    FLOW = "flow"
    CLIENTS = "clients"


_TYPES: Final[Mapping[Kind, type[Message]]] = {
    Kind.REPORT: ReportDraft,
    Kind.TRAFFIC: TrafficReading,
    Kind.WIFI: WifiReading,
}
#: The field that a measure's `value` is, and what kind of reading has it.
MEASURES: Final[Mapping[Kind, tuple[str, Kind]]] = {
    Kind.SPEED: ("speed_kmh", Kind.TRAFFIC),
    Kind.OCCUPANCY: ("occupancy", Kind.TRAFFIC),
    Kind.TRAVEL_TIME: ("travel_time_s", Kind.TRAFFIC),
    Kind.FLOW: ("flow_per_h", Kind.TRAFFIC),
    Kind.CLIENTS: ("clients", Kind.WIFI),
}
FIELDS: Final[frozenset[str]] = frozenset(
    field.name for kind in _TYPES.values() for field in msgspec.structs.fields(kind)
)


class Reader(Record, frozen=True):
    """How rows are to be read. Two replays with different readers are different replays."""

    #: Where no row says what it is.
    kind: Kind | None = None
    #: Our field → the file's column, where they differ.
    columns: Mapping[str, str] = {}
    #: Our field → what its numbers are multiplied by.
    scale: Mapping[str, float] = {}
    #: Our field → its value in rows that have none.
    lacking: Mapping[str, str | float] = {}

    def time_of(self, fields: Mapping[str, Any]) -> datetime | None:
        """When the row says it happened; None when it does not, or not in a form that can be read."""
        try:
            return _time(self._value("observed_at", fields))
        except BadRow:
            return None

    def message_of(self, fields: Mapping[str, Any], device: str) -> Message:
        """The row as the API takes it. `device` is the name of a sensor or node that has none. Raises `BadRow`."""
        kind = self._kind_of(fields)
        lacking = {"sensor_id": device, "node_id": device, **self.lacking}
        measure = MEASURES.get(kind)
        if measure is not None:
            kind = measure[1]
            lacking["state"] = "up"
        found: dict[str, Any] = {}
        for field in msgspec.structs.fields(_TYPES[kind]):
            also = ("value",) if measure is not None and field.name == measure[0] else ()
            value = self._value(field.name, fields, also)
            if value is None:
                value = lacking.get(field.name)
            if field.name == "observed_at":
                value = _time(value)
            elif field.name in _NUMBERS:
                value = _number(field.name, value, self.scale.get(field.name))
            if value is not None:
                found[field.name] = value
        tag = {} if kind is Kind.REPORT else {"kind": kind.value}
        try:
            made: Message = msgspec.convert({**tag, **found}, _TYPES[kind])
        except msgspec.ValidationError as error:
            fault = field_error(error)
            raise BadRow(f"{fault.field}: {fault.message}") from error
        return made

    def _kind_of(self, fields: Mapping[str, Any]) -> Kind:
        if self.kind is not None:
            return self.kind
        if self._value("description", fields) is not None:
            return Kind.REPORT
        # A column of that name may be about something else.
        if (said := self._value("kind", fields)) in ("traffic", "wifi"):
            return Kind(said)
        if self._value("sensor_id", fields) is not None:
            return Kind.TRAFFIC
        if self._value("node_id", fields) is not None:
            return Kind.WIFI
        raise BadRow("is neither a report nor a reading; say what it is with --kind")

    def _value(self, field: str, fields: Mapping[str, Any], also: tuple[str, ...] = ()) -> Any:
        """What the row says of a field; None for nothing, and for an empty cell."""
        known = (field, *also, *_ALSO_KNOWN_AS.get(field, ()))
        names = (self.columns[field],) if field in self.columns else known
        for name in names:
            value = fields.get(name)
            if value is not None and value != "":
                return value
        return None


def _time(value: Any) -> datetime | None:
    if value is None:
        return None
    try:
        found = datetime.fromisoformat(value.strip())
    except (ValueError, AttributeError):
        raise BadRow("observed_at: not a time (RFC 3339, or without an offset for the time of Bekasi)") from None
    return found if found.tzinfo is not None else found.replace(tzinfo=_WIB)


def _number(field: str, value: Any, scale: float | None) -> Any:
    """A number of the file in our unit. What is no number stays as it is, for the type to complain of."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            raise BadRow(f"{field}: not a number") from None
    if not isinstance(value, int | float) or isinstance(value, bool):
        return value
    try:
        # The product too: `inf` is no number of clients.
        value = value if scale is None else value * scale
        finite = math.isfinite(value)
    except OverflowError:  # JSON has integers of any length
        finite = False
    if not finite:
        raise BadRow(f"{field}: not a finite number")
    return int(value) if field == "clients" and value == int(value) else value
