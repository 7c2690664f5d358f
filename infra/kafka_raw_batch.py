"""One batch of a partition as it lies in Kafka: for bytes that the client itself cannot take apart."""

import asyncio
import struct
from dataclasses import dataclass
from typing import Final

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError, LeaderNotAvailableError, for_code
from aiokafka.protocol.fetch import FetchRequest

from infra.kafka import raw_client
from infra.kafka_access import KafkaAccess

#: Of a batch (https://kafka.apache.org/documentation/#recordbatch): base offset, length of what follows these two,
#: leader epoch, magic, checksum, attributes, last offset minus base offset.
_HEAD: Final = struct.Struct(">qiibIhi")
_BEFORE_LENGTH: Final = 12
_READ_COMMITTED: Final = 1
_MAX_BYTES: Final = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class RawBatch:
    """The bytes of a batch, and the offsets it holds: from `base_offset` to before `next_offset`."""

    content: bytes
    base_offset: int
    next_offset: int


async def read_raw_batch(
    kafka: KafkaAccess | str, topic: str, partition: int, offset: int, *, timeout: float = 10.0
) -> RawBatch | None:
    """The batch that holds `offset`, or the first one behind it; None when there is none.

    Raises `KafkaError`, and TimeoutError after `timeout` s.
    """
    async with asyncio.timeout(timeout), raw_client(kafka, "patriot-raw-batch") as client:
        await client.set_topics([topic])
        leader = client.cluster.leader_for_partition(TopicPartition(topic, partition))
        if leader is None or leader == -1:
            raise LeaderNotAvailableError(topic)
        wanted = [(topic, [(partition, offset, _MAX_BYTES)])]
        answer = await client.send(leader, FetchRequest(1000, 1, _MAX_BYTES, _READ_COMMITTED, wanted, rack_id=""))
    for _, partitions in answer.topics:
        for _, error_code, *_, content in partitions:
            if error_code:
                raise for_code(error_code)(topic)
            return _first_from(bytes(content or b""), offset)
    raise KafkaError("the broker's answer holds no partition")


def _first_from(content: bytes, offset: int) -> RawBatch | None:
    start = 0
    while len(content) - start >= _HEAD.size:
        base, length, _, _, _, _, last = _HEAD.unpack_from(content, start)
        end = start + _BEFORE_LENGTH + length
        if base + last >= offset:
            return RawBatch(content[start:end], base, base + last + 1)
        start = end
    return None
