"""A city to practise in: nothing of it can be taken for real, and nothing real gets into it."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import httpx
import pytest
from aiokafka import TopicPartition

from infra.kafka import start_consumer, start_producer, stop_quietly
from infra.kafka_access import KafkaAccess, KafkaRefuses
from infra.local.stack import Stack
from infra.migrate import MigrationError, migrate
from infra.postgres import OtherCity, close_pool, connect, open_pool
from infra.topics_admin import ensure_topics
from schemas import topics
from tests.city import City, start_city, stop_city
from tests.people import Citizen, Json, Staff, Wall, until

COMMAND = [sys.executable, "-m", "infra.local.cli"]
PLACE = {"lat": -6.2383, "lon": 106.9926}
PAGES = ("/", "/track/NONE", "/wall", "/officer")


@pytest.fixture(scope="module")
def training(tmp_path_factory: pytest.TempPathFactory) -> Iterator[City]:
    """`patriot up --training --simulate`, as a user starts it; its day passes a hundred times as fast as ours."""
    environment = {**os.environ, "PATRIOT_SIMULATION_SPEED": "100"}
    running = start_city(tmp_path_factory.mktemp("training"), COMMAND, environment, "--training", "--simulate")
    yield running
    stop_city(running)


@pytest.fixture(scope="module")
async def tracked(training: City) -> AsyncIterator[Json]:
    """A report, and the incident that it has become."""
    async with Citizen(training) as citizen:
        receipt = await citizen.report("Macet total, kendaraan tidak bergerak", **PLACE)
        yield await citizen.tracked(receipt["tracking_code"])


async def test_codes_and_incidents_of_a_training_city_are_called_otherwise(training: City, tracked: Json) -> None:
    assert tracked["tracking_code"].startswith("LATIHAN-")
    assert tracked["incident_id"].startswith("LATIHAN-")
    async with Citizen(training) as citizen:
        typed = tracked["tracking_code"].replace("-", " ").lower()
        assert (await citizen.track(typed))["incident_id"] == tracked["incident_id"]
        real = tracked["tracking_code"].removeprefix("LATIHAN-")
        assert (await citizen.http.get(f"/api/v1/reports/{real}")).status_code == 404


@pytest.mark.parametrize("language", ["id", "en"])
async def test_every_page_and_every_answer_says_that_it_is_training(training: City, language: str) -> None:
    async with Citizen(training) as citizen:
        for page in PAGES:
            answer = await citizen.http.get(f"{page}?lang={language}")
            assert answer.headers["x-patriot-training"] == "true"
            assert 'data-training="true"' in answer.text and "LATIHAN · TRAINING" in answer.text
        for path in ("/api/v1/config", "/api/v1/incidents", "/api/v1/reports/NONE", "/healthz", "/nowhere"):
            assert (await citizen.http.get(path)).headers["x-patriot-training"] == "true", path
        assert (await citizen.http.get("/api/v1/config")).json()["training"] is True
    of_others = [str(training.services[name]["url"]).replace("ws:", "http:") for name in ("feed", "dispatcher")]
    async with httpx.AsyncClient() as client:
        for base in of_others:
            assert (await client.get(f"{base.rstrip('/')}/healthz")).headers["x-patriot-training"] == "true", base


async def test_a_real_city_says_nothing_of_the_kind(city: City) -> None:
    async with Citizen(city) as citizen:
        for page in PAGES:
            answer = await citizen.http.get(page)
            assert "x-patriot-training" not in answer.headers
            assert "LATIHAN" not in answer.text
        assert (await citizen.http.get("/api/v1/config")).json()["training"] is False


async def test_every_event_of_a_training_city_has_its_own_source(training: City, tracked: Json) -> None:
    async with Staff(training, training.admin_username, training.admin_password) as admin:
        wall = await Wall.open(admin)
        row = await wall.row(tracked["incident_id"])
        assert row["id"].startswith("LATIHAN-")
        await wall.close()
    sources = set()
    consumer = await start_consumer(training.kafka_bootstrap, "test")
    try:
        for topic in (topics.REPORT, topics.INCIDENT, topics.FEED):
            for partition in range(topic.partitions):
                at = TopicPartition(topic.name, partition)
                consumer.assign([at])
                await consumer.seek_to_beginning(at)
                end = (await consumer.end_offsets([at]))[at]
                while await consumer.position(at) < end:
                    for records in (await consumer.getmany(timeout_ms=500)).values():
                        sources |= {dict(record.headers)["ce_source"] for record in records}
    finally:
        await stop_quietly(consumer)
    assert sources == {b"urn:bekasi:patriot-training:ingest", b"urn:bekasi:patriot-training:dispatcher"}


async def test_a_service_refuses_what_belongs_to_the_other_kind_of_city(training: City, stack: Stack) -> None:
    for dsn, ours in ((training.postgres_dsn, False), (stack.postgres.dsn, True)):
        with pytest.raises(OtherCity, match="look at PATRIOT_TRAINING"):
            await connect(dsn, application="test", training=ours)
        pool = await open_pool(dsn, application="test", size=1, training=ours)
        with pytest.raises(OtherCity):
            await pool.acquire()
        await close_pool(pool)
        with pytest.raises(MigrationError, match="a database of its own"):
            await migrate(dsn, training=ours)
    for bootstrap, ours in ((training.kafka_bootstrap, False), (stack.kafka.bootstrap, True)):
        access = KafkaAccess(bootstrap, training=ours)
        for start in (start_producer, start_consumer):
            with pytest.raises(KafkaRefuses, match="a Kafka of its own"):
                await start(access, "test")
        with pytest.raises(KafkaRefuses, match="--training"):
            await ensure_topics(bootstrap, embedded=True, training=ours)
        await stop_quietly(await start_producer(KafkaAccess(bootstrap, training=not ours), "test"))


async def test_the_simulated_city_works_from_the_report_to_the_answer(training: City) -> None:
    async with Staff(training, training.admin_username, training.admin_password) as admin:

        async def done() -> bool:
            assignments = (await admin.http.get("/api/v1/assignments?status=completed")).json()["items"]
            resolved = (await admin.http.get("/api/v1/incidents?status=resolved,closed")).json()["items"]
            return bool(assignments and resolved)

        await until(done, 180, "an officer of the simulated city to be done")
        shifts = (await admin.http.get("/api/v1/shifts")).json()["items"]
        assert shifts and all(shift["put_by"].startswith("simulasi-kepala-") for shift in shifts)
        officers = (await admin.http.get("/api/v1/officers")).json()["items"]
        assert {one["status"] for one in officers if one["lat"] is not None} & {"available", "busy"}


async def test_what_a_real_city_has_sent_is_set_aside(training: City) -> None:
    """Whatever way it came: the record itself says where it was made."""
    producer = await start_producer(training.kafka_bootstrap, "test")
    headers = [
        ("ce_specversion", b"1.0"), ("ce_id", b"of-a-real-city"), ("ce_type", topics.REPORT_SUBMITTED.encode()),
        ("ce_source", b"urn:bekasi:patriot:ingest"), ("ce_time", b"2026-11-22T08:00:00Z"),
    ]  # fmt: skip
    try:
        await producer.send_and_wait(topics.REPORT.name, b"{}", b"key", headers=headers)
    finally:
        await stop_quietly(producer)
    database = await asyncpg.connect(training.postgres_dsn)
    try:
        for _ in range(300):
            if found := await database.fetchrow("SELECT * FROM dead_letter WHERE error_message LIKE '%real city%'"):
                break
            await asyncio.sleep(0.1)
        assert found, "it was not set aside"
    finally:
        await database.close()


def test_up_refuses_the_wrong_kind_of_city_and_says_what_to_do(tmp_path: Path, stack: Stack) -> None:
    done = subprocess.run(
        [*COMMAND, "up", "--training", "--data-dir", str(tmp_path / "new"), "--kafka-bootstrap", stack.kafka.bootstrap,
         "--postgres-dsn", stack.postgres.dsn],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "start without --training" in done.stderr, done.stderr


def test_a_training_city_has_a_place_of_its_own(tmp_path: Path) -> None:
    """Started without a word about where, it never opens the real city's data."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PATRIOT_")}
    environment["PYTHONPATH"] = str(Path(__file__).resolve().parents[2])
    process = subprocess.Popen(
        [*COMMAND, "up", "--training"], cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    assert process.stderr is not None
    process.stderr.readline()  # it has begun
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert [path.name for path in tmp_path.iterdir()] == [".patriot-training"]
