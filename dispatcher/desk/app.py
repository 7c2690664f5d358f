"""The desk as a room: questions and commands of staff, and what citizens may ask of their own reports."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit

import asyncpg
import structlog
from fastapi import APIRouter, FastAPI

from dispatcher.desk import (
    accounts,
    board,
    commands_custody,
    commands_ending,
    commands_joining,
    commands_judging,
    handovers,
    orphaned_photos,
    photo_retention,
    printing,
    reach,
    receipts,
    saved_filters,
    sessions,
    standard_texts,
)
from dispatcher.desk import assign as desk_assign
from dispatcher.desk import assignments as desk_assignments
from dispatcher.desk import clocks as desk_clocks
from dispatcher.desk import contacts as desk_contacts
from dispatcher.desk import coverage as desk_coverage
from dispatcher.desk import feedback as desk_feedback
from dispatcher.desk import hold_reasons as desk_hold_reasons
from dispatcher.desk import incidents as desk_incidents
from dispatcher.desk import keys as desk_keys
from dispatcher.desk import me as desk_me
from dispatcher.desk import names as desk_names
from dispatcher.desk import notifications as desk_notifications
from dispatcher.desk import officers as desk_officers
from dispatcher.desk import photos as desk_photos
from dispatcher.desk import recommendations as desk_recommendations
from dispatcher.desk import reference as desk_reference
from dispatcher.desk import roster as desk_roster
from dispatcher.desk import rule_drafts as desk_rule_drafts
from dispatcher.desk import rules as desk_rules
from dispatcher.desk import session as desk_session
from dispatcher.desk import shifts as desk_shifts
from dispatcher.desk import staffing as desk_staffing
from dispatcher.desk import tickets as desk_tickets
from dispatcher.desk import tracking as desk_tracking
from dispatcher.desk import users as desk_users
from dispatcher.desk.database import Database
from dispatcher.desk.passwords import Passwords
from dispatcher.desk.resources import ROOM, Desk, Throttles
from dispatcher.desk.settings import DeskSettings
from infra import migrate
from infra.access import Access
from infra.geography import load_geography
from infra.http import Room
from infra.metrics import RESTARTS
from infra.objects import Objects
from infra.pending_photos import PendingPhotos
from infra.photos import Photos
from infra.postgres import close_pool, open_pool, sentence
from infra.problem import Problem
from infra.staff_photos import StaffPhotos
from infra.throttle import Throttle

log = structlog.get_logger()

_SWEEP_EVERY_S: Final = 3600.0
#: The migration from which on PostgreSQL keeps scopes.
_FENCED: Final = 6
_PARTS: Final = (
    desk_session,
    desk_me,
    desk_users,
    desk_keys,
    desk_contacts,
    desk_incidents,
    desk_assign,
    commands_judging,
    commands_custody,
    commands_joining,
    commands_ending,
    desk_assignments,
    desk_recommendations,
    desk_officers,
    desk_shifts,
    desk_roster,
    desk_staffing,
    desk_coverage,
    desk_reference,
    desk_clocks,
    desk_names,
    desk_rules,
    desk_rule_drafts,
    desk_hold_reasons,
    desk_tracking,
    desk_feedback,
    desk_notifications,
    desk_photos,
    desk_tickets,
    board,
    handovers,
    printing,
    saved_filters,
    standard_texts,
)


def room(settings: DeskSettings) -> Room:
    """The desk, ready to be composed into an app. Raises a click error for a boundary file that cannot be used."""
    geography = load_geography(settings.boundaries)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            pool = await open_pool(
                settings.postgres_dsn,
                application="patriot-desk",
                size=settings.desk_connections,
                role=reach.DATABASE_ROLE,
                training=settings.training,
            )
            stack.push_async_callback(close_pool, pool)
            objects = Objects(settings.objects_dir)
            stack.callback(objects.close)
            desk = Desk(
                settings=settings,
                database=Database(pool),
                access=Access(pool, own_origins(settings)),
                passwords=Passwords(),
                photos=Photos(objects),
                staff_photos=StaffPhotos(objects),
                geography=geography,
                throttles=Throttles(
                    sign_in=Throttle(settings.sign_ins_per_minute),
                    sign_in_address=Throttle(settings.sign_ins_per_address_per_minute),
                    second_factor=Throttle(settings.second_factors_per_minute),
                    wrong_code=Throttle(settings.wrong_codes_per_minute),
                ),
            )
            setattr(app.state, ROOM, desk)
            own = desk.database.acting(reach.HOUSEKEEPING)
            sweeping = asyncio.create_task(_sweep(own, objects, settings.photo_days), name="desk-sweep")
            stack.push_async_callback(_end, sweeping)
            yield

    async def check(app: FastAPI) -> Mapping[str, str]:
        return await _troubles(getattr(app.state, ROOM))

    router = APIRouter()
    for part in _PARTS:
        router.include_router(part.router)
    return Room(ROOM, router, lifespan, check, [kind for part in _PARTS for kind in part.TYPES])


def own_origins(settings: DeskSettings) -> frozenset[str]:
    """Origins beside the host that was asked, whose pages may use the cookie."""
    origins = {origin.rstrip("/") for origin in settings.allow_origin}
    if settings.public_url:
        parts = urlsplit(settings.public_url)
        origins.add(f"{parts.scheme}://{parts.netloc}")
    return frozenset(origins)


async def _troubles(desk: Desk) -> Mapping[str, str]:
    """What keeps the desk from working."""
    try:
        async with desk.database.connection() as connection:
            current = max(await migrate.applied(connection), default=0)
            if current >= _FENCED and not await connection.fetchval("SELECT row_security_active('incident')"):
                return {"postgres": "lets the desk past its scopes: row-level security does not hold for its role"}
    except Problem as problem:
        return {"postgres": sentence(problem.__cause__)}
    except asyncpg.PostgresError as error:
        return {"postgres": type(error).__name__}
    # A newer schema is fine: it keeps this release working.
    if current < migrate.newest():
        return {"schema": f"is at version {current}, needs {migrate.newest()}: run `patriot migrate`"}
    return {}


async def _sweep(database: Database, objects: Objects, photo_days: int) -> None:
    """Every hour, forget sessions and receipts that are past their time, and photos of reports that never came."""
    while True:
        try:
            async with database.transaction() as connection:
                swept = await receipts.sweep(connection), await sessions.sweep(connection)
                await accounts.sweep_resets(connection)
            orphans = await orphaned_photos.sweep(database, PendingPhotos(objects), datetime.now(UTC))
            expired = await photo_retention.sweep(database, Photos(objects), photo_days, datetime.now(UTC))
            log.info("swept", receipts=swept[0], sessions=swept[1], orphaned_photos=orphans, expired_photos=expired)
        except (Problem, OSError) as error:
            # Database or disk is away, or not migrated yet: the next hour will do.
            log.warning("sweep_put_off", error=type(error).__name__)
        except Exception as error:
            RESTARTS.labels("desk-sweep").inc()
            log.error("sweep_failed", error=type(error).__name__)
        await asyncio.sleep(_SWEEP_EVERY_S)


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait({task}, timeout=2)
