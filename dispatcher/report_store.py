"""Reports and their reporters in PostgreSQL, apart from each other; and what grouping looks at of the reports."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

import msgspec

from dispatcher.decisions.judgement import Located
from dispatcher.decisions.routing import Words
from dispatcher.decisions.tally import Reported
from infra.postgres import Connection
from schemas.report import ContactGiven, ReportSubmitted


class PlacedReport(msgspec.Struct, frozen=True):
    """A report as it is kept: with the incident it is in, and where it was placed."""

    report: ReportSubmitted
    incident_id: str
    located: Located
    #: The broker's time.
    received_at: datetime


class Told(msgspec.Struct, frozen=True):
    """What reports have told of an incident."""

    first_arrival: datetime
    #: The first text, then the newest ones, oldest first.
    texts: tuple[str, ...]


async def known(connection: Connection, report_ids: Sequence[str]) -> set[str]:
    """Those of the ids that are kept already."""
    rows = await connection.fetch("SELECT id FROM report WHERE id = ANY($1)", list(report_ids))
    return {row["id"] for row in rows}


#: A report without coordinates is told with its address, for nothing else says where it is.
_TOLD: Final = "concat_ws(' ', r.description, CASE WHEN r.lat IS NULL THEN r.address END) AS text"


async def told(connection: Connection, incident_ids: Sequence[str], newest: int) -> dict[str, Told]:
    """For each incident that has reports: its first arrival, its first text and up to `newest` newest texts."""
    rows = await connection.fetch(
        f"""
        SELECT i.id, first.received_at, first.text, newest.texts
          FROM unnest($1::text[]) AS i (id)
          JOIN LATERAL (
               SELECT r.id, r.received_at, {_TOLD}
                 FROM report r WHERE r.incident_id = i.id ORDER BY r.received_at, r.id LIMIT 1
               ) first ON true
          JOIN LATERAL (
               SELECT coalesce(array_agg(n.text ORDER BY n.received_at, n.id), '{{}}') AS texts
                 FROM (SELECT r.id, r.received_at, {_TOLD}
                         FROM report r WHERE r.incident_id = i.id
                        ORDER BY r.received_at DESC, r.id DESC LIMIT $2) n
                WHERE n.id <> first.id
               ) newest ON true
        """,  # noqa: S608
        list(incident_ids),
        newest,
    )
    return {row["id"]: Told(row["received_at"], (row["text"], *row["texts"])) for row in rows}


async def first_words(connection: Connection, incident_id: str) -> Words | None:
    """What the first report of an incident says; None when it has none."""
    row = await connection.fetchrow(
        "SELECT address, description FROM report WHERE incident_id = $1 ORDER BY received_at, id LIMIT 1", incident_id
    )
    return Words(row["address"], row["description"]) if row else None


_INSERT: Final = (
    "INSERT INTO report (id, tracking_code, incident_id, channel, category, description, lat, lon, address, regency,"
    " kecamatan, kelurahan, photos, submitted_by, observed_at, submitted_at, received_at, consent)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)"
)


async def insert(connection: Connection, reports: Sequence[PlacedReport]) -> None:
    """Keep new reports; their incidents are there. Raises on an id or a tracking code that is there already."""
    await connection.executemany(
        _INSERT,
        [
            (
                placed.report.report_id,
                placed.report.tracking_code,
                placed.incident_id,
                placed.report.channel,
                placed.report.category,
                placed.report.description,
                placed.report.lat,
                placed.report.lon,
                placed.report.address,
                placed.located.regency,
                placed.located.kecamatan_code,
                placed.located.kelurahan_code,
                msgspec.to_builtins(placed.report.photos),
                placed.report.submitted_by,
                placed.report.observed_at,
                placed.report.submitted_at,
                placed.received_at,
                placed.report.consent,
            )
            for placed in reports
        ],
    )


async def move(
    connection: Connection, source: str, target: str, at: datetime, *, only: Sequence[str] | None = None
) -> None:
    """Put an incident's reports (or only these) into another one, for good: undoing is another move.

    Both incidents must be locked. With `only` it becomes their home: they were never the other one's matter.
    """
    await connection.execute(
        "WITH moved AS (UPDATE report SET incident_id = $2,"
        " home = CASE WHEN $4::text[] IS NULL THEN coalesce(home, incident_id) ELSE $2 END"
        " WHERE incident_id = $1 AND ($4::text[] IS NULL OR id = ANY($4)) RETURNING id)"
        " INSERT INTO report_move (report_id, at, from_incident, to_incident) SELECT id, $3, $1, $2 FROM moved",
        source,
        target,
        at,
        None if only is None else list(only),
    )


async def bring_home(connection: Connection, holder: str, home: str, homes: Sequence[str], at: datetime) -> None:
    """Bring the reports whose home is one of `homes` from the incident that has them back to `home`.

    Both incidents must be locked.
    """
    await connection.execute(
        "WITH moved AS (UPDATE report SET incident_id = $2 WHERE incident_id = $1 AND home = ANY($3) RETURNING id)"
        " INSERT INTO report_move (report_id, at, from_incident, to_incident) SELECT id, $4, $1, $2 FROM moved",
        holder,
        home,
        list(homes),
        at,
    )


async def belonging_to(connection: Connection, incident_id: str) -> list[Reported]:
    """An incident's reports as far as they count, oldest first."""
    rows = await connection.fetch(
        "SELECT id, received_at, lat, lon, photos FROM report WHERE incident_id = $1 ORDER BY received_at, id",
        incident_id,
    )
    return [
        Reported(
            row["id"],
            row["received_at"],
            row["lat"],
            row["lon"],
            f"/api/v1/photos/{row['photos'][0]['id']}" if row["photos"] else None,
        )
        for row in rows
    ]


