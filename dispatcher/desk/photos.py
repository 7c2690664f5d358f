"""Photos of reports and of staff: for staff in whose scope their incident is, for who sent one, for who has a code."""

from hashlib import sha256
from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from dispatcher import incident_store
from dispatcher.desk import impersonal, incident_query, tracking_query
from dispatcher.desk.query import Parameters
from dispatcher.desk.resources import SIGNED_IN, Desk, desk_of, scope_of
from dispatcher.desk.tracking import checked_code
from infra.openapi import describe, parameter
from infra.photos import CONTENT_TYPE, PhotoSize
from infra.problem import Problem, unavailable
from infra.staff_photos import StaffPhoto

router = APIRouter(tags=["photos"])

#: Kept by this one browser, and asked for again each time: whoever loses the right to see it, loses it at once.
_CACHE: Final = "private, no-cache"


_DESCRIBED: Final = describe(
    summary="A photo of a report, or one that staff sent: attached to an incident, or one's own",
    content={CONTENT_TYPE: {"schema": {"type": "string", "format": "binary"}}},
    errors=(401, 404, 422, 429, 503),
    parameters=(
        parameter("photo_id", "path", "Its id", {"type": "string"}, required=True),
        parameter("size", "query", "`full` when left out", {"type": "string", "enum": list(PhotoSize)}),
        parameter(
            "code",
            "query",
            "In place of a session: a report's tracking code, for its photos and those of its public answer",
            {"type": "string"},
        ),
        parameter("If-None-Match", "header", "ETags that the asker has", {"type": "string"}),
    ),
    security=(*SIGNED_IN, {}),
)
_DESCRIBED["responses"][304] = {"description": "The asker has it already"}


@router.get("/api/v1/photos/{photo_id}", **_DESCRIBED)
async def get_photo(request: Request) -> Response:
    """JPEG with a strong ETag; 304 when the asker has it already."""
    desk = desk_of(request)
    given = Parameters(request, ("size", "code"))
    size = given.member("size", PhotoSize) or PhotoSize.FULL
    photo_id = str(request.path_params["photo_id"])
    await _require_right(desk, request, photo_id, given.one("code"))
    try:
        data = await desk.photos.read(photo_id, size)
    except OSError as error:
        raise _away() from error
    if data is None:
        raise _no_such_photo()
    etag = f'"{sha256(data).hexdigest()}"'
    headers = {"ETag": etag, "Cache-Control": _CACHE, "X-Content-Type-Options": "nosniff"}
    if _has_it(request, etag):
        return Response(status_code=304, headers=headers)
    return Response(data, headers=headers, media_type=CONTENT_TYPE)


async def _require_right(desk: Desk, request: Request, photo_id: str, code: str | None) -> None:
    """404 unless the code or the session opens this photo; 401 without either."""
    if not incident_query.is_id(photo_id):
        raise _no_such_photo()
    if code is not None:
        known = checked_code(desk, request, code)
        async with desk.database.connection() as connection:
            if await tracking_query.code_opens(connection, known, photo_id):
                return
        sent = await _find(desk, photo_id)
        if sent is not None and sent.incident_id is not None:
            async with desk.database.connection() as connection:
                if await tracking_query.answer_shows(connection, known, sent.incident_id, photo_id):
                    return
        raise _no_such_photo()
    principal = await desk.access.staff(request)
    sent = await _find(desk, photo_id)
    if sent is not None and sent.uploaded_by == principal.name:
        return
    async with desk.database.connection() as connection:
        if sent is None:
            incident_id = await incident_query.select_incident_of_photo(connection, photo_id)
        else:
            incident_id = sent.incident_id
        incident = await incident_store.select(connection, incident_id) if incident_id else None
    if incident is None or not scope_of(principal).covers(incident) or not impersonal.sees_people(principal):
        raise _no_such_photo()


async def _find(desk: Desk, photo_id: str) -> StaffPhoto | None:
    try:
        return await desk.staff_photos.find(photo_id)
    except OSError as error:
        raise _away() from error


def _away() -> Problem:
    return unavailable("Photos cannot be read at the moment. Try again.")


def _no_such_photo() -> Problem:
    return Problem(404, "no-such-photo", "There is no such photo for you.")


def _has_it(request: Request, etag: str) -> bool:
    known = [part.strip().removeprefix("W/") for part in request.headers.get("if-none-match", "").split(",")]
    return etag in known or "*" in known


TYPES: Final[tuple[type, ...]] = ()
