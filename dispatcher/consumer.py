"""The batch consumer: each message has its effects exactly once, whatever is killed, paused, replayed or sent twice.

One turn: read a batch (`reader`), then ONE transaction with ids, effects, outbox, dead letters and the fenced offsets
(`settling`, `batch`). Rebalances run beside it, at any await (`ownership`). The law is design.md, Exactly-once effects.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final

import structlog
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError

from dispatcher import breaker, metrics
from dispatcher.batch import Item
from dispatcher.breaker import Breaker
from dispatcher.effects import Effects
from dispatcher.mirror import Mirror
from dispatcher.offset_store import Mark
from dispatcher.ownership import Ownership, Stray, TopicIds
from dispatcher.reader import OutOfRange, Reader, Records, Unreadable
from dispatcher.settling import Limits, Settler, Unavailable, connected
from dispatcher.supervise import pause
from dispatcher.unpack import Refused, Unpacker
from infra import failpoints
from infra.kafka import start_consumer, stop_quietly
from infra.kafka_access import KafkaAccess, sentence
from infra.kafka_raw_batch import find_unreadable
from infra.kafka_topic_id import topic_ids
from infra.postgres import ANY_FAILURE, Pool, backoff
from schemas import topics

log = structlog.get_logger()

#: Records arrive at once; this is how long a turn lasts when there are none.
_POLL_S: Final = 0.5
#: After so many records others of this process get their turn: some 3 ms.
_BREATH: Final = 250
#: Seconds between looks at the breaker's row.
_BREAKER_EVERY_S: Final = 1.0
#: `/readyz` names an alarm for this long.
_ALARM_S: Final = 900.0


@dataclass(frozen=True, slots=True)
class ConsumerOptions:
    """What a consumer is told by the settings."""

    kafka: KafkaAccess | str
    #: Whether ours is a training city: then what a real one has sent is set aside, else what a training one has.
    training: bool = False
    session_timeout_ms: int = 10_000
    max_batch: int = 500
    #: Seconds that one batch's transaction may take.
    batch_timeout_s: float = 10.0


@dataclass(frozen=True, slots=True)
class Member:
    """What works with one client while it is in the group."""

    ownership: Ownership
    reader: Reader
    settler: Settler
    mirror: Mirror


class Consumer:
    """Reads the topics of `effects` and has them applied. `run` it, and again after it raised."""

    def __init__(self, effects: Effects, pool: Pool, options: ConsumerOptions) -> None:
        self.name = effects.name
        self._effects = effects
        self._pool = pool
        self._options = options
        self._unpacker = Unpacker(effects.types, training=options.training)
        self._breaker = Breaker()
        self._stopped_because: str | None = None
        self._breaker_seen_at = float("-inf")
        self._trouble: str | None = "not started"
        self._alarm_until = float("-inf")
        self._member: Member | None = None

    # what others ask ------------------------------------------------------------------------------------------------

    def trouble(self) -> Mapping[str, str]:
        """What keeps this consumer from its work right now, for `/readyz`; empty when nothing does."""
        if self._stopped_because is not None:
            why = f"stopped by its breaker ({self._stopped_because}); `patriot dlq resume {self.name}` lets it go on"
        elif self._trouble is not None:
            why = self._trouble
        elif self._member is None or not self._member.ownership.joined:
            why = "not yet in its group"
        elif self._member.settler.trouble is not None:
            why = self._member.settler.trouble
        elif self._member.ownership.unclaimed:
            why = "partitions could not be claimed"
        elif time.monotonic() < self._alarm_until:
            why = "records were gone, or a partition ended before them; it is read again from its beginning"
        else:
            return {}
        return {self.name: why}

    async def freshness(self, now: datetime) -> list[Mark]:
        """Up to when each partition of ours is contained (see `Ownership.freshness`); empty while not in the group."""
        return await self._member.ownership.freshness(now) if self._member is not None else []

    # life -----------------------------------------------------------------------------------------------------------

    async def run(self, stop: asyncio.Event) -> None:
        """Consume until `stop` is set; the batch under way is finished, then the group is left.

        Raises `KafkaError` or OSError when Kafka does not let us; nothing is lost by running it again.
        """
        if not await self._topics_exist(stop):
            return
        options = self._options
        client = await start_consumer(
            options.kafka,
            f"patriot-dispatcher-{self.name}",
            group=topics.DISPATCHER_GROUP,
            session_timeout_ms=options.session_timeout_ms,
            max_poll_records=options.max_batch,
        )
        member = self.member(client, partial(topic_ids, options.kafka))
        beside = [asyncio.create_task(member.mirror.run()), asyncio.create_task(member.ownership.watch_topics())]
        self._member, self._trouble = member, None
        try:
            # Only now: the listener needs the client from the first rebalance on.
            client.subscribe(topics=list(self._effects.topics), listener=member.ownership)
            while not stop.is_set():
                await self.turn(member, stop)
            await member.mirror.flush()
        except Exception as error:
            self._trouble = f"starts again after {sentence(error)}"
            raise
        finally:
            self._member = None
            for task in beside:
                task.cancel()
            await stop_quietly(client)
            member.ownership.forget()

    def member(self, client: AIOKafkaConsumer, topic_ids: TopicIds) -> Member:
        """What works with one client; its `ownership` is the listener that the client tells of rebalances."""
        options = self._options
        session_timeout = options.session_timeout_ms / 1000
        ownership = Ownership(self.name, client, self._pool, topic_ids, session_timeout=session_timeout)
        reader, mirror = Reader(client, ownership), Mirror(client)
        limits = Limits(options.max_batch, options.batch_timeout_s, options.session_timeout_ms)
        settler = Settler(self._effects, self._pool, limits, self._breaker, ownership, mirror, reader.rest)
        return Member(ownership, reader, settler, mirror)

    async def _topics_exist(self, stop: asyncio.Event) -> bool:
        """Wait for them; False when it is time to stop."""
        delays = backoff(0.5)
        while not stop.is_set():
            try:
                await topic_ids(self._options.kafka, self._effects.topics)
            except (KafkaError, OSError, TimeoutError) as error:
                self._trouble = f"its topics cannot be read: {sentence(error)}"
                log.warning("topics_missing", consumer=self.name, error=type(error).__name__)
                await pause(stop, next(delays))
            else:
                return True
        return False

    async def turn(self, member: Member, stop: asyncio.Event) -> None:
        """Read once, and settle what was read. Raises as `run` does."""
        ownership, reader, settler = member.ownership, member.reader, member.settler
        if await self._is_stopped():
            await reader.rest(_BREAKER_EVERY_S)
            return
        await ownership.claim_late()
        try:
            records = await reader.read(_POLL_S, settler.most)
        except OutOfRange:
            self._alarm_until = time.monotonic() + _ALARM_S
            return
        except Unreadable as found:
            tp, generation = found.partition, ownership.generation
            unreadable = await find_unreadable(self._options.kafka, tp.topic, tp.partition, found.offset)
            if unreadable is None:
                raise Stray(f"the records are good, and the client cannot read them: {found.error!r}") from found.error
            await settler.set_unreadable_aside(tp, *unreadable, generation)
            return
        if not records:
            return
        # Nothing was awaited since they were taken: this is the generation they belong to.
        generation = ownership.generation
        items = await self._unpack(records, ownership)
        failpoints.hit("dispatcher.after_read")
        opened = await settler.settle(items, generation, stop)
        if opened is not None:
            self._stopped_because = opened
            metrics.BREAKER_OPEN.labels(self.name).set(1)
            log.error("breaker_opened", consumer=self.name, why=opened)
            ownership.rewind()

    async def _unpack(self, records: Records, ownership: Ownership) -> list[Item]:
        of_topic = {tp: ownership.owned[tp].topic_id for tp in records}
        items: list[Item] = []
        for tp, found in records.items():
            topic_id = of_topic[tp]
            for record in found:
                try:
                    items.append(Item(record, topic_id, self._unpacker.unpack(record)))
                except Refused as refused:
                    items.append(Item(record, topic_id, None, refused))
                if len(items) % _BREATH == 0:
                    await asyncio.sleep(0)
        return items

    async def _is_stopped(self) -> bool:
        """Whether the breaker's row is there; looked up once a second, the last answer holds in between."""
        if time.monotonic() - self._breaker_seen_at < _BREAKER_EVERY_S:
            return self._stopped_because is not None
        self._breaker_seen_at = time.monotonic()
        try:
            async with connected(self._pool) as connection:
                because = await breaker.reason_open(connection, self.name)
        except (Unavailable, *ANY_FAILURE):
            return self._stopped_because is not None
        if self._stopped_because is not None and because is None:
            log.info("breaker_closed", consumer=self.name)
            self._breaker.reset()
        self._stopped_because = because
        metrics.BREAKER_OPEN.labels(self.name).set(because is not None)
        return because is not None
