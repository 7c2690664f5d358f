"""One of Kafka and PostgreSQL goes back in time: what was acknowledged has its one effect, and the board is the
database's again."""

import asyncio
import shutil
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest
from aiokafka.admin import AIOKafkaAdminClient

from dispatcher import feed_topic, kpis
from dispatcher.feed_topic import Last, Shown
from dispatcher.relay import Relay
from dispatcher.report_intake import ReportIntake
from dispatcher.settings import DispatcherSettings
from dispatcher.telemetry_intake import TelemetryIntake
from dispatcher.whole_board import WholeBoard
from dispatcher.worker import Worker
from infra.geography import load_geography
from infra.kafka import start_producer, stop_admin_quietly, stop_quietly
from infra.local.stack import Stack
from infra.migrate import migrate
from infra.postgres import Pool, close_pool, open_pool
from infra.topics_admin import ensure_topics
from schemas import topics
from tests.dispatcher.bench import SESSION_TIMEOUT_MS, until
from tests.faults.city_load import Load, all_taken_in

GEOGRAPHY = load_geography(None)
BOARD = WholeBoard(TelemetryIntake(GEOGRAPHY))


@dataclass
class Own:
    """Kafka and PostgreSQL that may be set back without harm to other tests."""

    stack: Stack
    folder: Path

    async def database(self, name: str, copy_of: str | None = None) -> str:
        """DSN of a new database, or of one that is as `copy_of` is now (to which nobody may be connected)."""
        admin = await asyncpg.connect(self.stack.postgres.dsn)
        await admin.execute(f"CREATE DATABASE {name}" + (f" TEMPLATE {copy_of}" if copy_of else ""))
        await admin.close()
        dsn = self.stack.postgres.dsn.rpartition("/")[0] + f"/{name}"
        await migrate(dsn)
        return dsn

    async def empty_topics(self) -> None:
        """Topics made anew, with nothing in them."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.stack.kafka.bootstrap)
        await admin.start()
        try:
            names = [topic.name for topic in topics.ALL]
            await admin.delete_topics([name for name in await admin.list_topics() if name in names])
        finally:
            await stop_admin_quietly(admin)
        await ensure_topics(self.stack.kafka.bootstrap, embedded=True)

    @asynccontextmanager
    async def dispatching(self, dsn: str) -> AsyncIterator[Pool]:
        """A dispatcher at work, and a pool for those who look at what it does."""
        pool = await open_pool(dsn, application="test", size=12)
        bootstrap = self.stack.kafka.bootstrap
        settings = DispatcherSettings(
            kafka_bootstrap=bootstrap, postgres_dsn=dsn, session_timeout_ms=SESSION_TIMEOUT_MS
        )
        telemetry = TelemetryIntake(GEOGRAPHY)
        worker = Worker(settings, [ReportIntake(GEOGRAPHY), telemetry], pool, board=WholeBoard(telemetry))
        stop = asyncio.Event()
        task = asyncio.create_task(worker.run(stop))
        try:
            yield pool
        finally:
            stop.set()
            await asyncio.wait_for(task, 30)
            await close_pool(pool)

    @asynccontextmanager
    async def load(self, before: Load | None = None) -> AsyncIterator[Load]:
        """What ingest sends, on top of what it sent `before`."""
        producer = await start_producer(self.stack.kafka.bootstrap, "test-load")
        load = Load(producer)
        if before is not None:
            load.reports, load.readings = before.reports, before.readings
        try:
            yield load
        finally:
            await stop_quietly(producer)

    async def once(self, pool: Pool, load: Load) -> None:
        """Wait until all of the load has had its effect, and the board is the database's; each effect was one."""
        await until(lambda: all_taken_in(pool, load), 60)
        await until(lambda: self._is_shown(pool), 30)
        assert await pool.fetchval("SELECT count(*) FROM report") == len(load.reports)
        assert await pool.fetchval("SELECT count(*) FROM traffic_reading") == len(load.readings)
        doubled = await pool.fetch(
            "SELECT i.id FROM incident i LEFT JOIN report r ON r.incident_id = i.id GROUP BY i.id"
            " HAVING i.report_count <> count(r.id) AND count(r.id) > 0"
        )
        assert not doubled
        assert not await pool.fetchval("SELECT count(*) FROM dead_letter")

    async def _is_shown(self, pool: Pool) -> bool:
        """Whether a node that reads the topic now would show just the database's board."""
        shown = await feed_topic.shown(self.stack.kafka.bootstrap)
        async with pool.acquire() as connection:
            board = {row.key: row.value for row in await BOARD.rows(connection)}
        return {key: value for key, (_, value) in shown.rows.items() if not key.startswith("kpis:")} == board


@pytest.fixture(scope="module")
async def own(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Own]:
    """One for the module."""
    folder = tmp_path_factory.mktemp("own")
    async with Stack(folder) as running:
        yield Own(running, folder)


