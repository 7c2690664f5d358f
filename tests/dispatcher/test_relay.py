"""The relay against real Kafka and PostgreSQL: in order, by one at a time, as they were put out."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from dispatcher import feed_topic, metrics, outbox_store
from dispatcher.outbox_store import Bytes, Outgoing
from dispatcher.relay import Relay
from infra.kafka import start_consumer, start_producer, stop_quietly
from infra.local.stack import Stack
from infra.postgres import Pool
from schemas import envelope, topics
from schemas.envelope import new_traceparent, source
from schemas.vocabulary import FeedChannel
from tests.dispatcher.bench import make_topic, read_all, until

pytestmark = pytest.mark.usefixtures("empty_outbox")


def relay(stack: Stack) -> Relay:
    """A relay of the one shard."""
    return Relay(0, postgres_dsn=stack.postgres.dsn, kafka=stack.kafka.bootstrap)


@asynccontextmanager
async def relaying(relay: Relay) -> AsyncIterator[None]:
    """A relay at work."""
    stop = asyncio.Event()
    task = asyncio.create_task(relay.run(stop))
    try:
        yield
    finally:
        stop.set()
        await asyncio.wait_for(task, 20)


async def is_empty(pool: Pool) -> bool:
    """Whether nothing waits in the outbox."""
    return not await pool.fetchval("SELECT count(*) FROM outbox")


def row(topic: str, key: str, number: int) -> Outgoing:
    """Something to send."""
    return Outgoing(
        topic, key, topics.ROW_CHANGED[FeedChannel.INCIDENTS], str(number).encode(), {"x-tags": "{}"}, new_traceparent()
    )


async def test_records_arrive_in_their_order_with_envelope_and_rising_seq(stack: Stack, pool: Pool, name: str) -> None:
    await make_topic(stack.kafka.bootstrap, name, partitions=1)
    async with pool.acquire() as connection, connection.transaction():
        await outbox_store.add(connection, [row(name, f"k{n % 7}", n) for n in range(2500)])
        await outbox_store.add(connection, [Outgoing(name, "k0", topics.ROW_REMOVED, None, {}, new_traceparent())])
    async with relaying(relay(stack)):
        await until(lambda: is_empty(pool))
    *records, tombstone = await read_all(stack.kafka.bootstrap, name)
    assert [int(record.value) for record in records] == list(range(2500))
    seqs = [int(dict(record.headers)["x-seq"]) for record in records]
    assert seqs == sorted(set(seqs))
    about = envelope.read(records[0].headers)
    assert (about.type, about.subject, about.source) == (
        topics.ROW_CHANGED[FeedChannel.INCIDENTS],
        "k0",
        source(outbox_store.ROOM, training=False),
    )
    assert dict(records[0].headers)["x-tags"] == b"{}"
    assert (tombstone.key, tombstone.value) == (b"k0", None)


async def test_what_goes_out_as_it_is_keeps_every_byte(stack: Stack, pool: Pool, name: str) -> None:
    await make_topic(stack.kafka.bootstrap, name, partitions=1)
    kept = [
        Bytes(name, b"\xff\x00", b"\x00\x01", (("ce_id", b"\xfe"), ("ce_id", None), ("", b""))),
        Bytes(name, None, b"value", ()),
        Bytes(name, None, None, (("x", b"y"),)),
        Bytes(name, b"", b"", ()),
    ]
    too_large = Bytes(name, b"k", os.urandom(topics.DEAD_LETTER_BYTES), ())
    given_up = metrics.RELAY_UNSENDABLE.labels(0)._value.get()
    async with pool.acquire() as connection, connection.transaction():
        await outbox_store.add_bytes(connection, [*kept[:2], too_large, *kept[2:]])
    async with relaying(relay(stack)):
        await until(lambda: is_empty(pool))
    found = await read_all(stack.kafka.bootstrap, name)
    assert sorted((r.key is None, r.key, r.value, r.headers) for r in found if r.key is not None) == sorted(
        (k.key is None, k.key, k.value, k.headers) for k in kept if k.key is not None
    )
    assert {(r.value, r.headers) for r in found if r.key is None} == {
        (k.value, k.headers) for k in kept if k.key is None
    }
    assert metrics.RELAY_UNSENDABLE.labels(0)._value.get() == given_up + 1


async def test_what_only_the_broker_finds_too_large_holds_nobody_up(stack: Stack, pool: Pool, name: str) -> None:
    await make_topic(stack.kafka.bootstrap, name, partitions=1, **{"max.message.bytes": "5000"})
    given_up = metrics.RELAY_UNSENDABLE.labels(0)._value.get()
    async with pool.acquire() as connection, connection.transaction():
        await outbox_store.add(connection, [row(name, "k", 1)])
        await outbox_store.add_bytes(connection, [Bytes(name, b"k", os.urandom(300_000), ())])
        await outbox_store.add(connection, [row(name, "k", 2)])
    ours, stop = relay(stack), asyncio.Event()
    working = asyncio.create_task(_again_and_again(ours, stop))
    await until(lambda: is_empty(pool), 30)
    stop.set()
    await working
    assert [record.value for record in await read_all(stack.kafka.bootstrap, name)] == [b"1", b"2"]
    assert metrics.RELAY_UNSENDABLE.labels(0)._value.get() == given_up + 1


async def test_copies_for_a_topic_that_does_not_exist_hold_nobody_up(stack: Stack, pool: Pool, name: str) -> None:
    await make_topic(stack.kafka.bootstrap, name, partitions=1)
    async with pool.acquire() as connection, connection.transaction():
        await outbox_store.add_bytes(connection, [Bytes(topics.dead_letters_of(name), b"k", b"v", ())] * 3)
        await outbox_store.add(connection, [row(name, "k", 1)])
    async with relaying(relay(stack)):
        await until(lambda: is_empty(pool))
    assert [record.value for record in await read_all(stack.kafka.bootstrap, name)] == [b"1"]


async def test_a_second_relay_stands_by_and_takes_over(stack: Stack, pool: Pool, name: str) -> None:
    await make_topic(stack.kafka.bootstrap, name, partitions=1)
    second = relay(stack)
    async with relaying(relay(stack)):
        await until(lambda: _true(metrics.RELAY_LEADS.labels(0)._value.get()))
        stop = asyncio.Event()
        standing_by = asyncio.create_task(second.run(stop))
        await asyncio.sleep(0.5)
        assert second.trouble() == {}
    async with pool.acquire() as connection, connection.transaction():
        await outbox_store.add(connection, [row(name, "k", n) for n in range(10)])
    await until(lambda: is_empty(pool))
    stop.set()
    await standing_by
    assert [int(record.value) for record in await read_all(stack.kafka.bootstrap, name)] == list(range(10))


async def test_a_relay_that_was_replaced_is_refused_by_the_broker(stack: Stack, name: str) -> None:
    await make_topic(stack.kafka.bootstrap, name, partitions=1)
    paused = await start_producer(stack.kafka.bootstrap, "paused", transactional_id="relay-9")
    await paused.begin_transaction()
    await paused.send(name, b"from the past", b"k")
    await asyncio.sleep(0.2)
    successor = await start_producer(stack.kafka.bootstrap, "successor", transactional_id="relay-9")
    async with successor.transaction():
        await successor.send(name, b"from now", b"k")
    with pytest.raises(KafkaError):
        await asyncio.wait_for(paused.commit_transaction(), 10)
    await stop_quietly(paused)
    await stop_quietly(successor)
    assert [record.value for record in await read_all(stack.kafka.bootstrap, name)] == [b"from now"]


async def test_a_relay_whose_session_is_cut_comes_back_and_loses_nothing(stack: Stack, pool: Pool, name: str) -> None:
    await make_topic(stack.kafka.bootstrap, name, partitions=1)
    stop = asyncio.Event()
    task = asyncio.create_task(_again_and_again(relay(stack), stop))
    for start in range(0, 500, 50):
        async with pool.acquire() as connection, connection.transaction():
            await outbox_store.add(connection, [row(name, "k", n) for n in range(start, start + 50)])
        if start in (100, 300):
            await pool.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'patriot-relay-0'"
            )
        await asyncio.sleep(0.05)
    await until(lambda: is_empty(pool), 30)
    stop.set()
    await task
    seen: list[int] = []
    for record in await read_all(stack.kafka.bootstrap, name):  # a node drops what it has seen, by x-seq
        if not seen or int(record.value) > seen[-1]:
            seen.append(int(record.value))
    assert seen == list(range(500))


async def test_a_feed_that_is_read_no_further_is_not_waited_for(
    stack: Stack, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_topic, "_STUCK_S", 1.0)
    await make_topic(stack.kafka.bootstrap, name, partitions=1)
    producer = await start_producer(stack.kafka.bootstrap, "test")
    for number in range(3):
        await producer.send_and_wait(name, str(number).encode(), b"k")
    await stop_quietly(producer)
    consumer = await start_consumer(stack.kafka.bootstrap, "test")
    partition = TopicPartition(name, 0)
    found: list[bytes | None] = []
    consumer.assign([partition])

    async def read(end: int) -> None:
        async for record in feed_topic._read(consumer, partition, 0, end):
            found.append(record.value)  # noqa: PERF401  # also what was found before it raised

    try:
        await asyncio.wait_for(read(3), 20)
        with pytest.raises(TimeoutError, match="up to 3, and should be up to 4"):  # set back, since its end was told
            await asyncio.wait_for(read(4), 20)
        assert found == [b"0", b"1", b"2"] * 2

        def unexpected(*_: object) -> None:
            raise RuntimeError("as after a change of leaders")

        consumer._fetcher._get_actions_per_node = unexpected
        with pytest.raises(KafkaError, match="stopped fetching"):
            await asyncio.wait_for(read(4), 20)
    finally:
        await stop_quietly(consumer)


async def _again_and_again(relay: Relay, stop: asyncio.Event) -> None:
    """As `dispatcher.supervise` does it."""
    while not stop.is_set():
        try:
            await relay.run(stop)
        except Exception:
            await asyncio.sleep(0.1)


async def _true(value: object) -> bool:
    return bool(value)
