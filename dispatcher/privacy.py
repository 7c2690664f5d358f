"""What is kept of a person who reported: found, given to them, erased; and who looked at it (UU 27/2022)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import asyncpg

from dispatcher import (
    audit_store,
    dead_letter_store,
    feedback_store,
    incident_store,
    report_store,
    subscription_store,
)
from dispatcher.audit_store import Sealed, Wanted
from dispatcher.decisions.audit_chain import note_digest
from dispatcher.decisions.change import Change
from dispatcher.decisions.incident import move
from infra.postgres import Connection
from schemas import topics
from schemas.wire import Record, Timestamp

#: What a look is called in the audit that these make themselves.
EXPORTED: Final = "personal_data_exported"
ERASED: Final = "personal_data_erased"
REPORTED: Final = "personal_data_reported"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody by one of these; the code as it is kept, the others in any spelling."""

    tracking_code: str | None = None
    phone: str | None = None
    email: str | None = None


class Contact(Record, frozen=True):
    """Who somebody said they are."""

    name: str | None
    phone: str | None
    email: str | None
    anonymous: bool
    given_at: Timestamp


class Comment(Record, frozen=True):
    """What somebody said of an answer."""

    satisfied: bool
    comment: str | None
    at: Timestamp


class Look(Record, frozen=True):
    """A look of staff at somebody's data."""

    at: Timestamp
    actor: str
    action: str
    subject: str


class Held(Record, frozen=True):
    """All that is kept of one report and its sender."""

    report_id: str
    tracking_code: str
    incident_id: str
    channel: str
    submitted_at: Timestamp
    description: str
    address: str | None
    lat: float | None
    lon: float | None
    photos: tuple[str, ...]
    consent: str | None
    contact: Contact | None
    feedback: tuple[Comment, ...]
    looks: tuple[Look, ...]


class Affected(Record, frozen=True):
    """One person of a breach notice: what of theirs was there to be seen. Without contact when it is gone."""

    report_id: str
    tracking_code: str
    submitted_at: Timestamp
    #: Of name, phone, email.
    kept: tuple[str, ...]
    contact: Contact | None


async def reports_of(connection: Connection, person: Person) -> list[str]:
    """The ids of a person's reports, oldest first."""
    rows = await connection.fetch(
        "SELECT r.id FROM report r LEFT JOIN contact c ON c.report_id = r.id"  # noqa: S608 - of words of our own
        f" WHERE r.tracking_code = $1::text OR {_digits('c.phone')} = {_digits('$2::text')}"
        " OR lower(c.email) = lower($3::text) ORDER BY r.received_at, r.id",
        person.tracking_code,
        person.phone,
        person.email,
    )
    return [row["id"] for row in rows]


def _digits(column: str) -> str:
    """Digits alone, and an Indonesian number as it is dialled at home: +62 812… is 0812…."""
    return f"regexp_replace(regexp_replace({column}, '\\D', '', 'g'), '^62', '0')"


async def export(connection: Connection, report_ids: Sequence[str], actor: str) -> list[Held]:
    """All that is kept of these reports, told to the audit. Call it in a transaction."""
    held = [await _held(connection, report_id) for report_id in report_ids]
    await _tell(connection, report_ids, actor, EXPORTED)
    return held


async def erase(connection: Connection, report_ids: Sequence[str], actor: str, *, words: bool, photos: bool) -> int:
    """Erase who sent these reports, with `words` and `photos` also what they wrote and showed; incidents stay. Answers
    how many contacts there were. Call it in a transaction; the photos' files are erased after it (`infra.photos`)."""
    subjects = [report_id.encode() for report_id in report_ids]
    contacts = await report_store.erase(connection, report_ids, words=words)
    codes = await connection.fetch("SELECT tracking_code FROM report WHERE id = ANY($1)", list(report_ids))
    await subscription_store.forget(connection, [subscription_store.of_code(row["tracking_code"]) for row in codes])
    set_aside = await dead_letter_store.select_ids(connection, topics.CONTACT.name, subjects)
    if words:
        set_aside += await dead_letter_store.select_ids(connection, topics.REPORT.name, subjects)
        await feedback_store.erase_comments(connection, report_ids)
    await dead_letter_store.drop(connection, set_aside)
    if photos:
        await report_store.forget_photos(connection, report_ids)
    if words or photos:
        await _note_in_history(connection, report_ids, actor, photos=photos)
    await _tell(connection, report_ids, actor, ERASED, words=words, photos=photos)
    return contacts


async def erase_note(connection: Connection, incident_id: str, version: int, actor: str) -> bool:
    """Erase the note of one entry of an incident's history, and the key of its digest; the audit's chain stays whole,
    for it knows the note by that digest alone. False when there is none. Call it in a transaction."""
    row = await incident_store.erase_note(connection, incident_id, version)
    if row is None:
        return False
    digest = note_digest(row.key, row.note)
    await audit_store.record(
        connection,
        actor=actor,
        action=audit_store.NOTE_ERASED,
        subject=f"{incident_id}/{version}",
        detail={"digest": digest},
    )
    return True


