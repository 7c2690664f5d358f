"""Kafka, PostgreSQL or the disk away: said within 5 s, and over when it is over."""

import asyncio
import re
import time
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from infra.local.stack import Stack
from tests.faults.process import Service
from tests.ingest.conftest import environment, open_sender
from tests.ingest.intake import BOTH, JAM, STAFF, Sender, a_photo, is_refused, until, wifi


@pytest.fixture
async def gateway(own: Stack, tmp_path: Path) -> AsyncIterator[Sender]:
    """A gateway at an ingest of its own, on servers that may be stopped."""
    with Service("ingest", tmp_path, "PATRIOT_PORT", environment(own, tmp_path)) as service:
        await asyncio.to_thread(service.start)
        async with open_sender(service.url, BOTH, own, tmp_path) as sender:
            yield sender


async def missing(sender: Sender) -> set[str]:
    return set((await sender.http.get("/readyz")).json()["missing"])


async def test_a_stopped_kafka_is_503_within_5_seconds_until_it_is_back(own: Stack, gateway: Sender) -> None:
    key = str(uuid.uuid4())
    await gateway.report()
    await own.kafka.kill()
    try:
        seen = []
        for _ in range(3):
            start = time.monotonic()
            problem = is_refused(found := await gateway.post(JAM, a_photo(), key=key), 503)
            assert time.monotonic() - start < 5
            assert int(found.headers["retry-after"]) > 0
            seen.append(problem["type"].rsplit("/", 1)[1])
        assert set(seen) <= {"outcome-unknown", "unavailable"}
        start = time.monotonic()
        is_refused(await gateway.http.post("/api/v1/telemetry", json=[wifi()]), 503)
        assert time.monotonic() - start < 5
        await until(lambda: named(gateway, "kafka"))
        assert (await gateway.http.get("/healthz")).status_code == 200
        start = time.monotonic()
        problem = is_refused(await gateway.post({**JAM, "reporter": {"name": "Siti"}}), 503)
        assert problem["type"].endswith("/unavailable") and time.monotonic() - start < 1
    finally:
        await own.kafka.start()
    await until(lambda: is_ready(gateway))
    receipt = await gateway.report(a_photo(), key=key)
    assert await gateway.report(a_photo(), key=key) == receipt
    records = await gateway.records_of(receipt["report_id"])
    assert len({record.headers["ce_id"] for record in records}) == 1
    photos = (gateway.data_dir / "objects" / "photos").iterdir()
    assert [path.name for path in photos] == [receipt["report_id"]], "what was refused has left no photo"


async def named(sender: Sender, what: str) -> bool:
    return what in await missing(sender)


async def is_ready(sender: Sender) -> bool:
    return not await missing(sender)


async def test_a_service_may_start_before_its_kafka(own: Stack, tmp_path: Path) -> None:
    await own.kafka.stop()
    service = Service("ingest", tmp_path, "PATRIOT_PORT", environment(own, tmp_path))
    starting = asyncio.create_task(asyncio.to_thread(service.start, "", 90.0))
    try:
        async with open_sender(service.url, BOTH, own, tmp_path) as sender:
            await until(lambda: answers(sender))
            assert await named(sender, "kafka")
            is_refused(await sender.post(JAM), 503)
            await own.kafka.start()
            await starting
            await sender.report()
    finally:
        service.kill()
        await own.kafka.start() if own.kafka.child is None or own.kafka.child.returncode is not None else None


async def answers(sender: Sender) -> bool:
    try:
        return (await sender.http.get("/healthz")).status_code == 200
    except httpx.HTTPError:
        return False


async def test_without_postgresql_citizens_and_known_devices_go_on(own: Stack, gateway: Sender) -> None:
    await gateway.report()
    await own.postgres.stop()
    try:
        async with open_sender(str(gateway.http.base_url), None, own, gateway.data_dir) as citizen:
            await citizen.report()
            start = time.monotonic()
            is_refused(await citizen.post(JAM, Authorization=f"Bearer {STAFF}"), 503)
            assert time.monotonic() - start < 4
        await gateway.report()
        await gateway.readings([wifi()])
        assert await is_ready(gateway)
    finally:
        await own.postgres.start()
    async with open_sender(str(gateway.http.base_url), STAFF, own, gateway.data_dir) as agent:
        await until(lambda: taken(agent))


async def taken(sender: Sender) -> bool:
    return (await sender.post(JAM)).status_code == 202


async def test_a_disk_that_cannot_be_used_is_503_and_reports_without_photo_go_on(own: Stack, gateway: Sender) -> None:
    for name in ("objects", "uploads"):
        folder = gateway.data_dir / name
        if folder.exists():
            folder.rename(gateway.data_dir / f"{name}.away")
        folder.write_bytes(b"")
    is_refused(await gateway.post(JAM, a_photo()), 503)
    is_refused(await gateway.post(JAM, key="k"), 503)
    assert await named(gateway, "photos")
    await gateway.report()
    for name in ("objects", "uploads"):
        (gateway.data_dir / name).unlink()
    await gateway.report(a_photo(), key="k")
    assert await is_ready(gateway)


async def test_it_stops_in_good_order_and_finishes_what_it_took(own: Stack, tmp_path: Path) -> None:
    service = Service("ingest", tmp_path, "PATRIOT_PORT", environment(own, tmp_path))
    await asyncio.to_thread(service.start)
    assert service.process is not None
    async with open_sender(service.url, BOTH, own, tmp_path) as sender:
        sending = asyncio.create_task(sender.post(JAM, a_photo(size=(4000, 3000))))
        await asyncio.sleep(0.2)
        service.process.terminate()
        assert (await sending).status_code == 202
    assert await asyncio.to_thread(service.process.wait, 15) == 0
    assert not re.search("Traceback|never retrieved|Unclosed", service.tail()), service.tail()
