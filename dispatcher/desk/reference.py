"""Reference data for screens: agencies, categories, kecamatan, rules, and the devices with their newest reading."""

from collections.abc import Sequence
from typing import Final, TypeVar

from fastapi import APIRouter, Request
from starlette.responses import Response

from dispatcher.decisions.routing import RULES
from dispatcher.desk import device_query
from dispatcher.desk.page import NameMark, Page, cursor_of
from dispatcher.desk.query import CURSOR, LIMIT, Parameters
from dispatcher.desk.resources import SIGNED_IN, desk_of, private
from dispatcher.desk.tracked import OUTSIDE, agency_name
from infra.openapi import describe
from schemas.feed import SensorRow, WifiNodeRow
from schemas.gazetteer import gazetteer
from schemas.place import AgencyRef
from schemas.vocabulary import AGENCY_NAME, CATEGORY_LABEL, AgencyCode, Category, Priority, Regency
from schemas.wire import Record

router = APIRouter(tags=["reference"])


class Agency(Record, frozen=True):
    """A dinas of one regency, or with a null regency an outside body that things are handed over to."""

    code: AgencyCode
    regency: Regency | None
    name: str


class CategoryNamed(Record, frozen=True):
    """A category with its names."""

    code: Category
    name_id: str
    name_en: str


class KecamatanNamed(Record, frozen=True):
    """A kecamatan with its centre (WGS 84)."""

    code: str
    name: str
    regency: Regency
    lat: float
    lon: float


class RuleRow(Record, frozen=True):
    """One line of the routing table: the first that fits decides. A null regency fits both."""

    number: int
    name: str
    category: Category
    regency: Regency | None
    agency: AgencyCode
    co_agencies: tuple[AgencyCode, ...]
    priority: Priority


AGENCIES: Final = (
    *(
        Agency(code=code, regency=regency, name=agency_name(AgencyRef(regency=regency, agency=code)))
        for regency in Regency
        for code in AgencyCode
        if code not in OUTSIDE
    ),
    *(Agency(code=code, regency=None, name=AGENCY_NAME[code]) for code in AgencyCode if code in OUTSIDE),
)
_CATEGORIES: Final = tuple(
    CategoryNamed(code=code, name_id=names[0], name_en=names[1]) for code, names in CATEGORY_LABEL.items()
)
_RULES: Final = tuple(
    RuleRow(
        number=number,
        name=rule.name,
        category=rule.category,
        regency=rule.regency,
        agency=rule.agency,
        co_agencies=rule.co_agencies,
        priority=rule.priority,
    )
    for number, rule in enumerate(RULES, start=1)
)

_R = TypeVar("_R", SensorRow, WifiNodeRow)
_ERRORS: Final = (401, 422, 503)


@router.get(
    "/api/v1/agencies",
    **describe(summary="The agencies", returns=Page[Agency], errors=_ERRORS, security=SIGNED_IN),
)
async def list_agencies(request: Request) -> Response:
    """All of both regencies, and the outside bodies."""
    return await _all(request, AGENCIES)


@router.get(
    "/api/v1/categories",
    **describe(summary="The categories", returns=Page[CategoryNamed], errors=_ERRORS, security=SIGNED_IN),
)
async def list_categories(request: Request) -> Response:
    """With their Indonesian and English names."""
    return await _all(request, _CATEGORIES)


@router.get(
    "/api/v1/kecamatan",
    **describe(summary="The kecamatan", returns=Page[KecamatanNamed], errors=_ERRORS, security=SIGNED_IN),
)
async def list_kecamatan(request: Request) -> Response:
    """All 35 of both regencies."""
    return await _all(
        request,
        [
            KecamatanNamed(code=area.code, name=area.name, regency=area.regency, lat=area.lat, lon=area.lon)
            for area in gazetteer().kecamatan
        ],
    )


@router.get(
    "/api/v1/rules",
    **describe(summary="The routing rules", returns=Page[RuleRow], errors=_ERRORS, security=SIGNED_IN),
)
async def list_rules(request: Request) -> Response:
    """In their order."""
    return await _all(request, _RULES)


@router.get(
    "/api/v1/sensors",
    **describe(
        summary="Road sensors with their newest reading, by id",
        returns=Page[SensorRow],
        errors=_ERRORS,
        parameters=(LIMIT, CURSOR),
        security=SIGNED_IN,
    ),
)
async def list_sensors(request: Request) -> Response:
    """A page."""
    desk = desk_of(request)
    await desk.access.staff(request)
    limit, after = _page_of(request)
    async with desk.database.connection() as connection:
        found = await device_query.sensors_after(connection, after, limit + 1)
    return _answer([sensor.row() for sensor in found], limit)


@router.get(
    "/api/v1/wifi-nodes",
    **describe(
        summary="Public wifi nodes with their newest beat, by id",
        returns=Page[WifiNodeRow],
        errors=_ERRORS,
        parameters=(LIMIT, CURSOR),
        security=SIGNED_IN,
    ),
)
async def list_wifi_nodes(request: Request) -> Response:
    """A page."""
    desk = desk_of(request)
    await desk.access.staff(request)
    limit, after = _page_of(request)
    async with desk.database.connection() as connection:
        found = await device_query.nodes_after(connection, after, limit + 1)
    return _answer([node.row() for node in found], limit)


async def _all(request: Request, items: Sequence[Record]) -> Response:
    """A list that is always one page."""
    await desk_of(request).access.staff(request)
    given = Parameters(request, ("limit", "cursor"))
    limit, after = given.limit(), given.cursor(NameMark)
    start = int(after.id) if after and after.id.isdecimal() else 0
    page = tuple(items[start : start + limit])
    cursor = cursor_of(NameMark(id=str(start + limit))) if start + limit < len(items) else None
    return private(Page(items=page, next_cursor=cursor))


def _page_of(request: Request) -> tuple[int, str]:
    given = Parameters(request, ("limit", "cursor"))
    after = given.cursor(NameMark)
    return given.limit(), after.id if after else ""


def _answer(found: Sequence[_R], limit: int) -> Response:
    page = tuple(found[:limit])
    cursor = cursor_of(NameMark(id=page[-1].id)) if len(found) > limit else None
    return private(Page(items=page, next_cursor=cursor))


TYPES: Final = (
    Page[Agency],
    Page[CategoryNamed],
    Page[KecamatanNamed],
    Page[RuleRow],
    Page[SensorRow],
    Page[WifiNodeRow],
)
