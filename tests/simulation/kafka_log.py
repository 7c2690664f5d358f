"""Kafka as the engine meets it, in memory: partitions that are lists, and the clients' side of its promises.

This is the world outside, not our code: what a consumer may be handed and when, that a position can be gone, that a
transactional producer is refused once another one has begun with its id.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime
from types import SimpleNamespace
from uuid import UUID
from zlib import crc32

from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import IllegalStateError, NoOffsetForPartitionError, OffsetOutOfRangeError, ProducerFenced
from aiokafka.structs import OffsetAndTimestamp

RawHeaders = Sequence[tuple[str, bytes | None]]


@dataclass
class Log:
    """Every partition with its records; offsets have holes where a transaction's marker lies."""

    partitions: Mapping[str, int]
    records: defaultdict[TopicPartition, list[ConsumerRecord]] = field(default_factory=lambda: defaultdict(list))
    beginnings: defaultdict[TopicPartition, int] = field(default_factory=lambda: defaultdict(int))
    ends: defaultdict[TopicPartition, int] = field(default_factory=lambda: defaultdict(int))
    #: Of each transactional id, the producer that began last.
    epochs: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))

    def append(
        self, tp: TopicPartition, key: bytes | None, value: bytes | None, headers: RawHeaders, at: datetime
    ) -> ConsumerRecord:
        """A record at the end, with the broker's time."""
        timestamp = int(at.timestamp() * 1000)
        record = ConsumerRecord(
            tp.topic, tp.partition, self.ends[tp], timestamp, 1, key, value, None, -1, -1, tuple(headers)
        )
        self.records[tp].append(record)
        self.ends[tp] += 1
        return record

    def skip(self, tp: TopicPartition) -> None:
        """A hole in the offsets."""
        self.ends[tp] += 1

    def expire(self, tp: TopicPartition, before: int) -> None:
        """Retention takes what is older than an offset."""
        self.beginnings[tp] = max(self.beginnings[tp], min(before, self.ends[tp]))
        self.records[tp] = [record for record in self.records[tp] if record.offset >= self.beginnings[tp]]

    async def topic_ids(self, names: Sequence[str]) -> Mapping[str, UUID]:
        """Ids of topics, as the brokers tell them."""
        return {name: UUID(int=crc32(name.encode())) for name in names}


class Client:
    """What the engine uses of `AIOKafkaConsumer`. Which partitions it has is decided by the test (`take`)."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._positions: dict[TopicPartition, int | None] = {}
        self._paused: set[TopicPartition] = set()
        #: What `infra.kafka.must_fetch` looks at: this client never stops fetching.
        self._fetcher = SimpleNamespace(_fetch_task=Future[None]())

    def take(self, positions: Mapping[TopicPartition, int | None]) -> None:
        """The group gives it these partitions, each at the position that is committed in Kafka, or none."""
        self._positions = dict(positions)
        self._paused.clear()

    def assignment(self) -> set[TopicPartition]:
        """As it was told last."""
        return set(self._positions)

    def pause(self, *partitions: TopicPartition) -> None:
        self._paused.update(map(self._ours, partitions))

    def resume(self, *partitions: TopicPartition) -> None:
        self._paused.difference_update(map(self._ours, partitions))

    def seek(self, tp: TopicPartition, offset: int) -> None:
        self._positions[self._ours(tp)] = offset

    def partitions_for_topic(self, topic: str) -> set[int]:
        return set(range(self._log.partitions[topic]))

    async def position(self, tp: TopicPartition) -> int:
        position = self._positions[self._ours(tp)]
        assert position is not None
        return position

    async def beginning_offsets(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        await asyncio.sleep(0)
        return {tp: self._log.beginnings[tp] for tp in partitions}

    async def end_offsets(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        await asyncio.sleep(0)
        return {tp: self._log.ends[tp] for tp in partitions}

    async def offsets_for_times(
        self, times: Mapping[TopicPartition, int]
    ) -> dict[TopicPartition, OffsetAndTimestamp | None]:
        await asyncio.sleep(0)
        later = {tp: [record for record in self._log.records[tp] if record.timestamp >= at] for tp, at in times.items()}
        return {
            tp: OffsetAndTimestamp(records[0].offset, records[0].timestamp) if records else None
            for tp, records in later.items()
        }

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """A mirror that nobody leans on."""

    async def getmany(
        self, *partitions: TopicPartition, timeout_ms: int, max_records: int
    ) -> dict[TopicPartition, list[ConsumerRecord]]:
        """At once, whatever `timeout_ms` says: time is the test's."""
        await asyncio.sleep(0.001)
        found: dict[TopicPartition, list[ConsumerRecord]] = {}
        for tp in partitions or tuple(self._positions):
            if tp in self._paused or max_records <= 0:
                continue
            position = self._positions[tp]
            if position is None:
                raise NoOffsetForPartitionError(tp)
            if not self._log.beginnings[tp] <= position <= self._log.ends[tp]:
                raise OffsetOutOfRangeError({tp: position})
            records = [record for record in self._log.records[tp] if record.offset >= position]
            if records:
                found[tp] = records[:max_records]
                max_records -= len(found[tp])
            # Behind the last record there may be holes.
            self._positions[tp] = (
                self._log.ends[tp] if len(records) == len(found.get(tp, ())) else found[tp][-1].offset + 1
            )
        return found

    def _ours(self, tp: TopicPartition) -> TopicPartition:
        if tp not in self._positions:
            raise IllegalStateError(f"{tp} is not assigned to this client")
        return tp


class Producer:
    """What the relay uses of a transactional `AIOKafkaProducer`."""

    def __init__(self, log: Log, transactional_id: str, clock: Callable[[], datetime]) -> None:
        log.epochs[transactional_id] += 1
        self._log = log
        self._id = transactional_id
        self._epoch = log.epochs[transactional_id]
        self._clock = clock
        self._staged: list[tuple[TopicPartition, bytes | None, bytes | None, RawHeaders]] = []
        #: Awaited before and after a commit, with the word for which: there a relay can be held.
        self.passes: Callable[[str], Awaitable[None]]

    async def begin_transaction(self) -> None:
        self._staged = []

    async def send(
        self, topic: str, value: bytes | None, key: bytes | None, headers: RawHeaders
    ) -> asyncio.Future[None]:
        partition = crc32(key or b"") % self._log.partitions[topic]
        self._staged.append((TopicPartition(topic, partition), key, value, headers))
        acknowledged: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        acknowledged.set_result(None)
        return acknowledged

    async def commit_transaction(self) -> None:
        """All of it becomes visible, or `ProducerFenced`: another producer has begun with the id."""
        await self.passes("before_commit")
        if self._log.epochs[self._id] != self._epoch:
            raise ProducerFenced
        for tp, key, value, headers in self._staged:
            self._log.append(tp, key, value, headers, self._clock())
        for tp in {tp for tp, *_ in self._staged}:
            self._log.skip(tp)
        await self.passes("after_commit")
