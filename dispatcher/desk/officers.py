"""Officers: whether they can be asked and where they are, told by their phones; and the list of them."""

from datetime import UTC, datetime
from typing import Final, Literal

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response

from dispatcher import audit_store, officer_store
from dispatcher.decisions import assignment
from dispatcher.decisions.staffing import Skills
from dispatcher.desk.page import NameMark, Page, cursor_of
from dispatcher.desk.query import CURSOR, LIMIT, Parameters
from dispatcher.desk.resources import BODY_ERRORS, SIGNED_IN, STAFF_ERRORS, desk_of, private, scope_of
from dispatcher.officer_store import Position
from infra.http import read_json
from infra.openapi import describe, parameter
from infra.problem import Problem, invalid
from infra.trace import traceparent_of
from schemas.feed import OfficerRow
from schemas.vocabulary import OfficerStatus, Role
from schemas.wire import Inbound, Latitude, Longitude, NonNegative, Timestamp

router = APIRouter(tags=["officers"])

#: Who sees where officers are: those who send them, and officers of the same agency.
READERS: Final = frozenset({Role.OFFICER, Role.DISPATCHER, Role.OPERATOR, Role.SUPERVISOR, Role.ADMIN})
#: Who says what an officer can do.
SKILL_WRITERS: Final = frozenset({Role.DISPATCHER, Role.SUPERVISOR, Role.ADMIN})

#: No phone that tells a position is older; and PostgreSQL keeps no time before its own.
_LONG_AGO: Final = datetime(2000, 1, 1, tzinfo=UTC)


class OfficerDetail(OfficerRow, frozen=True, kw_only=True):
    """An officer as on the board, with how old the position is and what the officer can do."""

    position_age_s: float | None
    skills: tuple[str, ...]


class PutSkills(Inbound, frozen=True):
    """Words of the agency's own, such as `derek`, `pompa`."""

    skills: Skills


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
        returns=Page[OfficerDetail],
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
        page = found[:limit]
        skills = await officer_store.select_skills(connection, [row.id for row in page])
        now = await connection.fetchval("SELECT now()")
    items = tuple(_detail(row, skills[row.id], now) for row in page)
    cursor = cursor_of(NameMark(id=page[-1].id)) if len(found) > limit else None
    return private(Page(items=items, next_cursor=cursor))


@router.put(
    "/api/v1/officers/{officer_id}/skills",
    **describe(
        summary="Say what an officer can do",
        body=PutSkills,
        returns=OfficerDetail,
        errors=(*BODY_ERRORS, *STAFF_ERRORS, 404),
        parameters=(parameter("officer_id", "path", "Username", {"type": "string"}, required=True),),
        security=SIGNED_IN,
    ),
)
async def put_skills(request: Request) -> Response:
    """All of it; rules and the staffing table ask for skills by these words. 404 outside one's agencies."""
    desk = desk_of(request)
    principal = await desk.staff(request, SKILL_WRITERS)
    body = await read_json(request, PutSkills)
    username = str(request.path_params["officer_id"])
    async with desk.database.transaction() as connection:
        officer = None
        if "\x00" not in username:
            officer = (await officer_store.select_for_update(connection, [username])).get(username)
        if officer is None or not scope_of(principal).covers_agency(officer.agency):
            raise Problem(404, "no-such-officer", "There is no such officer in your agencies.")
        skills = tuple(sorted(set(body.skills)))
        await officer_store.set_skills(connection, username, skills)
        await audit_store.record(connection, actor=principal.name, action="skills_put", subject=f"officer:{username}")
        now = await connection.fetchval("SELECT now()")
        row = await officer_store.row_of(connection, officer)
    return private(_detail(row, skills, now))


def _detail(row: OfficerRow, skills: tuple[str, ...], now: datetime) -> OfficerDetail:
    age = None if row.position_at is None else max((now - row.position_at).total_seconds(), 0.0)
    return OfficerDetail(
        **{name: getattr(row, name) for name in row.__struct_fields__},
        position_age_s=None if age is None else round(age, 1),
        skills=skills,
    )


TYPES: Final = (Page[OfficerDetail], OfficerRow, OfficerDetail, Presence, PutSkills)
