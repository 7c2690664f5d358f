"""Who works when: shifts one by one, and a whole roster from a file."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from dispatcher import audit_store, officer_store, shift_store
from dispatcher.decisions.incident import new_id
from dispatcher.decisions.roster import Shift, Wanted, clash, mistake
from dispatcher.desk import incident_query
from dispatcher.desk.page import Mark, Page, cursor_of
from dispatcher.desk.query import CURSOR, LIMIT, Parameters
from dispatcher.desk.resources import BODY_ERRORS, SIGNED_IN, STAFF_ERRORS, desk_of, private, role_of, scope_of
from dispatcher.officer_store import Officer
from infra.access import Principal
from infra.http import answer, read_json
from infra.openapi import describe, parameter
from infra.postgres import Connection
from infra.problem import Problem, invalid
from schemas.vocabulary import AgencyCode, Regency, Role
from schemas.wire import Identifier, Inbound, Record, Timestamp

router = APIRouter(tags=["officers"])

#: Who sees the roster: officers the own shifts, the others those of their agencies.
READERS: Final = frozenset({Role.OFFICER, Role.DISPATCHER, Role.OPERATOR, Role.SUPERVISOR, Role.ADMIN})
#: Who writes it: those who lead the work of an agency, or of all.
WRITERS: Final = frozenset({Role.DISPATCHER, Role.SUPERVISOR, Role.ADMIN})
_CODE: Final = r"^[0-9]{2}\.[0-9]{2}\.[0-9]{2}$"


class PutShift(Inbound, frozen=True):
    """A shift as it is to be; at most 24 h. Without a kecamatan it is for all of the regency."""

    officer_id: Identifier
    starts_at: Timestamp
    ends_at: Timestamp
    kecamatan: Identifier | None = None

    @property
    def wanted(self) -> Wanted:
        try:
            return Wanted(self.officer_id, self.starts_at.astimezone(UTC), self.ends_at.astimezone(UTC), self.kecamatan)
        except OverflowError as error:
            raise invalid("starts_at", "a time between 2000 and 2100") from error


class ShiftRow(Record, frozen=True):
    """One shift."""

    id: str
    officer_id: str
    officer_name: str
    agency: AgencyCode
    regency: Regency
    starts_at: Timestamp
    ends_at: Timestamp
    kecamatan: str | None
    put_by: str
    updated_at: Timestamp


def _row(shift: Shift) -> ShiftRow:
    return ShiftRow(
        id=shift.id,
        officer_id=shift.officer,
        officer_name=shift.officer_name,
        agency=shift.agency.agency,
        regency=shift.agency.regency,
        starts_at=shift.starts_at,
        ends_at=shift.ends_at,
        kecamatan=shift.kecamatan,
        put_by=shift.put_by,
        updated_at=shift.updated_at,
    )


_PARAMETERS: Final = (
    parameter("from", "query", "Not ended by then", {"type": "string", "format": "date-time"}),
    parameter("until", "query", "Begun before", {"type": "string", "format": "date-time"}),
    parameter("officer_id", "query", "Of this officer", {"type": "string"}),
    parameter("kecamatan", "query", "For this kecamatan", {"type": "string", "pattern": _CODE}),
    LIMIT,
    CURSOR,
)
_ID: Final = parameter("shift_id", "path", "Its id", {"type": "string"}, required=True)


@router.get(
    "/api/v1/shifts",
    **describe(
        summary="The roster by time: an officer's own shifts, for others those of their agencies",
        returns=Page[ShiftRow],
        errors=(*STAFF_ERRORS, 422),
        parameters=_PARAMETERS,
        security=SIGNED_IN,
    ),
)
async def list_shifts(request: Request) -> Response:
    """A page."""
    desk = desk_of(request)
    principal = await desk.staff(request, READERS)
    given = Parameters(request, [str(one["name"]) for one in _PARAMETERS])
    limit, after = given.limit(), given.cursor(Mark)
    own = role_of(principal) is Role.OFFICER
    async with desk.database.connection() as connection:
        found = await shift_store.select_page(
            connection,
            officer=principal.name if own else given.text("officer_id"),
            agencies=principal.agencies,
            kecamatan=given.text("kecamatan"),
            start=given.time("from"),
            end=given.time("until"),
            after=(after.updated_at, after.id) if after else None,
            limit=limit + 1,
        )
    page = found[:limit]
    cursor = cursor_of(Mark(updated_at=page[-1].starts_at, id=page[-1].id)) if len(found) > limit else None
    return private(Page(items=tuple(_row(shift) for shift in page), next_cursor=cursor))


@router.post(
    "/api/v1/shifts",
    **describe(
        summary="Put an officer on the roster",
        body=PutShift,
        returns=ShiftRow,
        status=201,
        errors=(*BODY_ERRORS, *STAFF_ERRORS, 409),
        security=SIGNED_IN,
    ),
)
async def add_shift(request: Request) -> Response:
    """409 when the officer has a shift at that time."""
    desk = desk_of(request)
    principal = await desk.staff(request, WRITERS)
    wanted = (await read_json(request, PutShift)).wanted
    async with desk.database.transaction() as connection:
        officer = await _officer(connection, principal, wanted)
        shift = await _made(connection, principal, wanted, officer, new_id("SHF"))
        await shift_store.insert(connection, [shift])
        await told(connection, principal, "shift_put", f"shift:{shift.id}")
    return answer(_row(shift), 201, headers={"Cache-Control": "no-store"})


@router.put(
    "/api/v1/shifts/{shift_id}",
    **describe(
        summary="Change a shift",
        body=PutShift,
        returns=ShiftRow,
        errors=(*BODY_ERRORS, *STAFF_ERRORS, 404, 409),
        parameters=(_ID,),
        security=SIGNED_IN,
    ),
)
async def put_shift(request: Request) -> Response:
    """Another time, place or officer; 409 when that officer has another shift then."""
    desk = desk_of(request)
    principal = await desk.staff(request, WRITERS)
    wanted = (await read_json(request, PutShift)).wanted
    async with desk.database.transaction() as connection:
        known = await _known(connection, principal, request)
        officer = await _officer(connection, principal, wanted)
        shift = await _made(connection, principal, wanted, officer, known.id)
        await shift_store.update(connection, shift)
        await told(connection, principal, "shift_put", f"shift:{shift.id}")
    return private(_row(shift))


@router.delete(
    "/api/v1/shifts/{shift_id}",
    **describe(
        summary="Take a shift off the roster",
        status=204,
        errors=(*STAFF_ERRORS, 404),
        parameters=(_ID,),
        security=SIGNED_IN,
    ),
)
async def delete_shift(request: Request) -> Response:
    """404 for one that is not there (any more)."""
    desk = desk_of(request)
    principal = await desk.staff(request, WRITERS)
    async with desk.database.transaction() as connection:
        known = await _known(connection, principal, request)
        await shift_store.delete(connection, known.id)
        await told(connection, principal, "shift_deleted", f"shift:{known.id}")
    return Response(status_code=204, headers={"Cache-Control": "no-store"})


def taken(other: Shift) -> str:
    """Why an officer cannot work then."""
    return f"has a shift from {other.starts_at:%Y-%m-%dT%H:%MZ} to {other.ends_at:%Y-%m-%dT%H:%MZ} already"


async def others_of(connection: Connection, officers: Collection[str], lines: Sequence[Wanted]) -> list[Shift]:
    """What these officers work in the time of these lines."""
    if not lines:
        return []
    first, last = min(one.starts_at for one in lines), max(one.ends_at for one in lines)
    return await shift_store.select_between(connection, sorted(officers), first, last)


async def _known(connection: Connection, principal: Principal, request: Request) -> Shift:
    """The shift in the path. 404 outside one's agencies."""
    shift_id = str(request.path_params["shift_id"])
    known = await shift_store.select_for_update(connection, shift_id) if incident_query.is_id(shift_id) else None
    if known is None or not scope_of(principal).covers_agency(known.agency):
        raise Problem(404, "no-such-shift", "There is no such shift in your agencies.")
    return known


