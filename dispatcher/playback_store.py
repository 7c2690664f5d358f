"""The board as it was: every row of an incident that goes out to the feed is kept, in the transaction that puts it out.

What is shown of a past moment is thus what the feed was sent, byte for byte; the feed had it as soon as the relay did
its work, a few hundredths of a second later.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import msgspec

from dispatcher.outbox_store import Outgoing
from infra.postgres import Connection
from schemas import topics
from schemas.feed import Tags
from schemas.vocabulary import FeedChannel

_PREFIX: Final = f"{FeedChannel.INCIDENTS}:"
_tags: Final = msgspec.json.Decoder(dict[str, str]).decode


@dataclass(frozen=True, slots=True)
class BoardThen:
    """The rows of a moment as JSON objects, newest change first."""

    rows: tuple[bytes, ...]
    #: From when on the board is known; None while nothing is.
    known_since: datetime | None


async def keep(connection: Connection, outgoing: Iterable[Outgoing]) -> None:
    """Keep what of `outgoing` goes to the board's incidents. Their rows must be locked or new."""
    shown, come, gone = [], [], []
    for record in outgoing:
        if record.topic != topics.FEED.name or not record.key.startswith(_PREFIX):
            continue
        incident_id = record.key.removeprefix(_PREFIX)
        if record.value is None:
            gone.append(incident_id)
            continue
        tags = _tags(record.headers[topics.HEADER_TAGS])
        shown.append((incident_id, _agencies(tags), tags.get("kecamatan"), tags.get("kelurahan"), record.value))
        if topics.HEADER_TAGS_BEFORE not in record.headers:
            come.append(incident_id)
    if shown:
        await connection.executemany(
            "INSERT INTO board_row (incident_id, agencies, kecamatan, kelurahan, row) VALUES ($1, $2, $3, $4, $5)",
            shown,
        )
    if come:
        await connection.execute(
            "INSERT INTO board_stay (incident_id, during)"
            " SELECT id, tstzrange(clock_timestamp(), NULL) FROM unnest($1::text[]) AS u (id)",
            come,
        )
    if gone:
        await connection.execute(
            "UPDATE board_stay SET during = tstzrange(lower(during), clock_timestamp())"
            " WHERE incident_id = ANY($1) AND upper_inf(during)",
            gone,
        )


async def end_and_find(connection: Connection, most: int) -> list[str]:
    """End the stays of what an older release has taken off the board, and answer with what it has put on it: incidents
    that are there and not known here, the newest changes first, `most` at most.

    Call it, and `keep` their rows, in a transaction that sees one moment (repeatable read).
    """
    await connection.execute(
        "UPDATE board_stay SET during = tstzrange(lower(during), clock_timestamp()) WHERE upper_inf(during)"
        " AND NOT EXISTS (SELECT FROM incident i WHERE i.id = incident_id AND i.on_board)"
    )
    rows = await connection.fetch(
        "SELECT i.id FROM incident i WHERE i.on_board AND NOT EXISTS ("
        "   SELECT FROM board_stay s WHERE s.incident_id = i.id AND upper_inf(s.during))"
        " ORDER BY i.updated_at DESC, i.id LIMIT $1",
        most,
    )
    return [row["id"] for row in rows]


async def select_board(
    connection: Connection,
    at: datetime,
    *,
    agencies: Sequence[str] = (),
    kecamatan: str | None = None,
    kelurahan: str | None = None,
) -> BoardThen:
    """The board of incidents at a moment that is past, for who sees these agencies (none: all) and this area.

    For the desk alone: PostgreSQL is told who asks, and answers with what is in their scope.
    """
    rows = await connection.fetch(
        "SELECT data FROM board_at($1)"
        " WHERE ($2::text[] = '{}' OR agencies && $2) AND ($3::text IS NULL OR kecamatan = $3)"
        " AND ($4::text IS NULL OR kelurahan = $4) ORDER BY at DESC, incident_id",
        at,
        list(agencies),
        kecamatan,
        kelurahan,
    )
    since: datetime | None = await connection.fetchval("SELECT min(lower(during)) FROM board_stay")
    return BoardThen(tuple(row["data"] for row in rows), since)


async def sweep(connection: Connection, before: datetime, most: int) -> int:
    """Forget rows that no moment after `before` shows, `most` at most; answers how many."""
    await connection.execute("DELETE FROM board_stay WHERE NOT upper_inf(during) AND upper(during) < $1", before)
    done: str = await connection.execute(
        "DELETE FROM board_row WHERE ctid = ANY(ARRAY(SELECT b.ctid FROM board_row b WHERE b.at < $1"
        "   AND (EXISTS (SELECT FROM board_row n WHERE n.incident_id = b.incident_id AND n.at > b.at AND n.at <= $1)"
        "     OR NOT EXISTS (SELECT FROM board_stay s WHERE s.incident_id = b.incident_id)) LIMIT $2))",
        before,
        most,
    )
    return int(done.split()[-1])


def _agencies(tags: Tags) -> list[str]:
    listed = [tags.get("agency", ""), *tags.get("co_agencies", "").split(",")]
    return [agency for agency in listed if agency]
