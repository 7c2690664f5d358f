"""One batch of a partition as it lies in Kafka: for bytes that the client itself cannot take apart."""

import asyncio
import struct
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError, LeaderNotAvailableError, for_code
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.record.util import calc_crc32c

from infra.kafka import raw_client, time_of
from infra.kafka_access import KafkaAccess

#: Of a batch (https://kafka.apache.org/documentation/#recordbatch): base offset, length of what follows these two,
#: leader epoch, magic, checksum, attributes, last offset minus base offset, first and highest timestamp.
_HEAD: Final = struct.Struct(">qiibIhiqq")
_BEFORE_LENGTH: Final = 12
#: The checksum is that of what lies behind it.
_CHECKED: Final = 21
_READ_COMMITTED: Final = 1
_MAX_BYTES: Final = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class RawBatch:
    """The bytes of a batch, and the offsets it holds: from `base_offset` to before `next_offset`."""

    content: bytes
    base_offset: int
    next_offset: int
    #: The time of its newest record, the broker's where the topic says LogAppendTime; None where the batch is damaged,
    #: for then it could be any.
    newest: datetime | None = None


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
        base, length, _, _, checksum, _, last, _, highest = _HEAD.unpack_from(content, start)
        end = start + _BEFORE_LENGTH + length
        if base + last >= offset:
            whole = calc_crc32c(content[start + _CHECKED : end]) == checksum
            return RawBatch(content[start:end], base, base + last + 1, time_of(highest) if whole else None)
        start = end
    return None