async def affected(connection: Connection, since: datetime, until: datetime, actor: str) -> list[Affected]:
    """Everybody whose contact was kept at some time between, for the notice that is due within 3 × 24 h of a breach;
    told to the audit. Contacts erased since are named without."""
    rows = await connection.fetch(
        "SELECT r.id, r.tracking_code, r.submitted_at, c.name, c.phone, c.email, c.anonymous, c.given_at"
        "  FROM report r LEFT JOIN contact c ON c.report_id = r.id LEFT JOIN erasure e ON e.report_id = r.id"
        " WHERE (c.given_at < $2) OR (e.at >= $1 AND r.received_at < $2) ORDER BY r.received_at, r.id",
        since,
        until,
    )
    await audit_store.record(
        connection,
        actor=actor,
        action=REPORTED,
        subject=f"{len(rows)} reports",
        personal=True,
        detail={"since": since, "until": until},
    )
    return [
        Affected(
            report_id=row["id"],
            tracking_code=row["tracking_code"],
            submitted_at=row["submitted_at"],
            kept=tuple(name for name in ("name", "phone", "email") if row[name]),
            contact=_contact(row) if row["given_at"] else None,
        )
        for row in rows
    ]


async def looks(connection: Connection, *, since: datetime, until: datetime, most: int) -> list[Look]:
    """Who looked at whose data between, oldest first, `most` at most."""
    found = await audit_store.select_page(connection, Wanted(personal=True, since=since, until=until), limit=most)
    return [_look(one) for one in found]


async def _held(connection: Connection, report_id: str) -> Held:
    row = await connection.fetchrow(
        "SELECT r.id, r.tracking_code, r.incident_id, r.channel, r.submitted_at, r.description, r.address, r.lat,"
        " r.lon, r.photos, r.consent, c.name, c.phone, c.email, c.anonymous, c.given_at"
        "  FROM report r LEFT JOIN contact c ON c.report_id = r.id WHERE r.id = $1",
        report_id,
    )
    if row is None:
        raise LookupError(report_id)
    said = await connection.fetch(
        "SELECT satisfied, comment, at FROM feedback WHERE report_id = $1 ORDER BY id", report_id
    )
    seen = []
    for subject in (f"report:{report_id}", f"incident:{row['incident_id']}"):
        seen += await audit_store.select_page(connection, Wanted(subject=subject, personal=True), limit=10_000)
    return Held(
        report_id=row["id"],
        tracking_code=row["tracking_code"],
        incident_id=row["incident_id"],
        channel=row["channel"],
        submitted_at=row["submitted_at"],
        description=row["description"],
        address=row["address"],
        lat=row["lat"],
        lon=row["lon"],
        photos=tuple(photo["id"] for photo in row["photos"]),
        consent=row["consent"],
        contact=_contact(row) if row["given_at"] else None,
        feedback=tuple(Comment(**one) for one in said),
        looks=tuple(_look(one) for one in sorted(seen, key=lambda one: one.entry.id)),
    )


def _contact(row: asyncpg.Record) -> Contact:
    return Contact(**{name: row[name] for name in Contact.__struct_fields__})


def _look(one: Sealed) -> Look:
    entry = one.entry
    return Look(at=entry.at, actor=entry.actor, action=entry.action, subject=entry.subject)


async def _note_in_history(connection: Connection, report_ids: Sequence[str], actor: str, *, photos: bool) -> None:
    """The incidents' history says that something was erased; a photo that is gone is no longer the incident's."""
    rows = await connection.fetch(
        "SELECT incident_id, array_agg(id) AS reports FROM report WHERE id = ANY($1) GROUP BY 1", list(report_ids)
    )
    of_incident = {row["incident_id"]: row["reports"] for row in rows}
    incidents = await incident_store.select_for_update(connection, sorted(of_incident))
    now: datetime = await connection.fetchval("SELECT clock_timestamp()")
    changes = []
    for incident in incidents.values():
        url = incident.photo_url or ""
        shown = any(url.rpartition("/")[2].startswith(one) for one in of_incident[incident.id])
        after, event = move(
            incident,
            incident.status,
            "erased",
            actor=actor,
            now=now,
            photo_url=None if photos and shown else incident.photo_url,
        )
        changes.append(Change(incident, after, (event,)))
    await incident_store.save(connection, changes)


async def _tell(connection: Connection, report_ids: Sequence[str], actor: str, action: str, **detail: object) -> None:
    for report_id in report_ids:
        await audit_store.record(
            connection, actor=actor, action=action, subject=f"report:{report_id}", personal=True, detail=detail
        )
