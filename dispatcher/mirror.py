"""Kafka's own committed offsets: a mirror for lag tools, written after the fact. Nothing depends on it."""

import asyncio
from collections.abc import Mapping
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

_EVERY_S: Final = 1.0
_TIMEOUT_S: Final = 2.0


class Mirror:
    """Commits the newest offsets once a second; failures are of no consequence."""

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self._consumer = consumer
        self._ends: dict[TopicPartition, int] = {}

    def note(self, ends: Mapping[TopicPartition, int]) -> None:
        """These offsets are stored in PostgreSQL."""
        self._ends.update(ends)

    async def run(self) -> None:
        """Keep the mirror until cancelled."""
        while True:
            await asyncio.sleep(_EVERY_S)
            await self.flush()

    async def flush(self) -> None:
        """Commit what was noted, within 2 s or not at all."""
        assigned = self._consumer.assignment()
        ends = {tp: end for tp, end in self._ends.items() if tp in assigned}
        self._ends.clear()
        if not ends:
            return
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                await self._consumer.commit(ends)
        except (KafkaError, TimeoutError):
            pass  # the next one carries on, or another member's
