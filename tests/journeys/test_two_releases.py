"""This release at work while a newer one has migrated the database and writes beside it."""

import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import asyncpg
import msgspec
import pytest
from aiokafka import AIOKafkaProducer

from schemas import topics
from schemas.envelope import Envelope, new_traceparent, write
from schemas.vocabulary import FeedChannel
from tests.city import City
from tests.people import Citizen, Gateway, Json, Staff, Wall, until

#: In Kota Bekasi, where there is an officer, and where no other test is.
PLACE = {"lat": -6.3705, "lon": 106.9224}
#: As a newer release may have them: with a default, without one, and counted by itself.
COLUMNS = "ADD COLUMN later text, ADD COLUMN later_state text NOT NULL DEFAULT 'x', ADD COLUMN later_at timestamptz"


@pytest.fixture
async def newer_schema(city: City) -> AsyncIterator[None]:
    """Every table has three more columns, and there is one more table; services keep running all the while."""
    connection = await asyncpg.connect(city.postgres_dsn)
    tables = [
        row["name"]
        for row in await connection.fetch(
            "SELECT c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT c.relispartition"
        )
    ]
    await connection.execute("SET lock_timeout = '5s'")
    await connection.execute("CREATE TABLE of_a_later_release (id int PRIMARY KEY)")
    for table in tables:
        await connection.execute(f"ALTER TABLE {table} {COLUMNS}")
    yield
    await connection.execute("DROP TABLE of_a_later_release")
    for table in tables:
        await connection.execute(f"ALTER TABLE {table} DROP COLUMN later, DROP later_state, DROP later_at")
    await connection.close()


async def send(city: City, topic: str, kind: str, key: str, value: Json | None, **headers: str) -> None:
    """A record as a newer release may write it."""
    envelope = Envelope(uuid.uuid4().hex, kind, "urn:bekasi:patriot:later", key, datetime.now(UTC), new_traceparent())
    more = [("ce_laterextension", b"1"), *((name.replace("_", "-"), text.encode()) for name, text in headers.items())]
    producer = AIOKafkaProducer(bootstrap_servers=city.kafka_bootstrap, acks="all", enable_idempotence=True)
    await producer.start()
    try:
        await producer.send_and_wait(
            topic,
            None if value is None else msgspec.json.encode(value),
            key.encode(),
            headers=[*write(envelope), *more],
        )
    finally:
        await producer.stop()


async def test_an_incident_lives_its_whole_life_on_a_newer_schema(
    newer_schema: None, citizen: Citizen, gateway: Gateway, operator: Staff, dishub_officer: Staff
) -> None:
    wall = await Wall.open(operator, "incidents")
    await dishub_officer.be_at(**PLACE)
    receipt = await citizen.report("Macet total di depan pabrik", reporter={"name": "Siti"}, **PLACE)
    incident_id = (await citizen.tracked(receipt["tracking_code"]))["incident_id"]
    await wall.row(incident_id, lambda row: row["status"] == "routed")
    now = datetime.now(UTC).isoformat()
    await gateway.send(
        [
            {"kind": "traffic", "sensor_id": "later-1", "observed_at": now, "speed_kmh": 4, **PLACE},
            {"kind": "wifi", "node_id": "later-2", "observed_at": now, "state": "down", "clients": 0, **PLACE},
        ]
    )
    await operator.command(incident_id, "note", text="Sudah dicek", public=False)
    await operator.command(incident_id, "assign")
    assignment = await dishub_officer.assignment_for(incident_id)
    for verb, body in (("accept", {}), ("arrive", {}), ("complete", {"note": "Lancar", "photo_ids": []})):
        answer = await dishub_officer.act(assignment, verb, **body)
        assert answer.status_code == 200, answer.text
    await operator.command(incident_id, "close")
    await wall.row(incident_id, lambda row: row["status"] == "closed")
    assert not wall.gaps
    await wall.close()


async def test_a_report_with_a_field_of_a_later_release_becomes_an_incident(city: City, operator: Staff) -> None:
    report_id = uuid.uuid4().hex
    value = {
        "report_id": report_id,
        "tracking_code": f"LATER{report_id[:10].upper()}",
        "description": "Macet di depan gerbang tol, kendaraan tidak bergerak",
        "channel": "app",
        "submitted_at": datetime.now(UTC).isoformat(),
        "lat": -6.2730,
        "lon": 107.1990,
        "mood": {"of": "a later release"},
        "photos": [],
    }
    await send(city, topics.REPORT.name, topics.REPORT_SUBMITTED, report_id, value)
    connection = await asyncpg.connect(city.postgres_dsn)
    try:

        async def ask() -> str | None:
            found: str | None = await connection.fetchval("SELECT incident_id FROM report WHERE id = $1", report_id)
            return found

        incident_id = await until(ask, what="the report to be applied")
        assert (
            await connection.fetchval("SELECT count(*) FROM dead_letter WHERE value LIKE $1", b"%later release%") == 0
        )
    finally:
        await connection.close()
    assert (await operator.incident(incident_id))["report_count"] == 1


async def test_what_a_feed_node_does_not_know_leaves_no_gap_and_no_silence(city: City, operator: Staff) -> None:
    wall = await Wall.open(operator, "kpis", "sensors")
    now = datetime.now(UTC).isoformat()
    row = {"id": "later-3", "lat": None, "lon": None, "segment": None, "level": "free_flow", "speed_kmh": None,
           "observed_at": now, "state": "up", "colour": "of a later release"}  # fmt: skip
    feed, known = topics.FEED.name, topics.ROW_CHANGED[FeedChannel.SENSORS]
    await send(city, feed, "id.bekasi.feed.drain-changed.v1", "drains:D1", {"id": "D1"}, x_seq="1", x_tags="{}")
    await send(city, feed, known, "sensors:later-3", row, x_seq="1", x_tags='{"hue":"red"}', x_later="1")
    shown = await wall.row("later-3", channel="sensors")
    assert shown["colour"] == "of a later release", "a row is passed on as it is"

    seen = len(wall.pushes)

    async def goes_on() -> bool:
        return any(push["as_of"] and push["as_of"] > now for push in wall.pushes[seen:])

    await until(goes_on, what="freshness to go on")
    await send(city, feed, topics.ROW_REMOVED, "sensors:later-3", None, x_seq="2", x_tags="{}")
    await wall.gone("later-3", channel="sensors")
    assert not wall.gaps
    await wall.close()
