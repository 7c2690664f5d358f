"""The feed's topic, followed for ever: over broker restarts, and over topics made anew."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Final, NoReturn

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError

from command_center_ui import metrics
from command_center_ui.board import Board, epoch_of
from command_center_ui.record import BadRecord, read
from infra.failpoints import hit
from infra.kafka import must_fetch, start_consumer, stop_quietly
from infra.kafka_access import KafkaAccess, sentence
from infra.kafka_topic_id import topic_ids

log = structlog.get_logger()

#: How often it is asked whether the topic is still the one that was read, and so whether Kafka answers.
_ASK_EVERY_S: Final = 5.0
_ASK_TIMEOUT_S: Final = 5.0
#: Records taken at once: some 20 ms of work, between which clients are served.
_BATCH: Final = 2_000
#: How long one fetch waits for a record.
_WAIT_MS: Final = 500
#: Pauses after the first, second … failure in a row.
_RETRY_S: Final = (0.2, 0.5, 1.0, 2.0, 5.0)


class _MadeAnew(Exception):
    """The topic is another one than was read, or lacks what was read: nothing that is known holds any more."""


class Reader:
    """Reads the topic into a board and keeps it at the end."""

    def __init__(
        self,
        kafka: KafkaAccess | str,
        topic: str,
        *,
        adopt: Callable[[Board], Awaitable[None]],
        changed: Callable[[], None],
    ) -> None:
        """`adopt` gets each board once it has caught up with the end that the topic had when reading began (the first
        one, and one more each time the topic was made anew); `changed` is called after each batch of records."""
        self._kafka = kafka
        self._partition = TopicPartition(topic, 0)
        self._adopt = adopt
        self._changed = changed
        self._adopted: Board | None = None
        self._failures = 0
        #: Why this node cannot follow; None while it does.
        self.trouble: str | None = "not asked yet"

    async def follow(self) -> None:
        """Read until cancelled; whatever happens to Kafka is waited out."""
        board: Board | None = None
        while True:
            try:
                epoch = await self._epoch()
                if board is None or board.epoch != epoch:
                    board = Board(epoch)
                await self._read(board)
            except (_MadeAnew, OffsetOutOfRangeError):
                log.warning("feed_topic_made_anew")
                board = None
            except (KafkaError, TimeoutError, OSError) as error:
                pause = _RETRY_S[min(self._failures, len(_RETRY_S) - 1)]
                self._failures += 1
                self.trouble = f"{sentence(error)}; asked again in {pause:g} s"
                log.warning("kafka_lost", error=type(error).__name__, retry_in_s=pause)
                await asyncio.sleep(pause)

    async def _epoch(self) -> str:
        ids = await topic_ids(self._kafka, [self._partition.topic], timeout=_ASK_TIMEOUT_S)
        return epoch_of(ids[self._partition.topic])

    async def _read(self, board: Board) -> NoReturn:
        consumer = await start_consumer(self._kafka, "patriot-feed", max_poll_records=_BATCH)
        try:
            consumer.assign([self._partition])
            if board.offset < 0:
                await consumer.seek_to_beginning(self._partition)
            else:
                consumer.seek(self._partition, board.offset + 1)
            end = (await consumer.end_offsets([self._partition]))[self._partition]
            asked_at = time.monotonic()
            while True:
                await self._take_batch(consumer, board, end)
                if time.monotonic() - asked_at >= _ASK_EVERY_S:
                    if await self._epoch() != board.epoch:
                        raise _MadeAnew
                    asked_at = time.monotonic()
        finally:
            await stop_quietly(consumer)

    async def _take_batch(self, consumer: AIOKafkaConsumer, board: Board, end: int) -> None:
        batch = (await consumer.getmany(timeout_ms=_WAIT_MS, max_records=_BATCH)).get(self._partition, ())
        for record in batch:
            _take(board, record)
        if batch:
            hit("feed.after_read")
            if board is not self._adopted:
                board.trim(datetime.now(UTC))
        else:
            must_fetch(consumer)
        # Beyond the newest record: the position has passed the markers of transactions, too.
        async with asyncio.timeout(_ASK_TIMEOUT_S):
            position = await consumer.position(self._partition)
        metrics.LAG.set(max((consumer.last_stable_offset(self._partition) or end) - position, 0))
        if position < end:
            self.trouble = f"catching up, {end - position} records to go"
            return
        self._failures = 0
        self.trouble = None
        if board is not self._adopted:
            self._adopted = board
            await self._adopt(board)
        elif batch:
            self._changed()


def _take(board: Board, record: ConsumerRecord) -> None:
    """One record onto the board; one that cannot be read is counted and passed over."""
    try:
        found = read(record.key, record.value, record.headers, record.offset, record.timestamp)
    except BadRecord as error:
        log.error("feed_record_unreadable", offset=record.offset, why=str(error))
        metrics.RECORDS.labels("unreadable").inc()
        board.pass_over(record.offset, record.timestamp / 1000)
        return
    metrics.RECORDS.labels("applied" if board.apply(found) else "repeated").inc()
