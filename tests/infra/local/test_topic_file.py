"""A topic's records in a file: read while Kafka may fall silent, and never taken for whole when they are not."""

import asyncio
import gzip
import os
import signal
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.util import calc_crc32c

from infra.kafka import start_consumer, start_producer, stop_quietly
from infra.local import topic_file
from infra.local.stack import Stack
from infra.local.topic_reader import TopicReader
from infra.local.trouble import Trouble
from schemas.topics import Topic
from tests.dispatcher.bench import make_topic, read_all

#: Of a batch: the checksum lies here, and is that of what lies behind it.
_CRC, _CHECKED = 17, 21


class NoText(BatchBuilder):  # type: ignore[misc]  # aiokafka has no types
    """A batch whose header's name, `odd`, is not UTF-8: our client takes none of it apart."""

    def _build(self) -> bytes:
        plain = bytes(super()._build())
        body = plain[_CHECKED:].replace(b"odd", b"\xff\xfe\xfd")
        return plain[:_CRC] + calc_crc32c(body).to_bytes(4, "big") + body


async def send_poison(kafka: str, topic: str, partition: int) -> tuple[bytes, bytes]:
    """A batch that cannot be read, a record that is larger unpacked than the topic takes, and one behind it; the answer
    is the two that can be read."""
    large, behind = b"besar" * 300_000, b"di belakang " + os.urandom(8).hex().encode()
    producer = await start_producer(kafka, "stranger", max_record_bytes=8_000_000, compression="gzip")
    try:
        batch = NoText(100_000, 0)
        for _ in range(3):
            batch.append(timestamp=None, key=b"k", value=b"v", headers=[("odd", b"")])
        await (await producer.send_batch(batch, topic, partition=partition))
        await producer.send_and_wait(topic, large, partition=partition)
        await producer.send_and_wait(topic, behind, partition=partition)
    finally:
        await stop_quietly(producer)
    return large, behind


async def _until_ends_at(kafka: str, tp: TopicPartition, end: int) -> None:
    """Kafka writes the end of a transaction after it has confirmed it."""
    consumer = await start_consumer(kafka, "test")
    consumer.assign([tp])
    while (await consumer.end_offsets([tp]))[tp] < end:
        await asyncio.sleep(0.05)
    await stop_quietly(consumer)


@pytest.fixture
def name() -> str:
    """A topic that no other test has."""
    return f"test-{os.urandom(4).hex()}"


async def test_what_cannot_be_read_is_left_out_and_named_and_all_else_comes_back(
    stack: Stack, name: str, tmp_path: Path
) -> None:
    kafka, path = stack.kafka.bootstrap, tmp_path / "topic.gz"
    await make_topic(kafka, name, partitions=1)
    first = b"pertama"
    producer = await start_producer(kafka, "test", transactional_id=name)
    async with producer.transaction():  # its end is a batch of its own, and no record
        await producer.send_and_wait(name, first, partition=0)
    await stop_quietly(producer)
    await _until_ends_at(kafka, TopicPartition(name, 0), 2)
    large, behind = await send_poison(kafka, name, 0)
    saved = await topic_file.write(kafka, Topic(name, 1), path)
    assert (saved.records, saved.left_out) == (3, [f"{name}/0 at 2"])
    await make_topic(kafka, f"{name}-again", partitions=1)
    await topic_file.send(kafka, Topic(f"{name}-again", 1), topic_file.read(path))
    assert [record.value for record in await read_all(kafka, f"{name}-again")] == [first, large, behind]


async def test_reading_ends_when_kafka_falls_silent_in_the_middle(stack: Stack, name: str) -> None:
    kafka = stack.kafka.bootstrap
    await make_topic(kafka, name, partitions=1)
    producer: AIOKafkaProducer = await start_producer(kafka, "test")
    for _ in range(50):  # far more than one fetch brings
        await producer.send_and_wait(name, os.urandom(100_000), partition=0)
    await stop_quietly(producer)
    consumer = await start_consumer(kafka, "test", max_poll_records=1)
    server = stack.kafka.child
    assert server is not None
    taken = 0

    def take(_: ConsumerRecord) -> None:
        nonlocal taken
        taken += 1
        server.send(signal.SIGSTOP)

    try:
        with pytest.raises(TimeoutError):
            await TopicReader(kafka, consumer, answer_s=2).read(TopicPartition(name, 0), take)
    finally:
        server.send(signal.SIGCONT)
        await stop_quietly(consumer)
    assert 0 < taken < 50


@pytest.mark.parametrize("damage", ["cut", "overwritten"])
def test_a_damaged_file_is_told_in_a_sentence(tmp_path: Path, damage: str) -> None:
    kept = topic_file._encode(topic_file.Kept(0, 0, 0, None, os.urandom(2_000), []))
    whole = gzip.compress(topic_file._LENGTH.pack(len(kept)) + kept)
    (tmp_path / "topic.gz").write_bytes(whole[:-30] if damage == "cut" else whole[:40] + bytes(4) + whole[44:])
    with pytest.raises(Trouble, match="is damaged"):
        list(topic_file.read(tmp_path / "topic.gz"))
