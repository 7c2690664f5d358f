"""What is measured, one function a figure; each returns a plain row."""

import asyncio
import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import psutil

from tests.bench.load import Connection, closed_loop, open_loop
from tests.bench.places import place, report, reports
from tests.city import City, start_city, stop_city
from tests.people import Staff, Wall

COMMAND = [sys.executable, "-m", "infra.local.cli"]


@dataclass(frozen=True)
class Row:
    """One figure: its name, unit, and the value of each round."""

    name: str
    unit: str
    values: tuple[float, ...]
    note: str = ""

    @property
    def median(self) -> float:
        return statistics.median(self.values)


def _percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def _tree(pid: int) -> list[psutil.Process]:
    top = psutil.Process(pid)
    return [top, *top.children(recursive=True)]


def proportional_memory_mib(city: City) -> dict[str, float]:
    """PSS by service of everything below `patriot up`, in MiB; shared pages are counted once."""
    found: dict[str, float] = {}
    for process in _tree(city.process.pid):
        try:
            command = " ".join(process.cmdline())
            pss = process.memory_full_info().pss / 2**20
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
        name = next(
            (
                name
                for name, mark in {
                    "kafka": "kafka.Kafka",
                    "postgres": "postgres",
                    "web": "infra.local.web",
                    "dispatcher": "dispatcher",
                    "feed": "feed",
                    "photo workers": "photo_worker",
                }.items()
                if mark in command
            ),
            "supervisor",
        )
        found[name] = found.get(name, 0.0) + pss
    return found


async def ingest(city: City, seconds: float, first: int) -> tuple[float, float]:
    """Reports/s accepted by one ingest process, with the dispatcher stopped; and its CPU seconds per 1,000 reports."""
    web = psutil.Process(int(str(city.services["web"]["pid"])))
    before = sum(web.cpu_times()[:2])
    answers, elapsed = await closed_loop(
        city.base_url, city.device_api_key, b"/api/v1/reports", reports(first), 32, seconds
    )
    accepted = answers.count(202)
    assert accepted == sum(len(values) for values in answers.seconds.values()), answers.seconds.keys()
    return accepted / elapsed, (sum(web.cpu_times()[:2]) - before) / accepted * 1000


async def judgements(city: City, how_many: int, first: int) -> float:
    """Reports/s through all judgements by one dispatcher: it is stopped, its topic filled, and it catches up."""
    database = await asyncpg.connect(city.postgres_dsn)
    dispatcher = psutil.Process(int(str(city.services["dispatcher"]["pid"])))
    count = "SELECT count(*) FROM report"
    before: int = await database.fetchval(count)
    dispatcher.suspend()
    try:
        connections = [await Connection(city.base_url, city.device_api_key).open() for _ in range(32)]
        numbers = iter(range(first, first + how_many))

        async def fill(connection: Connection) -> None:
            for n in numbers:
                assert await connection.post(b"/api/v1/reports", report(n)) == 202

        await asyncio.gather(*(fill(connection) for connection in connections))
    finally:
        dispatcher.resume()
    start: float | None = None
    seen: int = before
    while seen < before + how_many:
        await asyncio.sleep(0.02)
        seen = await database.fetchval(count)
        if start is None and seen > before:
            start, at_start = time.perf_counter(), seen
    assert start is not None
    await database.close()
    return float((seen - at_start) / max(time.perf_counter() - start, 1e-9))


async def report_to_wall(city: City, staff: Staff, per_second: float, seconds: float, first: int) -> list[float]:
    """Seconds from sending a report to its row at a connected wall client, open loop."""
    wall = await Wall.open(staff, "incidents")
    sent: dict[tuple[float, float], float] = {}
    arrived: dict[tuple[float, float], float] = {}
    take = wall._publish

    def watch(channel: str, publication: dict[str, object]) -> None:
        row = publication.get("data")
        if isinstance(row, dict):
            arrived.setdefault((row["lat"], row["lon"]), time.perf_counter())
        take(channel, publication)

    wall._publish = watch  # type: ignore[method-assign]
    free = asyncio.Queue[Connection]()
    for _ in range(64):
        free.put_nowait(await Connection(city.base_url, city.device_api_key).open())

    async def act(n: int) -> None:
        where = place(first + n)
        sent[where] = time.perf_counter()
        connection = await free.get()
        assert await connection.post(b"/api/v1/reports", report(first + n)) == 202
        free.put_nowait(connection)

    await open_loop(per_second, seconds, act)
    deadline = time.perf_counter() + 20
    while len(arrived.keys() & sent.keys()) < len(sent) and time.perf_counter() < deadline:
        await asyncio.sleep(0.05)
    await wall.close()
    missing = len(sent) - len(arrived.keys() & sent.keys())
    assert missing == 0, f"{missing} of {len(sent)} reports did not reach the wall within 20 s"
    return [arrived[where] - at for where, at in sent.items()]


def percentiles(name: str, rounds: list[list[float]]) -> list[Row]:
    """p50 and p99 of latencies, in milliseconds, one value a round."""
    return [
        Row(f"{name}, p50", "ms", tuple(_percentile(values, 0.5) * 1000 for values in rounds)),
        Row(f"{name}, p99", "ms", tuple(_percentile(values, 0.99) * 1000 for values in rounds)),
    ]


def second_up_seconds(folder: Path, rounds: int) -> tuple[float, ...]:
    """Seconds until a `patriot up` on a directory with data says that all is ready."""
    found = []
    for _ in range(rounds):
        (folder / "ready.json").unlink(missing_ok=True)
        start = time.perf_counter()
        city = start_city(folder, COMMAND, dict(os.environ))
        found.append(time.perf_counter() - start)
        stop_city(city)
    return tuple(found)


def machine() -> str:
    """What this was measured on, in one line."""
    memory = psutil.virtual_memory().total / 2**30
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return (
        f"{os.cpu_count()} cores, {memory:.0f} GiB, Python {sys.version.split()[0]}, load average "
        f"{os.getloadavg()[0]:.1f} at the end, commit {commit.stdout.strip() or 'none'}"
    )
