"""Ingest as a room: what it opens, what it serves, and whether it is able to work."""

import asyncio
import shutil
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from typing import Final

import structlog
from fastapi import APIRouter, FastAPI

from infra.access import Access
from infra.http import Room
from infra.metrics import RESTARTS
from infra.objects import Objects
from infra.pending_photos import PendingPhotos
from infra.photos import Photos
from infra.postgres import close_pool, open_pool
from infra.staff_photos import StaffPhotos
from infra.throttle import Throttle
from ingest import metrics, photo_upload, reports, telemetry
from ingest.budget import Budget
from ingest.idempotency import IdempotencyKeys
from ingest.intake import ROOM, Intake, Throttles
from ingest.photo_upload import PhotoKept
from ingest.photos import PhotoWorkers
from ingest.publisher import Publisher
from ingest.settings import MIB, IngestSettings
from ingest.submission import Submissions
from ingest.uploads import Uploads
from schemas.report import ReportDraft, Reporter, ReportReceipt
from schemas.telemetry import RejectedReading, TelemetryReceipt, TrafficReading, WifiReading

log = structlog.get_logger()

#: Device keys and sessions are cached; two connections look up what is new.
_POOL_SIZE: Final = 2
_SWEEP_EVERY_S: Final = 3600.0
#: Below this a photo may fail any moment.
_LEAST_FREE_BYTES: Final = 64 * MIB
_TASK_PAUSE_S: Final = 1.0


def room(settings: IngestSettings) -> Room:
    """Ingest, ready to be composed into an app."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with _open(settings) as intake:
            setattr(app.state, ROOM, intake)
            yield

    async def check(app: FastAPI) -> Mapping[str, str]:
        return _troubles(getattr(app.state, ROOM))

    router = APIRouter()
    router.routes.extend([*reports.router.routes, *telemetry.router.routes, *photo_upload.router.routes])
    types = (
        *(ReportDraft, Reporter, ReportReceipt),
        *(TrafficReading, WifiReading, TelemetryReceipt, RejectedReading),
        PhotoKept,
    )
    return Room(ROOM, router, lifespan, check, types)


@asynccontextmanager
async def _open(settings: IngestSettings) -> AsyncIterator[Intake]:
    async with AsyncExitStack() as stack:
        pool = await open_pool(
            settings.postgres_dsn, application="patriot-ingest", size=_POOL_SIZE, training=settings.training
        )
        stack.push_async_callback(close_pool, pool)
        objects = Objects(settings.objects_dir)
        stack.callback(objects.close)
        keys = IdempotencyKeys(objects)
        staff_photos = StaffPhotos(objects)
        uploads = Uploads(settings.data_dir / "uploads", settings.upload_mib * MIB)
        workers = PhotoWorkers(workers=settings.photo_workers, queue=settings.photo_queue)
        stack.push_async_callback(workers.close)
        publisher = Publisher(settings.kafka, max_unacknowledged=settings.unacknowledged_mib * MIB)
        for name, work in (("publisher", publisher.run), ("sweep", lambda: _sweep(keys, uploads, staff_photos))):
            stack.push_async_callback(_end, asyncio.create_task(_keep_alive(name, work), name=f"ingest-{name}"))
        submissions = Submissions(
            publisher,
            Photos(objects),
            PendingPhotos(objects),
            workers,
            keys,
            settings.secret_bytes,
            training=settings.training,
        )
        stack.push_async_callback(submissions.close)
        yield Intake(
            settings=settings,
            access=Access(pool, frozenset(_own_origins(settings))),
            objects=objects,
            publisher=publisher,
            submissions=submissions,
            staff_photos=staff_photos,
            workers=workers,
            uploads=uploads,
            telemetry_bodies=Budget(
                settings.telemetry_body_mib * MIB, "Too many readings are being sent right now; try again."
            ),
            throttles=Throttles(
                anonymous=Throttle(settings.anonymous_reports_per_minute),
                staff=Throttle(settings.staff_reports_per_minute),
                devices=Throttle(settings.device_requests_per_minute),
            ),
        )


def _own_origins(settings: IngestSettings) -> tuple[str, ...]:
    public = (settings.public_url.rstrip("/"),) if settings.public_url else ()
    return (*settings.allow_origin, *public)


def _troubles(intake: Intake) -> dict[str, str]:
    """Anonymous reports need Kafka and the disk; PostgreSQL is not named here, because they don't need it."""
    found = {}
    if intake.publisher.trouble is not None:
        found["kafka"] = intake.publisher.trouble
    try:
        intake.objects.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        if shutil.disk_usage(intake.objects.root).free < _LEAST_FREE_BYTES:
            found["photos"] = "The disk for photos is full"
    except OSError:
        found["photos"] = "The disk for photos cannot be used"
    return found


async def _sweep(keys: IdempotencyKeys, uploads: Uploads, staff_photos: StaffPhotos) -> None:
    while True:
        uploads.sweep(time.time())
        metrics.KEYS_SWEPT.inc(await keys.sweep(time.time()))
        metrics.PHOTOS_SWEPT.inc(await staff_photos.sweep(datetime.now(UTC)))
        await asyncio.sleep(_SWEEP_EVERY_S)


async def _keep_alive(name: str, work: Callable[[], Awaitable[None]]) -> None:
    """Begin `work` again when it fails: a mistake in the background must not end what is in front."""
    while True:
        try:
            await work()
        except Exception as error:
            log.exception("task_failed", task=name, error=type(error).__name__)
        RESTARTS.labels(name).inc()
        await asyncio.sleep(_TASK_PAUSE_S)


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task], timeout=10)
