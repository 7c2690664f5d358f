"""Reference data for screens that nobody edits: kecamatan, and the devices with their newest reading."""

from collections.abc import Sequence
from typing import Final, TypeVar

from fastapi import APIRouter, Request
from starlette.responses import Response

from dispatcher.desk import device_query
from dispatcher.desk.page import NameMark, Page, cursor_of
from dispatcher.desk.query import CURSOR, LIMIT, Parameters
from dispatcher.desk.resources import SIGNED_IN, desk_of, private
from infra.openapi import describe
from schemas.feed import SensorRow, WifiNodeRow
from schemas.gazetteer import gazetteer
from schemas.vocabulary import Regency
from schemas.wire import Record

router = APIRouter(tags=["reference"])


class KecamatanNamed(Record, frozen=True):
    """A kecamatan with its centre (WGS 84)."""

    code: str
    name: str
    regency: Regency
    lat: float
    lon: float


_R = TypeVar("_R", SensorRow, WifiNodeRow)
_ERRORS: Final = (401, 422, 503)


@router.get(
    "/api/v1/kecamatan",
    **describe(summary="The kecamatan", returns=Page[KecamatanNamed], errors=_ERRORS, security=SIGNED_IN),
)
async def list_kecamatan(request: Request) -> Response:
    """All 35 of both regencies."""
    await desk_of(request).access.staff(request)
    return page_of_all(
        request,
        [
            KecamatanNamed(code=area.code, name=area.name, regency=area.regency, lat=area.lat, lon=area.lon)
            for area in gazetteer().kecamatan
        ],
    )


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


def page_of_all(request: Request, items: Sequence[Record]) -> Response:
    """A page of a list that is known whole."""
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


TYPES: Final = (Page[KecamatanNamed], Page[SensorRow], Page[WifiNodeRow])
