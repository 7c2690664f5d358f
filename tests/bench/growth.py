"""Chapter: whether a report costs more in a city with many open incidents, and what a second dispatcher brings.

The open incidents are put into PostgreSQL as rows; the reports go through Kafka and the whole of `patriot dispatcher`.
"""

import asyncio
import time
import uuid
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import asyncpg
import psutil

from dispatcher.decisions.cells import CELL_DEG, cell_of
from infra.kafka import start_producer, stop_quietly
from infra.local.stack import Stack
from infra.migrate import migrate
from infra.topics_admin import ensure_topics
from schemas import topics
from schemas.envelope import Envelope, new_traceparent, write
from schemas.report import ReportSubmitted
from schemas.vocabulary import ReportChannel
from schemas.wire import encode
from tests.bench.machine import Noise, cpu_s, tree_cpu_s
from tests.bench.places import place
from tests.bench.row import Goal, Row, Section
from tests.faults.process import Service

TITLE: Final = "Growth"
SIZES: Final = (1_000, 20_000, 200_000)
#: At this size two dispatchers are held against one.
_SHARED_AT: Final = 20_000
_PATIENCE_S: Final = 120.0
#: Every second report is some 30 m from one of these incidents, and joins it.
_NEAR_DEG: Final = 0.0003
#: Numbers of cells from one row of the grid to the next.
_COLUMNS: Final = cell_of(CELL_DEG * 1.5, 0.0) - cell_of(CELL_DEG * 0.5, 0.0)

# Spread over the two governments' bounding box by numbers that do not repeat; eight categories, four statuses, the last
# 30 days; the agency and its words do not matter to grouping.
_INCIDENTS: Final = """
INSERT INTO incident (id, version, category, title, status, priority, regency, agency, kecamatan, kelurahan, lat, lon,
                      place_precision, cell, opened_at, updated_at, received_at, last_report_at, report_count, sources,
                      confidence, evidence, policy_version)
SELECT 'bench-' || n, 2,
       (ARRAY['traffic_jam', 'illegal_dumping', 'road_damage', 'flood', 'street_light', 'public_wifi', 'crowding',
              'other'])[1 + n % 8],
       'Laporan warga di Kota Bekasi', (ARRAY['routed', 'assigned', 'in_progress', 'on_hold'])[1 + n / 8 % 4], 'normal',
       '32.75', 'DLH', '32.75.04', NULL, lat, lon, 'exact',
       floor((lat + 90) / $3::float8)::bigint * $4::bigint + floor((lon + 180) / $3::float8)::bigint,
       at, at, at, at, 1, ARRAY['app'], 0.9, 1.0, 0
  FROM (SELECT n, -6.40 + 0.33 * (n * 0.6180339887 - floor(n * 0.6180339887)) AS lat,
               106.93 + 0.21 * (n * 0.7548776662 - floor(n * 0.7548776662)) AS lon,
               now() - make_interval(secs => (n * 7919 % 2592000)::float8) AS at
          FROM generate_series($1::bigint, $2::bigint) AS s (n)) AS spread
"""
_REPORTS: Final = """
INSERT INTO report (id, tracking_code, incident_id, channel, category, description, lat, lon, submitted_at, received_at)
SELECT id, id, id, 'app', NULL, 'Laporan warga, mohon ditindaklanjuti', lat, lon, opened_at, opened_at
  FROM incident WHERE id LIKE 'bench-%' ON CONFLICT DO NOTHING
"""
_HISTORY: Final = """
INSERT INTO incident_history (incident_id, version, change, status, actor, at)
SELECT id, v, 'changed', status, 'bench', opened_at FROM incident CROSS JOIN generate_series(1, 2) AS s (v)
 WHERE id LIKE 'bench-%' ON CONFLICT DO NOTHING
"""


@dataclass(frozen=True)
class Measured:
    """What one batch of reports took: seconds by the clock, CPU seconds, and how many joined an incident."""

    reports: int
    joined: int
    seconds: float
    dispatcher_cpu_s: float
    postgres_cpu_s: float


