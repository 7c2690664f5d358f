"""Hands records to Kafka and says what became of them: acknowledged, not handed over, or unknown."""

import asyncio
from asyncio import Future
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Final, NamedTuple

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, KafkaTimeoutError, MessageSizeTooLargeError
from aiokafka.partitioner import murmur2

from infra.kafka import start_producer, stop_quietly
from infra.kafka_access import KafkaAccess, KafkaRefuses
from infra.postgres import backoff
from ingest import metrics
from schemas import topics
from schemas.envelope import Headers

log = structlog.get_logger()

_TOPICS: Final = (topics.REPORT, topics.CONTACT, topics.TELEMETRY)
#: With something handed over this long ago, and no acknowledgement of anything since, Kafka counts as away: more is
#: refused instead of being made one more unknown outcome.
_SILENCE_S: Final = 2.0
#: How often Kafka is asked whether it is there, when it was and when it was not.
_LOOK_S: Final = 3.0
_LOOK_AGAIN_S: Final = 0.5
_ANSWER_S: Final = 4.0
#: What a record costs beside its value: headers, and our books.
RECORD_OVERHEAD: Final = 1024
#: After so many records of an array others get their turn: a few ms.
_BREATH: Final = 100


class Outgoing(NamedTuple):
    """A record on its way."""

    key: bytes
    value: bytes
    headers: Headers

    @property
    def size(self) -> int:
        return len(self.value) + RECORD_OVERHEAD


class NotHandedOver(Exception):
    """Kafka is away or too far behind; it has not been given the record, and never will be."""


class OutcomeUnknown(Exception):
    """Kafka's client was given the record and may still deliver it."""


class _Handed:
    """One producer, and what it was given and Kafka has not yet answered."""

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self.producer = producer
        self._loop = asyncio.get_running_loop()
        self._waiting: dict[Future[Any], tuple[float, int]] = {}
        self._last_answer = 0.0
        self.bytes = 0
        #: Set when the producer has failed for good.
        self.failed = asyncio.Event()

    def add(self, future: Future[Any], size: int) -> None:
        self._waiting[future] = (self._loop.time(), size)
        self.bytes += size
        future.add_done_callback(self._settle)

    def silent(self) -> bool:
        """Whether Kafka has not answered anything for too long."""
        for at, _ in self._waiting.values():
            return at > self._last_answer and self._loop.time() - at > _SILENCE_S
        return False

    def _settle(self, future: Future[Any]) -> None:
        _, size = self._waiting.pop(future)
        self.bytes -= size
        error = asyncio.CancelledError() if future.cancelled() else future.exception()
        if error is None:
            self._last_answer = self._loop.time()
        else:
            # An idempotent producer retries for ever; what it gives up on has broken its sequence.
            self.fail(error)

    def fail(self, error: BaseException) -> None:
        """The producer cannot be used any longer."""
        if not self.failed.is_set():
            log.warning("kafka_producer_failed", error=type(error).__name__, detail=str(error))
            self.failed.set()


