"""Readings against the real PostgreSQL: a slow sensor and a reported jam are one incident, a dead node is one."""

import asyncio
import random
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import asyncpg
import msgspec
import pytest

from dispatcher.effects import Message
from dispatcher.report_intake import ReportIntake
from dispatcher.silence import Silence
from dispatcher.telemetry_intake import TelemetryIntake
from schemas.feed import SensorRow, WifiNodeRow
from schemas.gazetteer import gazetteer
from schemas.telemetry import TrafficObserved
from schemas.vocabulary import DeviceState, RoadLevel
from tests.dispatcher.factories import MINUTE, NOW, SUMMARECON, a_message, a_report, beats, north_of, speeds

SLOW, FAST = [6.0] * 3, [38.0] * 3


async def apply(
    pool: asyncpg.Pool, messages: Sequence[Message], intake: TelemetryIntake | ReportIntake | None = None
) -> None:
    """One batch in one transaction, as the consumer does it."""
    async with pool.acquire() as connection, connection.transaction():
        now = await connection.fetchval("SELECT now()")
        await (intake or TelemetryIntake(gazetteer())).apply(connection, messages, now)


async def report(pool: asyncpg.Pool, place: tuple[float, float]) -> None:
    await apply(pool, [a_message(a_report(place=place))], ReportIntake(gazetteer()))


async def sweep(pool: asyncpg.Pool, intake: TelemetryIntake, as_of: Any) -> int:
    async with pool.acquire() as connection, connection.transaction():
        return await intake.sweep_silent_nodes(connection, as_of, await connection.fetchval("SELECT now()"))


async def incidents(pool: asyncpg.Pool) -> list[dict[str, Any]]:
    return [dict(row) for row in await pool.fetch("SELECT * FROM incident ORDER BY opened_at, id")]


async def changes(pool: asyncpg.Pool) -> list[str]:
    return [row["change"] for row in await pool.fetch("SELECT change FROM incident_history ORDER BY at, version")]


@pytest.fixture(autouse=True)
async def empty(connections: asyncpg.Pool) -> None:
    await connections.execute(
        "TRUNCATE incident, sensor, wifi_node, traffic_reading, wifi_reading, outbox, consumer_offset CASCADE"
    )


async def test_three_slow_readings_open_an_incident_of_dishub(connections: asyncpg.Pool) -> None:
    await apply(connections, speeds("s-1", SLOW, place=SUMMARECON, segment="Jl Ahmad Yani"))
    (incident,) = await incidents(connections)
    assert (incident["category"], incident["status"], incident["agency"]) == ("traffic_jam", "routed", "DISHUB")
    assert (incident["report_count"], incident["sources"], incident["evidence"]) == (0, ["sensor"], 0.8)
    assert incident["title"].startswith("Kemacetan · Jl Ahmad Yani, ")
    because = await connections.fetchval("SELECT because FROM incident_decision WHERE judgement = 'detect'")
    assert "arus bebas 40 km/jam, perkiraan, baru 2 sampel" in because


async def test_a_slow_sensor_beside_a_reported_jam_joins_it(connections: asyncpg.Pool) -> None:
    await report(connections, SUMMARECON)
    await apply(connections, speeds("s-1", SLOW, place=north_of(SUMMARECON, 200)))
    (incident,) = await incidents(connections)
    assert (incident["report_count"], incident["sources"]) == (1, ["app", "sensor"])
    assert incident["priority"] == "high"
    assert await changes(connections) == ["opened", "routed", "sensor_joined"]


async def test_a_report_beside_a_sensors_jam_joins_it(connections: asyncpg.Pool) -> None:
    await apply(connections, speeds("s-1", SLOW, place=SUMMARECON, segment="Jl Ahmad Yani"))
    await report(connections, north_of(SUMMARECON, 200))
    (incident,) = await incidents(connections)
    assert (incident["report_count"], incident["sources"]) == (1, ["sensor", "app"])


async def test_a_jam_that_a_sensor_still_sees_takes_reports_after_half_an_hour(connections: asyncpg.Pool) -> None:
    await apply(connections, speeds("s-1", SLOW, place=SUMMARECON))
    await apply(connections, speeds("s-1", [6.0], NOW + 60 * MINUTE, place=SUMMARECON))
    late = a_message(a_report(place=SUMMARECON), NOW + 80 * MINUTE)
    await apply(connections, [late], ReportIntake(gazetteer()))
    assert len(await incidents(connections)) == 1


async def test_two_sensors_of_one_jam_settle_it_when_both_are_clear(connections: asyncpg.Pool) -> None:
    await apply(
        connections,
        [*speeds("s-1", SLOW, place=SUMMARECON), *speeds("s-2", SLOW, place=north_of(SUMMARECON, 150))],
    )
    await apply(connections, speeds("s-1", FAST, NOW + 10 * MINUTE, place=SUMMARECON))
    (incident,) = await incidents(connections)
    assert incident["status"] == "routed"
    await apply(connections, speeds("s-2", FAST, NOW + 10 * MINUTE, place=north_of(SUMMARECON, 150)))
    (incident,) = await incidents(connections)
    assert incident["status"] == "resolved"
    assert await changes(connections) == [
        "opened", "routed", "sensor_joined", "sensor_cleared", "sensor_cleared", "resolved",
    ]  # fmt: skip
    assert await connections.fetchval("SELECT count(*) FROM sensor WHERE incident_id IS NOT NULL") == 0