async def run(
    folder: Path, rounds: int, noise: Noise, sizes: Sequence[int] = SIZES, reports: int = 600, shared: int = 1_500
) -> Section:
    """The chapter. A round grows one city, so that its sizes cannot take turns; each has a new dispatcher process."""
    section = Section(TITLE)
    found: dict[int, list[Measured]] = {size: [] for size in sizes}
    alone: list[Measured] = []
    together: list[Measured] = []
    for number in range(rounds):
        async with Stack(folder / f"growth-{number}") as stack:
            await ensure_topics(stack.kafka.bootstrap, embedded=True)
            await migrate(stack.postgres.dsn)
            before = 0
            for size in sizes:
                noise.listen()
                await _grow(stack, before, size)
                before = size
                found[size].append(await measure(stack, folder, size, reports))
                if shared and size == min(_SHARED_AT, sizes[-1]):
                    for dispatchers, those in [(1, alone), (2, together)][:: 1 if number % 2 == 0 else -1]:
                        those.append(await measure(stack, folder, size, shared, dispatchers=dispatchers))
    section.settings = [
        f"{reports} reports of dumping, every second one 30 m from an open incident of its kind, through Kafka and a "
        "new `patriot dispatcher` with default settings; CPU from the first report's handing over to the last commit",
        "open incidents of eight categories, evenly over the two governments' area and the last 30 days, each with a "
        "report and two lines of history; their rows are put into PostgreSQL directly",
        f"one and two dispatchers: {shared:,} reports at {min(_SHARED_AT, sizes[-1]):,} open incidents, both in their "
        "group before the first report",
    ]
    for size in sizes:
        name = f"{size:,} open incidents"
        section.rows += [
            Row(f"{name}: dispatcher's CPU per report", "ms", _each(found[size], "dispatcher_cpu_s")),
            Row(f"{name}: PostgreSQL's CPU per report", "ms", _each(found[size], "postgres_cpu_s"), "key figures too"),
            Row(f"{name}: time per report", "ms", _each(found[size], "seconds")),
        ]
    small, large = found[sizes[0]], found[sizes[-1]]
    for what, of in (("dispatcher's CPU", "dispatcher_cpu_s"), ("time", "seconds")):
        ratios = tuple(b / a for a, b in zip(_each(small, of), _each(large, of), strict=True))
        section.rows.append(
            Row(f"{what} per report, {sizes[-1]:,} against {sizes[0]:,}", "×", ratios, "", Goal("most", 1.5))
        )
    if not shared:
        return section
    section.rows += [
        Row("one dispatcher", "reports/s", tuple(one.reports / one.seconds for one in alone)),
        Row("two dispatchers", "reports/s", tuple(one.reports / one.seconds for one in together)),
        Row(
            "two against one",
            "×",
            tuple(a.seconds / b.seconds for a, b in zip(alone, together, strict=True)),
            "Kafka, PostgreSQL and both dispatchers on the same cores",
        ),
    ]
    return section


def _each(measured: Sequence[Measured], what: str) -> tuple[float, ...]:
    return tuple(getattr(one, what) / one.reports * 1000 for one in measured)


async def _grow(stack: Stack, before: int, size: int) -> None:
    database = await asyncpg.connect(stack.postgres.dsn)
    async with database.transaction():
        await database.execute(_INCIDENTS, before, size - 1, CELL_DEG, _COLUMNS)
        await database.execute(_REPORTS)
        await database.execute(_HISTORY)
    for table in ("incident", "report", "incident_history"):
        await database.execute(f"VACUUM ANALYZE {table}")
    await database.execute("CHECKPOINT")
    await database.close()


