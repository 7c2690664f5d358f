"""Chapter: from a topic full of readings to PostgreSQL, ours with all its guarantees against what people commonly take.

Each contender is a new process on a new database, with the whole topic before it. Timed from its first commit that is
seen to the last, so that starting counts for nobody; CPU is that of the contender's process over the same time.
"""

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import asyncpg

from infra.kafka import start_admin, stop_admin_quietly
from infra.local.ports import find_free
from infra.local.stack import Stack
from infra.migrate import migrate
from infra.topics_admin import ensure_topics
from schemas import topics
from tests.bench import readings
from tests.bench.contenders import debezium_sink
from tests.bench.machine import Noise, cpu_s
from tests.bench.rounds import rotated
from tests.bench.row import Goal, Row, Section, ratio

TITLE: Final = "Sink"
_TEMPLATE: Final = "bench_template"
_COUNT: Final = "SELECT count(*) FROM traffic_reading"
OURS: Final = "ours, all guarantees"
CEILING: Final = "getmany + COPY (ceiling)"
PYDANTIC: Final = "FastStream batch, Pydantic"
MSGSPEC: Final = "FastStream batch, msgspec"
SINGLE: Final = "FastStream per message"
DEBEZIUM: Final = "Debezium JDBC sink"


@dataclass(frozen=True)
class Contender:
    """One way to keep readings."""

    name: str
    settings: str
    #: It is measured over this many readings: a slow one over fewer.
    events: int
    #: Seconds until the last of them.
    patience_s: float = 90.0
    #: Rounds it takes part in.
    rounds: int = 99


@dataclass(frozen=True)
class Measured:
    """Readings per second by the clock and per CPU second of the contender's process, and how many lie in the table."""

    per_s: float
    per_cpu_s: float
    kept: int


def contenders(events: int) -> list[Contender]:
    """All of them, for a topic of so many readings."""
    return [
        Contender(
            OURS,
            "`patriot dispatcher` with default settings (500 messages a transaction): envelope and schema checked, "
            "one fenced transaction a batch with its offsets, dead letters, newest row per sensor, outbox, relay to "
            "the wall's topic",
            events,
        ),
        Contender(
            CEILING,
            "aiokafka `getmany` of up to 2,000, msgspec, COPY into a stage, INSERT ON CONFLICT, offsets in the same "
            "transaction; no envelope, no fence, no wall",
            events,
        ),
        Contender(
            PYDANTIC,
            "`batch=True, max_records=2000, ack_policy=ACK`, `list[BaseModel]`, one unnest INSERT a batch",
            events,
        ),
        Contender(MSGSPEC, "the same with FastDepends' MsgSpecSerializer and `list[Struct]`", events),
        Contender(
            SINGLE,
            "`ack_policy=ACK`: one INSERT and one commit to Kafka per message, which is at least once",
            min(events, 1_000),
        ),
        Contender(
            DEBEZIUM,
            f"{debezium_sink.VERSION} in Kafka Connect standalone, `-Xmx512m`, `insert.mode=upsert, batch.size=2000, "
            "max.poll.records=2000`; its CPU includes a JIT that is still warming up",
            events,
            patience_s=150.0,
            rounds=2,
        ),
    ]


def command(name: str, folder: Path, stack: Stack, dsn: str) -> tuple[list[str], Mapping[str, str]]:
    """What starts a contender, and its environment."""
    where = [stack.kafka.bootstrap, dsn, topics.TELEMETRY.name]
    python = [sys.executable, "-m"]
    match name:
        case str() if name == OURS:
            environment = {
                "PATRIOT_SECRET": "5a" * 32,
                "PATRIOT_KAFKA_BOOTSTRAP": stack.kafka.bootstrap,
                "PATRIOT_POSTGRES_DSN": dsn,
                "PATRIOT_DISPATCHER_PORT": str(find_free("127.0.0.1")),
                "PATRIOT_DATA_DIR": str(folder),
            }
            return [*python, "infra.local.cli", "dispatcher"], environment
        case str() if name == CEILING:
            return [*python, "tests.bench.contenders.copy_sink", *where, "2000"], {}
        case str() if name == DEBEZIUM:
            return debezium_sink.command(debezium_sink.ensure(), folder, *where), {}
        case _:
            way = {PYDANTIC: "batch-pydantic", MSGSPEC: "batch-msgspec", SINGLE: "message-pydantic"}[name]
            return [*python, "tests.bench.contenders.faststream_sink", *where, way], {}


async def measure(contender: Contender, stack: Stack, folder: Path) -> Measured:
    """Run it on a database of its own until it has kept what it is measured over."""
    name = f"bench_{time.time_ns()}"
    admin = await asyncpg.connect(stack.postgres.dsn)
    await admin.execute(f"CREATE DATABASE {name} TEMPLATE {_TEMPLATE}")
    dsn = stack.postgres.dsn.rpartition("/")[0] + f"/{name}"
    try:
        with tempfile.TemporaryDirectory(dir=folder) as own:
            argv, environment = command(contender.name, Path(own), stack, dsn)
            return await _run(contender, argv, environment, dsn, folder / f"{name}.log")
    finally:
        await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
        await admin.close()


