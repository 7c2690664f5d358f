"""A report by its tracking code, with as much of its incident as its sender may read."""

from collections.abc import Sequence
from typing import Final

import asyncpg

from dispatcher import policy_store
from dispatcher.decisions.incident_verbs_ending import may_reopen
from dispatcher.decisions.reference import Agency
from dispatcher.desk.incident_query import photo_url
from dispatcher.desk.tracked import Entry, Language, Named, TrackedReport, holder_named, label, public_history
from infra.postgres import Connection
from schemas.gazetteer import gazetteer
from schemas.vocabulary import Category, IncidentStatus

_SELECT: Final = """
SELECT r.id, r.tracking_code, r.incident_id, r.submitted_at, r.received_at, r.photos,
       coalesce(i.kecamatan, r.kecamatan) AS kecamatan, i.status, i.category, i.regency, i.agency, i.transferred_to,
       i.due_at, i.resolved_at, now() AS asked_at, said.satisfied
  FROM report r
  JOIN incident i ON i.id = r.incident_id
  LEFT JOIN LATERAL (
       SELECT satisfied FROM feedback f
        WHERE f.report_id = r.id AND f.incident_id = i.id AND f.resolved_at = i.resolved_at ORDER BY f.id DESC LIMIT 1
       ) said ON true
 WHERE r.tracking_code = $1
"""
#: The incidents that report $1 was in, and is in ($2), each with the time that it was there. Merging and splitting put
#: it elsewhere: its story is that of each while it was there.
_PATH: Final = """
WITH path AS (
    SELECT from_incident AS incident_id, lag(at, 1, '-infinity'::timestamptz) OVER (ORDER BY at) AS since, at AS until
      FROM report_move WHERE report_id = $1
     UNION ALL
    SELECT $2, coalesce((SELECT max(at) FROM report_move WHERE report_id = $1), '-infinity'), 'infinity'
)
"""
_HISTORY: Final = f"""
{_PATH}
SELECT h.status, h.at, h.change, h.detail ->> 'custody' AS custody, CASE WHEN h.public THEN h.note END AS note
  FROM path p JOIN incident_history h ON h.incident_id = p.incident_id AND h.at BETWEEN p.since AND p.until
 ORDER BY p.since, h.at, h.version
"""  # noqa: S608


async def select_whose(connection: Connection, code: str) -> tuple[str, str] | None:
    """The report with this code and the incident that it is in; None while the dispatcher does not have it."""
    row = await connection.fetchrow("SELECT id, incident_id FROM report WHERE tracking_code = $1", code)
    return (row["id"], row["incident_id"]) if row else None


async def select_by_code(connection: Connection, code: str, language: Language) -> TrackedReport | None:
    """What the report's page shows; None while the dispatcher does not have it."""
    row = await connection.fetchrow(_SELECT, code)
    if row is None:
        return None
    entries = [
        Entry(
            status=IncidentStatus(entry["status"]),
            at=entry["at"],
            note=entry["note"],
            custody=entry["custody"],
            reopened=entry["change"] == "reopened",
        )
        for entry in await connection.fetch(_HISTORY, row["id"], row["incident_id"])
    ]
    agencies = (await policy_store.live(connection)).agencies
    story = public_history(row["submitted_at"], row["received_at"], entries, language, agencies)
    status = IncidentStatus(row["status"])
    return TrackedReport(
        tracking_code=code,
        status=status,
        status_label=story[-1].label if story[-1].status is status else label(status, language),
        processing=False,
        category=Category(row["category"]),
        agency=_agency(row, agencies),
        kecamatan=_kecamatan(row["kecamatan"]),
        incident_id=row["incident_id"],
        submitted_at=row["submitted_at"],
        due_at=row["due_at"],
        history=story,
        photos=tuple(f"{photo_url(photo['id'])}?code={code}" for photo in row["photos"]),
        can_reopen=may_reopen(status, row["resolved_at"], row["asked_at"]),
        satisfied=row["satisfied"],
    )


async def code_opens(connection: Connection, code: str, photo_id: str) -> bool:
    """Whether the photo belongs to the report with this code."""
    row = await connection.fetchrow("SELECT photos FROM report WHERE tracking_code = $1", code)
    return row is not None and any(photo["id"] == photo_id for photo in row["photos"])


async def answer_shows(connection: Connection, code: str, incident_id: str, photo_id: str) -> bool:
    """Whether a public answer to the report with this code came with the photo, which is this incident's."""
    whose = await select_whose(connection, code)
    if whose is None:
        return False
    shown: bool = await connection.fetchval(
        f"{_PATH} SELECT EXISTS (SELECT FROM path p JOIN incident_history h USING (incident_id) JOIN report r"  # noqa: S608
        # an answer from before the report joined is other people's, as in its story
        " ON r.id = $1 WHERE h.incident_id = $3 AND h.public AND h.at BETWEEN p.since AND p.until"
        " AND h.at >= r.received_at AND h.change = 'resolved'"
        " AND $4 = ANY (string_to_array(h.detail ->> 'photos', ',')))",
        *whose,
        incident_id,
        photo_id,
    )
    return shown


def _agency(row: asyncpg.Record, agencies: Sequence[Agency]) -> Named | None:
    """Who has it."""
    if row["status"] == IncidentStatus.TRANSFERRED and row["transferred_to"]:
        return holder_named(row["transferred_to"], agencies)
    return holder_named(f"{row['regency']}/{row['agency']}", agencies) if row["agency"] else None


def _kecamatan(code: str | None) -> Named | None:
    if code is None:
        return None
    names = {area.code: area.name for area in gazetteer().kecamatan}
    return Named(code=code, name=names.get(code, code))
