"""A citizen's question about the own report, with the code as the only key."""

import time
from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from dispatcher.desk import tracking_query
from dispatcher.desk.query import Parameters
from dispatcher.desk.resources import Desk, came_with_code, desk_of, private, refuse_when_late
from dispatcher.desk.tracked import TrackedReport, label, language_of
from infra import tracking_code
from infra.openapi import describe, parameter
from infra.problem import Problem
from schemas.vocabulary import IncidentStatus

router = APIRouter(tags=["reports"])

_TOO_OFTEN: Final = "Too many codes that we never gave out. Wait a little, then look at your code again."


TRACKING_CODE: Final = parameter(
    "tracking_code", "path", "Case and hyphens do not matter", {"type": "string"}, required=True
)
LANGUAGE: Final = parameter(
    "lang", "query", "Of `status_label`; else Accept-Language", {"type": "string", "enum": ["id", "en"]}
)


@router.get(
    "/api/v1/reports/{tracking_code}",
    **describe(
        summary="How a report is doing, for whoever has its code",
        returns=TrackedReport,
        errors=(404, 422, 429, 503),
        parameters=(TRACKING_CODE, LANGUAGE),
    ),
)
async def track(request: Request) -> Response:
    """Every code given out is answered at once; until the dispatcher has the report it is `new` and `processing`."""
    desk = desk_of(request)
    language = Parameters(request, ("lang",)).language() or language_of(request.headers.get("accept-language"))
    code = checked_code(desk, request, str(request.path_params["tracking_code"]))
    async with desk.database.snapshot() as connection:
        report = await tracking_query.select_by_code(connection, code, language)
    if report is None:
        status = IncidentStatus.NEW
        report = TrackedReport(tracking_code=code, status=status, status_label=label(status, language), processing=True)
    headers = {"Vary": "Accept-Language", "Content-Language": language, "Referrer-Policy": "no-referrer"}
    return private(report, headers)


def checked_code(desk: Desk, request: Request, text: str) -> str:
    """The code as we write it. Raises 404 for one that was never given out, and 429 for who tries many of these."""
    address = desk.address(request)
    refuse_when_late(desk.throttles.wrong_code, address, _TOO_OFTEN)
    code = tracking_code.check(desk.settings.secret_bytes, text, training=desk.settings.training)
    if code is None:
        desk.throttles.wrong_code.take(address, time.monotonic())
        raise Problem(404, "no-such-report", "There is no report with this code. Check its letters and digits.")
    came_with_code(request, code)
    return code


TYPES: Final = (TrackedReport,)
