"""The relay: what the outbox holds goes to Kafka, in order and by one at a time, however many would like to.

One relay per shard holds an advisory lock. A relay that was paused and wakes finds its session ended by PostgreSQL, and
its producer refused by the broker, because the next one has begun with the same transactional id.
"""

import asyncio
import time
from collections.abc import Awaitable, Mapping, Sequence
from typing import Final, TypeVar

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import MessageSizeTooLargeError, UnknownTopicOrPartitionError

from dispatcher import feed_topic, metrics, outbox_store
from dispatcher.outbox_store import Waiting
from dispatcher.supervise import pause
from dispatcher.whole_board import WholeBoard
from infra import failpoints
from infra.kafka import start_producer, stop_quietly
from infra.kafka_access import KafkaAccess, sentence
from infra.kafka_topic_id import topic_ids
from infra.postgres import ANY_FAILURE, Plain, connect
from schemas import topics

log = structlog.get_logger()

T = TypeVar("T")

#: First half of the advisory lock's key; the second is the shard.
_LOCK: Final = 0x7265_6C61
#: PostgreSQL ends the session of a relay that is silent for this long, and with it the lock.
_IDLE_LIMIT: Final = "10s"
_PING_S: Final = 3.0
#: Seconds until one that waits for the lock asks again.
_STANDBY_S: Final = 2.0
#: Without a notification we look this often: one may be lost with a connection.
_LOOK_S: Final = 1.0
#: Seconds that Kafka may take for one batch; longer means another producer.
_KAFKA_TIMEOUT_S: Final = 15.0
#: Seconds between looks whether the feed's topic is still ours; it may be made anew while we work.
_KNOW_S: Final = 30.0
_MISSING_S: Final = 60.0
#: How the names of topics end that hold copies of dead letters.
_COPIES: Final = topics.dead_letters_of("")
_MOST: Final = 1000
_MOST_BYTES: Final = 4 * 1024 * 1024


