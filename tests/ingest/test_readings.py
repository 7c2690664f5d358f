"""An array of readings sorted: good ones are taken, bad ones named, and only an unusable array is refused."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from infra.problem import Problem
from ingest.readings import MAX_READINGS, Sorted, sort
from schemas.telemetry import TrafficReading, WifiReading
from tests.ingest.intake import traffic, wifi

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)


def sorted_readings(*readings: object) -> Sorted:
    return sort(json.dumps(readings).encode(), NOW)


def t(**fields: Any) -> dict[str, Any]:
    return traffic(at=NOW, **fields)


def w(**fields: Any) -> dict[str, Any]:
    return wifi(at=NOW, **fields)


def test_both_kinds_are_taken_in_their_order() -> None:
    found = sorted_readings(t(), w(), t(occupancy=0.2, flow_per_h=900, travel_time_s=60, lat=-6.2, lon=107.0), w())
    assert [type(reading) for reading in found.accepted] == [TrafficReading, WifiReading] * 2
    assert found.rejected == []


@pytest.mark.parametrize(
    "bad",
    [
        None,
        5,
        "text",
        [],
        {},
        t(kind="camera"),
        {key: value for key, value in t().items() if key != "kind"},
        {key: value for key, value in t().items() if key != "observed_at"},
        t(mac="aa:bb:cc:dd:ee:ff"),
        t(speed_kmh="31.5"),
        t(speed_kmh=True),
        t(speed_kmh=-1),
        t(speed_kmh=301),
        t(occupancy=1.01),
        t(occupancy=35),
        t(flow_per_h=1e10),
        t(lat=91, lon=107),
        t(lat=-6.2),
        t(lon=107.0),
        t(segment="\0"),
        t(segment="   "),
        t(segment="x" * 301),
        {**t(), "sensor_id": ""},
        {**t(), "sensor_id": "a b"},
        {**t(), "sensor_id": "../x"},
        {**t(), "sensor_id": "x" * 101},
        {**t(), "sensor_id": 5},
        w(state="sideways"),
        w(clients=-1),
        w(clients=1.5),
        w(clients=None),
        w(clients=10**10),
        w(speed_kmh=30),
        {**t(), "observed_at": "2026-11-22T08:00:00"},
        {**t(), "observed_at": 1790000000},
        {**t(), "observed_at": "yesterday"},
        traffic(at=NOW + timedelta(minutes=5, seconds=1)),
        traffic(at=NOW - timedelta(days=7, seconds=1)),
        traffic(at=datetime(9999, 12, 31, tzinfo=UTC)),
        traffic(at=datetime(1, 1, 1, tzinfo=UTC)),
        traffic(at=datetime(1970, 1, 1, tzinfo=UTC)),
    ],
    ids=lambda value: str(value)[:70],
)
def test_a_bad_reading_is_named_and_the_others_are_taken(bad: object) -> None:
    found = sorted_readings(t(), bad, w())
    assert len(found.accepted) == 2
    assert [reject.index for reject in found.rejected] == [1]
    assert found.rejected[0].message


@pytest.mark.parametrize(
    "bad",
    [
        b'{"kind":"traffic","sensor_id":"s","observed_at":"2026-11-22T08:00:00Z","speed_kmh":1e999}',
        b'{"kind":"traffic","sensor_id":"s","sensor_id":"t","observed_at":"2026-11-22T08:00:00Z"}',
        b'{"kind":"traffic","sensor_id":"s","observed_at":"2026-11-22T08:00:00Z","segment":"\\ud800"}',
        b'{"kind":"traffic","sensor_id":"s","observed_at":"2026-11-22T08:00:00Z","speed_kmh":' + b"9" * 5000 + b"}",
    ],
    ids=["1e999", "twice", "surrogate", "5000 digits"],
)
def test_what_json_can_say_and_we_cannot_keep_is_rejected(bad: bytes) -> None:
    found = sort(b"[" + json.dumps(t()).encode() + b"," + bad + b"]", NOW)
    assert (len(found.accepted), [reject.index for reject in found.rejected]) == (1, [1])


def test_no_message_repeats_what_was_sent() -> None:
    found = sorted_readings(
        t(kind="rahasia"), t(segment="rahasia\0"), {**t(), "observed_at": "rahasia"}, {**t(), "rahasia <b>": 1}
    )
    assert len(found.rejected) == 4
    assert not [reject for reject in found.rejected if "rahasia" in reject.message]


def test_the_edges_of_time_are_taken() -> None:
    edges = (timedelta(minutes=5), timedelta(0), -timedelta(days=7))
    assert len(sorted_readings(*(traffic(at=NOW + edge) for edge in edges)).accepted) == 3


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (422, b"[]"),
        (422, b"{}"),
        (422, b"null"),
        (422, b"1"),
        (422, json.dumps(t()).encode()),
        (422, json.dumps([t()] * (MAX_READINGS + 1)).encode()),
        (422, b"[" + b"1," * 6000 + b"1]"),
        (422, b"[" + b"1," * 3_000_000 + b"1]"),
        (400, b""),
        (400, b"["),
        (400, b"[NaN]"),
        (400, b"[1,2,]"),
        (400, b"\xff\xfe[1]"),
        (400, b'["\xff"]'),
        (400, b'\xef\xbb\xbf[{"kind":"traffic"}]'),
        (400, json.dumps([t()]).encode("utf-16")),
        (400, b"[" * 100_000),
        (400, b"[" * 100_000 + b"]" * 100_000),
    ],
    ids=lambda value: repr(value[:30]) if isinstance(value, bytes) else "",
)
def test_an_unusable_array_is_refused_as_a_whole(status: int, body: bytes) -> None:
    with pytest.raises(Problem) as refused:
        sort(body, NOW)
    assert refused.value.status == status


def test_an_array_may_be_all_bad() -> None:
    found = sorted_readings(*[{}] * 100)
    assert len(found.rejected) == 100


def test_the_largest_array_is_taken() -> None:
    found = sorted_readings(*[t(segment="x" * 300, direction="y" * 300, lat=-6.2, lon=107.0)] * MAX_READINGS)
    assert len(found.accepted) == MAX_READINGS
