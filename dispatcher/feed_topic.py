"""What `bekasi.feed.v1` holds, read back by the one who writes it: its last record, or the whole board."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Final

import msgspec
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from infra.kafka import must_fetch, start_consumer, stop_quietly
from infra.kafka_access import KafkaAccess
from infra.kafka_topic_id import topic_ids
from schemas import topics
from schemas.feed import Tags
from schemas.vocabulary import FeedChannel

#: Offsets before the end where a last record is looked for first; markers of transactions have offsets, too.
_TAIL: Final = 2_000
#: Seconds that Kafka may take for one fetch, and that reading may come no further: fetches that fail are repeated
#: inside the client, and a topic that was set back meanwhile never reaches the end it had.
_FETCH_S: Final = 10.0
_STUCK_S: Final = 30.0
_CHANNELS: Final = frozenset(channel.value for channel in FeedChannel)


@dataclass(frozen=True, slots=True)
class Last:
    """The topic, and its last record by `x-seq` and `ce_id`; 0 and "" when it has none."""

    topic_id: str
    seq: int = 0
    record_id: str = ""


@dataclass(frozen=True, slots=True)
class Shown:
    """The board as a node that reads the topic now would show it."""

    #: By Kafka key: tags and value.
    rows: Mapping[str, tuple[Tags, bytes]]
    highest_seq: int


async def last(kafka: KafkaAccess | str, topic: str = topics.FEED.name) -> Last:
    """Raises `KafkaError` or TimeoutError."""
    topic_id = str((await topic_ids(kafka, [topic]))[topic])
    tail = _TAIL
    consumer = await start_consumer(kafka, "patriot-feed-check")
    try:
        partition = TopicPartition(topic, 0)
        consumer.assign([partition])
        beginning = (await consumer.beginning_offsets([partition]))[partition]
        end = (await consumer.end_offsets([partition]))[partition]
        start = end
        while start > beginning:
            start, tail = max(end - tail, beginning), tail * 4
            found = Last(topic_id)
            async for record in _read(consumer, partition, start, end):
                headers = dict(record.headers)
                seq = _seq(headers)
                if seq is not None:
                    found = Last(topic_id, seq, headers.get("ce_id", b"").decode(errors="replace"))
            if found.seq:
                return found
        return Last(topic_id)
    finally:
        await stop_quietly(consumer)


async def shown(kafka: KafkaAccess | str, topic: str = topics.FEED.name) -> Shown:
    """Read all of it: 100,000 rows in some seconds. Raises `KafkaError` or TimeoutError."""
    rows: dict[str, tuple[Tags, bytes]] = {}
    seqs: dict[str, int] = {}
    consumer = await start_consumer(kafka, "patriot-feed-check", max_poll_records=2_000)
    try:
        partition = TopicPartition(topic, 0)
        consumer.assign([partition])
        beginning = (await consumer.beginning_offsets([partition]))[partition]
        end = (await consumer.end_offsets([partition]))[partition]
        async for record in _read(consumer, partition, beginning, end):
            headers = dict(record.headers)
            key, seq = (record.key or b"").decode(errors="replace"), _seq(headers)
            if seq is None or seq <= seqs.get(key, 0):
                continue  # a node drops it, too
            seqs[key] = seq
            if record.value is None:
                rows.pop(key, None)
            elif key.partition(":")[0] in _CHANNELS:
                rows[key] = (_tags(headers), record.value)
    finally:
        await stop_quietly(consumer)
    return Shown(rows, max(seqs.values(), default=0))


async def _read(
    consumer: AIOKafkaConsumer, partition: TopicPartition, start: int, end: int
) -> AsyncIterator[ConsumerRecord]:
    """Raises `KafkaError`, also when the client fetches no more, or TimeoutError when it comes no further."""
    consumer.seek(partition, start)
    reached, moved_at = start, time.monotonic()
    while True:
        async with asyncio.timeout(_FETCH_S):
            position = await consumer.position(partition)
            if position >= end:
                return
            batch = (await consumer.getmany(timeout_ms=500)).get(partition, ())
        for record in batch:
            yield record
        if batch or position > reached:
            reached, moved_at = position, time.monotonic()
            continue
        must_fetch(consumer)
        if time.monotonic() - moved_at > _STUCK_S:
            raise TimeoutError(f"{partition.topic} is read up to {position}, and should be up to {end}")


def _seq(headers: Mapping[str, bytes]) -> int | None:
    text = headers.get(topics.HEADER_SEQ) or b""
    return int(text) if text.isdigit() else None


def _tags(headers: Mapping[str, bytes]) -> Tags:
    try:
        return msgspec.json.decode(headers.get(topics.HEADER_TAGS) or b"{}", type=dict[str, str])
    except msgspec.MsgspecError:
        return {}
