"""One event to many sockets: `patriot feed` behind Kafka against the loops that people write, and against NATS.

Every contender is a fresh process with the same clients (`feed_crowd`), one in ten of which never reads. Events are the
same JSON of some 400 bytes at the same times; ours reads them from Kafka, the others from a pipe (NATS by its own
protocol), which costs them less.
"""

import asyncio
import json
import os
import shutil
import sys
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

import httpx
import psutil
from aiokafka import AIOKafkaProducer

from infra.kafka import start_producer, stop_quietly
from infra.local.ports import find_free
from infra.local.stack import Stack
from schemas import topics
from schemas.vocabulary import FeedChannel
from tests.bench.rounds import rotated
from tests.bench.row import Goal, Row, Section, percentile, ratio

_SECRET: Final = "5a" * 32
#: Incidents that change in turn: more than happen within one tick, so that no event is joined away.
_KEYS: Final = 400
_START_S: Final = 30.0
#: The crowd has done what it was told within this time.
_ANSWER_S: Final = 60.0
#: Clients of the small and of the large crowd.
_SMALL, _LARGE = 1_000, 3_000


@dataclass(frozen=True)
class Contender:
    """Who fans out, and how it was set up."""

    name: str
    settings: str
    deflate: bool = True


OURS: Final = Contender(
    "patriot feed", "`patriot feed` with default settings, one incident row per event, from a real Kafka"
)
FASTAPI: Final = Contender(
    "FastAPI loop", "`await websocket.send_text()` for each client in turn; uvicorn with uvloop, deflate as by default"
)
BROADCAST: Final = Contender("websockets.broadcast()", "`websockets` with its default deflate, uvloop")
NATS: Final = Contender("nats-server", "`nats-server` of Debian, one subject over WebSocket, compression on")
PLAIN_OURS: Final = Contender("patriot feed, no deflate", "the same, for clients that offer no deflate", deflate=False)
PLAIN_FASTAPI: Final = Contender(
    "FastAPI loop, no deflate", "the same with `ws_per_message_deflate=False`", deflate=False
)
CONTENDERS: Final = (OURS, FASTAPI, BROADCAST, NATS)
PLAIN: Final = (PLAIN_OURS, PLAIN_FASTAPI)


@dataclass
class Measured:
    """What one contender did in one round; keys are (clients, events a second)."""

    cpu_us: dict[tuple[int, int], float] = field(default_factory=dict)
    p99_s: dict[tuple[int, int], float] = field(default_factory=dict)
    #: Share of what was sent that came to healthy clients within the time.
    came: dict[tuple[int, int], float] = field(default_factory=dict)
    kib_per_connection: float = 0.0
    grown_mib: float = 0.0
    storm_s: float = 0.0


class Source(Protocol):
    """Where a contender gets its events."""

    async def send(self, number: int) -> None:
        """One event, now."""


def event(number: int) -> bytes:
    """An incident's row with the time it was sent, some 400 bytes."""
    row = {
        "id": f"INC-{number % _KEYS:06}", "version": number, "category": "flood", "title": "Banjir, Jalan Ahmad Yani",
        "status": "routed", "priority": "high", "agency": "BPBD", "regency": "32.75", "kecamatan": "32.75.03",
        "kelurahan": "32.75.03.1002", "lat": -6.23812, "lon": 106.99531, "address": "Jalan Ahmad Yani 12",
        "opened_at": "2026-11-22T04:59:00Z", "updated_at": "2026-11-22T05:00:00Z", "due_at": None,
        "report_count": number % 40, "sources": ["app", "call_center"], "confidence": 0.91, "officers": [],
        "photo_url": None, "t": time.time_ns(),
    }  # fmt: skip
    return json.dumps(row, separators=(",", ":")).encode()


class _Kafka:
    """As the relay writes it."""

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self._producer = producer

    async def send(self, number: int) -> None:
        headers = [
            ("ce_type", topics.ROW_CHANGED[FeedChannel.INCIDENTS].encode()),
            # Later processes go on from there: rows with lower numbers would be taken for repetitions.
            (topics.HEADER_SEQ, str(time.time_ns()).encode()),
            (topics.HEADER_TAGS, b'{"agency":"32.75/BPBD","kecamatan":"32.75.03"}'),
        ]
        key = f"incidents:INC-{number % _KEYS:06}".encode()
        await self._producer.send(topics.FEED.name, event(number), key, headers=headers)


class _Pipe:
    """Standard input, a line an event."""

    def __init__(self, pipe: asyncio.StreamWriter) -> None:
        self._pipe = pipe

    async def send(self, number: int) -> None:
        self._pipe.write(event(number) + b"\n")
        # No drain: a loop that hangs must not hold up the clock.


class _Nats:
    """PUB on its own connection."""

    def __init__(self, connection: asyncio.StreamWriter) -> None:
        self._connection = connection

    async def send(self, number: int) -> None:
        body = event(number)
        self._connection.write(b"PUB feed %d\r\n%b\r\n" % (len(body), body))


