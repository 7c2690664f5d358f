"""A topic's records in a file: for a backup, and back into a new topic with their times."""

from __future__ import annotations

import asyncio
import gzip
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec
from aiokafka import AIOKafkaProducer, TopicPartition

from infra.kafka import start_consumer, start_producer, stop_quietly
from infra.kafka_topic_id import topic_ids
from schemas.topics import DEAD_LETTER_BYTES, Topic

_LENGTH: Final = struct.Struct(">I")
#: Seconds without an answer after which Kafka counts as away.
_ANSWER_S: Final = 30.0
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


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(Kept).decode


async def write(kafka: str, topic: Topic, path: Path) -> TopicSummary:
    """Every committed record that the topic has now. Raises `KafkaError` or TimeoutError."""
    topic_id = str((await topic_ids(kafka, [topic.name]))[topic.name])
    consumer = await start_consumer(kafka, "patriot-backup", max_poll_records=2_000)
    count = 0
    try:
        partitions = [TopicPartition(topic.name, number) for number in consumer.partitions_for_topic(topic.name) or ()]
        if not partitions:
            partitions = [TopicPartition(topic.name, number) for number in range(topic.partitions)]
        consumer.assign(partitions)
        async with asyncio.timeout(_ANSWER_S):
            ends = await consumer.end_offsets(partitions)
            await consumer.seek_to_beginning(*partitions)
        with gzip.open(path, "wb", compresslevel=1) as file:
            behind = set(partitions)
            while True:
                async with asyncio.timeout(_ANSWER_S):
                    behind = {tp for tp in behind if await consumer.position(tp) < ends[tp]}
                    if not behind:
                        break
                    found = await consumer.getmany(*behind, timeout_ms=500)
                for tp, records in found.items():
                    for one in records:
                        if one.offset >= ends[tp]:
                            break
                        headers = [(name, value) for name, value in one.headers]
                        kept = _encode(Kept(tp.partition, one.offset, one.timestamp, one.key, one.value, headers))
                        file.write(_LENGTH.pack(len(kept)) + kept)
                        count += 1
    finally:
        await stop_quietly(consumer)
    return TopicSummary(topic_id, count)


def read(path: Path) -> Iterator[Kept]:
    """The records, each partition's in their order. Raises OSError or EOFError for a file that is not whole."""
    with gzip.open(path, "rb") as file:
        while head := file.read(_LENGTH.size):
            (length,) = _LENGTH.unpack(head)
            yield _decode(file.read(length))


async def send(kafka: str, topic: Topic, records: Iterator[Kept]) -> None:
    """Into the topic, with their times where it takes them. Raises `KafkaError`."""
    producer = await start_producer(kafka, "patriot-restore", max_record_bytes=DEAD_LETTER_BYTES)
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
