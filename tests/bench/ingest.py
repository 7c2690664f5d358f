"""Chapter: what one ingest process takes, against the handler that everybody would write first; readings in batches.

Closed loop: each connection sends as soon as it is answered. Nobody reads the topics meanwhile. Each measurement has a
new process, and counts only what Kafka really has afterwards.
"""

import asyncio
import itertools
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import asyncpg
import httpx
import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition

from dispatcher.desk import device_keys
from infra.access import DeviceScope
from infra.local.ports import find_free
from infra.local.stack import Stack
from infra.migrate import migrate
from infra.topics_admin import ensure_topics
from schemas import topics
from tests.bench.load import closed_loop
from tests.bench.machine import Noise, cpu_s
from tests.bench.places import reports
from tests.bench.rounds import rotated
from tests.bench.row import Goal, Row, Section, ratio

TITLE: Final = "Ingest"
OURS: Final = "reports: `patriot ingest`"
BARE: Final = "reports: bare FastAPI + Pydantic + aiokafka"
SINGLE: Final = "readings one by one"
_CONNECTIONS: Final = 32
#: Connections that send arrays; a gateway has one or two.
_GATEWAYS: Final = 8
_READY_S: Final = 30.0
_WARM_S: Final = 0.5


def batched(size: int) -> str:
    """Name of the contender that sends so many readings at once."""
    return f"readings by {size}"


@dataclass(frozen=True)
class Measured:
    """Things a second by the clock and per CPU second of the process; how many were accepted, and are in Kafka."""

    per_s: float
    per_cpu_s: float
    accepted: int
    kept: int


async def run(folder: Path, rounds: int, noise: Noise, seconds: float = 4.0) -> Section:
    """The chapter."""
    section = Section(TITLE)
    found: dict[str, list[Measured]] = {}
    async with Stack(folder / "ingest") as stack:
        await ensure_topics(stack.kafka.bootstrap, embedded=True)
        await migrate(stack.postgres.dsn)
        database = await asyncpg.connect(stack.postgres.dsn)
        key = await device_keys.add(database, "bench", [DeviceScope.REPORTS, DeviceScope.TELEMETRY])
        await database.close()
        names = [OURS, BARE, SINGLE, batched(100), batched(500)]
        for _, name in rotated(names, rounds):
            noise.listen()
            found.setdefault(name, []).append(await measure(name, stack, folder, key, seconds))
    section.settings = [
        f"{OURS}: default settings, with a device key (as another app's gateway has one), {_CONNECTIONS} "
        "connections; JSON without photo and Idempotency-Key",
        f"{BARE}: one uvicorn process with uvloop and httptools, `acks='all', enable_idempotence=True`, the same topic "
        "(flushed for each batch of records), the same connections and bodies; none of access, limits, envelope, "
        "tracking codes or metrics",
        f"readings: `POST /api/v1/telemetry`, {_GATEWAYS} connections, arrays of 1, 100 and 500 traffic readings",
    ]
    for name in names:
        things = "reports" if name in (OURS, BARE) else "readings"
        section.rows += [
            Row(name, f"{things}/s", tuple(one.per_s for one in found[name])),
            Row(name, f"{things} per CPU s", tuple(one.per_cpu_s for one in found[name])),
        ]
    section.rows += _goals(found)
    return section


def _goals(found: Mapping[str, Sequence[Measured]]) -> list[Row]:
    rows = ratio(
        "ours against the bare handler, per CPU second",
        [one.per_cpu_s for one in found[OURS]],
        [one.per_cpu_s for one in found[BARE]],
        Goal("least", 0.8),
    )
    for size in (100, 500):
        rows += ratio(
            f"readings by {size} against one by one, by the clock",
            [one.per_s for one in found[batched(size)]],
            [one.per_s for one in found[SINGLE]],
            Goal("least", 8),
        )
    return rows


