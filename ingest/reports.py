"""`POST /api/v1/reports`: a citizen's report as JSON, or as a form with photos."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from infra.access import DeviceScope, Principal
from infra.http import Body, PlainRoute, answer, decode_json, is_json, read_body
from infra.openapi import describe, parameter
from infra.problem import Problem, invalid, too_many
from infra.throttle import Throttle, client_address
from infra.trace import traceparent_of
from ingest import metrics
from ingest.form import MAX_PHOTOS, MAX_REPORT_BYTES, Form, is_form, read_form
from ingest.idempotency import MAX_LENGTH, check_key
from ingest.intake import Intake, intake_of
from ingest.metrics import Outcome
from ingest.patience import Patience
from ingest.submission import Submission
from ingest.uploads import Upload
from schemas.report import ReportDraft, ReportReceipt
from schemas.vocabulary import ReportChannel

router = APIRouter(tags=["reports"], route_class=PlainRoute)

_STAFF_CHANNELS: Final = frozenset({ReportChannel.CALL_CENTER, ReportChannel.POC})
#: A phone set to the wrong time zone errs by up to 14 hours, and its owner's report is welcome all the same: the time
#: is kept beside and never trusted. What is further ahead, or older than the web, is no time of an event.
_MAX_AHEAD: Final = timedelta(hours=14)
_EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)


@router.post(
    "/api/v1/reports",
    **describe(
        summary="Send a report, with up to 5 photos",
        body_content={
            "application/json": {"schema": {"$ref": "#/components/schemas/ReportDraft"}},
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["report"],
                    "additionalProperties": False,
                    "properties": {
                        "report": {"$ref": "#/components/schemas/ReportDraft"},
                        "photo": {
                            "type": "array",
                            "maxItems": MAX_PHOTOS,
                            "items": {"type": "string", "format": "binary", "description": "at most 10 MiB each"},
                        },
                    },
                },
                "encoding": {
                    "report": {"contentType": "application/json"},
                    "photo": {"contentType": "image/jpeg, image/png, image/webp, image/heic"},
                },
            },
        },
        returns=ReportReceipt,
        status=202,
        errors=(400, 401, 403, 408, 409, 413, 415, 422, 429, 503),
        parameters=(
            parameter(
                "Idempotency-Key",
                "header",
                "The same key with the same body gets the same answer for 7 days",
                {"type": "string", "minLength": 1, "maxLength": MAX_LENGTH},
            ),
        ),
        security=({}, {"bearer": []}, {"cookie": []}),
    ),
)
async def submit(request: Request) -> Response:
    """Taken means that Kafka has it on all in-sync replicas."""
    intake = intake_of(request)
    try:
        return answer(await _submit(request, intake), 202)
    except Problem as problem:
        if problem.status < 500:
            metrics.REPORTS.labels(Outcome.REFUSED).inc()
        raise


async def _submit(request: Request, intake: Intake) -> ReportReceipt:
    patience = Patience()
    with patience.counted():
        sender = await intake.access.principal(request)
    throttle, caller = _limit_of(request, intake, sender)
    now = asyncio.get_running_loop().time()
    _refuse_after(throttle.wait(caller, now))
    key = check_key(request.headers.get("idempotency-key"))
    if is_json(request):
        draft = decode_json(await read_body(request, MAX_REPORT_BYTES), ReportDraft)
        return await _take(request, intake, sender, key, draft, [], patience)
    if is_form(request):
        with Form() as form:
            await read_form(request, form, intake.uploads)
            draft = decode_json(form.report, ReportDraft)
            return await _take(request, intake, sender, key, draft, form.photos, patience)
    raise await Body(request).refused(
        Problem(415, "media-type", "Send application/json in UTF-8, or multipart/form-data with a report part.")
    )


async def _take(
    request: Request,
    intake: Intake,
    sender: Principal | None,
    key: str | None,
    draft: ReportDraft,
    photos: list[Upload],
    patience: Patience,
) -> ReportReceipt:
    at = datetime.now(UTC)
    check_report(draft, sender, at)
    for number, photo in enumerate(photos):
        if photo.size == 0:
            raise invalid(f"photo.{number}", "is empty")
    # Only a report that could be taken counts against the limit; a form that was filled in wrongly does not.
    throttle, caller = _limit_of(request, intake, sender)
    _refuse_after(throttle.take(caller, asyncio.get_running_loop().time()))
    return await intake.submissions.take(
        Submission(draft, photos, None if sender is None else sender.name, key, at, traceparent_of(request), patience)
    )


def check_report(draft: ReportDraft, sender: Principal | None, now: datetime) -> None:
    """The rules that one field alone cannot show. Raises 401, 403 or 422."""
    if (draft.lat is None) != (draft.lon is None):
        raise invalid("lon" if draft.lon is None else "lat", "lat and lon go together")
    if draft.lat is None and draft.address is None:
        raise invalid("address", "a place is required: lat and lon, or an address")
    if draft.observed_at is not None and not _EARLIEST <= draft.observed_at <= now + _MAX_AHEAD:
        raise invalid("observed_at", "not a time at which somebody could have seen it")
    if draft.channel in _STAFF_CHANNELS and (sender is None or not sender.is_staff):
        if sender is None:
            raise Problem(401, "sign-in", "Sign in to send reports of the call center or the operations room.")
        raise Problem(403, "channel", "A device key cannot send reports of the call center or the operations room.")


def _limit_of(request: Request, intake: Intake, sender: Principal | None) -> tuple[Throttle, str]:
    """How often the sender may report, and under which name that is counted."""
    if sender is None:
        return intake.throttles.anonymous, client_address(request, intake.settings.trusted_proxies)
    if sender.is_staff:
        return intake.throttles.staff, sender.name
    if DeviceScope.REPORTS not in sender.device_scopes:
        raise Problem(403, "device-scope", f"This key does not have the scope {DeviceScope.REPORTS}.")
    return intake.throttles.devices, sender.name


def _refuse_after(seconds: float) -> None:
    if seconds > 0:
        raise too_many("Too many reports from here. Wait, or sign in.", retry_after_s=int(seconds) + 1)
