"""A feed node told to end, and clients that misbehave: they stall, vanish, come all at once, talk too much, or are no
longer who they were. What is wrong with what the others see meanwhile goes to the load's surprises."""

import asyncio
import json
import os
import socket
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from random import Random
from typing import Any, Final

import asyncpg
import httpx
import psutil
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidState
from websockets.typing import Subprotocol

from dispatcher.desk import accounts
from infra.kafka import start_producer, stop_quietly
from schemas import topics
from schemas.vocabulary import FeedChannel, Role
from tests.faults.field import PATIENCE_S, Field
from tests.faults.onlookers import Manner, Onlooker
from tests.faults.process import SECRET, Service
from tests.faults.proxy import Proxy
from tests.faults.scenario import Fault

_STALLED: Final = 20
_HALF_OPEN: Final = 10
#: One in ten of the crowd never reads; 2,000 come back.
_CROWD: Final = 2_220
_FLOOD_PER_S, _FLOOD_S = 5_000, 5.0
#: Fills the buffers of whoever does not read within a second or two.
_BALLAST_BYTES: Final = 20_000
_BALLAST_PER_S: Final = 20
#: Each stalled client may have 512 KiB waiting for it, and Python keeps some of what it had.
_MAY_GROW_BYTES: Final = 48 * 2**20


async def terminated(field: Field, rng: Random) -> float:
    """One of two nodes ends in good order: its clients resume on the other one, each when it was told to come back.

    The longest absence of one of them counts as part of the recovery.
    """
    other = Service("feed", field.folder, "PATRIOT_FEED_PORT", field.environment)
    with other:
        await field.start(other)
        nodes = [field.feed_url, _websocket(other)]
        onlookers = [Onlooker(Manner.STEADY, nodes, field.ticket, chance=rng) for _ in range(30)]
        async with AsyncExitStack() as watching:
            for onlooker in onlookers:
                await watching.enter_async_context(onlooker)
            await asyncio.gather(*(onlooker.until_whole() for onlooker in onlookers))
            if (code := await field.stop(field.feed)) != 0:
                _wrong(field, f"the feed ended with {code} after SIGTERM")
            await asyncio.gather(*(onlooker.until_whole(comings=2) for onlooker in onlookers))
            longest = max(onlooker.away_s for onlooker in onlookers)
            for onlooker in onlookers:
                # What it knows is compared at the end, when the board stands still, with others of its kind.
                found = await onlooker.findings(nodes[1], 0)
                if found.gaps or found.reordered or found.broken or found.closes != {4001: 1} or found.recovered < 1:
                    _wrong(field, f"a client that was sent to the other node: {found}")
            hints = {hint for onlooker in onlookers for hint in onlooker.hints}
            if len(hints) < len(onlookers) // 2:
                _wrong(field, f"hints are not spread: {sorted(hints)}")
        # Whoever watches the whole scenario waits for this one.
        await field.start(field.feed)
    return asyncio.get_running_loop().time() - longest


async def stalled(field: Field, rng: Random) -> None:
    """Twenty clients stop reading: they are cut, the others go on, memory stays."""
    async with AsyncExitStack() as rooms:
        for _ in range(_STALLED):
            connection = await rooms.enter_async_context(_connected(field, small=True))
            connection.transport.pause_reading()
        await _until_they_are_cut(field, _STALLED, ("4008",))


async def half_open(field: Field, rng: Random) -> None:
    """Clients vanish without a word: behind a line where nothing passes any more, and as a process that is stopped."""
    async with Proxy(field.feed.port) as line, AsyncExitStack() as rooms:
        node = f"ws://127.0.0.1:{line.port}/"
        for _ in range(_HALF_OPEN):
            await rooms.enter_async_context(_connected(field, node=node))
        crowd, process = await rooms.enter_async_context(_crowd(field))
        await crowd(f"connect {_HALF_OPEN}")
        onlooker = await rooms.enter_async_context(Onlooker(Manner.STEADY, [node], field.ticket, chance=rng))
        await onlooker.until_whole()
        line.stall()
        process.suspend()
        try:
            # Those who get little are found out by the ping they don't answer (25 and 10 s), the others are too slow.
            await _until_they_are_cut(field, 2 * _HALF_OPEN, ("4008", "4502"))
        finally:
            process.resume()
            await line.heal()
        await onlooker.until_whole()
        found = await onlooker.findings(field.feed_url, 5)
        if found.gaps or found.reordered or found.broken:
            _wrong(field, f"a client behind a line that came back: {found}")