async def _run(contender: Contender, argv: list[str], environment: Mapping[str, str], dsn: str, log: Path) -> Measured:
    database = await asyncpg.connect(dsn)
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: ASYNC220  (a moment, before anything is measured)
            argv, env={**os.environ, **environment}, stdout=output, stderr=output
        )
    try:
        deadline = time.monotonic() + contender.patience_s
        # The first commit that is seen; of one that is as quick as our looks, the last look before it.
        began: tuple[float, float, int] = (time.perf_counter(), 0.0, 0)
        while True:
            at, cpu = time.perf_counter(), cpu_s([process.pid])
            kept: int = await database.fetchval(_COUNT)
            if kept >= contender.events:
                break
            if not began[2]:
                began = at, cpu, kept
            if process.poll() is not None or time.monotonic() > deadline:
                said = log.read_text(errors="replace").strip().splitlines()
                raise RuntimeError(
                    f"{contender.name} kept {kept} of {contender.events} in {contender.patience_s:.0f} s; it said last:"
                    f" {said[-1][:300] if said else 'nothing'}"
                )
            await asyncio.sleep(0.1 if kept < contender.events * 0.7 else 0.02)
        events = kept - began[2]
        return Measured(events / (at - began[0]), events / max(cpu - began[1], 1e-3), kept)
    finally:
        process.kill()
        process.wait()
        await database.close()


async def run(
    folder: Path, rounds: int, noise: Noise, events: int = 60_000, only: Sequence[str] | None = None
) -> Section:
    """The chapter. A contender that fails is left out, with a line that says why."""
    found: dict[str, list[Measured]] = {}
    missing: dict[str, str] = {}
    async with Stack(folder / "sink") as stack:
        await ensure_topics(stack.kafka.bootstrap, embedded=True)
        size = await prepare(stack, events)
        here = [contender for contender in contenders(events) if only is None or contender.name in only]
        for number, contender in rotated(here, rounds):
            if contender.name in missing or number >= contender.rounds:
                continue
            noise.listen()
            try:
                if contender.name == OURS:
                    await _empty_feed(stack.kafka.bootstrap)
                found.setdefault(contender.name, []).append(await measure(contender, stack, folder))
            except (RuntimeError, OSError) as error:
                missing[contender.name] = str(error)
    return section_of(here, found, missing, f"{events:,}", f"{size:.0f}")


async def prepare(stack: Stack, events: int) -> float:
    """Fill the topic, and make the database that each contender gets a copy of; the mean size of a record in bytes."""
    size = await readings.fill(stack.kafka.bootstrap, events)
    admin = await asyncpg.connect(stack.postgres.dsn)
    await admin.execute(f"CREATE DATABASE {_TEMPLATE}")
    await admin.close()
    template = stack.postgres.dsn.rpartition("/")[0] + f"/{_TEMPLATE}"
    await migrate(template)
    await _let_defaults_in(template)
    return size


def section_of(
    here: Sequence[Contender],
    found: Mapping[str, Sequence[Measured]],
    missing: Mapping[str, str],
    events: str,
    size: str,
) -> Section:
    """The chapter from what was measured, with a line for each contender that could not be."""
    section = Section(TITLE)
    section.settings = [
        f"{events} readings of {readings.SENSORS} counting loops in 12 partitions, {size} bytes each with "
        "envelope: traffic readings without a speed, which are kept and shown, and not judged for jams",
        *(f"{each.name}: {each.settings}" for each in here),
        *(f"{name} could not be measured: {why}" for name, why in missing.items()),
    ]
    for each in here:
        if measured := found.get(each.name):
            section.rows += [
                Row(each.name, "readings/s", tuple(one.per_s for one in measured)),
                Row(each.name, "readings per client CPU s", tuple(one.per_cpu_s for one in measured)),
            ]
    section.rows += _goals(found)
    return section


async def _empty_feed(bootstrap: str) -> None:
    """The board of the database before is none of this one's."""
    admin = await start_admin(bootstrap, "bench-sink", request_timeout_ms=30_000)
    try:
        await admin.delete_topics([topics.FEED.name])
        while topics.FEED.name in await admin.list_topics():
            await asyncio.sleep(0.05)
    finally:
        await stop_admin_quietly(admin)
    await ensure_topics(bootstrap, embedded=True)


async def _let_defaults_in(dsn: str) -> None:
    """Debezium's sink has no word for the time of arrival."""
    database = await asyncpg.connect(dsn)
    await database.execute("ALTER TABLE traffic_reading ALTER received_at SET DEFAULT now()")
    await database.close()


def _goals(found: Mapping[str, Sequence[Measured]]) -> list[Row]:
    rows = []
    for other, limit in ((CEILING, 0.5), (PYDANTIC, 1.5)):
        for what, of in (("by the clock", lambda one: one.per_s), ("per client CPU second", lambda one: one.per_cpu_s)):
            ours, theirs = ([of(one) for one in found.get(name, ())] for name in (OURS, other))
            rows += ratio(f"ours against {other}, {what}", ours, theirs, Goal("least", limit))
    return rows
