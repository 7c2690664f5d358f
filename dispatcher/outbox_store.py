"""What goes out to Kafka, written in the transaction of the effect itself; the relay sends it."""

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from zlib import crc32

import asyncpg
import msgspec

from infra.postgres import Connection
from schemas import topics
from schemas.envelope import Envelope, new_traceparent, source, write
from schemas.feed import Tags
from schemas.vocabulary import FeedChannel
from schemas.wire import encode

#: PostgreSQL channel that wakes the relay.
WAKE_CHANNEL: Final = "patriot_outbox"

#: The room in `ce_source` of what goes out.
ROOM: Final = "dispatcher"

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
    #: The relay that sends it, where that is not told by the key.
    shard: int | None = None


#: Headers as Kafka has them: names may repeat, values may be any bytes or missing.
RawHeaders = tuple[tuple[str, bytes | None], ...]


@dataclass(frozen=True, slots=True)
class Bytes:
    """A record that goes out just as it is, with no envelope of ours: a copy or a replay of somebody's message."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: RawHeaders


def row_changed(
    channel: FeedChannel, key: str, row: object, tags: Tags, tags_before: Tags | None, traceparent: str | None = None
) -> Outgoing:
    """A row of the board as it is now; `tags_before` None for a row that is new there."""
    headers = {topics.HEADER_TAGS: encode(tags).decode()}
    if tags_before is not None:
        headers[topics.HEADER_TAGS_BEFORE] = encode(tags_before).decode()
    return Outgoing(
        topics.FEED.name,
        f"{channel}:{key}",
        topics.ROW_CHANGED[channel],
        encode(row),
        headers,
        traceparent or new_traceparent(),
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
        [shard_of(row.key, shards) if row.shard is None else row.shard for row in rows],
    )
    await connection.execute("SELECT pg_notify($1, '')", WAKE_CHANNEL)


#: `type` of rows that are `Bytes`. Their key and headers are in `headers`, for they may be no text.
_AS_IT_IS: Final = ""


async def add_bytes(connection: Connection, records: Sequence[Bytes], *, shards: int = SHARDS) -> None:
    """Put records out as they are, and wake the relay at commit."""
    if not records:
        return
    await connection.executemany(
        "INSERT INTO outbox (aggregatetype, aggregateid, type, payload, headers, traceparent, shard)"
        " VALUES ($1, '', $2, $3, $4, '', $5)",
        [
            (
                record.topic,
                _AS_IT_IS,
                record.value,
                {"key": _to_text(record.key), "headers": headers_to_json(record.headers)},
                crc32(record.key or b"") % shards,
            )
            for record in records
        ],
    )
    await connection.execute("SELECT pg_notify($1, '')", WAKE_CHANNEL)


def headers_to_json(headers: RawHeaders) -> list[tuple[str, str | None]]:
    """Headers for a jsonb column, values in base64. NUL in a name, which jsonb cannot keep, becomes its picture."""
    return [(name.replace("\x00", "␀"), _to_text(value)) for name, value in headers]


def headers_from_json(headers: Sequence[tuple[str, str | None]]) -> RawHeaders:
    """The headers that `headers_to_json` has written."""
    return tuple((name, _to_bytes(value)) for name, value in headers)


def _to_text(value: bytes | None) -> str | None:
    return None if value is None else base64.b64encode(value).decode()


def _to_bytes(text: str | None) -> bytes | None:
    return None if text is None else base64.b64decode(text)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A record that the relay has to send, ready for Kafka."""

    seq: int
    topic: str
    key: bytes | None
    value: bytes | None
    headers: RawHeaders


async def select_waiting(connection: Connection, shard: int, *, most: int, most_bytes: int) -> list[Waiting]:
    """The oldest records of a shard in their order: one at least, `most` at most, and some `most_bytes` together."""
    rows = await connection.fetch(
        "SELECT seq, id, aggregatetype, aggregateid, type, payload, headers, traceparent, created_at,"
        " (SELECT training FROM city) AS training FROM ("
        "   SELECT *, sum(coalesce(octet_length(payload), 0)) OVER (ORDER BY seq) AS total FROM outbox"
        "    WHERE shard = $1 ORDER BY seq LIMIT $2) AS oldest"
        " WHERE total - coalesce(octet_length(payload), 0) < $3 ORDER BY seq",
        shard,
        most,
        most_bytes,
    )
    return [_waiting(row) for row in rows]


def _waiting(row: asyncpg.Record) -> Waiting:
    seq, topic, payload, headers = row["seq"], row["aggregatetype"], row["payload"], row["headers"]
    if row["type"] == _AS_IT_IS:
        return Waiting(seq, topic, _to_bytes(headers["key"]), payload, headers_from_json(headers["headers"]))
    envelope = Envelope(
        id=str(row["id"]),
        type=row["type"],
        source=source(ROOM, training=row["training"]),
        subject=row["aggregateid"],
        time=row["created_at"],
        traceparent=row["traceparent"],
    )
    ours = [(name, value.encode()) for name, value in {**headers, topics.HEADER_SEQ: str(seq)}.items()]
    return Waiting(seq, topic, row["aggregateid"].encode(), payload, (*write(envelope), *ours))


async def delete(connection: Connection, seqs: Sequence[int]) -> None:
    """Forget records that Kafka has, and remember the last of the feed's, by which its topic is known again."""
    await connection.execute(
        "WITH gone AS (DELETE FROM outbox WHERE seq = ANY($1) RETURNING seq, id, aggregatetype)"
        " UPDATE feed_mark SET seq = last.seq, record_id = last.id::text"
        " FROM (SELECT seq, id FROM gone WHERE aggregatetype = $2 ORDER BY seq DESC LIMIT 1) AS last",
        seqs,
        topics.FEED.name,
    )


async def is_last(connection: Connection, topic_id: str, seq: int, record_id: str) -> bool:
    """Whether this is the last record that we sent to the feed: the marked one, or one that was sent and could not be
    marked any more, which then still waits."""
    return bool(
        await connection.fetchval(
            "SELECT EXISTS (SELECT FROM feed_mark WHERE topic_id = $1 AND (seq = $2 AND record_id = $3"
            "   OR EXISTS (SELECT FROM outbox WHERE seq = $2 AND id::text = $3)))",
            topic_id,
            seq,
            record_id,
        )
    )


async def mark(connection: Connection, topic_id: str, seq: int, record_id: str) -> None:
    """Take the feed's topic for ours, as it ends with this record."""
    await connection.execute("UPDATE feed_mark SET topic_id = $1, seq = $2, record_id = $3", topic_id, seq, record_id)


async def leap(connection: Connection, above: int) -> None:
    """Number what is put out from now on above that. Lock the table first: numbers that are taken stay taken."""
    await connection.execute(
        "SELECT setval(pg_get_serial_sequence('outbox', 'seq'), greatest($1, (SELECT last_value FROM outbox_seq_seq)))",
        above,
    )
