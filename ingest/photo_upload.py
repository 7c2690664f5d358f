"""`POST /api/v1/photos`: one photo of a member of staff, for what they are about to say of an incident."""

import asyncio
from datetime import UTC, datetime

import structlog
from fastapi import APIRouter, Request
from starlette.responses import Response

from infra.http import Body, PlainRoute, answer
from infra.openapi import describe
from infra.problem import Problem, invalid, too_many, unavailable
from ingest.form import ONE_PHOTO, Form, is_form, read_form
from ingest.intake import Intake, intake_of
from ingest.patience import Patience
from ingest.uploads import Upload
from schemas.wire import Record

log = structlog.get_logger()
router = APIRouter(tags=["photos"], route_class=PlainRoute)


class PhotoKept(Record, frozen=True):
    """The photo's id, for `photo_ids` of the same person's `resolve` or `complete`."""

    photo_id: str


@router.post(
    "/api/v1/photos",
    **describe(
        summary="Send a photo to attach to what you resolve or complete next; unused, it is forgotten after 48 h",
        body_content={
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["photo"],
                    "additionalProperties": False,
                    "properties": {"photo": {"type": "string", "format": "binary", "description": "at most 10 MiB"}},
                },
                "encoding": {"photo": {"contentType": "image/jpeg, image/png, image/webp, image/heic"}},
            },
        },
        returns=PhotoKept,
        status=201,
        errors=(400, 401, 403, 408, 413, 415, 422, 429, 503),
        security=({"bearer": []}, {"cookie": []}),
    ),
)
async def upload(request: Request) -> Response:
    """Kept means that the re-encoded photo is on disk."""
    intake = intake_of(request)
    patience = Patience()
    with patience.counted():
        sender = await intake.access.staff(request)
    wait = intake.throttles.staff.take(sender.name, asyncio.get_running_loop().time())
    if wait > 0:
        raise too_many("Too many photos and reports from you. Wait a little.", retry_after_s=int(wait) + 1)
    if not is_form(request):
        raise await Body(request).refused(Problem(415, "media-type", "Send multipart/form-data with one photo part."))
    with Form() as form:
        await read_form(request, form, intake.uploads, ONE_PHOTO)
        [photo] = form.photos
        if photo.size == 0:
            raise invalid("photo.0", "is empty")
        return answer(PhotoKept(photo_id=await _keep(intake, photo, sender.name, patience)), 201)


async def _keep(intake: Intake, photo: Upload, by: str, patience: Patience) -> str:
    with intake.workers.admit(1) as admission:
        [encoded] = await admission.encode([photo.path])
    try:
        async with patience.limit():
            return await intake.staff_photos.keep(by, datetime.now(UTC), encoded.full, encoded.thumbnail)
    except OSError as error:
        log.warning("object_store_away", error=type(error).__name__)
        raise unavailable("Photos cannot be kept right now. Nothing was taken; try again.") from error
