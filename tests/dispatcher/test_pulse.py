"""The pulse tells up to when everything acknowledged is contained; what nobody reads holds it back."""

import asyncio
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from dispatcher import kpis, offset_store
from dispatcher.consumer import Consumer
from dispatcher.offset_store import Mark
from dispatcher.pulse import Pulse, channels_as_of
from infra.local.stack import Stack
from infra.postgres import Pool
from schemas import topics
from schemas.feed import FeedPulsed, KpiRow
from schemas.vocabulary import FeedChannel
from tests.dispatcher.bench import Counted, consuming, make_topic, options, producing, send, until_effects

pytestmark = pytest.mark.usefixtures("empty_outbox")

_NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)


class _Nobody:
    """A consumer that owns nothing."""

    name = "nobody"

    async def freshness(self, now: datetime) -> list[Mark]:
        return []


def test_incidents_are_as_old_as_the_older_of_reports_and_telemetry() -> None:
    reports, telemetry = _NOW - timedelta(seconds=3), _NOW - timedelta(seconds=9)
    assert channels_as_of({"reports": reports, "telemetry": telemetry}, _NOW) == {
        FeedChannel.INCIDENTS: telemetry,
        FeedChannel.SENSORS: telemetry,
        FeedChannel.WIFI_NODES: telemetry,
        FeedChannel.OFFICERS: _NOW,
        FeedChannel.KPIS: _NOW,
    }


def test_what_was_never_read_cannot_be_told() -> None:
    known = channels_as_of({"reports": _NOW, "telemetry": None}, _NOW)
    assert set(known) == {FeedChannel.OFFICERS, FeedChannel.KPIS}


async def test_a_partition_that_nobody_reads_holds_its_consumer_back(stack: Stack, pool: Pool, name: str) -> None:
    bootstrap = stack.kafka.bootstrap
    await make_topic(bootstrap, name, partitions=3)
    consumer = Consumer(Counted(name, [name]), pool, options(bootstrap))
    async with producing(bootstrap) as producer:
        await send(producer, name, 20)
        async with consuming(consumer):
            await until_effects(pool, name, 20)
            await Pulse(pool, [consumer]).beat()
            async with pool.acquire() as connection:
                first = (await offset_store.oldest_as_of(connection))[name]
                assert first is not None
                await offset_store.know(connection, name, name, [0, 1, 2, 3])
                assert (await offset_store.oldest_as_of(connection))[name] is None
                await connection.execute("DELETE FROM consumer_offset WHERE consumer = $1 AND partition = 3", name)
        # the worker is gone: nobody moves it on
        await Pulse(pool, [consumer]).beat()
    async with pool.acquire() as connection:
        assert (await offset_store.oldest_as_of(connection))[name] == first


async def test_of_many_workers_one_sends_and_its_pulse_goes_by_the_outbox(pool: Pool) -> None:
    await pool.execute("UPDATE pulse SET at = '-infinity'")
    await pool.execute("DELETE FROM outbox")
    sent = await asyncio.gather(*(Pulse(pool, [_Nobody()]).beat() for _ in range(4)))
    assert sum(sent) == 1
    rows = await pool.fetch("SELECT * FROM outbox WHERE type = $1", topics.FEED_PULSED)
    assert [row["aggregateid"] for row in rows] == ["pulse:0"]
    pulsed = msgspec.json.decode(rows[0]["payload"], type=FeedPulsed)
    assert (pulsed.shard, pulsed.shards) == (0, 1)
    assert FeedChannel.KPIS in pulsed.as_of


async def test_key_figures_are_sent_when_they_change_and_after_a_minute(pool: Pool) -> None:
    await pool.execute("TRUNCATE kpi")
    await pool.execute("DELETE FROM outbox")
    await pool.execute(
        "INSERT INTO wifi_node (id, state, observed_at, received_at) VALUES ('kpi-a', 'up', now(), now()),"
        " ('kpi-b', 'down', now(), now()) ON CONFLICT DO NOTHING"
    )
    counts = []
    async with pool.acquire() as connection:
        for change in (
            "",
            "",
            "UPDATE wifi_node SET state = 'down' WHERE id = 'kpi-a'",
            "UPDATE kpi SET at = at - interval '61 s'",
        ):
            await connection.execute(change or "SELECT 1")
            async with connection.transaction():
                counts.append(await kpis.refresh(connection))
    assert counts == [len(kpis.KPIS), 0, 1, len(kpis.KPIS)]
    payloads = await pool.fetch("SELECT payload FROM outbox WHERE aggregatetype = $1 ORDER BY seq", topics.FEED.name)
    rows = [msgspec.json.decode(row["payload"], type=KpiRow) for row in payloads]
    assert {row.name for row in rows} == {kpi.name for kpi in kpis.KPIS}
    share = [row.value for row in rows if row.name == "wifi_up_share"]
    assert share[0] is not None
    assert share[1] is not None
    assert share[1] < share[0]
    await pool.execute("DELETE FROM outbox")
    await pool.execute("DELETE FROM wifi_node WHERE id IN ('kpi-a', 'kpi-b')")


async def test_what_is_overdue_is_counted_by_its_own_index_however_much_is_open(pool: Pool) -> None:
    (overdue,) = [kpi for kpi in kpis.KPIS if kpi.name == "overdue"]
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL enable_seqscan = off")
        plan = await connection.fetch(f"EXPLAIN {overdue.sql}")
    assert any("incident_unsolved_due" in row[0] for row in plan)