async def _officer(connection: Connection, principal: Principal, wanted: Wanted) -> Officer:
    """Who is to work, locked. 422 outside one's agencies."""
    officer = (await officer_store.select_for_update(connection, [wanted.officer])).get(wanted.officer)
    if officer is None or not scope_of(principal).covers_agency(officer.agency):
        raise invalid("officer_id", "not an officer of your agencies")
    return officer


async def _made(connection: Connection, principal: Principal, wanted: Wanted, officer: Officer, shift_id: str) -> Shift:
    """The shift as it will be. 422 for one that cannot be, 409 for one at the time of another."""
    if wrong := mistake(wanted, officer.agency):
        raise invalid(*wrong)
    others = await others_of(connection, [officer.username], [wanted])
    if other := clash(wanted, (one for one in others if one.id != shift_id)):
        raise Problem(409, "overlapping-shift", f"The officer {taken(other)}. Change that one, or this.")
    return shift_of(wanted, officer, shift_id, principal, await connection.fetchval("SELECT now()"))


def shift_of(wanted: Wanted, officer: Officer, shift_id: str, principal: Principal, now: datetime) -> Shift:
    return Shift(
        id=shift_id,
        officer=officer.username,
        officer_name=officer.name,
        agency=officer.agency,
        starts_at=wanted.starts_at,
        ends_at=wanted.ends_at,
        kecamatan=wanted.kecamatan,
        put_by=principal.name,
        updated_at=now,
    )


async def told(connection: Connection, principal: Principal, action: str, subject: str) -> None:
    await audit_store.record(connection, actor=principal.name, action=action, subject=subject)


TYPES: Final = (Page[ShiftRow], PutShift, ShiftRow)
