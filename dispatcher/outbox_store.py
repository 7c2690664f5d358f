"""What goes out to Kafka, written in the transaction of the effect itself; the relay sends it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final
from zlib import crc32

import msgspec

from infra.postgres import Connection
from schemas import topics
from schemas.envelope import new_traceparent
from schemas.feed import Tags
from schemas.vocabulary import FeedChannel
from schemas.wire import encode

#: PostgreSQL channel that wakes the relay.
WAKE_CHANNEL: Final = "patriot_outbox"

#: How many relays share the outbox. One carries more changes a second than the feed's one partition does.
SHARDS: Final = 1


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One record on its way: Kafka topic and key, event type, value (None is a tombstone) and further headers."""

    topic: str
    key: str
    type: str
    value: bytes | None
    headers: Mapping[str, str]
    traceparent: str


def row_changed(
    channel: FeedChannel, key: str, row: object, tags: Tags, tags_before: Tags | None, traceparent: str | None = None
) -> Outgoing:
    """A row of the board as it is now; `tags_before` None for a row that is new there."""
    headers = {topics.HEADER_TAGS: encode(tags).decode()}
    if tags_before is not None:
        headers[topics.HEADER_TAGS_BEFORE] = encode(tags_before).decode()
    return Outgoing(
        topics.FEED.name, f"{channel}:{key}", topics.ROW_CHANGED[channel], encode(row), headers, traceparent or new_traceparent()
    )


def row_removed(channel: FeedChannel, key: str, tags_before: Tags, traceparent: str | None = None) -> Outgoing:
    """A row that leaves the board: a tombstone, with the tags it had."""
    headers = {topics.HEADER_TAGS_BEFORE: encode(tags_before).decode()}
    return Outgoing(
        topics.FEED.name, f"{channel}:{key}", topics.ROW_REMOVED, None, headers, traceparent or new_traceparent()
    )


def shard_of(key: str, shards: int) -> int:
    """Which relay sends the records of a key."""
    return crc32(key.encode()) % shards


async def add(connection: Connection, outgoing: Iterable[Outgoing], *, shards: int = SHARDS) -> None:
    """Put records out in their order, and wake the relay at commit. Call it after the aggregate's row is locked:
    then the order of a key's records is the order of its commits."""
    rows = list(outgoing)
    if not rows:
        return
    await connection.execute(
        """
        INSERT INTO outbox (aggregatetype, aggregateid, type, payload, headers, traceparent, shard)
        SELECT t, k, y, p, h::jsonb, c, s
          FROM unnest($1::text[], $2::text[], $3::text[], $4::bytea[], $5::text[], $6::text[], $7::int[])
               WITH ORDINALITY AS u (t, k, y, p, h, c, s, n)
         ORDER BY n
        """,
        [row.topic for row in rows],
        [row.key for row in rows],
        [row.type for row in rows],
        [row.value for row in rows],
        [msgspec.json.encode(row.headers).decode() for row in rows],
        [row.traceparent for row in rows],
        [shard_of(row.key, shards) for row in rows],
    )
    await connection.execute("SELECT pg_notify($1, '')", WAKE_CHANNEL)