async def test_a_database_older_than_kafka_takes_in_again_what_it_lacks_and_the_wall_forgets_what_it_showed(
    own: Own,
) -> None:
    await own.empty_topics()
    before = await own.database("before")
    async with own.load() as load:
        await load.some()
        async with own.dispatching(before) as pool:
            await own.once(pool, load)
        older = await own.database("older", copy_of="before")
        await load.some()
        async with own.dispatching(before) as pool:
            await own.once(pool, load)
            seen = (await feed_topic.shown(own.stack.kafka.bootstrap)).highest_seq
        async with own.dispatching(older) as pool:
            await own.once(pool, load)
            await load.some()
            await own.once(pool, load)
            assert (await feed_topic.shown(own.stack.kafka.bootstrap)).highest_seq > seen
    async with own.dispatching(older) as pool:
        told = await pool.fetchval("SELECT last_value FROM outbox_seq_seq")
        await own.once(pool, load)
        assert await pool.fetchval("SELECT last_value FROM outbox_seq_seq") < told + 1_000, "told again without need"


async def test_topics_that_were_made_anew_are_read_from_their_beginning_and_the_wall_is_whole(own: Own) -> None:
    await own.empty_topics()
    dsn = await own.database("lasting")
    async with own.load() as load:
        await load.some()
        async with own.dispatching(dsn) as pool:
            await own.once(pool, load)
    await own.empty_topics()
    async with own.load(load) as more:
        await more.some()
        async with own.dispatching(dsn) as pool:
            await own.once(pool, more)


async def test_a_kafka_older_than_the_database_is_read_from_where_it_was_set_back_and_the_wall_is_whole(
    own: Own,
) -> None:
    await own.empty_topics()
    dsn = await own.database("ahead")
    kafka, logs = own.stack.kafka, own.folder / "kafka" / "data"
    async with own.load() as load:
        await load.some()
        async with own.dispatching(dsn) as pool:
            await own.once(pool, load)
    await kafka.stop()
    shutil.copytree(logs, own.folder / "older")
    await kafka.start()
    async with own.load(load) as load:
        await load.some(60)
        async with own.dispatching(dsn) as pool:
            await own.once(pool, load)
    await kafka.stop()
    shutil.rmtree(logs)
    (own.folder / "older").rename(logs)
    await kafka.start()
    async with own.dispatching(dsn) as pool:
        await own.once(pool, load)
        async with own.load(load) as load:
            await load.some()
            await own.once(pool, load)


@pytest.fixture
async def quiet(own: Own) -> AsyncIterator[Pool]:
    """A database of its own that nobody works in."""
    pool = await open_pool(await own.database(f"quiet_{uuid.uuid4().hex[:8]}"), application="test", size=6)
    yield pool
    await close_pool(pool)


@pytest.mark.parametrize("counted_before", [True, False])
async def test_a_board_told_again_while_key_figures_are_counted_waits_for_them(
    quiet: Pool, counted_before: bool
) -> None:
    async def count() -> None:
        async with quiet.acquire() as connection, connection.transaction():
            await kpis.refresh(connection)

    async def tell() -> None:
        async with quiet.acquire() as connection:
            await BOARD.tell(connection, Shown({}, 0), Last("topic"))

    if counted_before:
        await count()
        await quiet.execute("UPDATE kpi SET at = at - interval '61 s'")
    async with quiet.acquire() as somebody, asyncio.timeout(30):
        async with somebody.transaction():
            await somebody.execute("LOCK TABLE wifi_node")  # so the counting comes half of its way
            counting = asyncio.create_task(count())
            await until(lambda: _wait(quiet, 1))
            telling = asyncio.create_task(tell())
            await until(lambda: _wait(quiet, 2))
        await asyncio.gather(counting, telling)
    assert await quiet.fetchval("SELECT count(*) FROM kpi") == len(kpis.KPIS)


async def test_a_relay_that_takes_over_is_not_ready_before_it_knows_the_feed(own: Own, quiet: Pool) -> None:
    await ensure_topics(own.stack.kafka.bootstrap, embedded=True)
    database = await quiet.fetchval("SELECT current_database()")
    dsn = own.stack.postgres.dsn.rpartition("/")[0] + f"/{database}"
    first, second = (Relay(0, postgres_dsn=dsn, kafka=own.stack.kafka.bootstrap, board=BOARD) for _ in range(2))
    leader = await asyncpg.connect(dsn)
    assert await first.lead(leader)
    stop = asyncio.Event()
    running = asyncio.create_task(second.run(stop))

    async def is_ready(ready: bool) -> bool:
        assert not running.done()
        return (second.trouble() == {}) is ready

    try:
        await until(lambda: is_ready(True))  # it stands by
        async with quiet.acquire() as somebody, somebody.transaction():
            await somebody.execute("LOCK TABLE feed_mark")
            await leader.close()
            await until(lambda: _wait(quiet, 1))
            assert "feed's topic" in second.trouble()["relay-0"]
        await until(lambda: is_ready(True))
    finally:
        stop.set()
        await asyncio.wait_for(running, 30)


async def _wait(pool: Pool, many: int) -> bool:
    """Whether so many wait for a lock."""
    return bool(await pool.fetchval("SELECT count(DISTINCT pid) >= $1 FROM pg_locks WHERE NOT granted", many))
