"""PostgreSQL restarted, killed, paused, cut off, all its connections taken; and the desk, which says so in time."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from typing import Final

import asyncpg
import httpx
import psutil

from infra.local.stack import Stack
from tests.faults.field import Field
from tests.faults.scenario import Fault, Ground

_PAUSED_S: Final = 15.0
_TAKEN_S: Final = 8.0
_AT_ONCE: Final = 10
_DELAY_S: Final = 0.5
_DELAYED_S: Final = 10.0
#: The contract's 3 s, and one for a machine of two cores that runs everything, the harness included.
_REFUSED_WITHIN_S: Final = 4.0
_ASKED_EVERY_S: Final = 0.1
#: Connections of every pool of the field together, with what the harness opens: after an outage there must not be more.
_MOST_CONNECTIONS: Final = 60
_COUNT: Final = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"
_TERMINATE: Final = (
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
    " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
)


async def restarted(field: Field, rng: Random) -> None:
    await field.stack.postgres.restart()


async def killed(field: Field, rng: Random) -> float:
    since = asyncio.get_running_loop().time()
    await field.stack.postgres.kill()
    await field.stack.postgres.start()
    return since


async def terminated(field: Field, rng: Random) -> None:
    """`pg_terminate_backend` of every connection, several times in a row."""
    connection = await asyncpg.connect(field.dsn)
    try:
        for _ in range(rng.randint(3, 6)):
            await connection.fetchval(_TERMINATE)
            await asyncio.sleep(rng.uniform(0.1, 0.6))
    finally:
        await connection.close()


async def connections_cut(field: Field, rng: Random) -> None:
    """Every connection reset, in the middle of whatever it carries, several times in a row."""
    for _ in range(rng.randint(3, 6)):
        field.postgres_proxy.cut()
        await asyncio.sleep(rng.uniform(0.1, 0.6))


async def paused(field: Field, rng: Random) -> None:
    """SIGSTOP of the server and all its backends: connections stay open, nothing is answered."""
    async with desk_asked(field):
        pause(field.stack)
        try:
            await asyncio.sleep(_PAUSED_S)
        finally:
            wake(field.stack)
        await _no_pile(field)


async def cut_off(field: Field, rng: Random) -> None:
    """The line is dead: nothing passes, nothing is reset."""
    async with desk_asked(field):
        field.postgres_proxy.stall()
        await asyncio.sleep(_PAUSED_S)
        await field.postgres_proxy.heal()
        await _no_pile(field)


async def slots_taken(field: Field, rng: Random) -> None:
    """Somebody takes every connection that the server has, those of ours too."""
    hog = [await asyncpg.connect(field.dsn)]
    async with desk_asked(field):
        try:
            await _take(field.dsn, hog)
            until = asyncio.get_running_loop().time() + _TAKEN_S
            while asyncio.get_running_loop().time() < until:
                mine = [connection.get_server_pid() for connection in hog]
                await hog[0].fetchval(f"{_TERMINATE} AND pid <> ALL($1)", mine)
                await _take(field.dsn, hog)
        finally:
            await asyncio.gather(*(connection.close() for connection in hog))


async def _take(dsn: str, hog: "list[asyncpg.Connection[asyncpg.Record]]") -> None:
    """Every slot that is free."""
    full = False
    while not full:
        asked = (asyncpg.connect(dsn, timeout=30) for _ in range(_AT_ONCE))
        for answer in await asyncio.gather(*asked, return_exceptions=True):
            if isinstance(answer, asyncpg.Connection):
                hog.append(answer)
            elif isinstance(answer, asyncpg.TooManyConnectionsError):
                full = True
            else:
                raise answer


async def far_away(field: Field, rng: Random) -> None:
    """Latency of 500 ms each way; what is sent meanwhile is taken in late, and loses nothing."""
    field.postgres_proxy.delay(_DELAY_S)
    await asyncio.sleep(_DELAYED_S)
    await field.postgres_proxy.heal()


def pause(stack: Stack) -> None:
    """SIGSTOP of PostgreSQL, its backends too."""
    for process in _processes(stack):
        process.suspend()


def wake(stack: Stack) -> None:
    """SIGCONT."""
    for process in _processes(stack):
        process.resume()


def _processes(stack: Stack) -> list[psutil.Process]:
    child = stack.postgres.child
    assert child is not None
    server = psutil.Process(child.pid)
    return [server, *server.children(recursive=True)]


@asynccontextmanager
async def desk_asked(field: Field) -> AsyncIterator[None]:
    """Meanwhile an operator asks the desk ten times a second; each answer is 200 or a 503 in time, else a surprise."""
    answers: Counter[int] = Counter()
    slowest = 0.0
    loop = asyncio.get_running_loop()

    async def ask(operator: httpx.AsyncClient) -> None:
        nonlocal slowest
        began = loop.time()
        try:
            answers[(await operator.get("/api/v1/incidents")).status_code] += 1
        except httpx.HTTPError:
            answers[0] += 1
        slowest = max(slowest, loop.time() - began)

    async def keep_asking(operator: httpx.AsyncClient) -> None:
        async with asyncio.TaskGroup() as group:
            while True:
                group.create_task(ask(operator))
                await asyncio.sleep(_ASKED_EVERY_S)

    operator = await field.operator()
    asking = asyncio.create_task(keep_asking(operator))
    try:
        yield
    finally:
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        await operator.aclose()
    if not answers[503] or answers.keys() - {200, 503} or slowest > _REFUSED_WITHIN_S:
        field.load.surprises.append(f"the desk answered {dict(answers)}, the slowest after {slowest:.1f} s")


async def _no_pile(field: Field) -> None:
    connection = await asyncpg.connect(field.dsn, timeout=30)
    try:
        count = await connection.fetchval(_COUNT)
    finally:
        await connection.close()
    if count > _MOST_CONNECTIONS:
        field.load.surprises.append(f"{count} connections wait in PostgreSQL after it came back")


FAULTS: Final = [
    Fault("postgresql restarted", 5, restarted),
    Fault("postgresql killed", 15, killed),
    Fault("postgresql connections terminated", 2, terminated),
    Fault("postgresql connections cut", 2, connections_cut, Ground.PROXIED),
    Fault("postgresql stopped for 15 s", 5, paused),
    Fault("postgresql cut off", 5, cut_off, Ground.PROXIED),
    Fault("postgresql without a free connection", 5, slots_taken),
    Fault("postgresql 500 ms away", 5, far_away, Ground.PROXIED),
]
