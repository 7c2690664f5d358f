"""Writes what was read: together where that works, else in smaller parts; what never works is set aside."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import asyncpg
import structlog
from aiokafka import TopicPartition

from dispatcher import dead_letter_store, metrics
from dispatcher.batch import Batch, Item, batch_of, write
from dispatcher.breaker import Breaker
from dispatcher.dead_letter_store import Letter
from dispatcher.effects import Effects
from dispatcher.fault import Fault, fault_of
from dispatcher.mirror import Mirror
from dispatcher.offset_store import Fenced
from dispatcher.ownership import Ownership
from dispatcher.unpack import Refused
from infra import failpoints
from infra.kafka_raw_batch import RawBatch
from infra.postgres import ANY_FAILURE, Connection, Pool, backoff

log = structlog.get_logger()

_CONNECT_TIMEOUT_S: Final = 5.0
#: Tries of a batch that meets other transactions, or takes too long, before it is taken apart; of one message before
#: it is set aside.
_TRIES: Final = 2
_LONE_TRIES: Final = 3
#: What a message itself may cause, alone and again and again. A lock that somebody else holds says nothing about it.
_TOO_SLOW: Final = (TimeoutError, asyncpg.QueryCanceledError)


class Unavailable(Exception):
    """There is no connection to be had; it says nothing about what was to be written."""


class _Void(Exception):
    """A rebalance came between: the partitions of this batch are no longer ours."""


@asynccontextmanager
async def connected(pool: Pool) -> AsyncIterator[Connection]:
    """A connection of the pool. Raises `Unavailable` when there is none to be had, whatever the reason."""
    try:
        connection = await pool.acquire(timeout=_CONNECT_TIMEOUT_S)
    except ANY_FAILURE as error:
        raise Unavailable(type(error).__name__) from error
    try:
        yield connection
    finally:
        await pool.release(connection)


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one transaction."""

    #: Messages.
    most: int
    #: Seconds; a rebalance waits for it, and Kafka waits 30 s for a rebalance.
    timeout_s: float
    #: A worker that is silent for this long in the middle of a transaction loses it, as it loses its session.
    idle_ms: int

    @property
    def lock_ms(self) -> int:
        """Less than the whole, so that waiting for somebody's lock is told apart from being slow."""
        return int(self.timeout_s * 500)