class Crowd:
    """The clients, in a process of their own."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def tell(self, command: str) -> dict[str, Any]:
        """One command, one answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(command.encode() + b"\n")
        answer = await asyncio.wait_for(self._process.stdout.readline(), _ANSWER_S)
        assert answer, f"the crowd ended at {command!r}"
        found: dict[str, Any] = json.loads(answer)
        return found


def nats_server() -> str | None:
    """The program, if this machine has it."""
    return shutil.which("nats-server", path=os.environ.get("PATH", "") + os.pathsep + "/usr/sbin")


async def measure(
    contender: Contender, stack: Stack, folder: Path, seconds: float, *, clients: int = _SMALL, up_to: int | None = None
) -> Measured:
    """A fresh server and a fresh crowd. With `up_to` also at 10/s, with so many clients, and all coming back at once.

    Needs the topics. Raises `AssertionError` or `TimeoutError` when a contender cannot be measured.
    """
    measured = Measured()
    async with _serving(contender, stack, folder) as (pid, port, speech, source):
        server = psutil.Process(pid)
        async with _crowd(port, speech, contender) as crowd:
            number = await _warm(source)
            before = server.memory_info().rss
            await crowd.tell(f"connect {clients}")
            measured.kib_per_connection = (server.memory_info().rss - before) / 1024 / clients
            if up_to is not None:
                number = await _cell(measured, (clients, 10), server, crowd, source, number, seconds)
            number = await _cell(measured, (clients, 50), server, crowd, source, number, seconds)
            if up_to is not None:
                await crowd.tell(f"connect {up_to - clients}")
                start = server.memory_info().rss
                number = await _cell(measured, (up_to, 10), server, crowd, source, number, seconds)
                await _cell(measured, (up_to, 50), server, crowd, source, number, seconds)
                measured.grown_mib = (server.memory_info().rss - start) / 2**20
                try:
                    measured.storm_s = (await crowd.tell("storm"))["seconds"]
                except TimeoutError:
                    measured.storm_s = _ANSWER_S
    return measured


async def _warm(source: Source) -> int:
    """Every row once, before anybody looks."""
    for number in range(_KEYS):
        await source.send(number)
    await asyncio.sleep(0.5)
    return _KEYS


async def _cell(
    measured: Measured, cell: tuple[int, int], server: psutil.Process, crowd: Crowd, source: Source, first: int,
    seconds: float,
) -> int:  # fmt: skip
    """Send at the cell's pace; what it cost and when it came. Answers the next event's number."""
    _, per_second = cell
    count = int(per_second * seconds)
    await crowd.tell("quiet")
    await crowd.tell("begin")
    cpu, start = sum(server.cpu_times()[:2]), time.perf_counter()
    for n in range(count):
        await asyncio.sleep(max(0.0, start + n / per_second - time.perf_counter()))
        await source.send(first + n)
    await asyncio.sleep(max(0.0, start + seconds + 0.3 - time.perf_counter()))
    cpu = sum(server.cpu_times()[:2]) - cpu
    found = await crowd.tell("end")
    measured.cpu_us[cell] = cpu / max(found["events"], 1) * 1e6
    measured.p99_s[cell] = percentile(found["latencies"] or [float("nan")], 0.99)
    measured.came[cell] = found["events"] / (count * found["healthy"])
    return first + count


@asynccontextmanager
async def _crowd(port: int, speech: str, contender: Contender) -> AsyncIterator[Crowd]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bench.feed_crowd", "127.0.0.1", str(port), speech,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=2**26,
        env={**os.environ, "PATRIOT_SECRET": _SECRET, "CROWD_DEFLATE": str(int(contender.deflate))},
    )  # fmt: skip
    try:
        yield Crowd(process)
    finally:
        process.kill()
        await process.wait()


@asynccontextmanager
async def _serving(contender: Contender, stack: Stack, folder: Path) -> AsyncIterator[tuple[int, int, str, Source]]:
    """Its pid and port, what its clients say, and where it gets its events."""
    port = find_free("127.0.0.1")
    async with AsyncExitStack() as rooms:
        match contender.name.partition(",")[0]:
            case OURS.name:
                environment = {
                    "PATRIOT_SECRET": _SECRET, "PATRIOT_FEED_PORT": str(port), "PATRIOT_DATA_DIR": str(folder),
                    "PATRIOT_KAFKA_BOOTSTRAP": stack.kafka.bootstrap,
                }  # fmt: skip
                process = await _program(rooms, folder, [sys.executable, "-m", "infra.local.cli", "feed"], environment)
                await _ready(f"http://127.0.0.1:{port}/readyz")
                producer = await start_producer(stack.kafka.bootstrap, "bench")
                rooms.push_async_callback(stop_quietly, producer)
                yield process.pid, port, "patriot", _Kafka(producer)
            case NATS.name:
                program = nats_server()
                assert program is not None
                inside = find_free("127.0.0.1")
                config = folder / "nats.conf"
                config.write_text(
                    f"listen: 127.0.0.1:{inside}\nmax_connections: 10000\n"
                    f"websocket {{ listen: '127.0.0.1:{port}', no_tls: true, compression: true }}\n"
                )
                process = await _program(rooms, folder, [program, "-c", str(config)], {})
                writer = await _nats_publisher(inside)
                rooms.callback(writer.close)
                yield process.pid, port, "nats", _Nats(writer)
            case name:
                module = {FASTAPI.name: "fastapi_feed", BROADCAST.name: "broadcast_feed"}[name]
                deflate = "deflate" if contender.deflate else "plain"
                process = await _program(
                    rooms, folder, [sys.executable, "-m", f"tests.bench.contenders.{module}", str(port), deflate], {}
                )
                assert process.stdin is not None
                await _listens(port)
                yield process.pid, port, "plain", _Pipe(process.stdin)


