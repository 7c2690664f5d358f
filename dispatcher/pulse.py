"""The pulse: every 5 s, by the full way to the wall, up to when what it shows contains everything acknowledged."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, Protocol

import structlog
from aiokafka.errors import KafkaError

from dispatcher import kpis, metrics, offset_store, outbox_store
from dispatcher.offset_store import Mark
from dispatcher.outbox_store import Outgoing
from dispatcher.supervise import pause
from infra.postgres import Pool
from schemas import topics
from schemas.envelope import new_traceparent
from schemas.feed import FeedPulsed
from schemas.vocabulary import FeedChannel
from schemas.wire import encode

log = structlog.get_logger()

#: Seconds between marks of a worker; half a pulse, so that what another worker sends of it is not old.
_BEAT_S: Final = 2.5
#: A pulse every 5 s (contract.md section 3): of many workers that one sends which finds the last one this old.
_SINCE_LAST_S: Final = 4.5
#: Outbox rows older than this make the dispatcher not ready, in seconds: nothing reaches the wall.
_OUTBOX_AGE_S: Final = 15.0

#: Whose messages a channel shows. Those not named change only by what people do, in PostgreSQL itself.
_INPUTS: Final[Mapping[FeedChannel, frozenset[str]]] = {
    FeedChannel.INCIDENTS: frozenset({"reports", "telemetry"}),
    FeedChannel.SENSORS: frozenset({"telemetry"}),
    FeedChannel.WIFI_NODES: frozenset({"telemetry"}),
    FeedChannel.OFFICERS: frozenset(),
    FeedChannel.KPIS: frozenset(),
}


class Fresh(Protocol):
    """What the pulse asks a consumer."""

    @property
    def name(self) -> str:
        """Name in `consumer_offset`."""

    async def freshness(self, now: datetime) -> list[Mark]:
        """Up to when each of its partitions is contained."""


class Pulse:
    """Marks how fresh this worker's partitions are, and sends the city's pulse when it is this worker's turn."""

    def __init__(self, pool: Pool, consumers: Sequence[Fresh], *, shards: int = outbox_store.SHARDS) -> None:
        self._pool = pool
        self._consumers = consumers
        self._shards = shards
        self._outbox_age = 0.0
        #: Consumers of whose partitions Kafka did not tell the ends.
        self._unknown: set[str] = set()

    def trouble(self) -> Mapping[str, str]:
        """What is wrong with the way to the wall, for `/readyz`."""
        found = {}
        if self._unknown:
            found["kafka"] = f"does not tell where partitions of {', '.join(sorted(self._unknown))} end"
        if self._outbox_age > _OUTBOX_AGE_S:
            found["outbox"] = f"the oldest record has waited {self._outbox_age:.0f} s for the relay"
        return found

    async def run(self, stop: asyncio.Event) -> None:
        """Beat until `stop` is set. Raises what PostgreSQL raises when it is away."""
        while not stop.is_set():
            await self.beat()
            await pause(stop, _BEAT_S)

    async def beat(self) -> bool:
        """Mark, and send if it is time; answers whether this worker sent."""
        await asyncio.gather(*(self._mark(consumer) for consumer in self._consumers))
        sent = await self._send()
        if sent:
            metrics.PULSES.inc()
            async with self._pool.acquire(timeout=5) as connection, connection.transaction():
                await kpis.refresh(connection)
        await self._look_at_outbox()
        return sent

    async def _mark(self, consumer: Fresh) -> None:
        # PostgreSQL's clock, before Kafka is asked: what was acknowledged until then is below the ends it tells.
        now: datetime = await self._pool.fetchval("SELECT clock_timestamp()")
        try:
            marks = await consumer.freshness(now)
        except (KafkaError, TimeoutError) as error:
            log.warning("freshness_unknown", consumer=consumer.name, error=type(error).__name__)
            self._unknown.add(consumer.name)
            return
        self._unknown.discard(consumer.name)
        async with self._pool.acquire(timeout=5) as connection:
            await offset_store.mark(connection, consumer.name, marks)

    async def _send(self) -> bool:
        async with self._pool.acquire(timeout=5) as connection, connection.transaction():
            now: datetime | None = await connection.fetchval(
                "UPDATE pulse SET at = now() WHERE at < now() - make_interval(secs => $1) RETURNING at", _SINCE_LAST_S
            )
            if now is None:
                return False
            as_of = channels_as_of(await offset_store.oldest_as_of(connection), now)
            await outbox_store.add(
                connection, [_pulsed(shard, self._shards, as_of) for shard in range(self._shards)], shards=self._shards
            )
            return True

    async def _look_at_outbox(self) -> None:
        row = await self._pool.fetchrow(
            "SELECT count(*) AS rows, coalesce(extract(epoch FROM now() - min(created_at)), 0)::float8 AS age"
            " FROM outbox"
        )
        self._outbox_age = max(row["age"], 0.0) if row else 0.0
        metrics.OUTBOX_AGE.set(self._outbox_age)
        metrics.OUTBOX_ROWS.set(row["rows"] if row else 0)


def channels_as_of(consumers: Mapping[str, datetime | None], now: datetime) -> dict[FeedChannel, datetime]:
    """Up to when each channel is complete, from its inputs. A channel whose inputs have never been read is left out:
    it cannot be told."""
    known: dict[FeedChannel, datetime] = {}
    for channel, inputs in _INPUTS.items():
        times = [consumers.get(consumer) for consumer in inputs]
        if None not in times:
            known[channel] = min((time for time in times if time is not None), default=now)
    return known


def _pulsed(shard: int, shards: int, as_of: Mapping[FeedChannel, datetime]) -> Outgoing:
    return Outgoing(
        topics.FEED.name,
        f"pulse:{shard}",
        topics.FEED_PULSED,
        encode(FeedPulsed(shard=shard, shards=shards, as_of={channel.value: at for channel, at in as_of.items()})),
        {},
        new_traceparent(),
        shard,
    )
