"""Each chapter in small: the contenders have really done the work. How fast is the benchmark's own question."""

from importlib.util import find_spec
from pathlib import Path

import asyncpg
import pytest
from aiokafka import TopicPartition

from dispatcher.decisions.cells import cell_of
from dispatcher.desk import device_keys
from infra.access import DeviceScope
from infra.kafka import start_consumer, stop_quietly
from infra.local.stack import Stack
from infra.migrate import migrate
from schemas import topics
from tests.bench import clocks, end_to_end, growth, ingest, listing, playback, readings, recommend, sink, size
from tests.bench.histogram import Look
from tests.bench.machine import Noise
from tests.bench.row import Goal, Row, Section
from tests.city import City
from tests.people import Staff

_EVENTS = 3_000
#: `make bench` installs it, `make test` does without.
_FASTSTREAM = (sink.PYDANTIC, sink.MSGSPEC) if find_spec("faststream") else ()


def row(section: Section, name: str, unit: str) -> Row:
    return next(row for row in section.rows if (row.name, row.unit) == (name, unit))


@pytest.mark.timeout(300)
async def test_every_sink_keeps_every_reading(stack: Stack, tmp_path: Path) -> None:
    await sink.prepare(stack, _EVENTS)
    there = {each.name: each for each in sink.contenders(_EVENTS)}
    for name in (sink.OURS, sink.CEILING, *_FASTSTREAM):
        measured = await sink.measure(there[name], stack, tmp_path)
        assert measured.kept >= _EVENTS, name
        assert measured.per_s > 0 and measured.per_cpu_s > 0


def test_a_sink_that_cannot_be_measured_is_a_line_and_the_goals_are_made_of_the_rest() -> None:
    there = sink.contenders(_EVENTS)
    found = {
        sink.OURS: [sink.Measured(10.0, 30.0, _EVENTS)],
        sink.CEILING: [sink.Measured(20.0, 40.0, _EVENTS)],
    }
    section = sink.section_of(there, found, {sink.DEBEZIUM: "no way to Maven Central"}, "3,000", "600")
    assert "Debezium JDBC sink could not be measured: no way to Maven Central" in section.settings
    goals = [(row.name, row.values, row.goal) for row in section.rows if row.goal]
    assert goals == [
        (f"ours against {sink.CEILING}, by the clock", (0.5,), Goal("least", 0.5)),
        (f"ours against {sink.CEILING}, per client CPU second", (0.75,), Goal("least", 0.5)),
    ]


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


@pytest.mark.timeout(300)
async def test_ingest_and_the_bare_handler_take_what_kafka_then_has(stack: Stack, tmp_path: Path) -> None:
    await migrate(stack.postgres.dsn)
    database = await asyncpg.connect(stack.postgres.dsn)
    key = await device_keys.add(database, "bench", [DeviceScope.REPORTS, DeviceScope.TELEMETRY])
    await database.close()
    for name in (ingest.OURS, ingest.BARE, ingest.batched(100)):
        # fails by itself where Kafka has fewer or more records than were accepted
        measured = await ingest.measure(name, stack, tmp_path, key, seconds=0.3)
        assert measured.accepted == measured.kept > 0
        assert measured.per_cpu_s > 0


async def test_every_report_has_its_stamps_from_kafka_to_the_wall(city: City, admin: Staff) -> None:
    journey = await end_to_end.travel(city, admin, end_to_end.Rate(20, 1.0), first=900)
    assert len(journey.due) == 20
    assert journey.due.keys() == journey.accepted.keys() == journey.seen.keys() == journey.relayed.keys()
    assert max(journey.ack.buckets.values()) == 20
    assert journey.commit.percentile(0.5) > 0


@pytest.mark.timeout(300)
async def test_reports_meet_the_incidents_that_were_put_there(tmp_path: Path) -> None:
    section = await growth.run(tmp_path, 1, Noise(), sizes=(500,), reports=20, shared=0)
    assert row(section, "500 open incidents: time per report", "ms").median > 0
    async with Stack(tmp_path / "growth-0") as stack:
        database = await asyncpg.connect(stack.postgres.dsn)
        assert await database.fetchval("SELECT count(*) FROM incident WHERE id LIKE 'bench-%'") == 500
        assert await database.fetchval("SELECT count(*) FROM report WHERE id NOT LIKE 'bench-%'") == 20
        assert await database.fetchval("SELECT count(*) FROM incident WHERE id LIKE 'bench-%' AND report_count > 1")
        cells = await database.fetch("SELECT lat, lon, cell FROM incident WHERE id LIKE 'bench-%'")
        assert all(cell_of(row["lat"], row["lon"]) == row["cell"] for row in cells)
        await database.close()


@pytest.mark.timeout(300)
async def test_of_many_officers_the_best_are_recommended_to_each_who_may_ask(tmp_path: Path) -> None:
    # fails by itself where fewer are recommended than are listed
    section = await recommend.run(tmp_path, 1, Noise(), officers=50, repeats=2)
    assert {row.name for row in section.rows if row.goal} == {
        "shift lead: CPU of both",
        "agency dispatcher: CPU of both",
    }


async def test_moments_of_a_history_are_shown_with_the_rows_they_had(tmp_path: Path) -> None:
    section = await playback.run(tmp_path, 1, Noise(), incidents=300, moments=5)
    # One in ten lasts for ten of sixty days.
    assert 5 <= row(section, "rows of a moment, the most", "").median <= 60
    assert row(section, "a moment, the slowest", "ms").goal == Goal("most", 500.0)


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


@pytest.mark.timeout(300)
async def test_every_clock_that_is_due_fires_once(tmp_path: Path) -> None:
    section = await clocks.run(tmp_path, 1, Noise(), count=300)
    assert row(section, "300 clocks due in the same moment: until the last one has fired", "s").median > 0
    assert row(section, "dispatcher's CPU per clock", "ms").median > 0


async def test_every_filter_of_the_list_is_asked_and_held_against_a_bare_select(tmp_path: Path) -> None:
    section = await listing.run(tmp_path, 1, Noise(), incidents=3_000, asked=2)
    assert all(value > 0 for each in section.rows for value in each.values)
    assert section.rows[-1].goal == Goal("most", 3.0)