class Contact(NamedTuple):
    """Where a reporter is reached."""

    email: str | None
    phone: str | None


async def contact_of(connection: Connection, report_id: str) -> Contact | None:
    """Where the reporter of this report is reached; None when nothing is known, or not any more."""
    row = await connection.fetchrow("SELECT email, phone FROM contact WHERE report_id = $1", report_id)
    return Contact(row["email"], row["phone"]) if row and (row["email"] or row["phone"]) else None


async def without_contact(connection: Connection, report_ids: Sequence[str]) -> list[str]:
    """Those of these whose reporter is not known, or not any more."""
    rows = await connection.fetch(
        "SELECT id FROM unnest($1::text[]) AS u (id) WHERE NOT EXISTS (SELECT FROM contact WHERE report_id = u.id)",
        list(report_ids),
    )
    return [row["id"] for row in rows]


async def upsert_contacts(connection: Connection, contacts: Sequence[ContactGiven]) -> None:
    """Keep who reported; what was given later replaces what was given before, and what was erased stays so."""
    newest: dict[str, ContactGiven] = {}
    for contact in contacts:
        kept = newest.get(contact.report_id)
        if kept is None or contact.given_at >= kept.given_at:
            newest[contact.report_id] = contact
    await connection.executemany(
        "INSERT INTO contact (report_id, name, phone, email, anonymous, given_at)"
        " SELECT $1, $2::text, $3::text, $4::text, $5::boolean, $6::timestamptz"
        " WHERE NOT EXISTS (SELECT FROM erasure WHERE report_id = $1)"
        " ON CONFLICT (report_id) DO UPDATE SET name = excluded.name, phone = excluded.phone, email = excluded.email,"
        " anonymous = excluded.anonymous, given_at = excluded.given_at WHERE contact.given_at <= excluded.given_at",
        [(c.report_id, c.name, c.phone, c.email, c.anonymous, c.given_at) for _, c in sorted(newest.items())],
    )


# What is forgotten --------------------------------------------------------------------------------------------------

#: In place of words that were erased; their report stays.
ERASED_WORDS: Final = "(isi laporan telah dihapus)"


async def erase(connection: Connection, report_ids: Sequence[str], *, words: bool) -> int:
    """Erase who sent these reports, for good; with `words` also what they wrote. Answers how many contacts."""
    await connection.execute(
        "INSERT INTO erasure (report_id, words) SELECT id, $2 FROM unnest($1::text[]) AS u (id)"
        " ON CONFLICT (report_id) DO UPDATE SET at = excluded.at, words = erasure.words OR excluded.words",
        list(report_ids),
        words,
    )
    done: str = await connection.execute("DELETE FROM contact WHERE report_id = ANY($1)", list(report_ids))
    if words:
        await connection.execute(
            "UPDATE report SET description = $2, address = NULL WHERE id = ANY($1)", list(report_ids), ERASED_WORDS
        )
    return int(done.split()[-1])


async def forget_photos(connection: Connection, report_ids: Sequence[str]) -> None:
    """These reports came without photos, from now on; the files are somebody else's to erase."""
    await connection.execute("UPDATE report SET photos = '[]' WHERE id = ANY($1)", list(report_ids))


async def expire_contacts(connection: Connection, ended_before: datetime, most: int) -> int:
    """Forget who sent reports whose incident ended before then, and contacts as old whose report never came; `most` at
    most. Answers how many."""
    done: str = await connection.execute(
        "DELETE FROM contact WHERE report_id = ANY(ARRAY("
        " SELECT c.report_id FROM contact c LEFT JOIN report r ON r.id = c.report_id"
        " LEFT JOIN incident i ON i.id = r.incident_id"
        " WHERE i.ended_at < $1 OR (r.id IS NULL AND c.given_at < $1) LIMIT $2))",
        ended_before,
        most,
    )
    return int(done.split()[-1])


async def expire_words(connection: Connection, ended_before: datetime, most: int) -> int:
    """Forget the words of reports whose incident ended before then, `most` at most; answers how many."""
    done: str = await connection.execute(
        "UPDATE report SET description = $3, address = NULL WHERE id = ANY(ARRAY("
        " SELECT r.id FROM report r JOIN incident i ON i.id = r.incident_id"
        " WHERE i.ended_at < $1 AND r.description <> $3 LIMIT $2))",
        ended_before,
        most,
        ERASED_WORDS,
    )
    return int(done.split()[-1])


async def with_expired_photos(connection: Connection, ended_before: datetime, most: int) -> list[str]:
    """Reports with photos whose incident ended before then, `most` at most."""
    rows = await connection.fetch(
        "SELECT r.id FROM report r JOIN incident i ON i.id = r.incident_id"
        " WHERE i.ended_at < $1 AND r.photos <> '[]' LIMIT $2",
        ended_before,
        most,
    )
    return [row["id"] for row in rows]
