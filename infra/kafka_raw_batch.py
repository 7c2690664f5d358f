"""One batch of a partition as it lies in Kafka: for bytes that the client itself cannot take apart."""

import asyncio
import struct
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from aiokafka import TopicPartition
from aiokafka.consumer.fetcher import READ_COMMITTED, PartitionRecords
from aiokafka.errors import KafkaError, LeaderNotAvailableError, for_code
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import calc_crc32c

from infra.kafka import raw_client, time_of
from infra.kafka_access import KafkaAccess

#: Of a batch (https://kafka.apache.org/documentation/#recordbatch): base offset, length of what follows these two,
#: leader epoch, magic, checksum, attributes, last offset minus base offset, first and highest timestamp.
_HEAD: Final = struct.Struct(">qiibIhiqq")
_BEFORE_LENGTH: Final = 12
#: The checksum is that of what lies behind it.
_CHECKED: Final = 21
#: The lower byte of the attributes, and its bits for a batch that may hold nothing for a reader.
_ATTRIBUTES: Final = 22
_TRANSACTIONAL: Final = 0x10
_CONTROL: Final = 0x20
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

    @property
    def may_be_empty(self) -> bool:
        """The end of a transaction, or part of one, which may have been aborted: a reader may be shown none of it."""
        return bool(self.content[_ATTRIBUTES] & (_TRANSACTIONAL | _CONTROL))

    def fault(self) -> Exception | None:
        """What aiokafka raises when it takes just these bytes apart; None when they are good."""
        try:
            for _ in PartitionRecords(
                TopicPartition("", 0),
                MemoryRecords(self.content),
                [],
                self.base_offset,
                None,
                None,
                True,
                READ_COMMITTED,
            ):
                pass
        except Exception as error:
            return error
        return None


async def find_unreadable(
    kafka: KafkaAccess | str, topic: str, partition: int, offset: int
) -> tuple[RawBatch, Exception] | None:
    """The batch at or behind `offset` that a reader who stands there cannot get past, and why; None when the next
    records can be read: then it was no fault of theirs.

    A client that is broken itself (a background task of aiokafka has ended, say) raises at every read, and by its error
    alone good records would be taken for bad ones. Raises as `read_raw_batch` does.
    """
    while (batch := await read_raw_batch(kafka, topic, partition, offset)) is not None:
        if (fault := batch.fault()) is not None:
            return batch, fault
        if not batch.may_be_empty:
            return None
        offset = batch.next_offset
    return None


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
        answer = await client.send(leader, FetchRequest(1000, 1, _MAX_BYTES, READ_COMMITTED, wanted, rack_id=""))
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
