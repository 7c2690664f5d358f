"""Each chapter in small: the contenders have really done the work. How fast is the benchmark's own question."""

from pathlib import Path

import asyncpg
import pytest
from aiokafka import TopicPartition

from infra.kafka import start_consumer, stop_quietly
from infra.local.stack import Stack
from schemas import topics
from tests.bench import end_to_end, growth, ingest, readings, sink, size
from tests.bench.histogram import Look
from tests.bench.machine import Noise
from tests.bench.row import Row, Section
from tests.city import City
from tests.people import Staff

_EVENTS = 6_000


def names(section: Section) -> set[str]:
    return {row.name for row in section.rows}


def row(section: Section, name: str, unit: str) -> Row:
    return next(row for row in section.rows if (row.name, row.unit) == (name, unit))


@pytest.mark.timeout(180)
async def test_every_sink_keeps_every_reading(tmp_path: Path) -> None:
    ways = [sink.OURS, sink.CEILING, sink.PYDANTIC, sink.MSGSPEC]
    section = await sink.run(tmp_path, 1, Noise(), events=_EVENTS, only=ways)
    assert not [line for line in section.settings if "could not be measured" in line]
    for name in ways:
        assert len(row(section, name, "readings/s").values) == 1
        assert row(section, name, "readings per client CPU s").median > 0
    goals = [row.goal for row in section.rows if row.goal]
    assert [goal.limit for goal in goals] == [0.5, 0.5, 1.5, 1.5]


async def test_a_sink_that_cannot_be_measured_is_a_line_and_the_rest_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone() -> Path:
        raise sink.debezium_sink.NotToBeHad("no way to Maven Central")

    monkeypatch.setattr(sink.debezium_sink, "ensure", gone)
    section = await sink.run(tmp_path, 1, Noise(), events=_EVENTS, only=[sink.DEBEZIUM, sink.CEILING])
    assert "Debezium JDBC sink could not be measured: no way to Maven Central" in section.settings
    assert names(section) == {sink.CEILING}


async def test_the_topic_is_filled_with_readings_that_are_all_different(stack: Stack) -> None:
    consumer = await start_consumer(stack.kafka.bootstrap, "bench-test")
    partitions = [TopicPartition(topics.TELEMETRY.name, number) for number in range(topics.TELEMETRY.partitions)]
    try:
        consumer.assign(partitions)
        before = sum((await consumer.end_offsets(partitions)).values())
        size_of_one = await readings.fill(stack.kafka.bootstrap, 1_000)
        assert sum((await consumer.end_offsets(partitions)).values()) - before == 1_000
    finally:
        await stop_quietly(consumer)
    assert 500 < size_of_one < 700
    assert len({(each.sensor_id, each.observed_at) for each in readings.readings(1_000)}) == 1_000


@pytest.mark.timeout(180)
async def test_ingest_and_the_bare_handler_take_what_kafka_then_has(tmp_path: Path) -> None:
    # `measure` itself fails where Kafka has fewer or more records than were accepted.
    section = await ingest.run(tmp_path, 1, Noise(), seconds=0.5)
    for name in (ingest.OURS, ingest.BARE):
        assert row(section, name, "reports per CPU s").median > 0
    assert {"readings by 100", "readings by 500"} < names(section)
    assert [row.goal.limit for row in section.rows if row.goal] == [0.8, 8, 8]


async def test_every_report_has_its_stamps_from_kafka_to_the_wall(city: City, admin: Staff) -> None:
    journey = await end_to_end.travel(city, admin, end_to_end.Rate(20, 1.0), first=900)
    assert len(journey.due) == 20
    assert journey.due.keys() == journey.accepted.keys() == journey.seen.keys() == journey.relayed.keys()
    assert max(journey.ack.buckets.values()) == 20
    assert journey.commit.percentile(0.5) > 0


@pytest.mark.timeout(180)
async def test_reports_meet_the_incidents_that_were_put_there(tmp_path: Path) -> None:
    section = await growth.run(tmp_path, 1, Noise(), sizes=(2_000,), reports=20, shared=20)
    assert {"one dispatcher", "two dispatchers", "2,000 open incidents: time per report"} <= names(section)
    async with Stack(tmp_path / "growth-0") as stack:
        database = await asyncpg.connect(stack.postgres.dsn)
        assert await database.fetchval("SELECT count(*) FROM incident WHERE id LIKE 'bench-%'") == 2_000
        assert await database.fetchval("SELECT count(*) FROM report WHERE id NOT LIKE 'bench-%'") == 60
        assert await database.fetchval("SELECT count(*) FROM incident WHERE id LIKE 'bench-%' AND report_count > 1")
        await database.close()


def test_the_size_of_a_city_is_that_of_each_of_its_services(city: City) -> None:
    memory = size.memory_mib(city)
    assert {"kafka", "postgres", "web", "dispatcher", "feed", "supervisor"} <= memory.keys()
    assert all(value > 5 for value in memory.values())
    assert "simulator" not in memory


def test_a_histogram_is_looked_at_between_two_times() -> None:
    before = Look({0.01: 10.0, 0.1: 10.0, float("inf"): 10.0}, 0.05)
    after = Look({0.01: 10.0, 0.1: 14.0, float("inf"): 14.0}, 0.25)
    between = after.since(before)
    assert between.buckets == {0.01: 0.0, 0.1: 4.0, float("inf"): 4.0}
    assert between.percentile(0.5) == pytest.approx(0.055)
    assert Look({}, 0.0).percentile(0.5) == 0.0
