"""Forgets photos of reporters once their time is over; the desk has the object store, the dispatcher has not."""

from datetime import datetime, timedelta
from typing import Final

from dispatcher import audit_store, report_store
from dispatcher.desk.database import Database
from dispatcher.retention import EXPIRED
from infra.photos import Photos

_AT_ONCE: Final = 100
_ACTOR: Final = "desk"


async def sweep(database: Database, photos: Photos, days: int, now: datetime) -> int:
    """Erase photos of reports whose incident ended `days` ago; answers of how many reports.

    The files first: what is interrupted is done again. Raises `Problem` or OSError when database or store is away.
    """
    before, count = now - timedelta(days=days), 0
    while True:
        async with database.connection() as connection:
            due = await report_store.with_expired_photos(connection, before, _AT_ONCE)
        if not due:
            return count
        # No file is touched in a transaction: a connection is cut after a while, whatever the disk needs.
        for report_id in due:
            await photos.erase(report_id)
        async with database.transaction() as connection:
            await report_store.forget_photos(connection, due)
            await audit_store.record(
                connection, actor=_ACTOR, action=EXPIRED, subject="photos", detail={"rows": len(due)}
            )
        count += len(due)
