"""What tests of the machinery work with: topics of their own, records, and effects that can be counted."""

import asyncio
import os
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError

from dispatcher import outbox_store
from dispatcher.consumer import Consumer, ConsumerOptions
from dispatcher.effects import Message
from infra.kafka import start_producer, stop_admin_quietly, stop_quietly
from infra.kafka_topic_id import topic_ids
from infra.postgres import Connection, Pool
from schemas import topics
from schemas.envelope import Envelope, Headers, new_traceparent, write
from schemas.report import ReportSubmitted
from schemas.vocabulary import FeedChannel, ReportChannel
from schemas.wire import encode

#: Sessions of test workers end after this; the embedded Kafka allows it from 1 s on.
SESSION_TIMEOUT_MS = 2_000

SCHEMA = """
CREATE TABLE IF NOT EXISTS effect (
    consumer text, event text, topic text, partition int, "offset" bigint, worker int,
    nth bigint GENERATED ALWAYS AS IDENTITY);
CREATE TABLE IF NOT EXISTS tally (key text PRIMARY KEY, n int NOT NULL);
"""


@dataclass
class Counted:
    """Effects that leave one row per message, and a row on the feed that counts them per key."""

    name: str
    topics: Sequence[str]
    types: Mapping[str, type[msgspec.Struct]] = field(
        default_factory=lambda: {topics.REPORT_SUBMITTED: ReportSubmitted}
    )
    remembers_ids: bool = True
    feeds: bool = False
    #: Poison works now.
    mended: bool = False

    async def apply(self, connection: Connection, messages: Sequence[Message], now: datetime) -> None:
        for message in messages:
            assert isinstance(message.value, ReportSubmitted)
            match message.value.description:
                case "poison" if not self.mended:
                    raise ValueError("an effect that never works")
                case "unstorable":
                    await connection.execute("SELECT $1::text", "\x00")
                case "slow":
                    await connection.execute("SELECT pg_sleep(30)")
                case _:
                    pass
        await connection.executemany(
            "INSERT INTO effect VALUES ($1, $2, $3, $4, $5, $6)",
            [(self.name, m.envelope.id, m.topic, m.partition, m.offset, os.getpid()) for m in messages],
        )
        if self.feeds:
            await self._feed(connection, messages)

    async def _feed(self, connection: Connection, messages: Sequence[Message]) -> None:
        keys = sorted({f"{self.name}-{message.partition % 4}" for message in messages})
        rows = await connection.fetch(
            "INSERT INTO tally SELECT k, 1 FROM unnest($1::text[]) k ORDER BY k"
            " ON CONFLICT (key) DO UPDATE SET n = tally.n + 1 RETURNING key, n",
            keys,
        )
        await outbox_store.add(
            connection,
            [outbox_store.row_changed(FeedChannel.INCIDENTS, row["key"], {"n": row["n"]}, {}, None) for row in rows],
        )


def report(description: str = "macet") -> bytes:
    """The value of a report."""
    return encode(
        ReportSubmitted(
            report_id=uuid.uuid4().hex,
            tracking_code="0",
            description=description,
            channel=ReportChannel.APP,
            submitted_at=datetime.now(UTC),
            lat=-6.238,
            lon=106.975,
        )
    )


def headers(event: str | None = None, kind: str = topics.REPORT_SUBMITTED) -> Headers:
    """The envelope of an event."""
    return write(Envelope(event or str(uuid.uuid4()), kind, "/test", "", datetime.now(UTC), new_traceparent()))


async def make_topic(bootstrap: str, name: str, partitions: int = 4, **config: str) -> str:
    """A topic of the test's own."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        answer = await admin.create_topics(
            [NewTopic(name, partitions, 1, topic_configs={"message.timestamp.type": "LogAppendTime", **config})]
        )
        assert all(code == 0 for _, code, *_ in answer.topic_errors), answer
    finally:
        await stop_admin_quietly(admin)
    await until(lambda: _is_known(bootstrap, name))
    return name


async def _is_known(bootstrap: str, topic: str) -> bool:
    try:
        return bool(await topic_ids(bootstrap, [topic]))
    except KafkaError:  # the brokers hear of a new topic a moment later
        return False


@asynccontextmanager
async def producing(bootstrap: str) -> AsyncIterator[AIOKafkaProducer]:
    """A producer with our settings."""
    producer = await start_producer(bootstrap, "test")
    try:
        yield producer
    finally:
        await stop_quietly(producer)


async def send(producer: AIOKafkaProducer, topic: str, count: int, description: str = "macet") -> list[str]:
    """Send that many reports, and answer their ids once all are acknowledged."""
    ids = [str(uuid.uuid4()) for _ in range(count)]
    sent = [await producer.send(topic, report(description), event.encode(), headers=headers(event)) for event in ids]
    await asyncio.gather(*sent)
    return ids


@asynccontextmanager
async def consuming(
    consumer: Consumer,
) -> AsyncIterator[asyncio.Task[None]]:
    """A consumer at work; it is stopped in good order."""
    stop = asyncio.Event()
    task = asyncio.create_task(consumer.run(stop))
    try:
        yield task
    finally:
        stop.set()
        await asyncio.wait_for(task, 20)


def options(bootstrap: str, *, max_batch: int = 500, batch_timeout_s: float = 10.0) -> ConsumerOptions:
    """Settings of a test worker."""
    return ConsumerOptions(
        bootstrap, session_timeout_ms=SESSION_TIMEOUT_MS, max_batch=max_batch, batch_timeout_s=batch_timeout_s
    )


async def effects_of(pool: Pool, consumer: str) -> list[str]:
    """The ids that had an effect, as often as they had one, in that order."""
    rows = await pool.fetch("SELECT event FROM effect WHERE consumer = $1 ORDER BY nth", consumer)
    return [row["event"] for row in rows]


async def until(check: Callable[[], Awaitable[object]], timeout: float = 15.0) -> None:
    """Wait until `await check()` is true."""
    async with asyncio.timeout(timeout):
        while not await check():
            await asyncio.sleep(0.05)


async def until_effects(pool: Pool, consumer: str, count: int, timeout: float = 15.0) -> None:
    """Wait for that many effects."""

    async def enough() -> bool:
        return bool(await pool.fetchval("SELECT count(*) >= $2 FROM effect WHERE consumer = $1", consumer, count))

    await until(enough, timeout)


@dataclass(frozen=True)
class Letter:
    """What a test looks at of a dead letter."""

    reason: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, str | None]]


async def letters_of(pool: Pool, topic: str) -> list[Letter]:
    """What was set aside of a topic, in order."""
    rows = await pool.fetch(
        'SELECT error_class, partition, "offset", key, value, headers FROM dead_letter WHERE topic = $1 ORDER BY id',
        topic,
    )
    return [
        Letter(r["error_class"], r["partition"], r["offset"], r["key"], r["value"], [(n, v) for n, v in r["headers"]])
        for r in rows
    ]


async def read_all(bootstrap: str, topic: str, partition: int = 0) -> list[ConsumerRecord]:
    """Every committed record of a partition."""
    client = AIOKafkaConsumer(bootstrap_servers=bootstrap, isolation_level="read_committed", enable_auto_commit=False)
    tp = TopicPartition(topic, partition)
    client.assign([tp])
    await client.start()
    try:
        await client.seek_to_beginning(tp)
        end = (await client.end_offsets([tp]))[tp]
        records: list[ConsumerRecord] = []
        while await client.position(tp) < end:
            for found in (await client.getmany(timeout_ms=500)).values():
                records.extend(found)
        return records
    finally:
        await client.stop()
