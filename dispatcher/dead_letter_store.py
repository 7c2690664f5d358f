"""Messages that were set aside, with their bytes, the reason and the place: to be looked at, replayed or dropped."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import asyncpg

from dispatcher import outbox_store
from dispatcher.outbox_store import Bytes, RawHeaders
from infra.kafka import KAFKA_BATCH_BYTES
from infra.postgres import Connection
from schemas import topics
from schemas.wire import encode

STATES: Final = ("new", "replayed", "dropped")
_MAX_MESSAGE: Final = 1000
#: Reason of a whole batch of Kafka that cannot be read; its bytes are not those of one message.
UNREADABLE: Final = "unreadable"


@dataclass(frozen=True, slots=True)
class Letter:
    """A message as it came, and why it has no effect."""

    topic: str
    topic_id: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: RawHeaders
    #: One word: what the record lacks, or the class of the error that its effects raised.
    reason: str
    #: A sentence; may quote the message, so it is kept beside it and never logged.
    detail: str


@dataclass(frozen=True, slots=True)
class KeptLetter:
    """A dead letter as it lies in the store."""

    id: int
    letter: Letter
    at: datetime
    state: str
    replays: int


async def add(connection: Connection, letters: Sequence[Letter]) -> None:
    """Set messages aside, and put copies out to `<topic>.dispatcher.dlq`; one that lies here already is left alone."""
    added = await connection.fetch(
        """
        INSERT INTO dead_letter
               (topic, topic_id, partition, "offset", key, value, headers, error_class, error_message)
        SELECT t, i, p, o, k, v, h::jsonb, c, m
          FROM unnest($1::text[], $2::text[], $3::int[], $4::bigint[], $5::bytea[], $6::bytea[], $7::text[],
                      $8::text[], $9::text[]) WITH ORDINALITY AS u (t, i, p, o, k, v, h, c, m, n)
         ORDER BY n
            ON CONFLICT DO NOTHING RETURNING topic, partition, "offset"
        """,
        [letter.topic for letter in letters],
        [letter.topic_id for letter in letters],
        [letter.partition for letter in letters],
        [letter.offset for letter in letters],
        [letter.key for letter in letters],
        [letter.value for letter in letters],
        [encode(outbox_store.headers_to_json(letter.headers)).decode() for letter in letters],
        [_storable(letter.reason) for letter in letters],
        [_storable(letter.detail) for letter in letters],
    )
    places = {(row["topic"], row["partition"], row["offset"]) for row in added}
    await outbox_store.add_bytes(
        connection,
        [_copy(letter) for letter in letters if (letter.topic, letter.partition, letter.offset) in places],
    )


def _storable(text: str) -> str:
    return text.replace("\x00", "␀").encode("utf-8", "replace").decode()[:_MAX_MESSAGE]


def _copy(letter: Letter) -> Bytes:
    """The copy on the dead letters' topic (contract section 5)."""
    about: RawHeaders = (
        ("x-error-class", _storable(letter.reason).encode()),
        ("x-error-message", _storable(letter.detail).encode()),
        ("x-source-partition", str(letter.partition).encode()),
        ("x-source-offset", str(letter.offset).encode()),
    )
    return Bytes(topics.dead_letters_of(letter.topic), letter.key, letter.value, (*letter.headers, *about))


_COLUMNS: Final = (
    'id, topic, topic_id, partition, "offset", key, value, headers, error_class, error_message, at, state, replays'
)


async def select(connection: Connection, letter_id: int) -> KeptLetter | None:
    """One letter, whole."""
    rows = await connection.fetch(f"SELECT {_COLUMNS} FROM dead_letter WHERE id = $1", letter_id)  # noqa: S608
    return _from_row(rows[0]) if rows else None


@dataclass(frozen=True, slots=True)
class Line:
    """A letter in a list: without its bytes."""

    id: int
    topic: str
    partition: int
    offset: int
    reason: str
    detail: str
    at: datetime
    state: str
    replays: int
    bytes: int


