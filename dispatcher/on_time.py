"""How often the city kept its word: per clock and category, counted when somebody asks."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from dispatcher.decisions.on_time import Tally
from infra.postgres import Connection
from schemas.place import AgencyRef
from schemas.vocabulary import Category, ClockKind

#: Of incidents what was settled or judged since $1, and what is open however old it is. `over` is when a clock that was
#: not met could not be any more. An offer that was declined was answered; one that was taken back asks nobody.
_TALLIES: Final = """
WITH seen AS (
    SELECT category, first_look_due_at, looked_at, on_scene_due_at, on_scene_at, due_at,
           CASE WHEN status IN ('resolved', 'closed') THEN resolved_at END AS done_at,
           CASE WHEN status IN ('resolved', 'closed') THEN resolved_at
                WHEN status IN ('rejected', 'merged', 'transferred') THEN ended_at END AS over_at
      FROM incident
     WHERE (updated_at >= $1 OR status IN ('new', 'triage', 'routed', 'assigned', 'in_progress', 'on_hold'))
       AND ($2::text[] = '{}' OR regency || '/' || agency = ANY($2))
       AND ($3::text IS NULL OR kecamatan = $3)
), clock AS (
    SELECT category, c.clock, c.due, c.met, over_at AS over
      FROM seen CROSS JOIN LATERAL (VALUES ('first_look', first_look_due_at, looked_at),
                                           ('on_scene', on_scene_due_at, on_scene_at),
                                           ('resolved', due_at, done_at)) AS c (clock, due, met)
    UNION ALL
    SELECT i.category, 'accept', a.answer_due_at, a.accepted_at, CASE WHEN a.status = 'expired' THEN a.updated_at END
      FROM assignment a JOIN officer o ON o.username = a.officer JOIN incident i ON i.id = a.incident_id
     WHERE a.updated_at >= $1 AND (a.accepted_at IS NOT NULL OR a.status IN ('offered', 'expired'))
       AND ($2::text[] = '{}' OR o.regency || '/' || o.agency = ANY($2))
       AND ($3::text IS NULL OR i.kecamatan = $3)
)
SELECT clock, category,
       count(*) FILTER (WHERE met <= due AND met >= $1) AS in_time,
       count(*) FILTER (WHERE met > due AND met >= $1 OR met IS NULL AND over > due AND over >= $1) AS late,
       count(*) FILTER (WHERE met IS NULL AND over IS NULL AND due < now()) AS overdue
  FROM clock WHERE due IS NOT NULL GROUP BY clock, category
"""


@dataclass(frozen=True, slots=True)
class Kept:
    """The tally of one clock in one category."""

    clock: ClockKind
    category: Category
    tally: Tally


async def tallies(
    connection: Connection, since: datetime, *, agencies: Sequence[AgencyRef] = (), kecamatan: str | None = None
) -> list[Kept]:
    """What was met or missed since then and what is overdue now, of these agencies (none: all) and this kecamatan, in
    the order of clocks and categories; without those of which nothing can be said."""
    rows = await connection.fetch(_TALLIES, since, [str(agency) for agency in agencies], kecamatan)
    found = [
        Kept(
            ClockKind(row["clock"]),
            Category(row["category"]),
            Tally(row["in_time"], row["late"], row["overdue"]),
        )
        for row in rows
        if row["in_time"] or row["late"] or row["overdue"]
    ]
    order = list(ClockKind), list(Category)
    return sorted(found, key=lambda one: (order[0].index(one.clock), order[1].index(one.category)))
