"""The incidents around a batch's sightings, locked against other workers: one event in the city stays one incident."""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple

from dispatcher import incident_store, report_store
from dispatcher.decisions.casebook import Patch, home, patches_around
from dispatcher.decisions.correlate import LONGEST_WINDOW, TEXTS_KEPT, Candidate, Whereabouts, in_reach
from dispatcher.decisions.sighting import Sighting
from infra.postgres import Connection
from schemas.vocabulary import Category

#: First key of the advisory locks: one family per category. Second: the cell, folded into so many that all locks of
#: all workers together (8 × 512) fit PostgreSQL's default lock table of 6,400. Two cells with one number only wait for
#: each other.
_STRIPES: Final = 512
_FAMILIES: Final = {category: number for number, category in enumerate(Category)}


async def select_for_update(
    connection: Connection, sightings: Sequence[Sighting], also: Collection[str] = ()
) -> list[Candidate]:
    """Every incident in reach of the sightings, those with the ids of `also`, and those that these were merged into,
    their rows locked. What has ended lately is among them: what follows it is linked to it.

    Until the transaction ends no other worker decides about the sightings' surroundings.
    """
    around = {patch for sighting in sightings for patch in patches_around(sighting)}
    await _lock(connection, around)
    # In a later statement (READ COMMITTED): only this one sees what the worker before has committed.
    seen = await _look_around(connection, sightings, around)
    held = await _holders(connection, {id_ for id_, each in seen.items() if each.merged} | set(also))
    for incident_id, holders in held.items():
        if incident_id in seen:
            # Whoever has its reports goes on being told of it there too.
            newest = max(seen[incident_id].last_arrival, *(holder.last_arrival for holder in holders))
            seen[incident_id] = seen[incident_id]._replace(last_arrival=newest)
    near_ids = _in_reach(sightings, seen) | set(also)
    near = sorted(near_ids | {holder.id for id_ in near_ids for holder in held.get(id_, ())})
    if not near:
        return []
    incidents = await incident_store.select_for_update(connection, near)
    told = await report_store.told(connection, near, TEXTS_KEPT - 1)
    candidates = {}
    for incident_id, incident in incidents.items():
        # The words of a merged one are with the last of its holders.
        words = told.get(held[incident_id][-1].id if incident_id in held else incident_id)
        candidates[incident_id] = Candidate(
            incident,
            words.first_arrival if words else min(incident.opened_at, incident.last_report_at),
            seen[incident_id].last_arrival if incident_id in seen else incident.last_report_at,
            words.texts if words else (),
        )
    return list(candidates.values())


async def _lock(connection: Connection, patches: Collection[Patch]) -> None:
    """Advisory locks in one statement and in ascending order, so that two workers never embrace."""
    keys = sorted({(_FAMILIES[patch.category], patch.cell % _STRIPES) for patch in patches})
    await connection.execute(
        "SELECT count(pg_advisory_xact_lock(family, cell)) FROM unnest($1::int[], $2::int[]) AS k (family, cell)",
        [family for family, _ in keys],
        [cell for _, cell in keys],
    )


class _Seen(NamedTuple):
    """A first look at an incident, enough to pass over what is out of reach before its row is locked."""

    category: Category
    where: Whereabouts
    #: Of the newest sighting; a sensor that still sees the jam counts as one.
    last_arrival: datetime
    merged: bool


async def _look_around(
    connection: Connection, sightings: Sequence[Sighting], patches: Collection[Patch]
) -> dict[str, _Seen]:
    rows = await connection.fetch(
        """
        SELECT id, category, lat, lon, kecamatan, kelurahan, greatest(last_report_at, seen.at) AS last,
               false AS merged
          FROM incident
          LEFT JOIN (SELECT incident_id, max(received_at) AS at FROM sensor
                      WHERE incident_id IS NOT NULL GROUP BY incident_id) seen ON seen.incident_id = incident.id
         WHERE status NOT IN ('closed', 'rejected', 'merged', 'transferred')
           AND (cell, category) IN (SELECT * FROM unnest($1::bigint[], $2::text[]))
           AND (last_report_at >= $5 OR seen.at >= $5)
        UNION ALL
        SELECT id, category, lat, lon, kecamatan, kelurahan, last_report_at, false
          FROM incident
         WHERE status NOT IN ('closed', 'rejected', 'merged', 'transferred') AND last_report_at >= $5
           AND cell IS NULL AND (kecamatan, category) IN (SELECT * FROM unnest($3::text[], $4::text[]))
        UNION ALL
        SELECT id, category, lat, lon, kecamatan, kelurahan, last_report_at, status = 'merged'
          FROM incident
         WHERE status IN ('closed', 'rejected', 'merged', 'transferred') AND last_report_at >= $5
           AND (cell, category) IN (SELECT * FROM unnest($1::bigint[], $2::text[]))
        """,
        [patch.cell for patch in patches if patch.kecamatan is None],
        [patch.category for patch in patches if patch.kecamatan is None],
        [patch.kecamatan for patch in patches if patch.kecamatan is not None],
        [patch.category for patch in patches if patch.kecamatan is not None],
        min((sighting.arrived_at for sighting in sightings), default=datetime.max.replace(tzinfo=UTC)) - LONGEST_WINDOW,
    )
    return {
        row["id"]: _Seen(
            Category(row["category"]),
            Whereabouts(row["lat"], row["lon"], row["kecamatan"], row["kelurahan"]),
            row["last"],
            row["merged"],
        )
        for row in rows
    }


class _Holder(NamedTuple):
    id: str
    last_arrival: datetime


async def _holders(connection: Connection, incident_ids: Collection[str]) -> dict[str, list[_Holder]]:
    """For those of the incidents that were merged: into which one, and further on, in this order."""
    if not incident_ids:
        return {}
    rows = await connection.fetch(
        """
        WITH RECURSIVE held AS (
            SELECT id, merged_into AS holder, 1 AS step FROM incident WHERE id = ANY($1) AND merged_into IS NOT NULL
             UNION ALL
            SELECT held.id, i.merged_into, step + 1
              FROM held JOIN incident i ON i.id = held.holder WHERE i.merged_into IS NOT NULL
        )
        SELECT held.id, held.holder, i.last_report_at FROM held JOIN incident i ON i.id = held.holder ORDER BY id, step
        """,
        list(incident_ids),
    )
    found: dict[str, list[_Holder]] = {}
    for row in rows:
        found.setdefault(row["id"], []).append(_Holder(row["holder"], row["last_report_at"]))
    return found


def _in_reach(sightings: Sequence[Sighting], seen: Mapping[str, _Seen]) -> set[str]:
    at: dict[Patch, list[str]] = {}
    for incident_id, each in seen.items():
        patch = home(each.category, each.where.lat, each.where.lon, each.where.kecamatan)
        if patch is not None:
            at.setdefault(patch, []).append(incident_id)
    return {
        incident_id
        for sighting in sightings
        for patch in patches_around(sighting)
        for incident_id in at.get(patch, ())
        if in_reach(sighting, seen[incident_id].where, seen[incident_id].last_arrival)
    }
