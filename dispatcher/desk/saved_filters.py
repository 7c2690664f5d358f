"""Saved filters of the incident list: everybody's own, and those that a shift lead shares with all."""

from typing import Annotated, Final

from fastapi import APIRouter, Request
from msgspec import Meta
from starlette.responses import Response

from dispatcher.decisions.incident import new_id
from dispatcher.desk import incident_query, saved_filter_store
from dispatcher.desk.page import NameMark, Page, cursor_of
from dispatcher.desk.query import CURSOR, LIMIT, Parameters
from dispatcher.desk.resources import ALL_STAFF, BODY_ERRORS, SIGNED_IN, STAFF_ERRORS, desk_of, private
from dispatcher.desk.saved_filter_store import IncidentFilter, SavedFilter
from infra.access import Principal
from infra.http import answer, read_json
from infra.openapi import describe, parameter
from infra.problem import Problem, invalid
from schemas.vocabulary import Role
from schemas.wire import SEEN, Inbound

router = APIRouter(tags=["saved-filters"])

#: Who may show theirs to everybody.
SHARERS: Final = frozenset({Role.SUPERVISOR, Role.ADMIN})
#: Of one person; beyond: 422. A list that nobody reads to its end helps nobody.
MOST: Final = 100

_ID: Final = (parameter("filter_id", "path", "Its id", {"type": "string"}, required=True),)


class PutFilter(Inbound, frozen=True):
    """A filter under a name."""

    name: Annotated[str, Meta(min_length=1, max_length=80, pattern=SEEN)]
    filter: IncidentFilter
    #: Everybody may use it; a supervisor says so.
    shared: bool = False


@router.get(
    "/api/v1/saved-filters",
    **describe(
        summary="My saved filters and those that are shared, by id",
        returns=Page[SavedFilter],
        errors=(*STAFF_ERRORS, 422),
        parameters=(LIMIT, CURSOR),
        security=SIGNED_IN,
    ),
)
async def list_filters(request: Request) -> Response:
    """A page."""
    desk = desk_of(request)
    principal = await desk.staff(request, ALL_STAFF)
    given = Parameters(request, ("limit", "cursor"))
    limit, after = given.limit(), given.cursor(NameMark)
    async with desk.database.connection() as connection:
        found = await saved_filter_store.select_page(connection, principal.name, after.id if after else "", limit + 1)
    page = tuple(found[:limit])
    cursor = cursor_of(NameMark(id=page[-1].id)) if len(found) > limit else None
    return private(Page(items=page, next_cursor=cursor))


@router.post(
    "/api/v1/saved-filters",
    **describe(
        summary="Save a filter",
        body=PutFilter,
        returns=SavedFilter,
        status=201,
        errors=(*BODY_ERRORS, *STAFF_ERRORS),
        security=SIGNED_IN,
    ),
)
async def add_filter(request: Request) -> Response:
    """Mine; at most 100."""
    desk = desk_of(request)
    principal = await desk.staff(request, ALL_STAFF)
    body = _allowed(principal, await read_json(request, PutFilter))
    async with desk.database.transaction() as connection:
        if await saved_filter_store.count(connection, principal.name) >= MOST:
            raise invalid("name", f"you have {MOST} already; remove one first")
        made = await saved_filter_store.put(connection, _made(principal, new_id("FLT"), body))
    return answer(made, 201, headers={"Cache-Control": "no-store"})


@router.put(
    "/api/v1/saved-filters/{filter_id}",
    **describe(
        summary="Change one of my filters",
        body=PutFilter,
        returns=SavedFilter,
        errors=(*BODY_ERRORS, *STAFF_ERRORS, 404),
        parameters=_ID,
        security=SIGNED_IN,
    ),
)
async def edit_filter(request: Request) -> Response:
    """404 for what is not mine, shared or not."""
    desk = desk_of(request)
    principal = await desk.staff(request, ALL_STAFF)
    body = _allowed(principal, await read_json(request, PutFilter))
    async with desk.database.transaction() as connection:
        filter_id = _id_of(request)
        if not await saved_filter_store.is_own(connection, filter_id, principal.name):
            raise _no_such_filter()
        made = await saved_filter_store.put(connection, _made(principal, filter_id, body))
    return private(made)


@router.delete(
    "/api/v1/saved-filters/{filter_id}",
    **describe(
        summary="Remove one of my filters",
        status=204,
        errors=(*STAFF_ERRORS, 404),
        parameters=_ID,
        security=SIGNED_IN,
    ),
)
async def delete_filter(request: Request) -> Response:
    """404 for what is not mine."""
    desk = desk_of(request)
    principal = await desk.staff(request, ALL_STAFF)
    async with desk.database.transaction() as connection:
        if not await saved_filter_store.delete(connection, _id_of(request), principal.name):
            raise _no_such_filter()
    return Response(status_code=204)


def _allowed(principal: Principal, body: PutFilter) -> PutFilter:
    if body.shared and principal.role not in SHARERS:
        raise Problem(403, "role", "Only a supervisor shares filters with everybody.")
    return body


def _made(principal: Principal, filter_id: str, body: PutFilter) -> SavedFilter:
    return SavedFilter(
        id=filter_id,
        owner=principal.name,
        name=body.name,
        filter=body.filter,
        shared=body.shared,
    )


def _id_of(request: Request) -> str:
    text = str(request.path_params["filter_id"])
    if not incident_query.is_id(text):
        raise _no_such_filter()
    return text


def _no_such_filter() -> Problem:
    return Problem(404, "no-such-filter", "You have no such filter.")


TYPES: Final = (Page[SavedFilter], SavedFilter, PutFilter)