async def herd(field: Field, rng: Random) -> float:
    """The node is killed, and two thousand clients come back at once."""
    async with _crowd(field) as (crowd, _):
        await crowd(f"connect {_CROWD}")
        since = asyncio.get_running_loop().time()
        coming = asyncio.create_task(crowd("storm"))
        field.feed.kill()
        await field.start(field.feed)
        found = await coming
        if found["clients"] != _CROWD - _CROWD // 10:
            _wrong(field, f"not all came back: {found}")
    return since


async def flooded(field: Field, rng: Random) -> None:
    """A client sends 5,000 messages a second, another as many pings: the others don't notice."""
    async with (
        _connected(field) as flooder,
        _connected(field) as pinger,
        _connected(field) as healthy,
        _ballast(field) as put,
        asyncio.TaskGroup() as tasks,
    ):
        tasks.create_task(_flood(flooder, ping=False))
        tasks.create_task(_flood(pinger, ping=True))
        until = asyncio.get_running_loop().time() + _FLOOD_S
        while asyncio.get_running_loop().time() < until:
            await _sees(field, healthy, await put())
            await asyncio.sleep(0.2)


async def revoked(field: Field, rng: Random) -> None:
    """An account is closed while its owner is connected: no new ticket, and the feed ends with the ticket's time."""
    other = Service("feed", field.folder, "PATRIOT_FEED_PORT", field.environment)
    database = await asyncpg.connect(field.dsn)
    name = f"wall-{rng.randrange(10**6)}"
    try:
        await accounts.add(database, accounts.account(name, Role.OPERATOR, []), "petugas-Bekasi-2026")
        with other:
            await field.start(other, PATRIOT_FEED_SESSION_S="8")
            async with httpx.AsyncClient(base_url=field.desk_url, timeout=30) as http:
                signed_in = await http.post(
                    "/api/v1/session", json={"username": name, "password": "petugas-Bekasi-2026"}
                )
                signed_in.raise_for_status()
                http.cookies.clear()
                http.headers["Authorization"] = f"Bearer {signed_in.json()['token']}"
                ticket = (await http.post("/api/v1/feed/ticket")).json()["ticket"]
                async with _connected(field, node=_websocket(other), ticket=ticket) as connection:
                    await accounts.disable(database, name)
                    async with asyncio.timeout(30):
                        with suppress(ConnectionClosed):
                            while True:
                                await connection.recv()
                    if connection.close_code != 4005:
                        _wrong(field, f"a closed account's connection ended with {connection.close_code}")
                # What the desk knows of a session is at most a minute old.
                async with asyncio.timeout(PATIENCE_S):
                    while (answer := await http.post("/api/v1/feed/ticket")).is_success:
                        await asyncio.sleep(1)
                if answer.status_code not in (401, 403):
                    _wrong(field, f"a closed account asking for a ticket: {answer.status_code}")
    finally:
        await database.close()


FAULTS: Final = [
    Fault("feed terminated", 5, terminated),
    Fault("twenty stalled sockets", 2, stalled),
    Fault("half-open peers", 2, half_open),
    Fault("2,000 clients back at once", 30, herd),
    Fault("clients flooding the feed", 2, flooded),
    Fault("account closed while connected", 2, revoked),
]


def _wrong(field: Field, what: str) -> None:
    field.load.surprises.append(what)


def _websocket(node: Service) -> str:
    return node.url.replace("http", "ws") + "/"


@asynccontextmanager
async def _connected(
    field: Field, *, node: str | None = None, ticket: str | None = None, small: bool = False
) -> AsyncIterator[ClientConnection]:
    """A client that is shown the key figures; a small one takes some KiB only before it reads."""
    raw = socket.socket()
    if small:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.connect(("127.0.0.1", int((node or field.feed_url).rstrip("/").rpartition(":")[2])))
    connection = await connect(
        node or field.feed_url, sock=raw, subprotocols=[Subprotocol("patriot.feed.v1+json")], max_size=2**20,
        compression=None, ping_interval=None, close_timeout=1,
    )  # fmt: skip
    try:
        said = {"id": 1, "connect": {"ticket": ticket or await field.ticket()}}
        await connection.send(json.dumps(said))
        await connection.send(json.dumps({"id": 2, "subscribe": {"channel": "kpis"}}))
        while json.loads(await connection.recv()).get("id") != 2:
            pass
        yield connection
    finally:
        connection.transport.abort()