class Relay:
    """Relays one shard of the outbox. `run` it, and again after it raised."""

    def __init__(
        self, shard: int, *, postgres_dsn: str, kafka: KafkaAccess | str, board: WholeBoard | None = None
    ) -> None:
        """`board` tells the feed's rows again where its topic is not the one that this database wrote; the relay of
        shard 0 has it (while there is one shard, its last record of the feed is the feed's last)."""
        self.name = f"relay-{shard}"
        self._shard = shard
        self._dsn = postgres_dsn
        self._kafka = kafka
        self._board = board
        self._known_feed_id = ""
        self._wake = asyncio.Event()
        #: `seq` of records that a broker found too large; it says so only after it was sent them.
        self._too_large: set[int] = set()
        #: Topics of copies that do not exist, until when (monotonic) we take that for granted.
        self._missing: dict[str, float] = {}
        self._trouble: str | None = "not started"

    def trouble(self) -> Mapping[str, str]:
        """What keeps this relay from its work, for `/readyz`; one that stands by for another has none."""
        return {self.name: self._trouble} if self._trouble else {}

    async def run(self, stop: asyncio.Event) -> None:
        """Relay until `stop` is set, or stand by while another one does.

        Raises `KafkaError`, OSError or what PostgreSQL raises; rows that were sent and not deleted are sent again, with
        the same `ce_id` and `x-seq`.
        """
        producer: AIOKafkaProducer | None = None
        connection: Plain | None = None
        try:
            connection = await connect(
                self._dsn,
                application=f"patriot-{self.name}",
                training=self._kafka.training if isinstance(self._kafka, KafkaAccess) else None,
                idle_session_timeout=_IDLE_LIMIT,
            )
            if not await self._wait_to_lead(connection, stop):
                return
            producer = await self._while_alive(connection, self._new_producer())
            await self._know_the_feed(connection)
            await connection.add_listener(outbox_store.WAKE_CHANNEL, lambda *_: self._wake.set())
            metrics.RELAY_LEADS.labels(self._shard).set(1)
            self._trouble = None
            log.info("relay_leads", shard=self._shard)
            known_at = time.monotonic()
            while not stop.is_set():
                await self.turn(connection, producer)
                if time.monotonic() - known_at >= _KNOW_S:
                    known_at = time.monotonic()
                    if self._board is not None and await self._feed_id(connection) != self._known_feed_id:
                        await self._know_the_feed(connection)
        except Exception as error:
            self._trouble = sentence(error)
            raise
        finally:
            metrics.RELAY_LEADS.labels(self._shard).set(0)
            # the session first: the next relay may begin while our producer is still being stopped
            if connection is not None:
                await _end(connection)
            if producer is not None:
                await stop_quietly(producer)

    async def lead(self, connection: Plain) -> bool:
        """Take the shard's lock, for as long as the session lives; False while another one has it."""
        return bool(await connection.fetchval("SELECT pg_try_advisory_lock($1, $2)", _LOCK, self._shard))

    async def _wait_to_lead(self, connection: Plain, stop: asyncio.Event) -> bool:
        """False when it is time to stop."""
        while not stop.is_set():
            if await self.lead(connection):
                return True
            self._trouble = None  # another one does the work
            await pause(stop, _STANDBY_S)
        return False

    async def _new_producer(self) -> AIOKafkaProducer:
        """A producer whose start makes the broker refuse every earlier one of this shard."""
        async with asyncio.timeout(_KAFKA_TIMEOUT_S):
            return await start_producer(
                self._kafka,
                f"patriot-{self.name}",
                transactional_id=self.name,
                max_record_bytes=topics.DEAD_LETTER_BYTES,
            )

    async def _know_the_feed(self, connection: Plain) -> None:
        """See whether the feed's topic ends with what we last sent; if not, tell the board again."""
        if self._board is None:
            return
        self._trouble = "looks whether the feed's topic is as we left it"
        last = await self._while_alive(connection, feed_topic.last(self._kafka))
        self._known_feed_id = last.topic_id
        if not await outbox_store.is_last(connection, last.topic_id, last.seq, last.record_id):
            shown = await self._while_alive(connection, feed_topic.shown(self._kafka))
            told = await self._board.tell(connection, shown, last)
            metrics.BOARD_TOLD_AGAIN.inc()
            log.warning("board_told_again", rows=told.rows, removed=told.removed, topic_id=last.topic_id)
        self._trouble = None

    async def _feed_id(self, connection: Plain) -> str:
        ids = await self._while_alive(connection, topic_ids(self._kafka, [topics.FEED.name]))
        return str(ids[topics.FEED.name])

    async def turn(self, connection: Plain, producer: AIOKafkaProducer) -> None:
        """Read, send, mark; or wait for something to send. Raises as `run` does."""
        self._wake.clear()
        waiting = await outbox_store.select_waiting(connection, self._shard, most=_MOST, most_bytes=_MOST_BYTES)
        if not waiting:
            await pause(self._wake, _LOOK_S)
            return
        # No transaction of PostgreSQL is open while Kafka is awaited.
        await self._while_alive(connection, self._send(producer, waiting))
        failpoints.hit("relay.after_ack")
        await outbox_store.delete(connection, [record.seq for record in waiting])
        metrics.RELAY_SENT.labels(self._shard).inc(len(waiting))

    async def _send(self, producer: AIOKafkaProducer, waiting: Sequence[Waiting]) -> None:
        """All of `waiting` in one transaction of Kafka; comes back when it is committed.

        One that fails is not aborted here, for that may hang: the next producer's start aborts it.
        """
        async with asyncio.timeout(_KAFKA_TIMEOUT_S):
            await producer.begin_transaction()
            sent = {record.seq: await self._send_one(producer, record) for record in waiting}
            under_way = {seq: acknowledged for seq, acknowledged in sent.items() if acknowledged is not None}
            answers = await asyncio.gather(*under_way.values(), return_exceptions=True)
            for seq, answer in zip(under_way, answers, strict=True):
                if isinstance(answer, MessageSizeTooLargeError):
                    self._too_large.add(seq)  # left out by the next producer, for this one's transaction has failed
            for answer in answers:
                if isinstance(answer, BaseException):
                    raise answer
            await producer.commit_transaction()
            self._too_large.clear()

    async def _send_one(self, producer: AIOKafkaProducer, record: Waiting) -> Awaitable[object] | None:
        is_copy = record.topic.endswith(_COPIES)
        if is_copy and self._missing.get(record.topic, 0.0) > time.monotonic():
            self._give_up(record, "no such topic")
            return None
        if record.seq in self._too_large:
            self._give_up(record, "too large")
            return None
        headers = list(record.headers)
        try:
            if record.key is None and record.value is None:
                # aiokafka's `send` has no word for this, and a dead letter may be just that
                batch = producer.create_batch()
                batch.append(key=None, value=None, timestamp=None, headers=headers)
                batch.close()
                alone: Awaitable[object] = await producer.send_batch(batch, record.topic, partition=0)
                return alone
            sent: Awaitable[object] = await producer.send(record.topic, record.value, record.key, headers=headers)
            return sent
        except MessageSizeTooLargeError:
            # Nothing of ours is that large, but a copy of somebody's message may be: what was compressed is not now.
            self._give_up(record, "too large")
        except UnknownTopicOrPartitionError:
            if not is_copy:
                raise  # to be mended; until then it waits, and readiness says so
            self._missing[record.topic] = time.monotonic() + _MISSING_S
            self._give_up(record, "no such topic")
        return None

    def _give_up(self, record: Waiting, why: str) -> None:
        """Nothing is lost: the message itself is kept in `dead_letter`."""
        metrics.RELAY_UNSENDABLE.labels(self._shard).inc()
        log.error("relay_unsendable", shard=self._shard, seq=record.seq, topic=record.topic, why=why)

    async def _while_alive(self, connection: Plain, work: Awaitable[T]) -> T:
        """Await Kafka, and keep our session from ending for silence meanwhile."""
        task = asyncio.ensure_future(work)
        try:
            while not (await asyncio.wait({task}, timeout=_PING_S))[0]:
                await connection.execute("SELECT 1")
            return task.result()
        finally:
            if not task.done():
                task.cancel()
                await asyncio.wait({task}, timeout=1)


async def _end(connection: Plain) -> None:
    try:
        await connection.close(timeout=2)
    except ANY_FAILURE:
        connection.terminate()