async def measure(stack: Stack, folder: Path, size: int, reports: int, *, dispatchers: int = 1) -> Measured:
    """New dispatchers, ready before the first report; until all of them are committed."""
    database = await asyncpg.connect(stack.postgres.dsn)
    producer = await start_producer(stack.kafka.bootstrap, "bench-reports", request_timeout_ms=60_000)
    environment = {
        "PATRIOT_KAFKA_BOOTSTRAP": stack.kafka.bootstrap,
        "PATRIOT_POSTGRES_DSN": stack.postgres.dsn,
        "PATRIOT_DATA_DIR": str(folder),
    }
    try:
        near = await database.fetch(
            "SELECT lat, lon FROM incident WHERE category = 'illegal_dumping' AND id LIKE 'bench-%'"
            " AND last_report_at > now() - interval '2 days' ORDER BY random() LIMIT $1",
            reports // 2,
        )
        records = [_record(number, near) for number in range(reports)]
        with ExitStack() as stopping:
            services = [
                stopping.enter_context(Service("dispatcher", folder, "PATRIOT_DISPATCHER_PORT", environment))
                for _ in range(dispatchers)
            ]
            for service in services:
                await asyncio.to_thread(service.start)
            await _settled(database, dispatchers)
            pids = [service.process.pid for service in services if service.process is not None]
            assert stack.postgres.child is not None
            server = psutil.Process(stack.postgres.child.pid)
            kept: int = await database.fetchval(_READ)
            incidents: int = await database.fetchval("SELECT count(*) FROM incident")
            start, cpu, of_postgres = time.perf_counter(), cpu_s(pids), tree_cpu_s(server)
            waiting = [
                await producer.send(topics.REPORT.name, value, key, headers=headers) for key, value, headers in records
            ]
            await asyncio.gather(*waiting)
            while await database.fetchval(_READ) < kept + reports:
                if time.perf_counter() - start > _PATIENCE_S:
                    raise RuntimeError(f"{reports} reports at {size} open incidents took more than {_PATIENCE_S} s")
                await asyncio.sleep(0.01)
            measured = (
                time.perf_counter() - start,
                cpu_s(pids) - cpu,
                tree_cpu_s(server) - of_postgres,
            )
            opened: int = await database.fetchval("SELECT count(*) FROM incident") - incidents
            refused: int = await database.fetchval("SELECT count(*) FROM dead_letter")
            if refused:
                raise RuntimeError(f"{refused} reports were set aside")
            return Measured(reports, reports - opened, *measured)
    finally:
        await stop_quietly(producer)
        await database.close()


#: Reports read and committed so far; one dispatcher or two, in one cheap statement.
_READ: Final = (
    "SELECT coalesce(sum(next_offset), 0)::bigint FROM consumer_offset"
    f" WHERE consumer = 'reports' AND topic = '{topics.REPORT.name}'"
)


async def _settled(database: "asyncpg.Connection[asyncpg.Record]", dispatchers: int) -> None:
    """Wait until nobody has claimed a partition for a while: all are in their group, which takes a rebalance."""
    epochs, since, start = -1, time.monotonic(), time.monotonic()
    while time.monotonic() - since < 1.5 * dispatchers:
        now = await database.fetchval("SELECT coalesce(sum(epoch), 0)::bigint FROM consumer_offset")
        if now != epochs:
            epochs, since = now, time.monotonic()
        if time.monotonic() - start > _PATIENCE_S:
            raise RuntimeError("the dispatchers' group does not come to rest")
        await asyncio.sleep(0.1)


def _record(number: int, near: Sequence[asyncpg.Record]) -> tuple[bytes, bytes, list[tuple[str, bytes]]]:
    """Key, value and headers of a report: near an incident, or at a place of its own."""
    if number % 2 and near:
        spot = near[number // 2 % len(near)]
        lat, lon = spot["lat"] + _NEAR_DEG / 2, spot["lon"]
    else:
        lat, lon = place(number * 7 + 3)
    name, now = uuid.uuid4().hex, datetime.now(UTC)
    value = ReportSubmitted(
        report_id=name,
        tracking_code=name,
        description=f"Tumpukan sampah liar di pinggir jalan, sudah bau ({number})",
        channel=ReportChannel.APP,
        submitted_at=now,
        lat=lat,
        lon=lon,
    )
    about = Envelope(name, topics.REPORT_SUBMITTED, "urn:bekasi:bench", name, now, new_traceparent())
    return name.encode(), encode(value), write(about)