async def select_lines(
    connection: Connection, *, state: str | None = None, topic: str | None = None, before: int | None = None, limit: int
) -> list[Line]:
    """The newest letters first; `before` an id for the next page."""
    rows = await connection.fetch(
        'SELECT id, topic, partition, "offset", error_class, error_message, at, state, replays,'
        " coalesce(octet_length(value), 0) AS bytes FROM dead_letter"
        " WHERE ($1::text IS NULL OR state = $1) AND ($2::text IS NULL OR topic = $2)"
        " AND ($3::bigint IS NULL OR id < $3)"
        " ORDER BY id DESC LIMIT $4",
        state,
        topic,
        before,
        limit,
    )
    return [
        Line(
            id=row["id"],
            topic=row["topic"],
            partition=row["partition"],
            offset=row["offset"],
            reason=row["error_class"],
            detail=row["error_message"],
            at=row["at"],
            state=row["state"],
            replays=row["replays"],
            bytes=row["bytes"],
        )
        for row in rows
    ]


async def select_ids(connection: Connection, topic: str, subjects: Sequence[bytes]) -> list[int]:
    """Letters of a topic, not dropped yet, that are about one of these: by `ce_subject`, or by their key."""
    rows = await connection.fetch(
        "SELECT id FROM dead_letter WHERE topic = $1 AND state <> 'dropped' AND (key = ANY($2::bytea[]) OR EXISTS ("
        "   SELECT FROM jsonb_array_elements(headers) AS h WHERE h ->> 0 = 'ce_subject' AND h ->> 1 = ANY($3)))",
        topic,
        list(subjects),
        [base64.b64encode(subject).decode() for subject in subjects],
    )
    return [row["id"] for row in rows]


async def replay(connection: Connection, ids: Sequence[int] | None, *, topic: str | None = None) -> list[int]:
    """Put letters out to the topic they came from, bytes and headers unchanged, and answer which.

    `ids` None: all that are `new` (of `topic`). Dropped ones, unreadable batches, and what no topic takes because it
    came compressed and is too large without, are left as they are.
    """
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} FROM dead_letter"  # noqa: S608
        " WHERE state <> 'dropped' AND error_class <> $1"
        " AND CASE WHEN $2::bigint[] IS NULL THEN state = 'new' AND ($3::text IS NULL OR topic = $3)"
        " ELSE id = ANY($2) END ORDER BY id FOR UPDATE",
        UNREADABLE,
        ids,
        topic,
    )
    going = [kept for kept in map(_from_row, rows) if _fits(kept.letter)]
    await connection.execute(
        "UPDATE dead_letter SET state = 'replayed', replays = replays + 1 WHERE id = ANY($1)",
        [kept.id for kept in going],
    )
    await outbox_store.add_bytes(
        connection,
        [Bytes(k.letter.topic, k.letter.key, k.letter.value, k.letter.headers) for k in going],
    )
    return [kept.id for kept in going]


#: A batch's own header, and the most that the lengths of a record, of a key and of a value take (Kafka's varints).
_AROUND_RECORD: Final = 61 + 21
#: The most that the two lengths of a header take.
_AROUND_HEADER: Final = 10


def _fits(letter: Letter) -> bool:
    """Whether its topic takes the record when it comes alone and uncompressed, as the relay sends it."""
    headers = sum(len(name.encode()) + len(value or b"") + _AROUND_HEADER for name, value in letter.headers)
    return len(letter.key or b"") + len(letter.value or b"") + headers + _AROUND_RECORD <= KAFKA_BATCH_BYTES


async def drop(connection: Connection, ids: Sequence[int] | None, *, topic: str | None = None) -> list[int]:
    """Give letters up: they stay for the record, their bytes do not. `ids` None: all that are `new` (of `topic`)."""
    rows = await connection.fetch(
        "UPDATE dead_letter SET state = 'dropped', value = NULL, key = NULL, headers = '[]' WHERE state <> 'dropped'"
        " AND CASE WHEN $1::bigint[] IS NULL THEN state = 'new' AND ($2::text IS NULL OR topic = $2)"
        " ELSE id = ANY($1) END RETURNING id",
        ids,
        topic,
    )
    return sorted(row["id"] for row in rows)


def _from_row(row: asyncpg.Record) -> KeptLetter:
    return KeptLetter(
        id=row["id"],
        letter=Letter(
            topic=row["topic"],
            topic_id=row["topic_id"],
            partition=row["partition"],
            offset=row["offset"],
            key=row["key"],
            value=row["value"],
            headers=outbox_store.headers_from_json(row["headers"]),
            reason=row["error_class"],
            detail=row["error_message"],
        ),
        at=row["at"],
        state=row["state"],
        replays=row["replays"],
    )
