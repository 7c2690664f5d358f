"""The first line of bad input, at the public edges: a clear 4xx or a dead letter, and the next message works."""

import asyncio
import json
import uuid
from datetime import UTC, datetime

import pytest
from aiokafka import AIOKafkaProducer
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Origin, Subprotocol

from schemas import topics
from schemas.envelope import Envelope, new_traceparent, write
from tests.city import City
from tests.people import Gateway, photo_jpeg, until

GOOD = {"description": "Macet di sini", "lat": -6.24, "lon": 107.0}


@pytest.mark.parametrize(
    "body",
    [
        b'{"description":"x","lat":NaN,"lon":107}',
        b'{"description":"x","lat":Infinity,"lon":107}',
        b'{"description":"x","lat":1e999,"lon":107}',
        b'{"description":"a\\u0000b","lat":-6.2,"lon":107}',
        b'{"description":"a\\ud800b","lat":-6.2,"lon":107}',
        b'{"description":"x","lat":-6.2,"lon":107,"status":"closed"}',
        b'{"description":"x","lat":"-6.2","lon":107}',
        b'{"description":"x","lat":true,"lon":107}',
        b'{"description":"x","lat":91,"lon":107}',
        b'{"description":"x","lat":-6.2}',
        b'{"description":"x"}',
        b'{"description":"   ","lat":-6.2,"lon":107}',
        b'{"description":"x","lat":-6.2,"lon":107,"observed_at":"2026-11-22T07:00:00"}',
        b'{"description":"x","lat":-6.2,"lon":107,"observed_at":1790000000}',
        b"[]",
        b"null",
        b"",
        b"\xff\xfe{",
        b"[" * 50_000,
    ],
    ids=lambda body: repr(body[:60]),
)
async def test_a_crooked_report_is_refused_in_plain_words_without_echo(gateway: Gateway, body: bytes) -> None:
    answer = await gateway.http.post("/api/v1/reports", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 422), answer.text
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert answer.json()["status"] == answer.status_code
    assert "a\x00b" not in answer.text
    await gateway.report(**GOOD)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "photo"),
    [
        ("empty", b""),
        ("text", b"not a picture at all"),
        ("truncated", photo_jpeg()[:500]),
        ("svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
        ("html", b"<html><script>alert(1)</script></html>"),
        ("oversized", photo_jpeg() + b"\0" * (10 * 1024 * 1024)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_broken_or_oversized_photo_is_refused(gateway: Gateway, name: str, photo: bytes) -> None:
    parts = [
        ("report", (None, json.dumps(GOOD), "application/json")),
        ("photo", ("foto.jpg", photo, "image/jpeg")),
    ]
    answer = await gateway.http.post("/api/v1/reports", files=parts)
    assert answer.status_code in (413, 415, 422), f"{name}: {answer.status_code} {answer.text}"
    assert answer.headers["content-type"].startswith("application/problem+json")


async def test_poison_in_kafka_is_set_aside_and_the_next_report_works(city: City, gateway: Gateway) -> None:
    def headers(event_type: str, event_id: str) -> list[tuple[str, bytes]]:
        return write(Envelope(event_id, event_type, "urn:test", "x", datetime.now(UTC), new_traceparent()))

    good_type = topics.REPORT_SUBMITTED
    marks = [f"poison-{uuid.uuid4()}".encode() for _ in range(5)]
    poison: list[tuple[bytes, bytes | None, list[tuple[str, bytes]]]] = [
        (marks[0], b"\xff\xfe not json", headers(good_type, str(uuid.uuid4()))),
        (marks[1], b'{"report_id": 5}', headers(good_type, str(uuid.uuid4()))),
        (marks[2], b"{}", []),
        (marks[3], b"{}", headers("id.bekasi.report.submitted.v9", str(uuid.uuid4()))),
        (marks[4], None, headers(good_type, str(uuid.uuid4()))),
    ]
    producer = AIOKafkaProducer(bootstrap_servers=city.kafka_bootstrap, acks="all")
    await producer.start()
    try:
        sent = [
            await producer.send_and_wait(topics.REPORT.name, value, key, headers=extra) for key, value, extra in poison
        ]
    finally:
        await producer.stop()
    receipt = await gateway.report("Banjir selutut di jalan raya", lat=-6.1950, lon=107.0500)
    assert (await gateway.tracked(receipt["tracking_code"]))["incident_id"]

    async def set_aside() -> bool:
        done = await asyncio.to_thread(
            city.patriot, "dlq", "list", "--json", "--limit", "1000", "--data-dir", str(city.data_dir)
        )
        assert done.returncode == 0, done.stderr
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        listed = {(line["topic"], line["partition"], line["offset"]) for line in lines}
        return all((place.topic, place.partition, place.offset) in listed for place in sent)

    await until(set_aside, what="five dead letters")


@pytest.mark.parametrize("origin", ["https://evil.example", "null"])
async def test_a_foreign_origin_gets_403_at_the_handshake(city: City, origin: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with connect(city.feed_url, origin=Origin(origin), subprotocols=[Subprotocol("patriot.feed.v1+json")]):
            pass
    assert refused.value.response.status_code == 403


async def test_a_reading_that_cannot_be_is_rejected_by_index_and_the_others_are_taken(gateway: Gateway) -> None:
    good = {"kind": "traffic", "sensor_id": "bad-1", "observed_at": datetime.now(UTC).isoformat(), "speed_kmh": 30}
    receipt = await gateway.send([good, {**good, "speed_kmh": "30"}, {**good, "mac": "aa:bb"}, {"kind": "x"}])
    assert receipt["accepted"] == 1
    assert [item["index"] for item in receipt["rejected"]] == [1, 2, 3]


async def test_a_ticket_works_once_and_a_made_up_one_never(city: City, gateway: Gateway) -> None:
    ticket = (await gateway.http.post("/api/v1/feed/ticket", headers={"Authorization": ""})).json().get("ticket")
    for offered, code in ((ticket, None), (ticket, 4500), ("made-up", 4500)):
        if offered is None:
            continue
        async with connect(city.feed_url, subprotocols=[Subprotocol("patriot.feed.v1+json")]) as socket:
            await socket.send(json.dumps({"id": 1, "connect": {"ticket": offered}}))
            if code is None:
                assert "client" in json.loads(await socket.recv())["connect"]
            else:
                with pytest.raises(Exception):  # noqa: B017 - any close will do, its code is asserted
                    while True:
                        await asyncio.wait_for(socket.recv(), 10)
                assert socket.close_code == code
