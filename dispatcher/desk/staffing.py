"""Who may be sent, how many go, and where rules ask by themselves: the city's table, read and put whole."""

from typing import Annotated, Final

from fastapi import APIRouter, Request
from msgspec import Meta
from starlette.responses import Response

from dispatcher import policy_store
from dispatcher.decisions.staffing import Staffing
from dispatcher.desk.resources import BODY_ERRORS, SIGNED_IN, STAFF_ERRORS, desk_of, private
from infra.http import read_json
from infra.openapi import describe
from schemas.vocabulary import Role
from schemas.wire import Inbound, Note, Record

router = APIRouter(tags=["officers"])

READERS: Final = frozenset({Role.DISPATCHER, Role.OPERATOR, Role.SUPERVISOR, Role.ADMIN})
WRITERS: Final = frozenset({Role.SUPERVISOR, Role.ADMIN})


class StaffingTable(Record, frozen=True):
    """The lines in their order: the first that fits an incident decides, and none is one officer when a person asks."""

    lines: tuple[Staffing, ...]


class PutStaffing(Inbound, frozen=True):
    """All lines as they are to be, and why."""

    lines: Annotated[tuple[Staffing, ...], Meta(max_length=200)]
    why: Note | None = None


@router.get(
    "/api/v1/staffing",
    **describe(
        summary="How many officers go to what, what they must be able to do, and where rules ask by themselves",
        returns=StaffingTable,
        errors=STAFF_ERRORS,
        security=SIGNED_IN,
    ),
)
async def show_staffing(request: Request) -> Response:
    """The live table."""
    desk = desk_of(request)
    await desk.staff(request, READERS)
    async with desk.database.connection() as connection:
        policy = await policy_store.live(connection)
    return private(StaffingTable(lines=policy.staffing))


@router.put(
    "/api/v1/staffing",
    **describe(
        summary="Put the table",
        body=PutStaffing,
        returns=StaffingTable,
        errors=(*BODY_ERRORS, *STAFF_ERRORS),
        security=SIGNED_IN,
    ),
)
async def put_staffing(request: Request) -> Response:
    """It holds from the next incident, and the next assignment, on."""
    desk = desk_of(request)
    principal = await desk.staff(request, WRITERS)
    body = await read_json(request, PutStaffing)
    async with desk.database.transaction() as connection:
        await policy_store.put(connection, "staffing", body.lines, by=principal.name, why=body.why or "")
    return private(StaffingTable(lines=body.lines))


TYPES: Final = (StaffingTable, PutStaffing)
