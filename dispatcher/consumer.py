"""The batch consumer: each message has its effects exactly once, whatever is killed, paused, replayed or sent twice.

One turn: read a batch, then ONE transaction with ids, effects, outbox, dead letters and the fenced offsets (design.md,
Exactly-once effects). Rebalances run beside it, at any await (`ownership`).
"""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import asyncpg
import structlog
from aiokafka.errors import KafkaError

from dispatcher import breaker, dead_letter_store, metrics
from dispatcher.batch import Batch, Item, batch_of, write
from dispatcher.breaker import Breaker
from dispatcher.dead_letter_store import Letter
from dispatcher.effects import Effects
from dispatcher.fault import Fault, fault_of
from dispatcher.mirror import Mirror
from dispatcher.offset_store import Fenced, Mark
from dispatcher.ownership import Ownership
from dispatcher.reader import OutOfRange, Reader, Records, Unreadable
from dispatcher.supervise import pause
from dispatcher.unpack import Refused, Unpacker
from infra import failpoints
from infra.kafka import start_consumer, stop_quietly
from infra.kafka_raw_batch import read_raw_batch
from infra.kafka_topic_id import topic_ids
from infra.postgres import Connection, Pool, backoff
from schemas import topics

log = structlog.get_logger()

_CONNECT_TIMEOUT_S: Final = 5.0
#: Records arrive at once; this is how long a turn lasts when there are none.
_POLL_S: Final = 0.5
#: Tries of a batch that meets other transactions, or takes too long, before it is taken apart; of one message before
#: it is set aside.
_TRIES: Final = 2
_LONE_TRIES: Final = 3
#: Seconds between looks at the breaker's row.
_BREAKER_EVERY_S: Final = 1.0
#: `/readyz` names an alarm for this long.
_ALARM_S: Final = 900.0


@dataclass(frozen=True, slots=True)
class ConsumerOptions:
    """What a consumer is told by the settings."""

    kafka_bootstrap: str
    session_timeout_ms: int = 10_000
    max_batch: int = 500
    #: Seconds that one batch's transaction may take; a rebalance waits for it, and Kafka waits 30 s for a rebalance.
    batch_timeout_s: float = 10.0


class _Unavailable(Exception):
    """There is no connection to be had; it says nothing about the batch."""


class _Void(Exception):
    """A rebalance came between: the partitions of this batch are no longer ours."""


