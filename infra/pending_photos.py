"""Photos whose report Kafka may never have got: noted before the first is kept, and until Kafka has acknowledged."""

from datetime import datetime, timedelta
from typing import Final

import msgspec
import structlog

from infra.objects import Objects
from infra.photos import Photos
from schemas.wire import Record, Timestamp, encode

log = structlog.get_logger()

#: What has not arrived by then is forgotten (design.md, Photos).
KEPT: Final = timedelta(hours=48)
#: With an Idempotency-Key its sender may repeat the report as long as the key is known (7 days), and finds its photos.
KEPT_WITH_KEY: Final = timedelta(days=7, hours=2)
#: Long before it is forgotten a report has arrived or never will: Kafka's client gives up after seconds, and the
#: clocks of ingest, Kafka and PostgreSQL need not agree.
_LATEST: Final = timedelta(hours=1)
_FOLDER: Final = "pending"


class Pending(Record, frozen=True):
    """Photos that were kept, or were about to be, for a report."""

    report_id: str
    at: Timestamp
    with_key: bool

    @property
    def ends_at(self) -> datetime:
        """From then on nobody sends this report again."""
        return self.at + (KEPT_WITH_KEY if self.with_key else KEPT)

    @property
    def arrived_by(self) -> datetime:
        """Whoever has read all reports up to then, and not this one, knows that it never came."""
        return self.ends_at - _LATEST


class PendingPhotos:
    """The notes, in the object store; several processes may share them. Raises OSError when it is away or full."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._photos = Photos(objects)

    async def begin(self, report_id: str, at: datetime, *, with_key: bool) -> None:
        """Note it, on disk when this returns. A report that is sent again keeps its first note."""
        note = Pending(report_id=report_id, at=at, with_key=with_key)
        await self._objects.put_if_absent(f"{_FOLDER}/{report_id}", encode(note))

    async def end(self, report_id: str) -> None:
        """Kafka has the report: the photos are its own. A note that comes back after a power cut is settled again."""
        await self._objects.remove(f"{_FOLDER}/{report_id}")

    async def due(self, now: datetime) -> list[Pending]:
        """Those whose time is over. A note that cannot be read stays, as do its photos, and is told of in the log."""
        found = []
        for key in await self._objects.keys(_FOLDER):
            data = await self._objects.get(key)
            if data is None:  # another process settles them too
                continue
            try:
                note = msgspec.json.decode(data, type=Pending)
            except msgspec.DecodeError as error:
                log.warning("note_unreadable", key=key, error=type(error).__name__)
                continue
            if note.ends_at <= now:
                found.append(note)
        return found

    async def forget(self, report_id: str) -> None:
        """Erase the photos, then the note: interrupted, it is begun again."""
        await self._photos.erase(report_id)
        await self.end(report_id)
