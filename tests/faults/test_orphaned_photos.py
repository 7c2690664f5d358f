"""kill -9 of ingest around the hand-over of a report with a photo: no photo is orphaned for ever, none is lost."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import msgspec
import pytest

from dispatcher.desk import orphaned_photos
from dispatcher.desk.database import Database
from infra.local.stack import Stack
from infra.objects import Objects
from infra.pending_photos import KEPT, KEPT_WITH_KEY, Pending, PendingPhotos
from infra.photos import Photos, photo_id
from infra.postgres import close_pool, open_pool
from schemas.wire import encode
from tests.faults.process import Service
from tests.ingest.conftest import environment, open_sender
from tests.ingest.intake import BOTH, JAM, Sender, a_photo, hand_out_keys, until


@pytest.mark.parametrize("key", [None, "kunci"], ids=["without key", "with key"])
@pytest.mark.parametrize(("point", "arrives"), [("ingest.after_photos", False), ("ingest.after_ack", True)])
async def test_a_photo_is_swept_if_and_only_if_kafka_never_got_its_report(
    stack: Stack, tmp_path: Path, point: str, arrives: bool, key: str | None
) -> None:
    await hand_out_keys(stack.postgres.dsn)
    dispatcher = Service("dispatcher", tmp_path, "PATRIOT_DISPATCHER_PORT", environment(stack, tmp_path))
    with Service("ingest", tmp_path, "PATRIOT_PORT", environment(stack, tmp_path)) as ingest, dispatcher:
        await asyncio.to_thread(ingest.start, f"{point}=kill", 60)
        async with open_sender(ingest.url, BOTH, stack, tmp_path) as sender:
            with pytest.raises(httpx.HTTPError):
                await sender.post(JAM, a_photo(), key=key and f"{key} {tmp_path}")
        await asyncio.to_thread(ingest.wait_killed)
        [note] = (tmp_path / "objects" / "pending").iterdir()
        report_id = note.name
        await asyncio.to_thread(dispatcher.start, "", 60)

        pool = await open_pool(stack.postgres.dsn, application="test", size=2)
        objects = Objects(tmp_path / "objects")
        try:
            pending, photos = PendingPhotos(objects), Photos(objects)

            async def sweep() -> int:
                return await orphaned_photos.sweep(Database(pool), pending, datetime.now(UTC))

            async def known() -> bool:
                return bool(await pool.fetchval("SELECT EXISTS (SELECT FROM report WHERE id = $1)", report_id))

            if arrives:
                await until(known)
            assert await sweep() == 0, "its time is not over"
            _let_time_pass(note, KEPT if key is None else KEPT_WITH_KEY)

            async def settled() -> bool:
                await sweep()
                return not note.exists()

            await until(settled, 60.0)  # the dispatcher says every few seconds how far it has read
            assert await known() is arrives
            assert (await photos.read(photo_id(report_id, 1)) is not None) is arrives
        finally:
            objects.close()
            await close_pool(pool)


def _let_time_pass(note: Path, time: timedelta) -> None:
    found = msgspec.json.decode(note.read_bytes(), type=Pending)
    note.write_bytes(encode(msgspec.structs.replace(found, at=found.at - time)))


async def test_a_report_that_was_taken_leaves_no_note(stack: Stack, tmp_path: Path) -> None:
    await hand_out_keys(stack.postgres.dsn)
    with Service("ingest", tmp_path, "PATRIOT_PORT", environment(stack, tmp_path)) as ingest:
        await asyncio.to_thread(ingest.start, "", 60)
        async with open_sender(ingest.url, BOTH, stack, tmp_path) as sender:
            for key in (None, f"kunci {tmp_path}"):
                await sender.report(a_photo(), key=key)
                await until(lambda: _nothing_noted(sender))


async def _nothing_noted(sender: Sender) -> bool:
    return not list((sender.data_dir / "objects" / "pending").iterdir())