async def _until_they_are_cut(field: Field, count: int, codes: tuple[str, ...]) -> None:
    """Send until so many more were closed with one of the codes; a healthy client sees all of it meanwhile."""
    process = field.feed.process
    assert process is not None
    feed = psutil.Process(process.pid)
    deadline = asyncio.get_running_loop().time() + PATIENCE_S
    async with (
        httpx.AsyncClient(base_url=field.feed.url, timeout=10) as http,
        _connected(field) as healthy,
        _ballast(field) as put,
    ):
        before, memory = await _closed(http, codes), feed.memory_info().rss
        while (cut := await _closed(http, codes) - before) < count:
            for _ in range(_BALLAST_PER_S):
                await _sees(field, healthy, await put())
                await asyncio.sleep(1 / _BALLAST_PER_S)
            if asyncio.get_running_loop().time() > deadline:
                _wrong(field, f"only {cut} of {count} were cut with {codes}")
                break
        if (grown := feed.memory_info().rss - memory) > _MAY_GROW_BYTES:
            _wrong(field, f"the feed grew by {grown / 2**20:.0f} MiB")


async def _closed(http: httpx.AsyncClient, codes: tuple[str, ...]) -> int:
    lines = (await http.get("/metrics")).text.splitlines()
    names = [f'patriot_feed_closed_total{{code="{code}"}} ' for code in codes]
    return sum(int(float(line.rpartition(" ")[2])) for line in lines for name in names if line.startswith(name))


async def _sees(field: Field, healthy: ClientConnection, name: str) -> None:
    """Read until the key figure of that name is there."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                said: dict[str, Any] = json.loads(await healthy.recv())
                if not said:
                    await healthy.send("{}")
                if any(pub.get("data", {}).get("name") == name for pub in said.get("push", {}).get("pubs", ())):
                    return
    except TimeoutError:
        raise AssertionError(f"a healthy client did not see {name} in {PATIENCE_S} s:\n{field.trouble()}") from None


@asynccontextmanager
async def _ballast(field: Field) -> AsyncIterator[Any]:
    """Large key figures, put straight into the feed's topic beside the relay, and taken away again."""
    producer = await start_producer(field.bootstrap, "ballast")
    key = b"kpis:ballast"
    names = iter(range(10**9))

    async def put() -> str:
        name = f"ballast {next(names)}"
        row = {"name": name, "value": 0, "unit": "x" * _BALLAST_BYTES, "at": "2026-11-22T05:00:00Z"}
        await producer.send_and_wait(
            topics.FEED.name, json.dumps(row).encode(), key, headers=_headers(topics.ROW_CHANGED[FeedChannel.KPIS])
        )
        return name

    try:
        yield put
    finally:
        await producer.send_and_wait(topics.FEED.name, None, key, headers=_headers(topics.ROW_REMOVED))
        await stop_quietly(producer)


def _headers(kind: str) -> list[tuple[str, bytes]]:
    return [("ce_type", kind.encode()), (topics.HEADER_SEQ, str(time.time_ns()).encode()), (topics.HEADER_TAGS, b"{}")]


@asynccontextmanager
async def _crowd(field: Field) -> AsyncIterator[tuple[Any, psutil.Process]]:
    """Many clients in a process of their own; see `tests.bench.feed_crowd` for what it is told."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bench.feed_crowd", "127.0.0.1", str(field.feed.port), "patriot",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=2**26,
        env={**os.environ, "PATRIOT_SECRET": SECRET},
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    into, out = process.stdin, process.stdout

    async def tell(command: str) -> Any:
        into.write(command.encode() + b"\n")
        answer = await asyncio.wait_for(out.readline(), PATIENCE_S)
        assert answer, f"the crowd ended at {command!r}"
        return json.loads(answer)

    try:
        yield tell, psutil.Process(process.pid)
    finally:
        process.kill()
        await process.wait()


async def _flood(connection: ClientConnection, *, ping: bool) -> None:
    """As fast as it is taken, 5,000 a second at most; being cut for it is an answer, too."""
    per_round = _FLOOD_PER_S // 100
    until = asyncio.get_running_loop().time() + _FLOOD_S
    with suppress(ConnectionClosed, InvalidState, TimeoutError, OSError):
        while asyncio.get_running_loop().time() < until:
            for _ in range(per_round):
                if ping:
                    connection.protocol.send_ping(b"x" * 100)
                else:
                    connection.protocol.send_text(b"{}")
            connection.send_data()
            async with asyncio.timeout(1):
                await connection.drain()
            await asyncio.sleep(0.01)
