"""A report by its tracking code, with as much of its incident as its sender may read."""

from typing import Final

import asyncpg

from dispatcher.desk.incident_query import photo_url
from dispatcher.desk.tracked import Entry, Language, Named, TrackedReport, agency_name, label, public_history
from infra.postgres import Connection
from schemas.gazetteer import gazetteer
from schemas.place import AgencyRef
from schemas.vocabulary import AgencyCode, Category, IncidentStatus, Regency

_SELECT: Final = """
SELECT r.tracking_code, r.incident_id, r.submitted_at, r.received_at, r.photos, coalesce(i.kecamatan, r.kecamatan)
           AS kecamatan, i.status, i.category, i.regency, i.agency, i.due_at
  FROM report r JOIN incident i ON i.id = r.incident_id
 WHERE r.tracking_code = $1
"""


async def select_by_code(connection: Connection, code: str, language: Language) -> TrackedReport | None:
    """What the report's page shows; None while the dispatcher does not have it."""
    row = await connection.fetchrow(_SELECT, code)
    if row is None:
        return None
    history = await connection.fetch(
        "SELECT status, at, CASE WHEN public THEN note END AS note FROM incident_history"
        " WHERE incident_id = $1 ORDER BY version",
        row["incident_id"],
    )
    entries = [Entry(IncidentStatus(entry["status"]), entry["at"], entry["note"]) for entry in history]
    status = IncidentStatus(row["status"])
    return TrackedReport(
        tracking_code=code,
        status=status,
        status_label=label(status, language),
        processing=False,
        category=Category(row["category"]),
        agency=_agency(row),
        kecamatan=_kecamatan(row["kecamatan"]),
        incident_id=row["incident_id"],
        submitted_at=row["submitted_at"],
        due_at=row["due_at"],
        history=public_history(row["submitted_at"], row["received_at"], entries),
        photos=tuple(f"{photo_url(photo['id'])}?code={code}" for photo in row["photos"]),
    )


async def code_opens(connection: Connection, code: str, photo_id: str) -> bool:
    """Whether the photo belongs to the report with this code."""
    row = await connection.fetchrow("SELECT photos FROM report WHERE tracking_code = $1", code)
    return row is not None and any(photo["id"] == photo_id for photo in row["photos"])


async def answer_shows(connection: Connection, code: str, incident_id: str, photo_id: str) -> bool:
    """Whether a public answer to the report with this code came with the photo, which is this incident's."""
    shown: bool = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM report r JOIN incident_history h USING (incident_id)"
        # an answer from before the report joined is other people's, as in its story
        " WHERE r.tracking_code = $1 AND incident_id = $2 AND h.public AND h.at >= r.received_at"
        " AND h.change = 'resolved' AND $3 = ANY (string_to_array(h.detail ->> 'photos', ',')))",
        code,
        incident_id,
        photo_id,
    )
    return shown


def _agency(row: asyncpg.Record) -> Named | None:
    if row["agency"] is None:
        return None
    agency = AgencyRef(regency=Regency(row["regency"]), agency=AgencyCode(row["agency"]))
    return Named(code=agency.agency, name=agency_name(agency))


def _kecamatan(code: str | None) -> Named | None:
    if code is None:
        return None
    names = {area.code: area.name for area in gazetteer().kecamatan}
    return Named(code=code, name=names.get(code, code))
