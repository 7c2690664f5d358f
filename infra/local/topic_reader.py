"""A partition read once, from its beginning to an end that is known: what cannot be taken apart is stepped over."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from infra.kafka import is_of_the_bytes, must_fetch
from infra.kafka_raw_batch import find_unreadable

#: Seconds without a step forward after which Kafka counts as away.
ANSWER_S: Final = 30.0
_WAIT_MS: Final = 500
#: Records read one by one to come to the very batch that cannot be read; some thousand are in one fetch.
_CAREFULLY: Final = 2_000


class TopicReader:
    """Reads partitions of a consumer that is nobody else's, one after the other."""

    def __init__(self, kafka: str, consumer: AIOKafkaConsumer, *, answer_s: float = ANSWER_S) -> None:
        self._kafka = kafka
        self._consumer = consumer
        self._answer_s = answer_s
        #: Batches that were stepped over, as `topic/partition at offset`.
        self.skipped: list[str] = []

    async def read(self, tp: TopicPartition, take: Callable[[ConsumerRecord], None]) -> None:
        """Every committed record that the partition has now. Raises `KafkaError`, or TimeoutError when it does not get
        on for `answer_s`."""
        consumer, loop = self._consumer, asyncio.get_running_loop()
        # Alone: the client does not say of which partition a batch is that it cannot take apart.
        consumer.assign([tp])
        async with asyncio.timeout(self._answer_s) as limit:
            end = (await consumer.end_offsets([tp]))[tp]
            place = (await consumer.beginning_offsets([tp]))[tp]
            consumer.seek(tp, place)
            carefully = 0
            while place < end:
                try:
                    found = await consumer.getmany(tp, timeout_ms=_WAIT_MS, max_records=1 if carefully else None)
                except Exception as error:
                    if not is_of_the_bytes(error):
                        raise
                    # What was taken apart before it is lost with the error.
                    place = await self._step_over(tp, place) if carefully else place
                    carefully = _CAREFULLY
                    consumer.seek(tp, place)
                    limit.reschedule(loop.time() + self._answer_s)
                    continue
                for record in found.get(tp, ()):
                    if record.offset < end:
                        take(record)
                if not found:
                    must_fetch(consumer)
                carefully = max(carefully - 1, 0)
                # It also passes what is no record: ends of transactions, what was compacted away.
                if (at := await consumer.position(tp)) > place:
                    place = at
                    limit.reschedule(loop.time() + self._answer_s)

    async def _step_over(self, tp: TopicPartition, place: int) -> int:
        """Where reading goes on."""
        found = await find_unreadable(self._kafka, tp.topic, tp.partition, place)
        if found is None:
            raise KafkaError(
                f"the client cannot read {tp.topic}/{tp.partition} at {place}, though its records are good"
            )
        batch, _ = found
        self.skipped.append(f"{tp.topic}/{tp.partition} at {batch.base_offset}")
        return batch.next_offset
