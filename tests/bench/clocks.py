"""Chapter: how fast the clocks are when very many run out in the same moment."""

import asyncio
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import asyncpg
import psutil

from infra.local.stack import Stack
from infra.migrate import migrate
from infra.topics_admin import ensure_topics
from tests.bench.machine import Noise, cpu_s, tree_cpu_s
from tests.bench.row import Goal, Row, Section
from tests.faults.process import Service

TITLE: Final = "Clocks"
_COUNT: Final = 10_000
_GOAL_S: Final = 10.0
#: From their being there until they are due: the dispatcher has settled by then.
_LEAD: Final = timedelta(seconds=6)
_PATIENCE_S: Final = 120.0

# Jams on which an officer is, each some 30 m from the next; the first rung of what is promised for being done, a
# warning, comes after 2 h 24 min for all of them.
_INCIDENTS: Final = """
INSERT INTO incident (id, version, category, title, status, priority, regency, agency, kecamatan, lat, lon,
                      place_precision, opened_at, updated_at, received_at, last_report_at, report_count, sources,
                      confidence, evidence, first_look_due_at, on_scene_due_at, due_at, looked_at, on_scene_at,
                      policy_version)
SELECT 'bench-' || n, 2, 'traffic_jam', 'Kemacetan', 'in_progress', 'normal', '32.75', 'DISHUB', '32.75.04',
       -6.40 + n * 0.00003, 106.93, 'exact', at, at, at, at, 1, ARRAY['app'], 0.9, 1.0, at + interval '5 min',
       at + interval '30 min', at + interval '3 h', at, at, 0
  FROM (SELECT n, $2::timestamptz AS at FROM generate_series(1, $1::bigint) AS s (n)) AS reported
"""
_DEADLINES: Final = """
INSERT INTO deadline (incident_id, kind, due_at, rungs)
SELECT id, 'resolved', opened_at + interval '144 min',
       ARRAY[opened_at + interval '144 min', opened_at + interval '3 h', opened_at + interval '270 min']
  FROM incident WHERE id LIKE 'bench-%'
"""


@dataclass(frozen=True)
class Measured:
    """One round."""

    #: From when they were due until the last one was committed.
    seconds: float
    dispatcher_cpu_s: float
    postgres_cpu_s: float


async def run(folder: Path, rounds: int, noise: Noise, count: int = _COUNT) -> Section:
    """The chapter: each round is a city of its own."""
    section, found = Section(TITLE), []
    for number in range(rounds):
        noise.listen()
        async with Stack(folder / f"clocks-{number}") as stack:
            await ensure_topics(stack.kafka.bootstrap, embedded=True)
            await migrate(stack.postgres.dsn)
            found.append(await measure(stack, folder, count))
    section.settings = [
        f"{count:,} incidents in progress that were reported in the same moment, so that all are warned of in the same "
        "moment too; one `patriot dispatcher` with default settings, ready before they are due; each is a line of "
        "history, two records for Kafka and its next deadline"
    ]
    section.rows = [
        Row(
            f"{count:,} clocks due in the same moment: until the last one has fired",
            "s",
            tuple(one.seconds for one in found),
            "committed in PostgreSQL",
            Goal("most", _GOAL_S),
        ),
        Row(
            "dispatcher's CPU per clock",
            "ms",
            tuple(one.dispatcher_cpu_s / count * 1000 for one in found),
            "the relay, which sends to Kafka meanwhile, is in it",
        ),
        Row("PostgreSQL's CPU per clock", "ms", tuple(one.postgres_cpu_s / count * 1000 for one in found)),
    ]
    return section


async def measure(stack: Stack, folder: Path, count: int) -> Measured:
    """A dispatcher that waits for them; raises when one has fired twice or not at all."""
    environment = {
        "PATRIOT_KAFKA_BOOTSTRAP": stack.kafka.bootstrap,
        "PATRIOT_POSTGRES_DSN": stack.postgres.dsn,
        "PATRIOT_DATA_DIR": str(folder),
    }
    database = await asyncpg.connect(stack.postgres.dsn)
    try:
        with Service("dispatcher", folder, "PATRIOT_DISPATCHER_PORT", environment) as service:
            await asyncio.to_thread(service.start)
            assert service.process is not None
            due_at: datetime = await database.fetchval(
                "SELECT now() + $1::interval", _LEAD + timedelta(seconds=count / 5_000)
            )
            async with database.transaction():
                await database.execute(_INCIDENTS, count, due_at - timedelta(minutes=144))
                await database.execute(_DEADLINES)
            await database.execute("VACUUM ANALYZE incident, deadline")
            wait: float = await database.fetchval("SELECT extract(epoch FROM $1 - clock_timestamp())::float8", due_at)
            if wait < 0:
                raise RuntimeError(f"{count} incidents were not there in time")
            await asyncio.sleep(wait)
            assert stack.postgres.child is not None
            server = psutil.Process(stack.postgres.child.pid)
            cpu, of_postgres, start = cpu_s([service.process.pid]), tree_cpu_s(server), time.perf_counter()
            while await database.fetchval("SELECT count(*) FROM deadline WHERE step = 0"):
                if time.perf_counter() - start > _PATIENCE_S:
                    raise RuntimeError(f"{count} clocks took more than {_PATIENCE_S} s")
                await asyncio.sleep(0.05)
            measured = Measured(
                time.perf_counter() - start,
                cpu_s([service.process.pid]) - cpu,
                tree_cpu_s(server) - of_postgres,
            )
        told = await database.fetchval("SELECT count(*) FROM incident_history WHERE change = 'due_soon'")
        if told != count:
            raise RuntimeError(f"{told} warnings of {count} incidents")
        return measured
    finally:
        await database.close()
