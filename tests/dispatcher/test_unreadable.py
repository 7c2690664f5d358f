"""A batch in a compression that our client does not know is set aside with its bytes, and reading goes on behind it."""

import asyncio
import struct

from aiokafka import AIOKafkaProducer
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.util import calc_crc32c

from dispatcher import metrics
from dispatcher.consumer import Consumer
from dispatcher.supervise import Supervised
from infra.kafka import stop_quietly
from infra.kafka_raw_batch import read_raw_batch
from infra.local.stack import Stack
from infra.postgres import Pool
from tests.dispatcher.bench import (
    Counted,
    consuming,
    effects_of,
    headers,
    letters_of,
    make_topic,
    options,
    producing,
    report,
    send,
    until,
    until_effects,
)

_SNAPPY = 2
#: Of a batch: the length and the checksum lie here, the attributes behind it, the records from here on.
_LENGTH, _CRC, _ATTRIBUTES, _RECORDS = 8, 17, 21, 61


class _Snappy(BatchBuilder):  # type: ignore[misc]  # aiokafka has no types
    """A batch as another producer may send it: compressed with snappy, which aiokafka alone cannot read."""

    def _build(self) -> bytes:
        plain = bytes(super()._build())
        records = plain[_RECORDS:]
        # snappy's own format: the length, then one literal
        packed = _varint(len(records)) + b"\xf4" + struct.pack("<H", len(records) - 1) + records
        body = struct.pack(">h", _SNAPPY) + plain[_ATTRIBUTES + 2 : _RECORDS] + packed
        head = plain[:_LENGTH] + struct.pack(">i", _CRC + 4 - 12 + len(body)) + plain[12:_CRC]
        return head + struct.pack(">I", calc_crc32c(body)) + body


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


async def _send_unreadable(bootstrap: str, topic: str) -> None:
    """Three records in such a batch."""
    stranger = AIOKafkaProducer(bootstrap_servers=bootstrap)
    await stranger.start()
    try:
        batch = _Snappy(100_000, 0)
        for _ in range(3):
            batch.append(key=b"k", value=report(), timestamp=None, headers=headers())
        await (await stranger.send_batch(batch, topic, partition=0))
    finally:
        await stop_quietly(stranger)


async def test_a_batch_in_an_unknown_compression_is_set_aside_whole(stack: Stack, pool: Pool, name: str) -> None:
    bootstrap = stack.kafka.bootstrap
    await make_topic(bootstrap, name, partitions=2)
    async with producing(bootstrap) as producer:
        sent = await send(producer, name, 20)
        await _send_unreadable(bootstrap, name)
        sent += await send(producer, name, 20)
        async with consuming(Consumer(Counted(name, [name]), pool, options(bootstrap))):
            await until_effects(pool, name, 40)
    assert sorted(await effects_of(pool, name)) == sorted(sent)
    (letter,) = await letters_of(pool, name)
    assert (letter.reason, letter.partition) == ("unreadable", 0)
    raw = await read_raw_batch(bootstrap, name, 0, letter.offset)
    assert raw is not None
    assert letter.value == raw.content
    assert raw.next_offset - raw.base_offset == 3


async def test_such_a_batch_at_the_end_of_a_partition_is_not_read_again_by_its_next_owner(
    stack: Stack, pool: Pool, name: str
) -> None:
    bootstrap = stack.kafka.bootstrap
    await make_topic(bootstrap, name, partitions=1)

    async def set_aside() -> bool:
        return bool(await letters_of(pool, name))

    async with producing(bootstrap) as producer:
        sent = await send(producer, name, 1)
        await asyncio.sleep(0.01)  # the batch comes later, by the broker's clock
        await _send_unreadable(bootstrap, name)
        async with consuming(Consumer(Counted(name, [name]), pool, options(bootstrap))):
            await until(set_aside)
        sent += await send(producer, name, 1)
        async with consuming(Consumer(Counted(name, [name]), pool, options(bootstrap))):
            await until_effects(pool, name, 2)
    assert await effects_of(pool, name) == sent
    assert metrics.OUT_OF_RANGE.labels(name)._value.get() == 0, "nothing was set back"
    assert metrics.DEAD_LETTERS.labels(name, "unreadable")._value.get() == 1


async def test_a_client_that_is_broken_itself_is_replaced_and_good_records_are_not_set_aside(
    stack: Stack, pool: Pool, name: str
) -> None:
    bootstrap = stack.kafka.bootstrap
    await make_topic(bootstrap, name, partitions=2)
    consumer = Consumer(Counted(name, [name]), pool, options(bootstrap))
    stop = asyncio.Event()
    task = asyncio.create_task(Supervised(name, consumer.run).run(stop))
    try:
        async with producing(bootstrap) as producer:
            sent = await send(producer, name, 20)
            await until_effects(pool, name, 20)
            await _break_client(consumer)
            sent += await send(producer, name, 20)  # still read: that read was under way
            await until_effects(pool, name, 40)
            sent += await send(producer, name, 20)
            await until_effects(pool, name, 60)
    finally:
        stop.set()
        await asyncio.wait_for(task, 20)
    assert sorted(await effects_of(pool, name)) == sorted(sent)
    assert await letters_of(pool, name) == []


async def _break_client(consumer: Consumer) -> None:
    """As when a background task of aiokafka ends with an error of its own: the client raises it at every read."""

    async def end() -> None:
        raise AttributeError("'NoneType' object has no attribute 'send'")

    assert consumer._member is not None
    coordinator = consumer._member.reader._consumer._coordinator
    coordinator._coordination_task.cancel()
    coordinator._coordination_task = asyncio.create_task(end())
