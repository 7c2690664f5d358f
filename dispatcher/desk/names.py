"""Agencies and categories as the city names them: read by all staff, edited by admins. Their codes stay as they are."""

from typing import Annotated, Final, TypeVar

from fastapi import APIRouter, Request
from msgspec import Meta
from starlette.responses import Response

from dispatcher import policy_store, reference_store
from dispatcher.decisions.reference import (
    Agency,
    CategoryEntry,
    Contact,
    EntryVersion,
    Name,
    Subcategory,
    agencies,
    categories,
)
from dispatcher.desk.page import Page
from dispatcher.desk.query import CURSOR, LIMIT
from dispatcher.desk.reference import page_of_all
from dispatcher.desk.resources import BODY_ERRORS, SIGNED_IN, STAFF_ERRORS, desk_of, private
from dispatcher.reference_store import StaleEntry
from infra.http import read_json
from infra.openapi import describe, parameter
from infra.problem import Problem, invalid
from schemas.vocabulary import AgencyCode, Category, Priority, Regency, Role
from schemas.wire import Inbound

router = APIRouter(tags=["reference"])

E = TypeVar("E", AgencyCode, Category, Regency)

_MAY: Final = frozenset({Role.ADMIN})


class EditAgency(Inbound, frozen=True):
    """All of it anew but the code; `version` as last read."""

    version: EntryVersion
    name: Name
    phone: Contact | None = None
    email: Contact | None = None
    active: bool = True


class EditCategory(Inbound, frozen=True):
    """All of it anew but the code; `version` as last read."""

    version: EntryVersion
    name_id: Name
    name_en: Name
    priority: Priority | None = None
    active: bool = True
    subcategories: Annotated[tuple[Subcategory, ...], Meta(max_length=50)] = ()


def _code(kind: type[AgencyCode] | type[Category] | type[Regency], name: str) -> dict[str, object]:
    return parameter(name, "path", "Of the contract", {"type": "string", "enum": list(kind)}, required=True)


_EDIT_ERRORS: Final = (*BODY_ERRORS, *STAFF_ERRORS, 404, 409)


@router.get(
    "/api/v1/agencies",
    **describe(
        summary="The agencies",
        returns=Page[Agency],
        errors=(401, 422, 503),
        parameters=(LIMIT, CURSOR),
        security=SIGNED_IN,
    ),
)
async def list_agencies(request: Request) -> Response:
    """All of both regencies, and the outside bodies."""
    desk = desk_of(request)
    await desk.access.staff(request)
    async with desk.database.connection() as connection:
        policy = await policy_store.live(connection)
    return page_of_all(request, agencies(policy.agencies))


@router.put(
    "/api/v1/agencies/{regency}/{code}",
    **describe(
        summary="Edit an agency",
        body=EditAgency,
        returns=Agency,
        errors=_EDIT_ERRORS,
        parameters=(_code(Regency, "regency"), _code(AgencyCode, "code")),
        security=SIGNED_IN,
    ),
)
async def edit_agency(request: Request) -> Response:
    """Its names, contact, and whether anything new is routed to it."""
    return await _edit_agency(request, request.path_params["regency"])


@router.put(
    "/api/v1/agencies/{code}",
    **describe(
        summary="Edit an outside body",
        body=EditAgency,
        returns=Agency,
        errors=_EDIT_ERRORS,
        parameters=(_code(AgencyCode, "code"),),
        security=SIGNED_IN,
    ),
)
async def edit_outside_body(request: Request) -> Response:
    """Its name and contact."""
    return await _edit_agency(request, None)


@router.get(
    "/api/v1/categories",
    **describe(
        summary="The categories",
        returns=Page[CategoryEntry],
        errors=(401, 422, 503),
        parameters=(LIMIT, CURSOR),
        security=SIGNED_IN,
    ),
)
async def list_categories(request: Request) -> Response:
    """With their Indonesian and English names, and their subcategories."""
    desk = desk_of(request)
    await desk.access.staff(request)
    async with desk.database.connection() as connection:
        policy = await policy_store.live(connection)
    return page_of_all(request, categories(policy.categories))


@router.put(
    "/api/v1/categories/{code}",
    **describe(
        summary="Edit a category",
        body=EditCategory,
        returns=CategoryEntry,
        errors=_EDIT_ERRORS,
        parameters=(_code(Category, "code"),),
        security=SIGNED_IN,
    ),
)
async def edit_category(request: Request) -> Response:
    """Its names and subcategories, and the priority that its incidents begin with at least."""
    desk = desk_of(request)
    principal = await desk.staff(request, _MAY)
    body = await read_json(request, EditCategory)
    code = _member(Category, request.path_params["code"])
    if code is Category.OTHER and not body.active:
        raise invalid("active", "what nothing else fits must stay")
    codes = [one.code for one in body.subcategories]
    if len(set(codes)) != len(codes):
        raise invalid("subcategories", "a code is there twice")
    wanted = CategoryEntry(
        code=code,
        name_id=body.name_id,
        name_en=body.name_en,
        priority=body.priority,
        active=body.active,
        subcategories=body.subcategories,
        version=body.version,
    )
    try:
        async with desk.database.transaction() as connection:
            return private(await reference_store.put_category(connection, wanted, by=principal.name))
    except StaleEntry as error:
        raise _stale(error) from error


async def _edit_agency(request: Request, regency: str | None) -> Response:
    desk = desk_of(request)
    principal = await desk.staff(request, _MAY)
    body = await read_json(request, EditAgency)
    wanted = Agency(
        code=_member(AgencyCode, request.path_params["code"]),
        regency=None if regency is None else _member(Regency, regency),
        name=body.name,
        phone=body.phone,
        email=body.email,
        active=body.active,
        version=body.version,
    )
    try:
        async with desk.database.transaction() as connection:
            put = await reference_store.put_agency(connection, wanted, by=principal.name)
    except StaleEntry as error:
        raise _stale(error) from error
    if put is None:
        raise _nothing()
    return private(put)


def _member(kind: type[E], word: str) -> E:
    try:
        return kind(word)
    except ValueError as error:
        raise _nothing() from error


def _stale(error: StaleEntry) -> Problem:
    detail = "Somebody has edited it since you read it. Read it again."
    return Problem(409, "stale-version", detail, current_version=error.current)


def _nothing() -> Problem:
    return Problem(404, "not-found", "There is nothing of this code.")


TYPES: Final = (EditAgency, EditCategory, Page[Agency], Page[CategoryEntry])
