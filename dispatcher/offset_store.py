"""Who owns a partition and how far it is read: the consumer's own offsets, fenced by the epoch of the owner."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from infra.postgres import Connection


class Fenced(Exception):
    """Another owner has claimed a partition of this batch, or the batch was written already: roll back."""


@dataclass(frozen=True, slots=True)
class Place:
    """A partition as Kafka has it now."""

    topic: str
    #: Tells a topic that was made anew from its namesake.
    topic_id: str
    partition: int
    #: Its oldest record.
    beginning: int
    #: Start there, whatever was read before.
    start_over: bool = False
    #: The time of the newest record that was read, and up to which offset nothing in Kafka is newer.
    newest: datetime | None = None
    read_to: int | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """A partition that is ours: `epoch` proves it, `next_offset` is the first one not yet written."""

    topic: str
    partition: int
    epoch: int
    next_offset: int
    #: The topic has another id than when it was last read.
    made_anew: bool
    #: Kafka has lost the end of what we had read.
    set_back: bool = False


@dataclass(frozen=True, slots=True)
class Move:
    """What one batch does to a partition's offset."""

    topic: str
    partition: int
    epoch: int
    start: int
    end: int
    #: The broker's time of the last record, where it is known.
    newest: datetime | None = None


@dataclass(frozen=True, slots=True)
class Mark:
    """Up to when everything that was acknowledged in a partition is contained in the database."""

    topic: str
    partition: int
    epoch: int
    as_of: datetime


async def know(connection: Connection, consumer: str, topic: str, partitions: Sequence[int]) -> None:
    """Make rows for partitions that nobody has claimed yet, so that what nobody reads holds freshness back."""
    await connection.execute(
        "INSERT INTO consumer_offset (consumer, topic, topic_id, partition, next_offset)"
        " SELECT $1, $2, '', p, 0 FROM unnest($3::int[]) AS p ORDER BY p ON CONFLICT DO NOTHING",
        consumer,
        topic,
        sorted(partitions),
    )


async def claim(connection: Connection, consumer: str, places: Sequence[Place]) -> list[Claim]:
    """Become the owner of partitions: from the commit on, batches of an earlier owner are refused.

    A partition that was never read, or whose topic was made anew, starts at its beginning; one that Kafka has lost the
    end of, and written on, starts at what it then wrote. Call it in a transaction.
    """
    rows = await connection.fetch(
        "SELECT o.topic, o.partition, o.topic_id, o.next_offset, o.newest FROM consumer_offset o"
        " JOIN unnest($2::text[], $3::int[]) AS u (topic, partition) USING (topic, partition)"
        " WHERE o.consumer = $1 ORDER BY o.topic, o.partition FOR UPDATE OF o",
        consumer,
        [place.topic for place in places],
        [place.partition for place in places],
    )
    stored = {(row["topic"], row["partition"]): row for row in rows}
    claims = []
    for place in sorted(places, key=lambda place: (place.topic, place.partition)):
        row = stored[place.topic, place.partition]
        anew = row["topic_id"] != place.topic_id
        start = place.beginning if anew or place.start_over else row["next_offset"]
        set_back = False
        # Where the newest is another one by now, its reader has looked for himself.
        if place.read_to is not None and place.read_to < start and place.newest == row["newest"]:
            start, set_back = place.read_to, True
        epoch = await connection.fetchval(
            "UPDATE consumer_offset SET epoch = epoch + 1, topic_id = $4, next_offset = $5,"
            " as_of = CASE WHEN topic_id = $4 THEN as_of END, newest = CASE WHEN topic_id = $4 THEN newest END"
            " WHERE consumer = $1 AND topic = $2 AND partition = $3 RETURNING epoch",
            consumer,
            place.topic,
            place.partition,
            place.topic_id,
            start,
        )
        claims.append(Claim(place.topic, place.partition, epoch, start, anew and row["topic_id"] != "", set_back))
    return claims


