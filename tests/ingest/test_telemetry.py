"""`POST /api/v1/telemetry` on real Kafka."""

import json
import uuid
from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest

from schemas import topics
from schemas.envelope import read
from schemas.telemetry import TrafficObserved, WifiObserved
from tests.ingest.intake import REPORTS, STAFF, TELEMETRY, Kept, Sender, is_refused, kept, traffic, wifi


def a_name() -> str:
    return f"t-{uuid.uuid4().hex[:10]}"


async def records_of(sender: Sender, device: str) -> list[Kept]:
    return [each for each in await kept(sender.bootstrap, topics.TELEMETRY) if each.key == device]


async def test_each_reading_is_a_record_under_its_device(ingest: Sender) -> None:
    sensor, node = a_name(), a_name()
    sent = [
        traffic(sensor, occupancy=0.25, flow_per_h=900, travel_time_s=42.5, lat=-6.2, lon=107.0, segment="Jl. A"),
        wifi(node, state="down", clients=0, uplink="isp", rx_mbps=1.5, tx_mbps=0.5),
    ]
    assert await ingest.readings(sent) == {"accepted": 2, "rejected": []}
    (of_sensor,), (of_node,) = await records_of(ingest, sensor), await records_of(ingest, node)
    for record, reading, kind, event in (
        (of_sensor, sent[0], TrafficObserved, topics.TRAFFIC_OBSERVED),
        (of_node, sent[1], WifiObserved, topics.WIFI_OBSERVED),
    ):
        assert {name: value for name, value in record.value.items() if name != "observed_at"} == {
            name: value for name, value in reading.items() if name != "observed_at"
        }
        envelope = read([(name, value.encode()) for name, value in record.headers.items()])
        assert (envelope.type, envelope.subject) == (event, record.key)
        assert envelope.time == datetime.fromisoformat(reading["observed_at"])
        msgspec.convert(record.value, kind, strict=True)
    assert of_sensor.headers["traceparent"] == of_node.headers["traceparent"]


async def test_the_same_reading_again_is_the_same_event(ingest: Sender) -> None:
    sensor, now = a_name(), datetime.now(UTC)
    elsewhere = now.astimezone(timezone(timedelta(hours=7)))
    await ingest.readings([traffic(sensor, now)])
    await ingest.readings([traffic(sensor, elsewhere), traffic(sensor, now + timedelta(seconds=1))])
    ids = [record.headers["ce_id"] for record in await records_of(ingest, sensor)]
    assert len(ids) == 3 and len(set(ids)) == 2


async def test_bad_readings_are_named_and_the_others_taken(ingest: Sender) -> None:
    sensor, now = a_name(), datetime.now(UTC)
    sent = [
        traffic(sensor, now),
        traffic(sensor, now, speed_kmh="fast"),
        traffic(sensor, now + timedelta(minutes=6)),
        {"kind": "camera"},
        traffic(sensor, now - timedelta(days=8)),
        traffic(sensor, now, mac="aa:bb"),
        traffic(sensor, now + timedelta(seconds=1)),
    ]
    receipt = await ingest.readings(sent)
    assert receipt["accepted"] == 2
    assert [reject["index"] for reject in receipt["rejected"]] == [1, 2, 3, 4, 5]
    assert "fast" not in json.dumps(receipt) and "camera" not in json.dumps(receipt)
    assert len(await records_of(ingest, sensor)) == 2


async def test_when_all_are_bad_it_is_202_all_the_same(ingest: Sender) -> None:
    receipt = await ingest.readings([{}, 5, None])
    assert receipt["accepted"] == 0 and len(receipt["rejected"]) == 3


async def test_the_largest_array_is_taken_whole_and_in_order(ingest: Sender) -> None:
    mark, now = a_name(), datetime.now(UTC) - timedelta(hours=2)
    sent = [traffic(f"{mark}-{n % 40}", now + timedelta(seconds=n)) for n in range(5000)]
    assert (await ingest.readings(sent))["accepted"] == 5000
    found = [each for each in await kept(ingest.bootstrap, topics.TELEMETRY) if each.key.startswith(mark)]
    assert len(found) == 5000
    for n in range(40):
        of_one = [each.value["observed_at"] for each in found if each.key == f"{mark}-{n}"]
        assert len(of_one) == 125 and of_one == sorted(of_one)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"[",
        b"\xff\xfe[]",
        b"[NaN]",
        b"[" * 100_000,
        json.dumps([traffic()] * 5001).encode(),
    ],
    ids=lambda body: repr(body[:20]),
)
async def test_an_unusable_array_is_refused(ingest: Sender, body: bytes) -> None:
    found = await ingest.http.post("/api/v1/telemetry", content=body, headers={"Content-Type": "application/json"})
    is_refused(found, 400, 422)


async def test_encodings_types_and_sizes_are_refused(ingest: Sender) -> None:
    for headers, content, status in (
        ({"Content-Type": "text/csv"}, b"[]", 415),
        ({"Content-Type": "application/json", "Content-Encoding": "gzip"}, b"\x1f\x8b", 415),
        ({"Content-Type": "application/json"}, b"[" + b" " * (9 * 1024 * 1024) + b"]", 413),
    ):
        is_refused(await ingest.http.post("/api/v1/telemetry", content=content, headers=headers), status)


@pytest.mark.parametrize(
    ("credential", "status"), [(TELEMETRY, 202), (REPORTS, 403), (STAFF, 401), ("pk_made_up", 401), (None, 401)]
)
async def test_it_takes_a_device_key_for_telemetry(citizen: Sender, credential: str | None, status: int) -> None:
    headers = {"Authorization": f"Bearer {credential}"} if credential else {}
    found = await citizen.http.post("/api/v1/telemetry", json=[wifi(a_name())], headers=headers)
    assert found.status_code == status
    if status != 202:
        is_refused(found, status)
