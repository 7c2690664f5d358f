"""Promises and working calendars as data, and how often they were kept."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Request
from msgspec import Meta
from starlette.responses import Response

from dispatcher import on_time, policy_store
from dispatcher.decisions.calendar import Calendar
from dispatcher.decisions.sla import CalendarName, Promise, unnamed
from dispatcher.desk.resources import ALL_STAFF, BODY_ERRORS, SIGNED_IN, STAFF_ERRORS, desk_of, private
from dispatcher.desk.rules import DAYS, days_of
from dispatcher.policy_store import StalePart
from infra.access import Principal
from infra.http import read_json
from infra.openapi import describe
from infra.postgres import Connection
from infra.problem import Problem, invalid
from schemas.vocabulary import Category, ClockKind, Role
from schemas.wire import Inbound, Note, Record, Timestamp

router = APIRouter(tags=["clocks"])

PolicyVersion = Annotated[int, Meta(ge=0, le=2**53, description="As last read")]
Promises = Annotated[tuple[Promise, ...], Meta(min_length=1, max_length=500)]
Calendars = Annotated[dict[CalendarName, Calendar], Meta(min_length=1, max_length=50)]


class ClocksSet(Record, frozen=True):
    """The promises that are live; per clock the first that fits decides. Version 0 is the default."""

    version: int
    promises: tuple[Promise, ...]


class CalendarsSet(Record, frozen=True):
    """The working calendars that are live, by name."""

    version: int
    calendars: dict[str, Calendar]


class PutClocks(Inbound, frozen=True, kw_only=True):
    """All promises anew."""

    version: PolicyVersion
    promises: Promises
    why: Note | None = None


class PutCalendars(Inbound, frozen=True, kw_only=True):
    """All calendars anew."""

    version: PolicyVersion
    calendars: Calendars
    why: Note | None = None


class OnTimeRow(Record, frozen=True):
    """How often one clock was kept in one category."""

    clock: ClockKind
    category: Category
    in_time: int
    late: int
    overdue: int
    #: `in_time / (in_time + late + overdue)`: what is open and overdue always counts.
    share: float | None


class OnTime(Record, frozen=True):
    """Since when, and each clock of each category of which something can be said."""

    since: Timestamp
    items: tuple[OnTimeRow, ...]


def _put(summary: str, body: type[msgspec.Struct], returns: type[msgspec.Struct]) -> Mapping[str, Any]:
    return describe(
        summary=summary,
        body=body,
        returns=returns,
        errors=(*BODY_ERRORS, *STAFF_ERRORS, 409),
        security=SIGNED_IN,
    )


@router.get(
    "/api/v1/clocks",
    **describe(
        summary="By when what is due, and who is told when it is not done",
        returns=ClocksSet,
        errors=STAFF_ERRORS,
        security=SIGNED_IN,
    ),
)
async def get_clocks(request: Request) -> Response:
    """All promises in their order."""
    desk = desk_of(request)
    await desk.staff(request, ALL_STAFF)
    async with desk.database.snapshot() as connection:
        version = await policy_store.version_of(connection, "promises")
        policy = await policy_store.live(connection)
    return private(ClocksSet(version=version, promises=policy.promises))


@router.put("/api/v1/clocks", **_put("Promise anew; what is open is due by it from now on", PutClocks, ClocksSet))
async def put_clocks(request: Request) -> Response:
    """Due times of open incidents follow within a minute or so; what was met already is not judged anew."""
    desk = desk_of(request)
    principal = await desk.staff(request, {Role.ADMIN})
    body = await read_json(request, PutClocks)
    async with desk.database.transaction() as connection:
        policy = await policy_store.live(connection)
        _require_calendars(body.promises, policy.calendars)
        version = await _replace(connection, "promises", body.promises, principal, body.version, body.why)
    return private(ClocksSet(version=version, promises=body.promises))


@router.get(
    "/api/v1/calendars",
    **describe(
        summary="Working days and hours, holidays and joint leave",
        returns=CalendarsSet,
        errors=STAFF_ERRORS,
        security=SIGNED_IN,
    ),
)
async def get_calendars(request: Request) -> Response:
    """By name; `office` is what counts where a promise names none."""
    desk = desk_of(request)
    await desk.staff(request, ALL_STAFF)
    async with desk.database.snapshot() as connection:
        version = await policy_store.version_of(connection, "calendars")
        policy = await policy_store.live(connection)
    return private(CalendarsSet(version=version, calendars=dict(policy.calendars)))


@router.put("/api/v1/calendars", **_put("Work at other times", PutCalendars, CalendarsSet))
async def put_calendars(request: Request) -> Response:
    """A calendar that a promise names stays."""
    desk = desk_of(request)
    principal = await desk.staff(request, {Role.ADMIN})
    body = await read_json(request, PutCalendars)
    async with desk.database.transaction() as connection:
        policy = await policy_store.live(connection)
        _require_calendars(policy.promises, body.calendars)
        version = await _replace(connection, "calendars", body.calendars, principal, body.version, body.why)
    return private(CalendarsSet(version=version, calendars=body.calendars))


@router.get(
    "/api/v1/on-time",
    **describe(
        summary="How often each clock was kept, per category, in one's scope",
        returns=OnTime,
        errors=(*STAFF_ERRORS, 422),
        parameters=(DAYS,),
        security=SIGNED_IN,
    ),
)
async def get_on_time(request: Request) -> Response:
    """What is open and overdue always counts, however old."""
    desk = desk_of(request)
    principal = await desk.staff(request, ALL_STAFF)
    days = days_of(request)
    async with desk.database.snapshot() as connection:
        now: datetime = await connection.fetchval("SELECT now()")
        since = now - timedelta(days=days)
        found = await on_time.tallies(connection, since, agencies=principal.agencies, kecamatan=principal.kecamatan)
    items = tuple(
        OnTimeRow(clock=one.clock, category=one.category, **one.tally._asdict(), share=one.tally.share) for one in found
    )
    return private(OnTime(since=since, items=items))


def _require_calendars(promises: Iterable[Promise], calendars: Mapping[str, Calendar]) -> None:
    if missing := unnamed(promises, calendars):
        raise invalid("calendars", f"a promise names a calendar that there is not: {', '.join(missing)}")


async def _replace(
    connection: Connection, part: str, value: object, principal: Principal, version: int, why: str | None
) -> int:
    try:
        return await policy_store.put(connection, part, value, by=principal.name, why=why or "", expected=version)
    except StalePart as error:
        detail = "Somebody else has changed it since you read it. Read it again."
        raise Problem(409, "stale-version", detail, current_version=error.version) from error


TYPES: Final = (ClocksSet, CalendarsSet, PutClocks, PutCalendars, OnTime)
