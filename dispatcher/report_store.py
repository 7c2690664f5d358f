"""Reports and their reporters in PostgreSQL, apart from each other; and what grouping looks at of the reports."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

from dispatcher.decisions.judgement import Located
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


_INSERT: Final = (
    "INSERT INTO report (id, tracking_code, incident_id, channel, category, description, lat, lon, address, regency,"
    " kecamatan, kelurahan, photos, submitted_by, observed_at, submitted_at, received_at)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)"
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
            )
            for placed in reports
        ],
    )


async def upsert_contacts(connection: Connection, contacts: Sequence[ContactGiven]) -> None:
    """Keep who reported; what was given later replaces what was given before."""
    newest: dict[str, ContactGiven] = {}
    for contact in contacts:
        kept = newest.get(contact.report_id)
        if kept is None or contact.given_at >= kept.given_at:
            newest[contact.report_id] = contact
    await connection.executemany(
        "INSERT INTO contact (report_id, name, phone, email, anonymous, given_at) VALUES ($1, $2, $3, $4, $5, $6)"
        " ON CONFLICT (report_id) DO UPDATE SET name = excluded.name, phone = excluded.phone, email = excluded.email,"
        " anonymous = excluded.anonymous, given_at = excluded.given_at WHERE contact.given_at <= excluded.given_at",
        [(c.report_id, c.name, c.phone, c.email, c.anonymous, c.given_at) for _, c in sorted(newest.items())],
    )
