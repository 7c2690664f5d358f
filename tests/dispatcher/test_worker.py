"""A whole worker, its servers failing under it: consumers, relay and pulse find their way back by themselves."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from dispatcher.settings import DispatcherSettings
from dispatcher.worker import Worker
from infra.local.stack import Stack
from infra.postgres import Pool
from schemas import topics
from tests.dispatcher.bench import (
    SESSION_TIMEOUT_MS,
    Counted,
    effects_of,
    headers,
    make_topic,
    producing,
    read_all,
    report,
    until,
)


@asynccontextmanager
async def working(stack: Stack, pool: Pool, name: str) -> AsyncIterator[Worker]:
    """A worker at work on the test's topic."""
    settings = DispatcherSettings(
        kafka_bootstrap=stack.kafka.bootstrap,
        postgres_dsn=stack.postgres.dsn,
        session_timeout_ms=SESSION_TIMEOUT_MS,
    )
    worker = Worker(settings, [Counted(name, [name], feeds=True)], pool)
    stop = asyncio.Event()
    task = asyncio.create_task(worker.run(stop))
    try:
        yield worker
    finally:
        stop.set()
        await asyncio.wait_for(task, 30)


class Insisting:
    """A client that repeats each event with its id until Kafka has acknowledged it."""

    def __init__(self, producer: AIOKafkaProducer, topic: str) -> None:
        self.acknowledged: list[str] = []
        self._producer = producer
        self._topic = topic

    async def for_seconds(self, seconds: float) -> None:
        """Send one event after the other."""
        until = asyncio.get_running_loop().time() + seconds
        number = 0
        while asyncio.get_running_loop().time() < until:
            number += 1
            event = f"{self._topic}-{number}"
            head, value = headers(event), report()
            while True:
                try:
                    await self._producer.send_and_wait(self._topic, value, event.encode(), headers=head)
                    break
                except KafkaError:
                    await asyncio.sleep(0.2)
            self.acknowledged.append(event)
            await asyncio.sleep(0.005)


@pytest.mark.parametrize("server", ["kafka", "postgres"])
async def test_a_server_killed_under_load_costs_time_and_nothing_else(
    stack: Stack, pool: Pool, name: str, server: str
) -> None:
    bootstrap = stack.kafka.bootstrap
    await make_topic(bootstrap, name)
    async with producing(bootstrap) as producer, working(stack, pool, name) as worker:
        client = Insisting(producer, name)
        loading = asyncio.create_task(client.for_seconds(6))
        await asyncio.sleep(2)
        failing = stack.kafka if server == "kafka" else stack.postgres
        await failing.kill()
        await until(lambda: _ill(worker))
        await failing.start()
        await loading

        async def all_there() -> bool:
            done = await pool.fetchval("SELECT count(DISTINCT event) FROM effect WHERE consumer = $1", name)
            sent = not await pool.fetchval("SELECT count(*) FROM outbox WHERE aggregateid LIKE $1", f"%{name}%")
            return bool(done >= len(client.acknowledged) and sent)

        await until(all_there, 60)
        await until(lambda: _well(worker), 30)
    assert Counter(await effects_of(pool, name)) == Counter(client.acknowledged)
    newest: dict[bytes, int] = {}
    for record in await read_all(bootstrap, topics.FEED.name):
        if name.encode() in record.key:
            seq = int(dict(record.headers)["x-seq"])
            newest[record.key] = max(seq, newest.get(record.key, 0))
    assert newest


async def _well(worker: Worker) -> bool:
    return not worker.trouble()


async def _ill(worker: Worker) -> bool:
    return bool(worker.trouble())