async def test_two_sensors_clear_at_the_same_moment_settle_it_once(connections: asyncpg.Pool) -> None:
    for attempt in range(10):
        place, start = (-6.26, 106.95 + attempt * 0.01), NOW
        one, other = f"a-{attempt}", f"b-{attempt}"
        await apply(connections, [*speeds(one, SLOW, start, place), *speeds(other, SLOW, start, north_of(place, 150))])
        await asyncio.gather(
            apply(connections, speeds(one, FAST, start + 10 * MINUTE, place)),
            apply(connections, speeds(other, FAST, start + 10 * MINUTE, north_of(place, 150))),
        )
    assert [incident["status"] for incident in await incidents(connections)] == ["resolved"] * 10


async def test_where_a_person_has_reported_a_sensor_alone_does_not_settle_it(connections: asyncpg.Pool) -> None:
    await report(connections, SUMMARECON)
    await apply(connections, speeds("s-1", [*SLOW, *FAST], place=SUMMARECON))
    (incident,) = await incidents(connections)
    assert incident["status"] == "routed"
    weights = await connections.fetch("SELECT weight FROM incident_evidence ORDER BY id")
    assert [row["weight"] for row in weights] == [0.4, 0.8, -0.6]


async def test_a_whole_jam_in_one_batch_leaves_its_whole_history(connections: asyncpg.Pool) -> None:
    await apply(connections, speeds("s-1", [*SLOW, *FAST, *SLOW], place=SUMMARECON))
    statuses = [(incident["status"], incident["version"]) for incident in await incidents(connections)]
    assert sorted(statuses) == [("resolved", 4), ("routed", 2)]


async def test_batches_of_any_cut_order_and_repetition_lead_to_the_same_city(connections: asyncpg.Pool) -> None:
    pick = random.Random(7)
    readings = [
        *speeds("s-1", [pick.choice((6.0, 38.0)) for _ in range(60)], place=SUMMARECON),
        *speeds("s-2", [pick.choice((6.0, 38.0)) for _ in range(60)], place=north_of(SUMMARECON, 2_000)),
    ]
    await apply(connections, readings)
    whole = await connections.fetch("SELECT id, level, detection, incident_id IS NULL FROM sensor ORDER BY id")
    count = len(await incidents(connections))
    await connections.execute("TRUNCATE incident, sensor, traffic_reading CASCADE")
    ordered = sorted(readings, key=lambda message: message.received_at)
    for first in range(0, len(ordered), 7):
        batch = ordered[max(0, first - 5) : first + 7]
        pick.shuffle(batch)
        await apply(connections, batch)
    assert await connections.fetch("SELECT id, level, detection, incident_id IS NULL FROM sensor ORDER BY id") == whole
    assert len(await incidents(connections)) == count
    assert await connections.fetchval("SELECT count(*) FROM traffic_reading") == 120


async def test_a_late_reading_is_kept_and_changes_nothing(connections: asyncpg.Pool) -> None:
    await apply(connections, speeds("s-1", [38.0], place=SUMMARECON))
    before = await connections.fetchrow("SELECT * FROM sensor")
    await apply(connections, speeds("s-1", [3.0], NOW - timedelta(days=3), place=SUMMARECON))
    assert await connections.fetchrow("SELECT * FROM sensor") == before
    assert await connections.fetchval("SELECT count(*) FROM traffic_reading") == 2


async def test_each_sensor_has_one_row_on_the_wall_per_batch(connections: asyncpg.Pool) -> None:
    await apply(connections, speeds("s-1", [38.0, 30.0, 20.0], place=SUMMARECON, segment="Jl Ahmad Yani"))
    (row,) = await connections.fetch("SELECT * FROM outbox")
    assert row["aggregateid"] == "sensors:s-1"
    shown = msgspec.json.decode(row["payload"], type=SensorRow)
    assert (shown.speed_kmh, shown.level, shown.segment) == (20.0, RoadLevel.SLOW, "Jl Ahmad Yani")
    assert '"kecamatan":"32.75' in row["headers"]["x-tags"]


async def test_a_sensor_without_a_place_has_a_row_without_one(connections: asyncpg.Pool) -> None:
    await apply(connections, speeds("s-1", [38.0]))
    (row,) = await connections.fetch("SELECT * FROM outbox")
    assert msgspec.json.decode(row["payload"], type=SensorRow).lat is None
    assert row["headers"]["x-tags"] == "{}"


