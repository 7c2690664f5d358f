"""Who could be asked, as the recommender and the coverage see them: read from officers, their work and the roster."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final

from dispatcher.decisions.calendar import JAKARTA
from dispatcher.decisions.coverage import FreeOfficer
from dispatcher.decisions.recommend import REST, Candidate
from infra.postgres import Connection
from schemas.place import AgencyRef
from schemas.vocabulary import AgencyCode, OfficerStatus, Regency

#: First half of the advisory lock's key of who chooses among an agency's officers; the second is the agency. Any
#: number that no other lock has.
_CHOOSING: Final = 7_226_005

#: Per officer, lately: what is offered and what was accepted today, and when the last work ended. Work that ended
#: earlier than `$4` does not matter any more.
_CANDIDATES: Final = """
WITH work AS (
  SELECT officer,
         count(*) FILTER (WHERE status = 'offered')::int AS offers,
         bool_or(incident_id = $3 AND status IN ('offered', 'accepted', 'en_route', 'on_scene')) AS on_it,
         count(*) FILTER (WHERE accepted_at >= $5)::int AS jobs,
         max(updated_at) FILTER (WHERE accepted_at IS NOT NULL AND status IN ('completed', 'declined', 'released'))
           AS ended_at
    FROM assignment
   WHERE status IN ('offered', 'accepted', 'en_route', 'on_scene') OR updated_at >= $4
   GROUP BY officer
), duty AS (
  SELECT DISTINCT ON (s.officer) s.officer, s.kecamatan, s.starts_at <= $6 AND s.ends_at > $6 AS now_on
    FROM shift s JOIN officer o ON o.username = s.officer
   WHERE o.regency = $1 AND o.agency = $2
     AND s.ends_at > $6 - interval '24 hours' AND s.starts_at < $6 + interval '24 hours'
   ORDER BY s.officer, (s.starts_at <= $6 AND s.ends_at > $6) DESC
)
SELECT o.username, o.status, o.lat, o.lon, o.position_at, coalesce(w.offers, 0), coalesce(w.on_it, false),
       coalesce(w.jobs, 0), w.ended_at,
       CASE WHEN EXISTS (SELECT FROM duty) THEN coalesce(d.now_on, false) END,
       CASE WHEN d.now_on THEN d.kecamatan END, o.skills, o.name
  FROM officer o
  JOIN account c USING (username)
  LEFT JOIN work w ON w.officer = o.username
  LEFT JOIN duty d ON d.officer = o.username
 WHERE o.regency = $1 AND o.agency = $2 AND c.disabled_at IS NULL AND ($7::text IS NULL OR o.username = $7)
"""
_STATUS: Final = {status.value: status for status in OfficerStatus}


async def lock(connection: Connection, agency: AgencyRef) -> None:
    """Wait until nobody else chooses among an agency's officers, until the transaction ends: two who ask at the same
    moment ask two officers. After the incident's lock and before any officer's."""
    await connection.execute("SELECT pg_advisory_xact_lock($1, hashtext($2))", _CHOOSING, str(agency))


async def candidates(
    connection: Connection,
    agency: AgencyRef,
    incident_id: str,
    now: datetime,
    *,
    refused: Collection[str] = (),
    refused_before: Collection[str] = (),
    only: str | None = None,
) -> list[Candidate]:
    """An agency's officers in use as the recommender sees them for one incident, unlocked. `refused`: who has said no
    to it in this round, `refused_before` in earlier ones; `only`: this one."""
    midnight = now.astimezone(JAKARTA).replace(hour=0, minute=0, second=0, microsecond=0)
    rows = await connection.fetch(
        _CANDIDATES,
        agency.regency.value,
        agency.agency.value,
        incident_id,
        min(midnight, now - REST),
        midnight,
        now,
        only,
    )
    # By position, which takes a third of what unpacking takes: there may be thousands.
    return [
        Candidate(
            row[0], _STATUS[row[1]], row[2], row[3], row[4], row[5], row[6], row[7], row[8], row[9], row[10],
            tuple(row[11]), row[0] in refused, row[0] in refused_before, row[12],
        )
        for row in rows
    ]  # fmt: skip


async def select_free(connection: Connection, agencies: Sequence[AgencyRef]) -> dict[AgencyRef, list[FreeOfficer]]:
    """Per agency (of these; none given: of all) that has officers, those who are available and have a position."""
    rows = await connection.fetch(
        "SELECT o.regency, o.agency, o.username, o.name, o.lat, o.lon, o.position_at,"
        " o.status = 'available' AND o.lat IS NOT NULL AND o.position_at IS NOT NULL AS free"
        " FROM officer o JOIN account c USING (username) WHERE c.disabled_at IS NULL"
        " AND ($1::text[] = '{}' OR o.regency || '/' || o.agency = ANY($1))",
        [str(agency) for agency in agencies],
    )
    found: dict[AgencyRef, list[FreeOfficer]] = {}
    for row in rows:
        agency = AgencyRef(regency=Regency(row["regency"]), agency=AgencyCode(row["agency"]))
        theirs = found.setdefault(agency, [])
        if row["free"]:
            theirs.append(FreeOfficer(row["username"], row["name"], row["lat"], row["lon"], row["position_at"]))
    return found