class Settler:
    """Settles what one consumer reads, during one life of its client."""

    def __init__(
        self,
        effects: Effects,
        pool: Pool,
        limits: Limits,
        breaker: Breaker,
        ownership: Ownership,
        mirror: Mirror,
        rest: Callable[[float], Awaitable[None]],
    ) -> None:
        """`rest` waits so many seconds without losing the group."""
        self.name = effects.name
        #: Messages to read at once: fewer while transactions take too long.
        self.most = limits.most
        #: Why nothing can be written right now.
        self.trouble: str | None = None
        self._effects = effects
        self._pool = pool
        self._limits = limits
        self._breaker = breaker
        self._ownership = ownership
        self._mirror = mirror
        self._rest = rest

    async def settle(self, items: Sequence[Item], generation: int, stop: asyncio.Event) -> str | None:
        """Write the effects of `items` and set aside what has none.

        Comes back when all are settled; or when they are no longer ours, when it is time to stop, or with the reason
        when they opened the breaker: then the rest is not written, and is read again by whoever owns it.
        """
        size, tries, delays, smooth = len(items), 0, backoff(0.05), True
        while items and not stop.is_set():
            admitted, opens = self._breaker.admit([item.refused is not None for item in items[:size]])
            part = items[:admitted]
            try:
                await self._write(batch_of(part, opens), generation)
            except _Void:
                return None
            except Fenced as fenced:
                metrics.FENCED.labels(self.name).inc()
                log.warning("fenced", consumer=self.name, why=str(fenced))
                await self._ownership.look_again()
                return None
            except Exception as error:
                fault = self._fault(error, len(part))
                tries, smooth = tries + 1, False
                if fault is Fault.MESSAGE and len(part) > 1:
                    size = 1  # one message at a time, to find the culprit
                    continue
                if fault is Fault.MESSAGE and part[0].refused is None:
                    # Twice alone: whoever was in the way the first time may be gone.
                    part[0].refused = Refused(type(error).__name__, str(error)) if part[0].doubted else None
                    part[0].doubted = True
                    continue
                if fault is Fault.CONTENDED and tries >= (_TRIES if len(part) > 1 else _LONE_TRIES):
                    if len(part) > 1:
                        size, self.most = 1, max(len(part) // 2, 1)
                    elif isinstance(error, _TOO_SLOW) and await self._database_answers():
                        part[0].refused = Refused(type(error).__name__, str(error))
                    tries = 0
                await self._rest(next(delays))
                if generation != self._ownership.generation:
                    return None
            else:
                self.trouble = None
                self._count(part)
                items, tries, delays = items[admitted:], 0, backoff(0.05)
                if opens is not None:
                    return opens
        if smooth:
            self.most = min(self.most + self.most // 8 + 1, self._limits.most)
        return None

    def _fault(self, error: Exception, size: int) -> Fault:
        fault = Fault.UNAVAILABLE if isinstance(error, Unavailable) else fault_of(error)
        why = str(error) if isinstance(error, Unavailable) else type(error).__name__
        metrics.RETRIES.labels(self.name, fault.name.lower()).inc()
        log.warning("batch_failed", consumer=self.name, size=size, fault=fault.name.lower(), error=why)
        if fault is not Fault.MESSAGE:
            self.trouble = f"PostgreSQL does not take what was read: {why}"
        return fault

    async def _write(self, batch: Batch, generation: int) -> None:
        """The one transaction. Raises `_Void`, `Fenced`, `Unavailable` or what the effects raise; then it is as if
        nothing had been tried, except when a connection breaks during the commit itself: the next try is `Fenced`."""
        async with self._ownership.writing:
            if generation != self._ownership.generation:
                raise _Void
            moves = self._ownership.moves(batch.ends, batch.until)
            started = time.perf_counter()
            async with (
                asyncio.timeout(self._limits.timeout_s),
                connected(self._pool) as connection,
                connection.transaction(),
            ):
                applied = await write(
                    connection,
                    self._effects,
                    batch,
                    moves,
                    idle_limit_ms=self._limits.idle_ms,
                    lock_limit_ms=self._limits.lock_ms,
                )
            metrics.BATCH_SECONDS.labels(self.name).observe(time.perf_counter() - started)
            self._ownership.moved(moves, batch.until)
        failpoints.hit("dispatcher.after_commit")
        self._mirror.note(batch.ends)
        metrics.MESSAGES.labels(self.name, "applied").inc(applied)
        metrics.MESSAGES.labels(self.name, "repeated").inc(len(batch.messages) - applied)

    def _count(self, items: Sequence[Item]) -> None:
        self._breaker.note([item.refused is not None for item in items])
        now, waited = time.time(), Counter[datetime]()
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
                waited[item.message.received_at] += 1
        for received_at, times in waited.items():
            metrics.RECEIVED_TO_COMMIT.observe(self.name, now - received_at.timestamp(), times)

    async def set_unreadable_aside(self, tp: TopicPartition, raw: RawBatch, error: Exception, generation: int) -> None:
        """Keep the bytes of a batch that the client cannot take apart, for this error, and read on behind it."""
        owned = self._ownership.owned.get(tp)
        if generation != self._ownership.generation or owned is None:
            return
        letter = Letter(
            topic=tp.topic,
            topic_id=owned.topic_id,
            partition=tp.partition,
            offset=raw.base_offset,
            key=None,
            value=raw.content,
            headers=(),
            reason=dead_letter_store.UNREADABLE,
            detail=f"offsets {raw.base_offset} to {raw.next_offset - 1}: {type(error).__name__}: {error}",
        )
        log.error(
            "batch_unreadable",
            consumer=self.name,
            topic=tp.topic,
            partition=tp.partition,
            offset=raw.base_offset,
            error=type(error).__name__,
        )
        try:
            until = {tp: raw.newest} if raw.newest is not None else {}
            await self._write(Batch([], [letter], {tp: raw.next_offset}, until), generation)
        except _Void:
            return
        except Fenced:
            await self._ownership.look_again()
            return
        except Exception as failed:
            self._fault(failed, 1)
            await self._rest(1.0)  # it is found again at the next read
        else:
            self.trouble = None
            metrics.DEAD_LETTERS.labels(self.name, dead_letter_store.UNREADABLE).inc()
        if generation == self._ownership.generation:
            self._ownership.rewind()

    async def _database_answers(self) -> bool:
        """Whether slowness is the message's, not the database's."""
        try:
            async with connected(self._pool) as connection:
                await connection.fetchval("SELECT 1", timeout=1.0)
        except (Unavailable, *ANY_FAILURE):
            return False
        return True
