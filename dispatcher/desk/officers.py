"""Officers: whether they can be asked and where they are, told by their phones; and the list of them."""

from datetime import UTC, datetime
from typing import Final, Literal

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response

from dispatcher import officer_store
from dispatcher.decisions import assignment
from dispatcher.desk.page import NameMark, Page, cursor_of
from dispatcher.desk.query import CURSOR, LIMIT, Parameters
from dispatcher.desk.resources import BODY_ERRORS, SIGNED_IN, STAFF_ERRORS, desk_of, private, scope_of
from dispatcher.officer_store import Position
from infra.http import read_json
from infra.openapi import describe
from infra.problem import Problem, invalid
from infra.trace import traceparent_of
from schemas.feed import OfficerRow
from schemas.vocabulary import OfficerStatus, Role
from schemas.wire import Inbound, Latitude, Longitude, NonNegative, Timestamp

router = APIRouter(tags=["officers"])

#: Who sees where officers are: those who send them, and officers of the same agency.
READERS: Final = frozenset({Role.OFFICER, Role.DISPATCHER, Role.OPERATOR, Role.SUPERVISOR, Role.ADMIN})


#: No phone that tells a position is older; and PostgreSQL keeps no time before its own.
_LONG_AGO: Final = datetime(2000, 1, 1, tzinfo=UTC)


class Presence(Inbound, frozen=True):
    """Whether one can be asked, and where one is. `busy` is not said: it follows from what was accepted."""

    status: Literal["available", "on_break", "off_duty"]
    #: The phone's clock.
    at: Timestamp
    lat: Latitude | None = None
    lon: Longitude | None = None
    accuracy_m: NonNegative | None = None


@router.put(
    "/api/v1/me/presence",
    **describe(
        summary="Say whether I can be asked, and where I am",
        body=Presence,
        returns=OfficerRow,
        errors=(*BODY_ERRORS, *STAFF_ERRORS, 409),
        security=SIGNED_IN,
    ),
)
async def be_present(request: Request) -> Response:
    """The own row as it is after. Who works on something stays `busy`, and cannot leave before it is done."""
    desk = desk_of(request)
    principal = await desk.staff(request, {Role.OFFICER})
    body = await read_json(request, Presence)
    if (body.lat is None) != (body.lon is None):
        raise invalid("lon" if body.lon is None else "lat", "lat and lon come together")
    async with desk.database.transaction() as connection:
        officer = (await officer_store.select_for_update(connection, [principal.name])).get(principal.name)
        if officer is None:
            raise Problem(403, "role", "Your account is not an officer's.")
        working = await officer_store.has_work(connection, officer.username)
        status = OfficerStatus(body.status)
        if working and status is not OfficerStatus.AVAILABLE:
            raise Problem(409, "at-work", "Complete what you have accepted, or hand it back, before you leave.")
        now = await connection.fetchval("SELECT clock_timestamp()")
        position = None
        if body.lat is not None and body.lon is not None:
            # An older `at` than one told before loses against it; one ahead of our clock counts as now.
            at = assignment.clamped(body.at, _LONG_AGO, now)
            position = Position(lat=body.lat, lon=body.lon, accuracy_m=body.accuracy_m, at=at)
        after = officer.off_duty() if status is OfficerStatus.OFF_DUTY else officer.at(position)
        after = msgspec.structs.replace(after, status=OfficerStatus.BUSY if working else status, updated_at=now)
        row = await officer_store.save(connection, after, traceparent_of(request))
    return private(row)


@router.get(
    "/api/v1/officers",
    **describe(
        summary="Officers in one's scope, by id",
        returns=Page[OfficerRow],
        errors=(*STAFF_ERRORS, 422),
        parameters=(LIMIT, CURSOR),
        security=SIGNED_IN,
    ),
)
async def list_officers(request: Request) -> Response:
    """Of one's agencies; of all for who sees the whole city."""
    desk = desk_of(request)
    principal = await desk.staff(request, READERS)
    given = Parameters(request, ("limit", "cursor"))
    limit, after = given.limit(), given.cursor(NameMark)
    async with desk.database.connection() as connection:
        found = await officer_store.select_rows(
            connection, scope_of(principal).agencies, after.id if after else "", limit + 1
        )
    page = tuple(found[:limit])
    cursor = cursor_of(NameMark(id=page[-1].id)) if len(found) > limit else None
    return private(Page(items=page, next_cursor=cursor))


TYPES: Final = (Page[OfficerRow], Presence)
