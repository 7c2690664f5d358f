"""Playback: the board's incidents as they were at a past moment, row by row what the feed was sent."""

from typing import Final

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response

from dispatcher import playback_store
from dispatcher.desk import impersonal
from dispatcher.desk.query import Parameters
from dispatcher.desk.resources import SIGNED_IN, desk_of, scope_of
from infra.openapi import describe, parameter
from infra.problem import invalid
from schemas.incident import IncidentRow
from schemas.wire import Record, Timestamp, encode

router = APIRouter(tags=["board"])

_decode: Final = msgspec.json.Decoder(dict[str, object]).decode


class BoardThen(Record, frozen=True):
    """The rows of that moment, newest change first. Before `known_since` nothing is known."""

    at: Timestamp
    known_since: Timestamp | None
    items: tuple[IncidentRow, ...]


@router.get(
    "/api/v1/board",
    **describe(
        summary="The board's incidents at a past moment, in one's scope",
        returns=BoardThen,
        errors=(401, 403, 422, 503),
        parameters=(
            parameter("at", "query", "That moment; now when left out", {"type": "string", "format": "date-time"}),
        ),
        security=SIGNED_IN,
    ),
)
async def board_then(request: Request) -> Response:
    """Whole: there are no pages. Who reads without personal data sees no officers and no photos, as on the feed."""
    desk = desk_of(request)
    principal = await desk.access.staff(request)
    asked = Parameters(request, ("at",)).time("at")
    scope = scope_of(principal)
    async with desk.database.connection() as connection:
        now = await connection.fetchval("SELECT clock_timestamp()")
        if asked is not None and asked > now:
            raise invalid("at", "this moment has not come yet")
        at = asked or now
        found = await playback_store.select_board(
            connection,
            at,
            agencies=[str(agency) for agency in scope.agencies],
            kecamatan=scope.kecamatan,
            kelurahan=scope.kelurahan,
        )
    rows = found.rows
    if not impersonal.sees_people(principal):
        rows = tuple(_impersonal(row) for row in rows)
    # The rows are JSON already; taking thousands of them apart and together again costs more than finding them.
    body = b'{"at":%b,"known_since":%b,"items":[%b]}' % (encode(at), encode(found.known_since), b",".join(rows))
    return Response(body, headers={"Cache-Control": "no-store"}, media_type="application/json")


def _impersonal(row: bytes) -> bytes:
    return encode({**_decode(row), "officers": [], "photo_url": None})


TYPES: Final = (BoardThen,)
