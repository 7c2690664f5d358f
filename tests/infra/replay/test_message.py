"""From rows to what the API takes: names, units, what a file lacks."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from infra.replay.message import Kind, Reader
from infra.replay.recording import BadRow
from schemas.report import ReportDraft
from schemas.telemetry import TrafficReading, WifiReading

AT = datetime(2026, 11, 22, 7, tzinfo=UTC)


def test_fields_have_the_names_of_the_contract_and_others_are_left_out() -> None:
    row = {"description": "Macet", "lat": "-6.24", "lon": "107", "label": "traffic_jam", "kind": "different_random"}
    assert Reader().message_of(row, "x") == ReportDraft(description="Macet", lat=-6.24, lon=107.0)
    reading = {"kind": "wifi", "node_id": "n1", "observed_at": AT.isoformat(), "state": "up", "clients": 12.0}
    assert Reader().message_of(reading, "x") == WifiReading(node_id="n1", observed_at=AT, state="up", clients=12)


def test_a_file_of_timestamp_and_value_is_a_sensor_called_like_the_file() -> None:
    row = {"timestamp": "2026-11-22 14:00:00", "value": "13.56"}
    made = Reader(kind=Kind.OCCUPANCY, scale={"occupancy": 0.01}).message_of(row, "occupancy_t4013")
    assert isinstance(made, TrafficReading)
    assert (made.sensor_id, made.observed_at) == ("occupancy_t4013", AT)
    assert made.occupancy == pytest.approx(0.1356)
    clients = Reader(kind=Kind.CLIENTS).message_of(row | {"value": "7"}, "node")
    assert clients == WifiReading(node_id="node", observed_at=AT, state="up", clients=7)


def test_what_rows_lack_is_given_and_never_replaces_what_they_have() -> None:
    reader = Reader(lacking={"sensor_id": "s9", "lat": -6.2, "lon": 107.0})
    row = {"observed_at": AT.isoformat(), "kind": "traffic", "speed_kmh": 30, "lat": None, "lon": ""}
    assert reader.message_of(row, "x") == TrafficReading(
        sensor_id="s9", observed_at=AT, speed_kmh=30.0, lat=-6.2, lon=107.0
    )
    assert reader.message_of(row | {"sensor_id": "s1"}, "x") != reader.message_of(row, "x")


def test_columns_may_have_other_names() -> None:
    reader = Reader(columns={"sensor_id": "detector", "speed_kmh": "mph"}, scale={"speed_kmh": 1.609344})
    made = reader.message_of({"detector": "d1", "mph": "10", "time": "2026-11-22T07:00:00Z"}, "x")
    assert made == TrafficReading(sensor_id="d1", observed_at=AT, speed_kmh=16.09344)


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({}, "neither a report nor a reading"),
        ({"text": " "}, "description: expected visible text"),
        ({"text": 5}, "description: "),
        ({"sensor_id": "s"}, "observed_at: required"),
        ({"sensor_id": "s", "time": "yesterday"}, "observed_at: not a time"),
        ({"sensor_id": "s", "time": 5}, "observed_at: not a time"),
        ({"sensor_id": "s", "time": "2026-11-22", "speed_kmh": "13,5"}, "speed_kmh: not a number"),
        ({"sensor_id": "s", "time": "2026-11-22", "speed_kmh": "nan"}, "speed_kmh: not a finite number"),
        ({"sensor_id": "s", "time": "2026-11-22", "speed_kmh": True}, "speed_kmh: "),
        ({"sensor_id": "s", "time": "2026-11-22", "occupancy": "13"}, "occupancy: "),
        ({"sensor_id": "a b", "time": "2026-11-22"}, "sensor_id: "),
        ({"node_id": "n", "time": "2026-11-22", "state": "up", "clients": "1.5"}, "clients: "),
        ({"sensor_id": "s", "time": "2026-11-22", "speed_kmh": 10**400}, "speed_kmh: not a finite number"),
        ({"node_id": "n", "time": "2026-11-22", "state": "up", "clients": 10**30}, "clients: "),
    ],
)
def test_what_cannot_be_sent_says_why(row: Mapping[str, Any], why: str) -> None:
    with pytest.raises(BadRow, match=why):
        Reader().message_of(row, "x")


@pytest.mark.parametrize("clients", [1e300, "1e300", 10**300, 10**400])
def test_what_is_no_number_once_it_is_scaled_says_so(clients: object) -> None:
    row = {"node_id": "n", "time": "2026-11-22", "state": "up", "clients": clients}
    with pytest.raises(BadRow, match="clients: not a finite number"):
        Reader(scale={"clients": 1e300}).message_of(row, "x")


def test_an_unreadable_time_of_a_row_is_no_time() -> None:
    assert Reader().time_of({"time": "never"}) is None
    assert Reader().time_of({"time": "2026-11-22 14:00"}) == AT
