"""Kafka, PostgreSQL or the disk away: said within 5 s, and over when it is over."""

import asyncio
import io
import os
import re
import resource
import signal
import time
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from PIL import Image

from infra.local.stack import Stack
from ingest.idempotency import IdempotencyKeys
from tests.faults.process import Service
from tests.faults.proxy import Proxy
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


async def test_a_disk_that_hangs_is_503_within_5_seconds_and_what_it_did_not_keep_is_not_there(
    own: Stack, gateway: Sender
) -> None:
    # Opening a pipe waits for its other end: a read that hangs in the kernel, as on a disk that is away.
    pipe = gateway.data_dir / "objects" / IdempotencyKeys.name("key:both", "hung")
    pipe.parent.mkdir(parents=True, exist_ok=True)
    os.mkfifo(pipe)
    start = time.monotonic()
    problem = is_refused(found := await gateway.post(JAM, a_photo(), key="hung"), 503)
    assert time.monotonic() - start < 5 and int(found.headers["retry-after"]) > 0
    assert problem["type"].endswith("/unavailable")
    os.close(os.open(pipe, os.O_RDWR | os.O_NONBLOCK))  # it comes back
    pipe.unlink()
    receipt = await gateway.report(a_photo(), key="hung")
    photos = gateway.data_dir / "objects" / "photos"
    assert [path.name for path in photos.iterdir()] == [receipt["report_id"]]


async def test_a_slow_postgresql_and_a_silent_kafka_together_are_503_within_5_seconds(
    own: Stack, tmp_path: Path
) -> None:
    port = int(own.postgres.dsn.rpartition(":")[2].partition("/")[0])
    async with Proxy(port) as postgres:
        dsn = own.postgres.dsn.replace(f":{port}/", f":{postgres.port}/")
        told = environment(own, tmp_path) | {"PATRIOT_POSTGRES_DSN": dsn}
        with Service("ingest", tmp_path, "PATRIOT_PORT", told) as service:
            await asyncio.to_thread(service.start)
            async with open_sender(service.url, BOTH, own, tmp_path) as sender:
                await sender.report()  # a connection is open; the session below is not known yet
                assert own.kafka.child is not None
                postgres.delay(0.35)
                own.kafka.child.send(signal.SIGSTOP)
                try:
                    start = time.monotonic()
                    is_refused(await sender.post(JAM, Authorization=f"Bearer {STAFF}"), 503)
                    took = time.monotonic() - start
                finally:
                    own.kafka.child.send(signal.SIGCONT)
                assert took < 5
                # It did wait for both: the look-up alone took two round trips.
                assert took > 2 * 0.7
                await postgres.heal()
                await until(lambda: is_ready(sender))
                await sender.report()


async def test_of_photos_that_do_not_all_fit_none_is_kept_and_reports_without_photo_go_on(
    own: Stack, tmp_path: Path
) -> None:
    with Service("ingest", tmp_path, "PATRIOT_PORT", environment(own, tmp_path)) as service:
        await asyncio.to_thread(service.start)
        assert service.process is not None
        # Noise, sent in poor quality, is larger once it is encoded as ours: what was sent fits, what is kept does not.
        noise = Image.effect_noise((800, 600), 100).convert("RGB")
        noise.save(sent := io.BytesIO(), "JPEG", quality=5)
        limit = 2 * len(sent.getvalue())
        unlimited = resource.prlimit(service.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(service.process.pid, resource.RLIMIT_FSIZE, (limit, unlimited[1]))
        async with open_sender(service.url, BOTH, own, tmp_path) as sender:
            problem = is_refused(await sender.post(JAM, a_photo(), sent.getvalue()), 503)
            assert problem["type"].endswith("/unavailable")
            photos = sender.data_dir / "objects" / "photos"
            await until(lambda: is_empty(photos))
            await sender.report()
            await sender.report(a_photo())
            resource.prlimit(service.process.pid, resource.RLIMIT_FSIZE, unlimited)
            receipt = await sender.report(a_photo(), sent.getvalue())
        assert len(list((photos / receipt["report_id"]).iterdir())) == 4


async def is_empty(folder: Path) -> bool:
    return not list(folder.iterdir())


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
