"""Photos of reports that never came are erased; those of a report that came, or may still come, never are."""

import asyncio
import base64
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from dispatcher.desk import orphaned_photos, reach
from dispatcher.desk.database import Database
from dispatcher.desk.resources import ROOM
from infra.objects import Objects
from infra.pending_photos import KEPT, KEPT_WITH_KEY, PendingPhotos
from infra.photos import Photos, photo_id
from schemas import topics
from tests.dispatcher.desk.office import JAM, Office
from tests.dispatcher.factories import SUMMARECON

NOW = datetime.now(UTC)


class Ingest:
    """What ingest leaves behind when it dies between the photos and Kafka."""

    def __init__(self, office: Office, objects: Objects) -> None:
        self.office = office
        self.pending = PendingPhotos(objects)
        self.photos = Photos(objects)
        self._objects = objects

    async def dies(self, ago: timedelta, *, with_key: bool = False, report_id: str | None = None) -> str:
        """The id of the report it was about to send."""
        report_id = report_id or uuid.uuid4().hex
        await self.pending.begin(report_id, NOW - ago, with_key=with_key)
        await self.photos.keep(report_id, 1, b"full", b"thumb")
        return report_id

    async def sweep(self) -> int:
        own = getattr(self.office.app.state, ROOM).database.acting(reach.HOUSEKEEPING)
        return await orphaned_photos.sweep(own, self.pending, NOW)

    async def has_photo(self, report_id: str) -> bool:
        return await self.photos.read(photo_id(report_id, 1)) is not None

    async def is_noted(self, report_id: str) -> bool:
        return f"pending/{report_id}" in await self._objects.keys("pending")

    async def read_until(self, *as_of: datetime | None) -> None:
        """The dispatcher's books: how far each partition of the reports has been read."""
        async with self.office.pool.acquire() as connection:
            await connection.execute("DELETE FROM consumer_offset")
            await connection.executemany(
                "INSERT INTO consumer_offset (consumer, topic, topic_id, partition, next_offset, as_of)"
                " VALUES ('reports', $1, 't', $2, 0, $3)",
                [(topics.REPORT.name, partition, each) for partition, each in enumerate(as_of)],
            )


@pytest.fixture
async def ingest(office: Office) -> AsyncIterator[Ingest]:
    await office.forget_everything()
    objects = Objects(office.data_dir / "objects")
    ingest = Ingest(office, objects)
    await ingest.read_until(NOW, NOW)
    yield ingest
    await ingest.read_until()
    await objects.delete("pending")
    objects.close()


async def test_photos_of_a_report_that_never_came_are_erased_after_48_hours(ingest: Ingest) -> None:
    old, young = await ingest.dies(KEPT), await ingest.dies(KEPT - timedelta(minutes=1))
    assert await ingest.sweep() == 1
    assert not await ingest.has_photo(old) and not await ingest.is_noted(old)
    assert await ingest.has_photo(young) and await ingest.is_noted(young)
    assert await ingest.sweep() == 0


async def test_with_a_key_they_wait_as_long_as_somebody_may_repeat_it(ingest: Ingest) -> None:
    repeatable, over = await ingest.dies(KEPT * 2, with_key=True), await ingest.dies(KEPT_WITH_KEY, with_key=True)
    assert await ingest.sweep() == 1
    assert await ingest.has_photo(repeatable) and not await ingest.has_photo(over)


async def test_photos_of_a_report_that_came_stay_and_only_the_note_goes(ingest: Ingest) -> None:
    await ingest.office.incident(JAM, SUMMARECON)
    report_id = await ingest.office.pool.fetchval("SELECT id FROM report LIMIT 1")
    await ingest.dies(KEPT * 3, report_id=report_id)
    assert await ingest.sweep() == 0
    assert await ingest.has_photo(report_id) and not await ingest.is_noted(report_id)


@pytest.mark.parametrize(("state", "stays"), [("new", True), ("replayed", True), ("dropped", False)])
async def test_photos_of_a_report_that_was_set_aside_stay_until_it_is_dropped(
    ingest: Ingest, state: str, stays: bool
) -> None:
    report_id = await ingest.dies(KEPT * 3)
    headers = [["ce_type", "eA=="], ["ce_subject", base64.b64encode(report_id.encode()).decode()]]
    await ingest.office.pool.execute(
        "INSERT INTO dead_letter (topic, topic_id, partition, \"offset\", headers, error_class, error_message, state)"
        " VALUES ($1, 't', 0, $2, $3, 'x', 'x', $4)",
        topics.REPORT.name, uuid.uuid4().int % 2**31, headers, state,
    )  # fmt: skip
    assert await ingest.sweep() == (0 if stays else 1)
    assert await ingest.has_photo(report_id) is stays


@pytest.mark.parametrize(
    "as_of",
    [
        (),
        (NOW, None),
        (NOW, NOW - KEPT - timedelta(hours=5)),
    ],
    ids=["no dispatcher was ever here", "a partition was never read", "a partition is behind"],
)
async def test_nothing_is_erased_while_it_may_still_be_unread(
    ingest: Ingest, as_of: tuple[datetime | None, ...]
) -> None:
    report_id = await ingest.dies(KEPT + timedelta(hours=1))
    await ingest.read_until(*as_of)
    assert await ingest.sweep() == 0
    assert await ingest.has_photo(report_id) and await ingest.is_noted(report_id)
    await ingest.read_until(NOW, NOW)
    assert await ingest.sweep() == 1


async def test_a_sweep_that_died_halfway_is_ended_by_the_next(ingest: Ingest) -> None:
    report_id = await ingest.dies(KEPT)
    await ingest.photos.erase(report_id)
    assert await ingest.sweep() == 1
    assert not await ingest.is_noted(report_id)


async def test_a_note_that_cannot_be_read_stays_and_holds_up_no_other(ingest: Ingest) -> None:
    objects = Objects(ingest.office.data_dir / "objects")
    for n, content in enumerate((b"", b"{", b'{"report_id": 1}')):
        await objects.put_if_absent(f"pending/0broken{n}", content)
    orphans = [await ingest.dies(KEPT) for _ in range(3)]
    assert await ingest.sweep() == 3
    assert [await ingest.is_noted(each) for each in orphans] == [False] * 3
    assert len(await objects.keys("pending")) == 3
    objects.close()


class SlowDisk(Objects):
    """The real store, on a disk that takes its time to forget."""

    async def remove(self, key: str) -> None:
        await asyncio.sleep(0.6)
        await super().remove(key)


async def test_a_slow_disk_is_not_taken_for_a_slow_database(ingest: Ingest) -> None:
    for _ in range(3):
        await ingest.dies(KEPT)
    slow = SlowDisk(ingest.office.data_dir / "objects")
    database = Database(ingest.office.pool, patience_s=1.0)
    # The files take longer than PostgreSQL has for its answers.
    assert await orphaned_photos.sweep(database, PendingPhotos(slow), NOW) == 3
    slow.close()


async def test_all_that_are_due_are_settled_however_many(ingest: Ingest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orphaned_photos, "_AT_ONCE", 2)
    for _ in range(5):
        await ingest.dies(KEPT)
    assert await ingest.sweep() == 5
    assert await ingest.sweep() == 0
