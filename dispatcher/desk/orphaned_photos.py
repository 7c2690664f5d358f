"""Forgets photos of reports that never came; the dispatcher's books are the only proof of that."""

import base64
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from dispatcher.desk import metrics
from dispatcher.desk.database import Database
from infra.pending_photos import Pending, PendingPhotos
from infra.postgres import Connection
from schemas import topics

#: Reports that PostgreSQL is asked about at once: it has 2.5 s for an answer.
_AT_ONCE: Final = 500


async def sweep(database: Database, pending: PendingPhotos, now: datetime) -> int:
    """Settle every note whose time is over; answers of how many reports the photos were erased.

    Erased only when all reports up to long after it have been read and it was not among them. While the dispatcher is
    behind, or was never there, photos stay. Raises `Problem` or OSError when database or store is away.
    """
    due, count = await pending.due(now), 0
    for first in range(0, len(due), _AT_ONCE):
        some = due[first : first + _AT_ONCE]
        # No file is touched in there: a connection is cut after a while, whatever the disk needs.
        async with database.connection() as connection:
            # First: what arrives while we look is then above it.
            contained = await _contained(connection)
            known = await _known(connection, some)
        for each in some:
            if each.report_id in known:
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


async def _known(connection: Connection, some: Sequence[Pending]) -> frozenset[str]:
    """The ids of those that became an incident's, or were set aside and may still be replayed."""
    by_subject = {base64.b64encode(each.report_id.encode()).decode(): each.report_id for each in some}
    came = await connection.fetch("SELECT id FROM report WHERE id = ANY($1)", list(by_subject.values()))
    set_aside = await connection.fetch(
        "SELECT header ->> 1 AS subject FROM dead_letter, jsonb_array_elements(headers) AS header"
        " WHERE topic = $1 AND state <> 'dropped' AND header ->> 0 = 'ce_subject' AND header ->> 1 = ANY($2)",
        topics.REPORT.name,
        list(by_subject),
    )
    return frozenset(row["id"] for row in came) | {by_subject[row["subject"]] for row in set_aside}
