"""Forgets photos of reports that never came; the dispatcher's books are the only proof of that."""

import base64
from datetime import datetime

from dispatcher.desk import metrics
from dispatcher.desk.database import Database
from infra.pending_photos import PendingPhotos
from infra.postgres import Connection
from schemas import topics


async def sweep(database: Database, pending: PendingPhotos, now: datetime) -> int:
    """Settle every note whose time is over; answers of how many reports the photos were erased.

    Erased only when all reports up to long after it have been read and it was not among them. While the dispatcher is
    behind, or was never there, photos stay. Raises `Problem` or OSError when database or store is away.
    """
    count = 0
    if not (due := await pending.due(now)):
        return count
    async with database.connection() as connection:
        # First: what arrives while we look is then above it.
        contained = await _contained(connection)
        for each in due:
            if await _is_known(connection, each.report_id):
                await pending.end(each.report_id)
            elif contained is not None and contained >= each.arrived_by:
                await pending.forget(each.report_id)
                metrics.ORPHANS_SWEPT.inc()
                count += 1
    return count


async def _contained(connection: Connection) -> datetime | None:
    """Up to when every report that Kafka acknowledged has been read; None when that is not known."""
    found: datetime | None = await connection.fetchval(
        "SELECT CASE WHEN bool_and(as_of IS NOT NULL) THEN min(as_of) END FROM consumer_offset WHERE topic = $1",
        topics.REPORT.name,
    )
    return found


async def _is_known(connection: Connection, report_id: str) -> bool:
    """Whether it became an incident's, or was set aside and may still be replayed."""
    subject = [["ce_subject", base64.b64encode(report_id.encode()).decode()]]
    found: bool = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM report WHERE id = $1) OR EXISTS ("
        " SELECT FROM dead_letter WHERE topic = $2 AND state <> 'dropped' AND headers @> $3)",
        report_id,
        topics.REPORT.name,
        subject,
    )
    return found