async def advance(connection: Connection, consumer: str, moves: Sequence[Move]) -> None:
    """Write down how far a batch got: the last statement of its transaction. Raises `Fenced`: roll back."""
    # Rows are locked in one order, so that two owners never embrace.
    moved = await connection.fetch(
        """
        WITH mine AS MATERIALIZED (
            SELECT o.topic, o.partition, u.stop, u.newest
              FROM unnest($2::text[], $3::int[], $4::bigint[], $5::bigint[], $6::bigint[], $7::timestamptz[])
                   AS u (topic, partition, epoch, start, stop, newest)
              JOIN consumer_offset o
                ON o.consumer = $1 AND o.topic = u.topic AND o.partition = u.partition
               AND o.epoch = u.epoch AND o.next_offset = u.start
             ORDER BY o.topic, o.partition
               FOR UPDATE OF o)
        UPDATE consumer_offset o SET next_offset = mine.stop, newest = greatest(o.newest, mine.newest) FROM mine
         WHERE o.consumer = $1 AND o.topic = mine.topic AND o.partition = mine.partition
        RETURNING o.partition
        """,
        consumer,
        [move.topic for move in moves],
        [move.partition for move in moves],
        [move.epoch for move in moves],
        [move.start for move in moves],
        [move.end for move in moves],
        [move.newest for move in moves],
    )
    if len(moved) != len(moves):
        raise Fenced(f"{len(moves) - len(moved)} of {len(moves)} partitions are not where this batch starts")


async def select(connection: Connection, consumer: str) -> Mapping[tuple[str, int], tuple[int, int]]:
    """Epoch and next offset of every partition that `consumer` knows."""
    rows = await connection.fetch(
        "SELECT topic, partition, epoch, next_offset FROM consumer_offset WHERE consumer = $1", consumer
    )
    return {(row["topic"], row["partition"]): (row["epoch"], row["next_offset"]) for row in rows}


async def newest(connection: Connection, consumer: str) -> Mapping[tuple[str, int], datetime]:
    """The broker's time of the newest record that was read of each partition."""
    rows = await connection.fetch(
        "SELECT topic, partition, newest FROM consumer_offset WHERE consumer = $1 AND newest IS NOT NULL", consumer
    )
    return {(row["topic"], row["partition"]): row["newest"] for row in rows}


async def mark(connection: Connection, consumer: str, marks: Sequence[Mark]) -> None:
    """Note freshness; it never goes back, and marks of one who is no longer the owner are ignored."""
    await connection.execute(
        """
        WITH mine AS MATERIALIZED (
            SELECT o.topic, o.partition, u.as_of
              FROM unnest($2::text[], $3::int[], $4::bigint[], $5::timestamptz[])
                   AS u (topic, partition, epoch, as_of)
              JOIN consumer_offset o
                ON o.consumer = $1 AND o.topic = u.topic AND o.partition = u.partition AND o.epoch = u.epoch
             ORDER BY o.topic, o.partition
               FOR UPDATE OF o)
        UPDATE consumer_offset o SET as_of = greatest(o.as_of, mine.as_of) FROM mine
         WHERE o.consumer = $1 AND o.topic = mine.topic AND o.partition = mine.partition
        """,
        consumer,
        [mark.topic for mark in marks],
        [mark.partition for mark in marks],
        [mark.epoch for mark in marks],
        [mark.as_of for mark in marks],
    )


async def oldest_as_of(connection: Connection) -> Mapping[str, datetime | None]:
    """Per consumer: up to when everything is contained; None while a partition of it has never been read."""
    rows = await connection.fetch(
        "SELECT consumer, CASE WHEN bool_and(as_of IS NOT NULL) THEN min(as_of) END AS as_of"
        " FROM consumer_offset GROUP BY consumer"
    )
    return {row["consumer"]: row["as_of"] for row in rows}
