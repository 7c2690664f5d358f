"""Assignments in pages, for the desk."""

from collections.abc import Sequence

from dispatcher.assignment_store import SELECT, from_row
from dispatcher.decisions.assignment import Assignment
from dispatcher.desk.page import Mark
from infra.postgres import Connection
from schemas.place import AgencyRef
from schemas.vocabulary import AssignmentStatus


async def select_page(
    connection: Connection,
    *,
    officer: str | None,
    agencies: Sequence[AgencyRef],
    kecamatan: str | None,
    statuses: Sequence[AssignmentStatus],
    after: Mark | None,
    limit: int,
) -> list[Assignment]:
    """Newest change first: of one officer, of these agencies (none: of all), on incidents in this kecamatan, in these
    statuses (none: any)."""
    rows = await connection.fetch(
        f"{SELECT} WHERE ($1::text IS NULL OR a.officer = $1)"
        " AND ($2::text[] = '{}' OR o.regency || '/' || o.agency = ANY($2))"
        " AND ($3::text[] = '{}' OR a.status = ANY($3))"
        " AND ($4::timestamptz IS NULL OR (a.updated_at, a.id) < ($4, $5))"
        " AND ($6::text IS NULL OR EXISTS (SELECT FROM incident i WHERE i.id = a.incident_id AND i.kecamatan = $6))"
        " ORDER BY a.updated_at DESC, a.id DESC LIMIT $7",
        officer,
        [str(agency) for agency in agencies],
        [status.value for status in statuses],
        after.updated_at if after else None,
        after.id if after else None,
        kecamatan,
        limit,
    )
    return [from_row(row) for row in rows]