class Consumer:
    """Reads the topics of `effects` and has them applied. `run` it, and again after it raised."""

    def __init__(self, effects: Effects, pool: Pool, options: ConsumerOptions) -> None:
        self.name = effects.name
        self._effects = effects
        self._pool = pool
        self._options = options
        self._unpacker = Unpacker(effects.types)
        self._breaker = Breaker()
        self._stopped_because: str | None = None
        self._breaker_seen_at = float("-inf")
        self._most = options.max_batch
        self._trouble: str | None = "not started"
        self._alarm_until = float("-inf")
        self._ownership: Ownership | None = None

    # what others ask ------------------------------------------------------------------------------------------------

    def trouble(self) -> Mapping[str, str]:
        """What keeps this consumer from its work right now, for `/readyz`; empty when nothing does."""
        if self._stopped_because is not None:
            why = f"stopped by its breaker ({self._stopped_because}); `patriot dlq resume {self.name}` lets it go on"
        elif self._trouble is not None:
            why = self._trouble
        elif self._ownership is None or not self._ownership.joined:
            why = "not yet in its group"
        elif self._ownership.unclaimed:
            why = "partitions could not be claimed"
        elif time.monotonic() < self._alarm_until:
            why = "records were gone, or a partition ended before them; it is read again from its beginning"
        else:
            return {}
        return {self.name: why}

    async def freshness(self, now: datetime) -> list[Mark]:
        """Up to when each partition of ours is contained (see `Ownership.freshness`); empty while not in the group."""
        return await self._ownership.freshness(now) if self._ownership is not None else []

    # life -----------------------------------------------------------------------------------------------------------

    async def run(self, stop: asyncio.Event) -> None:
        """Consume until `stop` is set; the batch under way is finished, then the group is left.

        Raises `KafkaError` or OSError when Kafka does not let us; nothing is lost by running it again.
        """
        if not await self._topics_exist(stop):
            return
        options = self._options
        client = await start_consumer(
            options.kafka_bootstrap,
            f"patriot-dispatcher-{self.name}",
            group=topics.DISPATCHER_GROUP,
            session_timeout_ms=options.session_timeout_ms,
            max_poll_records=options.max_batch,
        )
        ownership = Ownership(
            self.name,
            client,
            self._pool,
            options.kafka_bootstrap,
            session_timeout=options.session_timeout_ms / 1000,
        )
        reader, mirror = Reader(client, ownership), Mirror(client)
        mirroring = asyncio.create_task(mirror.run())
        self._ownership = ownership
        self._trouble = None
        try:
            # Only now: the listener needs the client from the first rebalance on.
            client.subscribe(topics=list(self._effects.topics), listener=ownership)
            while not stop.is_set():
                await self._turn(reader, ownership, mirror, stop)
            await mirror.flush()
        except Exception as error:
            self._trouble = f"Kafka: {type(error).__name__}"
            raise
        finally:
            self._ownership = None
            mirroring.cancel()
            await stop_quietly(client)
            ownership.forget()

    async def _topics_exist(self, stop: asyncio.Event) -> bool:
        """Wait for them; False when it is time to stop."""
        delays = backoff(0.5)
        while not stop.is_set():
            try:
                await topic_ids(self._options.kafka_bootstrap, self._effects.topics)
            except (KafkaError, OSError, TimeoutError) as error:
                self._trouble = f"its topics cannot be read: {type(error).__name__}"
                log.warning("topics_missing", consumer=self.name, error=type(error).__name__)
                await pause(stop, next(delays))
            else:
                return True
        return False

    async def _turn(self, reader: Reader, ownership: Ownership, mirror: Mirror, stop: asyncio.Event) -> None:
        if await self._is_stopped():
            await reader.rest(_BREAKER_EVERY_S)
            return
        await ownership.claim_late()
        try:
            records = await reader.read(_POLL_S, self._most)
        except OutOfRange:
            self._alarm_until = time.monotonic() + _ALARM_S
            return
        except Unreadable as found:
            await self._set_unreadable_aside(found, ownership, mirror)
            return
        if records:
            # Nothing was awaited since they were taken: this is the generation they belong to.
            generation = ownership.generation
            items = self._unpack(records, ownership)
            failpoints.hit("dispatcher.after_read")
            await self._settle(items, generation, reader, ownership, mirror, stop)

    def _unpack(self, records: Records, ownership: Ownership) -> list[Item]:
        items = []
        for tp, found in records.items():
            topic_id = ownership.owned[tp].topic_id
            for record in found:
                try:
                    items.append(Item(record, topic_id, self._unpacker.unpack(record)))
                except Refused as refused:
                    items.append(Item(record, topic_id, None, refused))
        return items

    async def _is_stopped(self) -> bool:
        """Whether the breaker's row is there; looked up once a second, the last answer holds in between."""
        if time.monotonic() - self._breaker_seen_at < _BREAKER_EVERY_S:
            return self._stopped_because is not None
        self._breaker_seen_at = time.monotonic()
        try:
            async with self._connection() as connection:
                because = await breaker.reason_open(connection, self.name)
        except (_Unavailable, asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
            return self._stopped_because is not None
        if self._stopped_because is not None and because is None:
            log.info("breaker_closed", consumer=self.name)
            self._breaker.reset()
        self._stopped_because = because
        metrics.BREAKER_OPEN.labels(self.name).set(because is not None)
        return because is not None

    # settling -------------------------------------------------------------------------------------------------------

    async def _settle(
        self,
        items: Sequence[Item],
        generation: int,
        reader: Reader,
        ownership: Ownership,
        mirror: Mirror,
        stop: asyncio.Event,
    ) -> None:
        """Write `items`: together, and in smaller parts where together does not work. Comes back when all are settled,
        or when they are no longer ours to settle; then nothing of the rest is written."""
        size, tries, delays = len(items), 0, backoff(0.05)
        smooth = True
        while items and not stop.is_set():
            admitted, opens = self._breaker.admit([item.refused is not None for item in items[:size]])
            part = items[:admitted]
            try:
                await self._write(batch_of(part, opens), generation, ownership, mirror)
            except _Void:
                return
            except Fenced as fenced:
                metrics.FENCED.labels(self.name).inc()
                log.warning("fenced", consumer=self.name, why=str(fenced))
                await ownership.look_again()
                return
            except Exception as error:
                fault = Fault.UNAVAILABLE if isinstance(error, _Unavailable) else fault_of(error)
                metrics.RETRIES.labels(self.name, fault.name.lower()).inc()
                log.warning("batch_failed", consumer=self.name, size=len(part), fault=fault.name, error=_name(error))
                tries, smooth = tries + 1, False
                if fault is Fault.CONTENDED and tries >= (_TRIES if len(part) > 1 else _LONE_TRIES):
                    if len(part) > 1:
                        size, self._most = 1, max(len(part) // 2, 1)
                    elif await self._database_answers():
                        self._refuse(part[0], error)
                    tries = 0
                elif fault is Fault.MESSAGE and len(part) > 1:
                    size = 1  # one message at a time, to find the culprit
                    continue
                elif fault is Fault.MESSAGE and part[0].refused is None:
                    if part[0].doubted:
                        self._refuse(part[0], error)
                    part[0].doubted = True
                    continue
                self._trouble = f"PostgreSQL does not take what was read: {_name(error)}"
                await reader.rest(next(delays))
                if generation != ownership.generation:
                    return
            else:
                self._count(part)
                items, tries, delays = items[admitted:], 0, backoff(0.05)
                self._trouble = None
                if smooth:
                    self._most = min(self._most + self._most // 8 + 1, self._options.max_batch)
                if opens is not None:
                    self._stopped_because = opens
                    log.error("breaker_opened", consumer=self.name, why=opens)
                    if generation == ownership.generation:
                        ownership.rewind()
                    return

    def _refuse(self, item: Item, error: Exception) -> None:
        item.refused = Refused(_name(error), str(error))

    async def _write(self, batch: Batch, generation: int, ownership: Ownership, mirror: Mirror) -> None:
        """The one transaction. Raises `_Void`, `Fenced`, `_Unavailable` or what the effects raise; then it is as if
        nothing had been tried, except when a connection breaks during the commit itself: the next try is `Fenced`."""
        async with ownership.writing:
            if generation != ownership.generation:
                raise _Void
            moves = ownership.moves(batch.ends)
            started = time.perf_counter()
            async with (
                asyncio.timeout(self._options.batch_timeout_s),
                self._connection() as connection,
                connection.transaction(),
            ):
                applied = await write(
                    connection, self._effects, batch, moves, idle_limit_ms=self._options.session_timeout_ms
                )
            metrics.BATCH_SECONDS.labels(self.name).observe(time.perf_counter() - started)
            ownership.moved(moves, batch.until)
        failpoints.hit("dispatcher.after_commit")
        mirror.note(batch.ends)
        metrics.MESSAGES.labels(self.name, "applied").inc(applied)
        metrics.MESSAGES.labels(self.name, "repeated").inc(len(batch.messages) - applied)

    def _count(self, items: Sequence[Item]) -> None:
        self._breaker.note([item.refused is not None for item in items])
        now = time.time()
        for item in items:
            if item.refused is not None:
                record = item.record
                metrics.MESSAGES.labels(self.name, "refused").inc()
                metrics.DEAD_LETTERS.labels(self.name, item.refused.reason).inc()
                log.warning(
                    "message_set_aside",
                    consumer=self.name,
                    reason=item.refused.reason,
                    topic=record.topic,
                    partition=record.partition,
                    offset=record.offset,
                )
            elif item.message is not None:
                metrics.RECEIVED_TO_COMMIT.labels(self.name).observe(now - item.message.received_at.timestamp())

    async def _set_unreadable_aside(self, found: Unreadable, ownership: Ownership, mirror: Mirror) -> None:
        """Keep the bytes of a batch that the client cannot take apart, and read on behind it."""
        tp, generation = found.partition, ownership.generation
        raw = await read_raw_batch(self._options.kafka_bootstrap, tp.topic, tp.partition, found.offset)
        if raw is None or generation != ownership.generation or tp not in ownership.owned:
            return
        letter = Letter(
            topic=tp.topic,
            topic_id=ownership.owned[tp].topic_id,
            partition=tp.partition,
            offset=raw.base_offset,
            key=None,
            value=raw.content,
            headers=(),
            reason=dead_letter_store.UNREADABLE,
            detail=f"offsets {raw.base_offset} to {raw.next_offset - 1}: {_name(found.error)}: {found.error}",
        )
        log.error("batch_unreadable", consumer=self.name, topic=tp.topic, partition=tp.partition, offset=found.offset)
        try:
            await self._write(Batch([], [letter], {tp: raw.next_offset}, {}), generation, ownership, mirror)
        except _Void:
            return
        except Fenced:
            await ownership.look_again()
            return
        except Exception as error:
            # Found again at the next read.
            self._trouble = f"PostgreSQL does not take what was read: {_name(error)}"
            log.warning("batch_failed", consumer=self.name, size=1, error=_name(error))
            await asyncio.sleep(_BREAKER_EVERY_S)
        else:
            self._trouble = None
            metrics.DEAD_LETTERS.labels(self.name, dead_letter_store.UNREADABLE).inc()
        if generation == ownership.generation:
            ownership.rewind()

    # PostgreSQL -----------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Connection]:
        """A connection of the pool; `_Unavailable` when there is none to be had, whatever the reason."""
        try:
            connection = await self._pool.acquire(timeout=_CONNECT_TIMEOUT_S)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
            raise _Unavailable(_name(error)) from error
        try:
            yield connection
        finally:
            await self._pool.release(connection)

    async def _database_answers(self) -> bool:
        """Whether slowness is the message's, not the database's."""
        try:
            async with self._connection() as connection:
                await connection.fetchval("SELECT 1", timeout=1.0)
        except (_Unavailable, asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
            return False
        return True


def _name(error: BaseException) -> str:
    return str(error) if isinstance(error, _Unavailable) else type(error).__name__