async def _program(
    rooms: AsyncExitStack, folder: Path, argv: Sequence[str], environment: Mapping[str, str]
) -> asyncio.subprocess.Process:
    log = (folder / f"fan-out-{time.time_ns()}.log").open("wb")
    rooms.callback(log.close)
    process = await asyncio.create_subprocess_exec(
        *argv, stdin=asyncio.subprocess.PIPE, stdout=log, stderr=log, env={**os.environ, **environment}
    )

    async def end() -> None:
        if process.returncode is None:
            process.kill()
        await process.wait()

    rooms.push_async_callback(end)
    return process


async def _ready(url: str) -> None:
    async with httpx.AsyncClient() as http, asyncio.timeout(_START_S):
        while True:
            try:
                if (await http.get(url)).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.05)


async def _listens(port: int) -> asyncio.StreamWriter:
    async with asyncio.timeout(_START_S):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                return writer
            except OSError:
                await asyncio.sleep(0.05)


async def _nats_publisher(port: int) -> asyncio.StreamWriter:
    writer = await _listens(port)
    writer.write(b'CONNECT {"verbose":false}\r\n')
    return writer


async def section(stack: Stack, folder: Path, *, rounds: int = 3, seconds: float = 2.5) -> Section:
    """The whole chapter: some three minutes with these numbers. The first round has all of it, the others what the goal
    is about."""
    there = [contender for contender in (*CONTENDERS, *PLAIN) if contender is not NATS or nats_server() is not None]
    found: dict[str, dict[int, Measured]] = defaultdict(dict)
    missing = [] if nats_server() else ["nats-server: not on this machine (Debian has a package of that name)"]
    for number, contender in rotated(there, rounds):
        up_to = _LARGE if number == 0 and contender in CONTENDERS else None
        if number > 0 and contender not in (OURS, FASTAPI):
            continue
        try:
            found[contender.name][number] = await measure(contender, stack, folder, seconds, up_to=up_to)
        except (AssertionError, OSError) as error:
            missing.append(f"{contender.name} could not be measured: {error or type(error).__name__}")
    rows = [row for contender in there for row in _rows(contender, list(found[contender.name].values()))]
    at = (_SMALL, 50)
    for name, ours, theirs in (
        ("CPU per delivery, patriot feed by FastAPI loop, 1,000 clients, 50/s", OURS, FASTAPI),
        ("the same without deflate", PLAIN_OURS, PLAIN_FASTAPI),
    ):
        both = sorted(found[ours.name].keys() & found[theirs.name].keys())
        our, their = ([found[each.name][number].cpu_us[at] for number in both] for each in (ours, theirs))
        rows += ratio(name, our, their, Goal("most", 0.25))
    settings = [
        "one client in ten stalls; p99 and deliveries are those of the others; rows without a spread: first round only",
        *(f"{contender.name}: {contender.settings}" for contender in there),
        *missing,
    ]
    return Section("Feed", rows, settings)


def _rows(contender: Contender, found: Sequence[Measured]) -> list[Row]:
    rows = []
    for clients, per_second in sorted({cell for one in found for cell in one.cpu_us}):
        cell = (clients, per_second)
        those = [one for one in found if cell in one.cpu_us]
        name = f"{contender.name}, {clients:,} clients, {per_second}/s"
        least = min(one.came[cell] for one in those)
        note = "" if least > 0.99 else f"only {least:.0%} of the events came in time"
        rows.append(Row(f"{name}: CPU per delivery", "µs", tuple(one.cpu_us[cell] for one in those), note))
        goal = Goal("most", 100) if contender is OURS else None
        rows.append(Row(f"{name}: p99 of the healthy", "ms", tuple(one.p99_s[cell] * 1000 for one in those), goal=goal))
    if found:
        memory = tuple(one.kib_per_connection for one in found)
        rows.append(Row(f"{contender.name}: memory per connection", "KiB", memory))
    for one in found:
        if one.storm_s:
            rows.append(
                Row(
                    f"{contender.name}: memory growth", "MiB", (one.grown_mib,),
                    f"while {_LARGE:,} clients got 10/s and 50/s, one in ten stalled",
                    Goal("most", 20) if contender is OURS else None,
                )
            )  # fmt: skip
            rows.append(
                Row(
                    f"{contender.name}: {_LARGE * 9 // 10:,} clients back at once", "s", (one.storm_s,),
                    "" if one.storm_s < _ANSWER_S else "or longer: they were not waited for",
                    goal=Goal("most", 30) if contender is OURS else None,
                )
            )  # fmt: skip
    return rows
