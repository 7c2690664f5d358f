"""Why work may wait: the words of `hold`, for screens."""

from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from dispatcher.decisions.hold import REASONS
from dispatcher.desk.page import Page
from dispatcher.desk.resources import SIGNED_IN, desk_of, private
from infra.openapi import describe
from schemas.wire import Record

router = APIRouter(tags=["reference"])


class HoldReason(Record, frozen=True):
    """A reason that citizens may read. With `stops_clock` the promise waits too."""

    code: str
    name_id: str
    name_en: str
    stops_clock: bool


_REASONS: Final = Page(
    items=tuple(
        HoldReason(code=code, name_id=one.name, name_en=one.name_en, stops_clock=one.stops_clock)
        for code, one in REASONS.items()
    ),
    next_cursor=None,
)


@router.get(
    "/api/v1/hold-reasons",
    **describe(
        summary="Reasons to put an incident on hold",
        returns=Page[HoldReason],
        errors=(401, 503),
        security=SIGNED_IN,
    ),
)
async def list_hold_reasons(request: Request) -> Response:
    """All of them."""
    await desk_of(request).access.staff(request)
    return private(_REASONS)


TYPES: Final = (Page[HoldReason],)
