"""Who could be asked, as the recommender and the coverage see them: read from officers and the roster."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import repeat
from typing import Final

from dispatcher.decisions.assignment import Assignment
from dispatcher.decisions.calendar import JAKARTA
from dispatcher.decisions.coverage import FreeOfficer
from dispatcher.decisions.incident import ACTIVE_ASSIGNMENT
from dispatcher.decisions.offering import refused_ever
from dispatcher.decisions.recommend import Candidate
from infra.postgres import Connection
from schemas.place import AgencyRef
from schemas.vocabulary import AgencyCode, OfficerStatus, Regency

#: First half of the advisory lock's key of who chooses among an agency's officers; the second is the agency. Any
#: number that no other lock has.
_CHOOSING: Final = 7_226_005

#: In the order of a candidate's fields, each as a list: eleven lists of 2,000 values are made and read in half the time
#: of 2,000 rows. A shift lasts a day at most (dispatcher.decisions.roster), so that of the whole roster only what ends
#: within one is read: once for all officers, not officer by officer.
_CANDIDATES: Final = """
WITH duty AS MATERIALIZED (
  SELECT officer, kecamatan FROM shift WHERE starts_at <= $3 AND ends_at > $3 AND ends_at <= $3 + interval '24 hours'
)
SELECT array_agg(o.username), array_agg(o.status), array_agg(o.lat), array_agg(o.lon),
       array_agg(date_part('epoch', $3 - o.position_at)), array_agg(o.open_offers),
       array_agg(CASE WHEN o.accepted_on = $4 THEN o.accepted_count ELSE 0 END),
       array_agg(date_part('epoch', $3 - o.work_ended_at)), array_agg(d.officer IS NOT NULL), array_agg(d.kecamatan),
       array_agg(NOT o.skills @> $5)
  FROM officer o JOIN account c USING (username) LEFT JOIN duty d ON d.officer = o.username
 WHERE o.regency = $1 AND o.agency = $2 AND c.disabled_at IS NULL AND ($6::text IS NULL OR o.username = $6)
"""
#: Whether an agency keeps a roster at all: one of its officers has a shift within a day from now.
_KEEPS_ROSTER: Final = """
SELECT EXISTS (SELECT FROM shift WHERE ends_at > $3::timestamptz - interval '24 hours'
                  AND ends_at <= $3 + interval '48 hours' AND starts_at < $3 + interval '24 hours'
                  AND officer IN (SELECT username FROM officer WHERE regency = $1 AND agency = $2))
"""
_STATUS: Final = {status.value: status for status in OfficerStatus}


async def lock(connection: Connection, agency: AgencyRef) -> None:
    """Wait until nobody else chooses among an agency's officers, until the transaction ends: two who ask at the same
    moment ask two officers. After the incident's lock and before any officer's."""
    await connection.execute("SELECT pg_advisory_xact_lock($1, hashtext($2))", _CHOOSING, str(agency))


async def candidates(
    connection: Connection,
    agency: AgencyRef,
    now: datetime,
    team: Iterable[Assignment],
    *,
    skills: Collection[str] = (),
    refused: Collection[str] = (),
    only: str | None = None,
) -> list[Candidate]:
    """An agency's officers in use as the recommender sees them for an incident with this team, unlocked.

    `skills`: what they need; `refused`: who has said no in this round (who has before is in the team); `only`: one.
    """
    today = now.astimezone(JAKARTA).date()
    whose = (agency.regency.value, agency.agency.value)
    found = await connection.fetchrow(_CANDIDATES, *whose, now, today, list(skills), only)
    if found is None or found[0] is None:
        return []
    names, statuses, lats, lons, ages, offers, accepted, rested, on_shift, areas, lacks = found
    if not any(on_shift) and not await connection.fetchval(_KEEPS_ROSTER, *whose, now):
        on_shift = repeat(None)
    team = tuple(team)
    on_it = {one.officer for one in team if one.status in ACTIVE_ASSIGNMENT}
    before = refused_ever(team).difference(refused)
    return list(
        map(
            Candidate,
            names,
            map(_STATUS.__getitem__, statuses),
            lats,
            lons,
            ages,
            offers,
            accepted,
            rested,
            on_shift,
            areas,
            lacks,
            map(on_it.__contains__, names),
            map(frozenset(refused).__contains__, names),
            map(before.__contains__, names),
        )
    )


@dataclass(frozen=True, slots=True)
class Listed:
    """What is shown of an officer beside the reasons."""

    name: str
    position_at: datetime | None
    skills: tuple[str, ...]


async def select_listed(connection: Connection, usernames: Collection[str]) -> dict[str, Listed]:
    """These officers, to be shown."""
    rows = await connection.fetch(
        "SELECT username, name, position_at, skills FROM officer WHERE username = ANY($1)", list(usernames)
    )
    return {row["username"]: Listed(row["name"], row["position_at"], tuple(row["skills"])) for row in rows}


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