class Publisher:
    """The producer of this process. It may be used at once: while Kafka is away everything is `NotHandedOver`."""

    def __init__(self, kafka: KafkaAccess | str, *, max_unacknowledged: int) -> None:
        self._kafka = kafka
        self._max_unacknowledged = max_unacknowledged
        self._handed: _Handed | None = None
        self._trouble: str | None = "Kafka has not answered yet"
        self._loop = asyncio.get_running_loop()
        self._ack_seconds = {topic.name: metrics.ACK_SECONDS.labels(topic.name) for topic in _TOPICS}
        metrics.UNACKNOWLEDGED_BYTES.set_function(lambda: float(self._handed.bytes if self._handed else 0))
        metrics.KAFKA_REACHABLE.set_function(lambda: float(self.trouble is None))

    @property
    def trouble(self) -> str | None:
        """What keeps records from being taken, in one sentence; None when nothing does."""
        if self._trouble is None and self._handed is not None and self._handed.silent():
            return "Kafka does not acknowledge anything"
        return self._trouble

    async def publish(self, topic: str, record: Outgoing, deadline: float) -> None:
        """Come back once Kafka has the record on all in-sync replicas.

        `deadline` is a time of the event loop's clock. Raises `NotHandedOver` or `OutcomeUnknown`.
        """
        handed = self._ready_for(record.size)
        start = self._loop.time()
        given = False
        try:
            async with asyncio.timeout_at(deadline):
                future = await self._send(handed.producer, topic, record)
                given = True
                handed.add(future, record.size)
                # The record cannot be taken back, so neither can the future: it keeps our books.
                await asyncio.shield(future)
        except (TimeoutError, KafkaError) as error:
            raise _verdict(error, given, handed) from error
        self._ack_seconds[topic].observe(self._loop.time() - start)

    async def publish_all(self, topic: str, records: Iterable[Outgoing], size: int, deadline: float) -> None:
        """The same for many, each partition's in their order; `size` is what they take together, in bytes.

        One unacknowledged record is enough for an exception. (Whole batches of our own, by `send_batch`, were no
        faster below 1,000 readings, and aiokafka 0.14 gives up on them when several requests want one partition.)
        """
        handed = self._ready_for(size)
        start = self._loop.time()
        futures: list[Future[Any]] = []
        try:
            async with asyncio.timeout_at(deadline):
                for record in records:
                    future = await self._send(handed.producer, topic, record)
                    handed.add(future, record.size)
                    futures.append(future)
                    if len(futures) % _BREATH == 0:
                        await asyncio.sleep(0)
                for future in futures:
                    if not future.done():
                        await asyncio.shield(future)
                    future.result()
        except (TimeoutError, KafkaError) as error:
            raise _verdict(error, bool(futures), handed) from error
        self._ack_seconds[topic].observe(self._loop.time() - start)

    async def run(self) -> None:
        """Keep a producer alive until cancelled: start it when Kafka comes, replace it when it has failed."""
        delays = backoff(_LOOK_AGAIN_S, 2.0)
        while True:
            producer = await self._start()
            if producer is None:
                await asyncio.sleep(next(delays))
                continue
            delays = backoff(_LOOK_AGAIN_S, 2.0)
            metrics.PRODUCERS.inc()
            self._handed, self._trouble = _Handed(producer), None
            log.info("kafka_producer_started")
            try:
                await self._watch(self._handed)
            finally:
                self._handed, self._trouble = None, "The producer has failed and is being replaced"
                await stop_quietly(producer)

    def _ready_for(self, size: int) -> _Handed:
        handed = self._handed
        if handed is None or self.trouble is not None:
            raise NotHandedOver(self.trouble)
        if handed.bytes + size > self._max_unacknowledged:
            raise NotHandedOver("Kafka is behind")
        return handed

    @staticmethod
    async def _send(producer: AIOKafkaProducer, topic: str, record: Outgoing) -> Future[Any]:
        partitions = producer.client.cluster.partitions_for_topic(topic)
        # As Kafka's own clients do it, but remembered: there are few cells and devices, and murmur2 is pure Python.
        partition = _positive_hash(record.key) % len(partitions) if partitions else None
        future: Future[Any] = await producer.send(
            topic, record.value, record.key, partition=partition, headers=record.headers
        )
        return future

    async def _start(self) -> AIOKafkaProducer | None:
        producer = None
        try:
            async with asyncio.timeout(4 * _ANSWER_S):
                producer = await start_producer(self._kafka, "patriot-ingest")
                for topic in _TOPICS:
                    # From now on `send` finds the topic without asking.
                    self._trouble = f"Kafka has no topic {topic.name}"
                    await producer.partitions_for(topic.name)
            return producer
        except (KafkaError, TimeoutError, OSError) as error:
            if producer is None:
                self._trouble = str(error) if isinstance(error, KafkaRefuses) else "Kafka does not answer"
            else:
                await stop_quietly(producer)
            log.warning("kafka_away", reason=self._trouble, error=type(error).__name__)
            return None

    async def _watch(self, handed: _Handed) -> None:
        """Look every few seconds whether Kafka is there; come back when the producer has failed."""
        while True:
            try:
                async with asyncio.timeout(_LOOK_S if self._trouble is None else _LOOK_AGAIN_S):
                    await handed.failed.wait()
                return
            except TimeoutError:
                pass
            trouble = None if await _answers(handed.producer) else "Kafka does not answer"
            if trouble != self._trouble:
                log.warning("kafka_away", reason=trouble) if trouble else log.info("kafka_back")
            self._trouble = trouble


def _verdict(error: Exception, given: bool, handed: _Handed) -> NotHandedOver | OutcomeUnknown:
    if isinstance(error, KafkaError) and not isinstance(error, KafkaTimeoutError | MessageSizeTooLargeError):
        handed.fail(error)
    return OutcomeUnknown(type(error).__name__) if given else NotHandedOver(type(error).__name__)


async def _answers(producer: AIOKafkaProducer) -> bool:
    try:
        async with asyncio.timeout(_ANSWER_S):
            return bool(await producer.client.force_metadata_update())
    except (TimeoutError, KafkaError):
        return False


@lru_cache(maxsize=65_536)
def _positive_hash(key: bytes) -> int:
    return int(murmur2(key)) & 0x7FFFFFFF