async def test_a_reading_without_a_speed_says_nothing_of_a_jam(connections: asyncpg.Pool) -> None:
    readings = speeds("s-1", SLOW, place=SUMMARECON)
    silent = [msgspec.structs.replace(message.value, speed_kmh=None, occupancy=0.9) for message in readings]
    await apply(connections, [a_message(value) for value in silent])
    assert await incidents(connections) == []
    assert await connections.fetchval("SELECT level FROM sensor") == "unknown"


async def test_a_node_that_says_down_is_an_incident_of_diskominfo_and_settles_itself(connections: asyncpg.Pool) -> None:
    await apply(connections, beats("w-1", "++-", place=SUMMARECON))
    (incident,) = await incidents(connections)
    assert (incident["category"], incident["agency"], incident["status"]) == ("public_wifi", "DISKOMINFO", "routed")
    await apply(connections, beats("w-1", "++", NOW + 3 * MINUTE))
    assert [i["status"] for i in await incidents(connections)] == ["routed"]
    await apply(connections, beats("w-1", "+", NOW + 5 * MINUTE))
    assert [i["status"] for i in await incidents(connections)] == ["resolved"]
    node = msgspec.json.decode(
        await connections.fetchval("SELECT payload FROM outbox WHERE aggregateid = 'wifi_nodes:w-1' ORDER BY seq DESC"),
        type=WifiNodeRow,
    )
    assert (node.state, node.clients, node.lat) == (DeviceState.UP, 7, SUMMARECON[0])


async def test_a_node_that_falls_silent_is_suspect_then_down(connections: asyncpg.Pool) -> None:
    intake = TelemetryIntake(gazetteer())
    await apply(connections, beats("w-1", "+++", place=SUMMARECON), intake)
    await apply(connections, beats("w-2", "+" * 12, place=north_of(SUMMARECON, 2_000)), intake)
    last = NOW + 2 * MINUTE
    assert await sweep(connections, intake, last + 2 * MINUTE) == 0
    assert await sweep(connections, intake, last + 3 * MINUTE) == 1
    assert await sweep(connections, intake, last + 4 * MINUTE) == 0
    assert await incidents(connections) == []
    assert await sweep(connections, intake, last + 5 * MINUTE) == 1
    assert await sweep(connections, intake, last + 6 * MINUTE) == 0
    (incident,) = await incidents(connections)
    assert (incident["category"], incident["sources"]) == ("public_wifi", ["wifi"])
    states = await connections.fetch("SELECT id, state FROM wifi_node ORDER BY id")
    assert [tuple(row) for row in states] == [("w-1", "down"), ("w-2", "up")]


async def test_after_a_pause_of_our_own_nodes_get_their_time_again(connections: asyncpg.Pool) -> None:
    await apply(connections, [*beats("w-1", "+++", place=SUMMARECON), *beats("w-2", "+++", place=SUMMARECON)])
    restarted, back = TelemetryIntake(gazetteer()), NOW + 60 * MINUTE
    await apply(connections, beats("w-2", "+", back), restarted)
    assert await sweep(connections, restarted, back + MINUTE) == 0
    await apply(connections, beats("w-2", "+++++", back + MINUTE), restarted)
    assert await sweep(connections, restarted, back + 5 * MINUTE) == 1


async def test_silence_is_judged_only_as_far_as_everything_has_been_read(connections: asyncpg.Pool) -> None:
    intake = TelemetryIntake(gazetteer())
    silence = Silence(connections, intake)
    await apply(connections, beats("w-1", "+++", place=SUMMARECON), intake)
    await apply(connections, beats("w-2", "+" * 12, place=north_of(SUMMARECON, 2_000)), intake)
    assert await silence.look() == 0  # nothing is known of any partition
    read_until = "INSERT INTO consumer_offset (consumer, topic, topic_id, partition, next_offset, as_of)"
    await connections.execute(f"{read_until} VALUES ('telemetry', 't', '', 0, 0, $1)", NOW + 10 * MINUTE)
    await connections.execute(f"{read_until} VALUES ('telemetry', 't', '', 1, 0, $1)", NOW + 4 * MINUTE)
    assert await silence.look() == 0  # one partition lags behind
    await connections.execute("UPDATE consumer_offset SET as_of = $1", NOW + 10 * MINUTE)
    assert await silence.look() == 1
    assert await connections.fetchval("SELECT state FROM wifi_node WHERE id = 'w-1'") == "down"


async def test_times_of_readings_are_kept_to_the_microsecond(connections: asyncpg.Pool) -> None:
    times = [NOW + timedelta(microseconds=micros) for micros in (1, 333_333, 499_999, 500_001, 999_999)]
    readings = [a_message(TrafficObserved(sensor_id="s-1", observed_at=at, flow_per_h=900.0), at) for at in times]
    await apply(connections, readings)
    rows = await connections.fetch("SELECT observed_at, received_at FROM traffic_reading ORDER BY observed_at")
    assert [(row["observed_at"], row["received_at"]) for row in rows] == [(at, at) for at in times]
