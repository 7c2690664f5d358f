"""The partitions that this worker owns: paused, claimed and sought before the first record of them is read."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import KafkaError

from dispatcher import metrics, offset_store
from dispatcher.offset_store import Claim, Mark, Move, Place
from infra.postgres import ANY_FAILURE, Pool

log = structlog.get_logger()

#: Seconds between tries while Kafka or PostgreSQL does not let us claim.
_CLAIM_AGAIN_S: Final = 1.0
#: Seconds that Kafka may take to say where a partition ends.
_ENDS_TIMEOUT_S: Final = 3.0
#: Seconds between looks at the topics' ids.
_WATCH_TOPICS_S: Final = 15.0
#: What keeps us from claiming, for now.
_ERRORS: Final = (KafkaError, *ANY_FAILURE)


#: Asks Kafka for the ids of topics by their names. Raises `KafkaError`, OSError or TimeoutError.
TopicIds = Callable[[Sequence[str]], Awaitable[Mapping[str, UUID]]]


class Stray(Exception):
    """The client does what it must not, or no longer what it must; only a new one can be trusted."""


@dataclass(slots=True)
class Owned:
    """A partition that is ours."""

    epoch: int
    topic_id: str
    #: As stored: everything before it is written.
    next_offset: int
    #: Where the records end that were taken out of the consumer; beyond `next_offset` while a batch is under way.
    taken_to: int
    #: The broker's time of the newest record written: whatever is unread is not older.
    written_until: datetime | None = None


class Ownership(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """Listens to rebalances, which run in aiokafka's background task, at any await of ours.

    `generation` rises whenever a partition is lost; a batch that was read in an earlier one is void. `writing` is held
    during a batch's transaction and during a claim, never while records are awaited (aiokafka #335).
    """

    def __init__(
        self, name: str, consumer: AIOKafkaConsumer, pool: Pool, topic_ids: TopicIds, *, session_timeout: float
    ) -> None:
        self.owned: dict[TopicPartition, Owned] = {}
        self.generation = 0
        self.writing = asyncio.Lock()
        self._name = name
        self._consumer = consumer
        self._pool = pool
        self._topic_ids = topic_ids
        self._session_timeout = session_timeout
        #: Assigned and not ours yet: when to try again (monotonic), and whether to start over.
        self._unclaimed: dict[TopicPartition, float] = {}
        self._start_over: set[TopicPartition] = set()
        self.joined = False

    # aiokafka calls these two ---------------------------------------------------------------------------------------

    async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        """Wait for the transaction under way, then own nothing."""
        self.generation += 1
        async with self.writing:
            self.forget()

    async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        """Pause before anything else: not one record may be delivered from the mirror's position. Then claim."""
        self._consumer.pause(*assigned)
        self.generation += 1
        async with self.writing:
            self.forget()
            if assigned:
                await self._claim(assigned)
            self.joined = True

    def forget(self) -> None:
        """Own nothing any more."""
        for tp in self.owned:
            metrics.LAG.remove(tp.topic, tp.partition)
        self.owned.clear()
        self._unclaimed.clear()
        self._start_over.clear()

    # claims ---------------------------------------------------------------------------------------------------------

    @property
    def unclaimed(self) -> bool:
        """Whether partitions were assigned to us that we could not claim yet."""
        return bool(self._unclaimed)

    async def claim_late(self) -> None:
        """Claim what is still assigned to us, was not ours, and whose time to try again has come."""
        if not self._unclaimed:
            return
        async with self.writing:
            due = [tp for tp, again in self._unclaimed.items() if again <= time.monotonic()]
            still = [tp for tp in due if tp in self._consumer.assignment()]
            if still:
                await self._claim(still)

    async def _claim(self, partitions: Collection[TopicPartition]) -> None:
        generation = self.generation
        try:
            # Nobody sends heartbeats for us while aiokafka waits for its listener.
            async with asyncio.timeout(self._session_timeout / 2):
                claims, ids = await self._claim_in_database(partitions)
        except _ERRORS as error:
            metrics.CLAIMS_FAILED.labels(self._name).inc()
            log.warning("claim_failed", consumer=self._name, partitions=len(partitions), error=type(error).__name__)
            if generation == self.generation:
                self._unclaimed.update(dict.fromkeys(partitions, time.monotonic() + _CLAIM_AGAIN_S))
            return
        if generation != self.generation:
            return  # taken away meanwhile; an epoch that nobody uses does no harm
        for claim in claims:
            tp = TopicPartition(claim.topic, claim.partition)
            if claim.made_anew:
                metrics.MADE_ANEW.labels(tp.topic).inc()
                log.error("topic_made_anew", topic=tp.topic, partition=tp.partition, from_offset=claim.next_offset)
            if claim.set_back:
                metrics.OUT_OF_RANGE.labels(tp.topic).inc()
                log.error("partition_set_back", topic=tp.topic, partition=tp.partition, from_offset=claim.next_offset)
            self.owned[tp] = Owned(claim.epoch, ids[tp.topic], claim.next_offset, claim.next_offset)
            self._unclaimed.pop(tp, None)
            self._start_over.discard(tp)
            self._consumer.seek(tp, claim.next_offset)
            self._consumer.resume(tp)
        metrics.CLAIMS.labels(self._name).inc(len(claims))
        log.info("claimed", consumer=self._name, partitions=len(claims))

    async def _claim_in_database(self, partitions: Collection[TopicPartition]) -> tuple[list[Claim], Mapping[str, str]]:
        topics = sorted({tp.topic for tp in partitions})
        ids = {name: str(found) for name, found in (await self._topic_ids(topics)).items()}
        beginnings: Mapping[TopicPartition, int] = await self._consumer.beginning_offsets(list(partitions))
        newest, read_to = await self._read_to(partitions)
        places = [
            Place(
                tp.topic, ids[tp.topic], tp.partition, beginnings[tp], tp in self._start_over,
                newest.get((tp.topic, tp.partition)), read_to.get(tp),
            )
            for tp in partitions
        ]  # fmt: skip
        async with self._pool.acquire() as connection, connection.transaction():
            for topic in topics:
                everyone = self._consumer.partitions_for_topic(topic) or set()
                ours = {tp.partition for tp in partitions if tp.topic == topic}
                await offset_store.know(connection, self._name, topic, sorted(everyone | ours))
            return await offset_store.claim(connection, self._name, places), ids

    async def _read_to(
        self, partitions: Collection[TopicPartition]
    ) -> tuple[Mapping[tuple[str, int], datetime], Mapping[TopicPartition, int]]:
        """Per partition the time of the newest record that was read, and the offset up to which Kafka has none newer.

        Where Kafka was set back (restored from an older copy), and perhaps written since, that is before our offset.
        The ends come first: what is written between the two questions is then seen by the second.
        """
        async with self._pool.acquire() as connection:
            newest = await offset_store.newest(connection, self._name)
        ends: Mapping[TopicPartition, int] = await self._consumer.end_offsets(list(partitions))
        known = {tp: newest[tp.topic, tp.partition] for tp in partitions if (tp.topic, tp.partition) in newest}
        later = await self._consumer.offsets_for_times({tp: _ms_after(at) for tp, at in known.items()}) if known else {}
        unread = {tp: one.offset for tp, one in later.items() if one is not None}
        return newest, {tp: min(end, unread.get(tp, end)) for tp, end in ends.items()}

    async def look_again(self) -> None:
        """After a batch was refused: what is still ours is read on from where it stands, the rest is paused, and
        claimed again after a session time-out if nobody told us until then that it is another's."""
        async with self.writing:
            generation = self.generation
            try:
                async with asyncio.timeout(self._session_timeout / 2), self._pool.acquire() as connection:
                    stored = await offset_store.select(connection, self._name)
            except _ERRORS:
                stored = {}  # then nothing is known to be ours
            if generation != self.generation:
                return
            for tp, owned in list(self.owned.items()):
                epoch, next_offset = stored.get((tp.topic, tp.partition), (-1, 0))
                if epoch == owned.epoch:
                    owned.next_offset = next_offset
                else:
                    self._lose(tp, self._session_timeout)
            self.rewind()

    def start_over(self, partitions: Iterable[TopicPartition]) -> None:
        """Read these from their oldest record: the next one is gone, or beyond the end. Ids that were seen have no
        second effect."""
        for tp in partitions:
            metrics.OUT_OF_RANGE.labels(tp.topic).inc()
            log.error("offset_out_of_range", consumer=self._name, topic=tp.topic, partition=tp.partition)
            if tp in self.owned:
                self._start_over.add(tp)
                self._lose(tp, 0)
        self.rewind()

    async def watch_topics(self) -> None:
        """See, until cancelled, whether a topic of ours was made anew under its name while we read on."""
        while True:
            await asyncio.sleep(_WATCH_TOPICS_S)
            if not self.owned:
                continue
            try:
                ids = await self._topic_ids(sorted({tp.topic for tp in self.owned}))
            except (KafkaError, OSError, TimeoutError):
                continue
            async with self.writing:
                anew = [tp for tp, owned in self.owned.items() if owned.topic_id != str(ids.get(tp.topic))]
                for tp in anew:
                    self._lose(tp, 0)
                if anew:
                    self.rewind()

    def _lose(self, tp: TopicPartition, again_in: float) -> None:
        self.generation += 1
        self._consumer.pause(tp)
        del self.owned[tp]
        metrics.LAG.remove(tp.topic, tp.partition)
        self._unclaimed[tp] = time.monotonic() + again_in

    # what a batch does to it ----------------------------------------------------------------------------------------

    def took(self, partition: TopicPartition, first: int, last: int) -> None:
        """Records were taken out of the client. Raises `Stray` when they are not the next ones of a partition of ours:
        the pause before the claim is there to make that impossible."""
        owned = self.owned.get(partition)
        if owned is None or first < owned.taken_to:
            raise Stray(f"{partition.topic}/{partition.partition} from {first}")
        owned.taken_to = last + 1

    def moves(self, ends: Mapping[TopicPartition, int], until: Mapping[TopicPartition, datetime]) -> list[Move]:
        """What a batch that ends there, with a last record of that time, does to the stored offsets."""
        return [
            Move(tp.topic, tp.partition, self.owned[tp].epoch, self.owned[tp].next_offset, end, until.get(tp))
            for tp, end in ends.items()
        ]

    def moved(self, moves: Sequence[Move], until: Mapping[TopicPartition, datetime]) -> None:
        """The batch is committed; `until` is the broker's time of each partition's last record in it."""
        for move in moves:
            tp = TopicPartition(move.topic, move.partition)
            owned = self.owned[tp]
            owned.next_offset = move.end
            owned.written_until = until.get(tp, owned.written_until)

    def rewind(self) -> None:
        """Read again what was taken out of the consumer and not written."""
        for tp, owned in self.owned.items():
            owned.taken_to = owned.next_offset
            self._consumer.seek(tp, owned.next_offset)

    def pause(self) -> None:
        """Fetch nothing for now."""
        self._consumer.pause(*self.owned)

    def resume(self) -> None:
        """Fetch what is ours."""
        self._consumer.resume(*self.owned)

    # freshness ------------------------------------------------------------------------------------------------------

    async def freshness(self, now: datetime) -> list[Mark]:
        """Up to when each partition of ours is contained: `now` (taken before the call, PostgreSQL's clock) where
        Kafka has no record that is not written, else the time of the last one written. Sets the lag's metric.

        Raises `KafkaError` or TimeoutError when Kafka does not say where partitions end.
        """
        generation = self.generation
        async with asyncio.timeout(_ENDS_TIMEOUT_S):
            ends: Mapping[TopicPartition, int] = await self._consumer.end_offsets(list(self.owned))
            positions = {tp: await self._consumer.position(tp) for tp in ends if tp in self.owned}
        if generation != self.generation:
            return []
        marks = []
        for tp, owned in self.owned.items():
            if tp not in ends or tp not in positions:
                continue
            # The position passes what is no message (markers of transactions, compacted records).
            written_to = positions[tp] if owned.next_offset >= owned.taken_to else owned.next_offset
            lag = max(ends[tp] - written_to, 0)
            metrics.LAG.labels(tp.topic, tp.partition).set(lag)
            as_of = now if lag == 0 else owned.written_until
            if as_of is not None:
                marks.append(Mark(tp.topic, tp.partition, owned.epoch, as_of))
        return marks


def _ms_after(moment: datetime) -> int:
    """Kafka's time right behind a moment."""
    return round(moment.timestamp() * 1000) + 1
