"""What one transaction settles: effects, dead letters, and how far the partitions are read, together or not at all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from aiokafka import ConsumerRecord, TopicPartition

from dispatcher import breaker, dead_letter_store, offset_store, seen_store
from dispatcher.dead_letter_store import Letter
from dispatcher.effects import Effects, Message
from dispatcher.offset_store import Move
from dispatcher.unpack import Refused
from infra import failpoints
from infra.kafka import time_of
from infra.postgres import Connection


@dataclass(slots=True)
class Item:
    """One record on its way: a message, or refused."""

    record: ConsumerRecord
    topic_id: str
    message: Message | None
    refused: Refused | None = None
    #: It has failed alone once.
    doubted: bool = False

    def letter(self) -> Letter | None:
        """What is set aside, when it is refused."""
        if self.refused is None:
            return None
        record = self.record
        return Letter(
            record.topic,
            self.topic_id,
            record.partition,
            record.offset,
            record.key,
            record.value,
            record.headers,
            self.refused.reason,
            self.refused.detail,
        )


@dataclass(frozen=True, slots=True)
class Batch:
    """Messages in the order of their partitions, letters, and where the partitions stand afterwards."""

    messages: Sequence[Message]
    letters: Sequence[Letter]
    ends: Mapping[TopicPartition, int]
    #: The broker's time of each partition's last record, also where that is refused; missing where it has none.
    until: Mapping[TopicPartition, datetime]
    #: The last of the letters opens the breaker, for this reason.
    opens_breaker: str | None = None


def batch_of(items: Sequence[Item], opens_breaker: str | None) -> Batch:
    """The batch that settles `items`."""
    ends: dict[TopicPartition, int] = {}
    until: dict[TopicPartition, datetime] = {}
    tp = TopicPartition("", -1)
    for item in items:
        record = item.record
        if record.partition != tp.partition or record.topic != tp.topic:
            tp = TopicPartition(record.topic, record.partition)
        ends[tp] = record.offset + 1
        at = time_of(record.timestamp) if item.message is None else item.message.received_at
        if at is not None:
            until[tp] = at
    return Batch(
        messages=[item.message for item in items if item.message is not None and item.refused is None],
        letters=[letter for item in items if (letter := item.letter()) is not None],
        ends=ends,
        until=until,
        opens_breaker=opens_breaker,
    )


async def write(
    connection: Connection,
    effects: Effects,
    batch: Batch,
    moves: Sequence[Move],
    *,
    idle_limit_ms: int,
    lock_limit_ms: int,
) -> int:
    """Write a batch inside the caller's transaction; answers how many messages were seen for the first time.

    Raises `offset_store.Fenced` and whatever the effects raise: roll back. The server ends the transaction when we are
    silent for `idle_limit_ms` in the middle of it, so that a paused worker holds nobody up. Waiting for a lock for
    `lock_limit_ms` raises LockNotAvailableError: then it is not the messages that are slow.
    """
    now: datetime = await connection.fetchval(
        "SELECT now(), set_config('idle_in_transaction_session_timeout', $1, true),"
        " set_config('lock_timeout', $2, true)",
        str(idle_limit_ms),
        str(lock_limit_ms),
    )
    messages = batch.messages
    if messages and effects.remembers_ids:
        new = await seen_store.remember(connection, messages)
        messages = list({m.envelope.id: m for m in reversed(messages) if m.envelope.id in new}.values())[::-1]
    if messages:
        await effects.apply(connection, messages, now)
    if batch.letters:
        await dead_letter_store.add(connection, batch.letters)
    if batch.opens_breaker is not None:
        await breaker.open_(connection, effects.name, batch.opens_breaker)
    failpoints.hit("dispatcher.in_transaction")
    await offset_store.advance(connection, effects.name, moves)
    return len(messages)
