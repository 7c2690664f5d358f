"""A topic's records in a file: for a backup, and back into a new topic with their times."""

from __future__ import annotations

import asyncio
import gzip
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec
from aiokafka import AIOKafkaProducer, ConsumerRecord, TopicPartition

from infra.kafka import start_consumer, start_producer, stop_quietly
from infra.kafka_topic_id import topic_ids
from infra.local.topic_reader import TopicReader
from infra.local.trouble import Trouble
from schemas.topics import Topic

_LENGTH: Final = struct.Struct(">I")
#: Bytes: beyond whatever a record takes once it is unpacked; the topic's own bound is on what is packed again.
_ANY_SIZE: Final = 2**31 - 1
#: Seconds that Kafka may take for a batch; each may be written through to the disk.
_SEND_TIMEOUT_MS: Final = 30_000
#: Records on their way to Kafka at a time.
_AT_ONCE: Final = 500


class Kept(msgspec.Struct, frozen=True, array_like=True):
    """One record, and where it was."""

    partition: int
    offset: int
    #: Milliseconds since 1970, the broker's time.
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]]


class TopicSummary(msgspec.Struct, frozen=True):
    """What a file holds."""

    topic_id: str
    records: int
    #: Batches that our client cannot take apart, by where they are; the dispatcher cannot either, and sets them aside.
    left_out: list[str] = []


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(Kept).decode


async def write(kafka: str, topic: Topic, path: Path) -> TopicSummary:
    """Every committed record that the topic has now. Raises `KafkaError` or TimeoutError."""
    topic_id = str((await topic_ids(kafka, [topic.name]))[topic.name])
    consumer = await start_consumer(kafka, "patriot-backup", max_poll_records=2_000)
    reader = TopicReader(kafka, consumer)
    count = 0
    try:
        with gzip.open(path, "wb", compresslevel=1) as file:

            def keep(one: ConsumerRecord) -> None:
                nonlocal count
                headers = [(name, value) for name, value in one.headers]
                kept = _encode(Kept(one.partition, one.offset, one.timestamp, one.key, one.value, headers))
                file.write(_LENGTH.pack(len(kept)) + kept)
                count += 1

            for number in sorted(consumer.partitions_for_topic(topic.name) or range(topic.partitions)):
                await reader.read(TopicPartition(topic.name, number), keep)
    finally:
        await stop_quietly(consumer)
    return TopicSummary(topic_id, count, reader.skipped)


def read(path: Path) -> Iterator[Kept]:
    """The records, each partition's in their order. Raises Trouble for a file that is not whole, or OSError."""
    try:
        with gzip.open(path, "rb") as file:
            while head := file.read(_LENGTH.size):
                (length,) = _LENGTH.unpack(head)
                yield _decode(file.read(length))
    except (EOFError, gzip.BadGzipFile, zlib.error, struct.error, msgspec.MsgspecError) as error:
        raise Trouble(f"{path} is damaged ({error}). Take another backup.") from error


async def send(kafka: str, topic: Topic, records: Iterator[Kept]) -> None:
    """Into the topic, with their times where it takes them. Raises `KafkaError`.

    Packed: what came packed may be larger than the topic takes when it is not.
    """
    producer = await start_producer(
        kafka, "patriot-restore", max_record_bytes=_ANY_SIZE, compression="gzip", request_timeout_ms=_SEND_TIMEOUT_MS
    )
    try:
        waiting: list[asyncio.Future[object]] = []
        for one in records:
            waiting.append(await _send(producer, topic.name, one))
            if len(waiting) >= _AT_ONCE:
                await asyncio.gather(*waiting)
                waiting.clear()
        await asyncio.gather(*waiting)
    finally:
        await stop_quietly(producer)


async def _send(producer: AIOKafkaProducer, topic: str, one: Kept) -> asyncio.Future[object]:
    if one.key is None and one.value is None:  # aiokafka's `send` has no word for this
        batch = producer.create_batch()
        batch.append(key=None, value=None, timestamp=one.timestamp, headers=one.headers)
        batch.close()
        alone: asyncio.Future[object] = await producer.send_batch(batch, topic, partition=one.partition)
        return alone
    sent: asyncio.Future[object] = await producer.send(
        topic, one.value, one.key, partition=one.partition, timestamp_ms=one.timestamp, headers=one.headers
    )
    return sent
