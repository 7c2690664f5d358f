"""kill -9 and SIGSTOP of dispatchers and their relays under load: nothing is lost, doubled or out of order."""

import asyncio
import os
import signal
from collections.abc import Mapping
from pathlib import Path

import pytest

from infra.local.stack import Stack
from infra.postgres import Pool
from tests.dispatcher.bench import producing, until
from tests.faults.city_load import Load, all_taken_in, judge
from tests.faults.process import Service

#: On a quiet machine each of these takes 10 to 25 s.
pytestmark = pytest.mark.timeout(400)
_PATIENCE_S = 90.0


def environment(stack: Stack) -> Mapping[str, str]:
    """What a dispatcher is told here: a short session, so that a dead one is missed soon."""
    return {
        "PATRIOT_KAFKA_BOOTSTRAP": stack.kafka.bootstrap,
        "PATRIOT_POSTGRES_DSN": stack.postgres.dsn,
        "PATRIOT_SESSION_TIMEOUT_MS": "2000",
        "PATRIOT_MAX_BATCH": "40",
    }


def dispatcher(stack: Stack, folder: Path) -> Service:
    """`patriot dispatcher`."""
    return Service("dispatcher", folder, "PATRIOT_DISPATCHER_PORT", environment(stack))


async def start(service: Service, failpoint: str = "") -> None:
    """Start it, and wait until it is ready however busy the machine is."""
    await asyncio.to_thread(service.start, failpoint, _PATIENCE_S)


@pytest.mark.parametrize(
    "point",
    [
        "dispatcher.after_read=kill@4",
        "dispatcher.in_transaction=kill@4",
        "dispatcher.after_commit=kill@4",
        "relay.after_ack=kill@4",
    ],
)
async def test_a_dispatcher_killed_under_load_loses_and_doubles_nothing(
    stack: Stack, pool: Pool, tmp_path: Path, point: str
) -> None:
    async with producing(stack.kafka.bootstrap) as producer:
        load = Load(producer)
        await load.some()
        with dispatcher(stack, tmp_path) as killed:
            loading = asyncio.create_task(load.for_seconds(4))
            await start(killed, point)
            await asyncio.to_thread(killed.wait_killed, _PATIENCE_S)
            await start(killed)
            await loading
            await until(lambda: all_taken_in(pool, load), _PATIENCE_S)
        await judge(pool, stack.kafka.bootstrap, load)


async def test_a_dispatcher_paused_beyond_its_session_and_woken_writes_nothing_of_the_past(
    stack: Stack, pool: Pool, tmp_path: Path
) -> None:
    async with producing(stack.kafka.bootstrap) as producer:
        load = Load(producer)
        (tmp_path / "a").mkdir()
        (tmp_path / "b").mkdir()
        with dispatcher(stack, tmp_path / "a") as zombie, dispatcher(stack, tmp_path / "b") as other:
            await start(zombie)  # alone at first: it leads the relay too
            await start(other)
            loading = asyncio.create_task(load.for_seconds(17))
            await asyncio.sleep(1.5)
            assert zombie.process is not None
            os.kill(zombie.process.pid, signal.SIGSTOP)
            # beyond the session of the consumer (2 s) and of the relay (10 s)
            await asyncio.sleep(13)
            os.kill(zombie.process.pid, signal.SIGCONT)
            await loading
            await until(lambda: all_taken_in(pool, load), _PATIENCE_S)
        await judge(pool, stack.kafka.bootstrap, load)


async def test_dispatchers_that_come_and_go_under_load_lose_and_double_nothing(
    stack: Stack, pool: Pool, tmp_path: Path
) -> None:
    async with producing(stack.kafka.bootstrap) as producer:
        load = Load(producer)
        (tmp_path / "a").mkdir()
        (tmp_path / "b").mkdir()
        with dispatcher(stack, tmp_path / "a") as first, dispatcher(stack, tmp_path / "b") as second:
            await start(first)
            loading = asyncio.create_task(load.for_seconds(9))
            await start(second)
            await asyncio.sleep(1)
            assert first.process is not None
            first.process.terminate()  # in good order
            assert await asyncio.to_thread(first.process.wait, 15) == 0, first.tail()
            await start(first)
            second.kill()
            await loading
            await until(lambda: all_taken_in(pool, load), _PATIENCE_S)
        await judge(pool, stack.kafka.bootstrap, load)