async def measure(name: str, stack: Stack, folder: Path, key: str, seconds: float) -> Measured:
    """A new process, warmed for a moment, under load for so many seconds."""
    topic, path, size = topics.REPORT.name, b"/api/v1/reports", 1
    bodies: Iterator[bytes] = reports()
    if name not in (OURS, BARE):
        topic, path = topics.TELEMETRY.name, b"/api/v1/telemetry"
        size = 1 if name == SINGLE else int(name.rpartition(" ")[2])
        bodies = arrays(size)
    connections = _CONNECTIONS if size == 1 and path.endswith(b"reports") else _GATEWAYS
    before = await _records(stack.kafka.bootstrap, topic)
    async with _serving(name, stack, folder) as (pid, url):
        warm, _ = await closed_loop(url, key, path, bodies, connections, _WARM_S)
        cpu = cpu_s([pid])
        answers, elapsed = await closed_loop(url, key, path, bodies, connections, seconds)
        cpu = cpu_s([pid]) - cpu
    refused = {status: len(those) for status, those in answers.seconds.items() if status != 202}
    if refused:
        raise RuntimeError(f"{name}: answers other than 202: {refused}")
    accepted = answers.count(202) * size
    kept = await _records(stack.kafka.bootstrap, topic) - before
    sent = accepted + warm.count(202) * size
    if kept != sent:
        raise RuntimeError(f"{name}: {sent} were accepted, Kafka has {kept}")
    return Measured(accepted / elapsed, accepted / max(cpu, 1e-3), sent, kept)


def arrays(size: int) -> Iterator[bytes]:
    """Arrays of so many readings, none of them twice."""
    start = datetime.now(UTC) - timedelta(days=3)
    for number in itertools.count():
        at = (start + timedelta(milliseconds=200 * number)).isoformat()
        yield msgspec.json.encode(
            [
                {
                    "kind": "traffic",
                    "sensor_id": f"loop-{sensor:04d}",
                    "observed_at": at,
                    "speed_kmh": 20.0 + sensor % 40,
                    "occupancy": 0.2,
                    "flow_per_h": 640.0,
                }
                for sensor in range(size)
            ]
        )


@asynccontextmanager
async def _serving(name: str, stack: Stack, folder: Path) -> AsyncIterator[tuple[int, str]]:
    """The process and its address, ready."""
    port = find_free("127.0.0.1")
    if name == BARE:
        where = [stack.kafka.bootstrap, topics.REPORT.name, str(port)]
        argv = [sys.executable, "-m", "tests.bench.contenders.bare_ingest", *where]
    else:
        argv = [sys.executable, "-m", "infra.local.cli", "ingest"]
    environment = {
        "PATRIOT_SECRET": "5a" * 32,
        "PATRIOT_KAFKA_BOOTSTRAP": stack.kafka.bootstrap,
        "PATRIOT_POSTGRES_DSN": stack.postgres.dsn,
        "PATRIOT_PORT": str(port),
        "PATRIOT_DATA_DIR": str(folder / "ingest-data"),
    }
    log = folder / "ingest.log"
    with log.open("ab") as output:
        process = subprocess.Popen(  # noqa: ASYNC220  (a moment, before anything is measured)
            argv, env={**os.environ, **environment}, stdout=output, stderr=output
        )
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + _READY_S
        async with httpx.AsyncClient() as client:
            while True:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"{name} is not ready: {log.read_text(errors='replace')[-300:]}")
                try:
                    if (await client.get(f"{url}/readyz", timeout=2)).status_code == 200:
                        break
                except httpx.HTTPError:
                    pass
                await asyncio.sleep(0.05)
        yield process.pid, url
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


async def _records(bootstrap: str, topic: str) -> int:
    """How many records the topic has had."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap)
    await consumer.start()
    try:
        partitions = [TopicPartition(topic, number) for number in range(topics.REPORT.partitions)]
        return sum((await consumer.end_offsets(partitions)).values())
    finally:
        await consumer.stop()
