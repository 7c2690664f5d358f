"""Tickets for the live feed: a signed word of who is coming, so that a feed node asks nobody."""

from datetime import UTC, datetime
from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from dispatcher.desk.resources import desk_of, private
from infra import tickets
from infra.openapi import describe
from infra.tickets import Viewer
from schemas.wire import Record, Timestamp

router = APIRouter(tags=["feed"])


class FeedTicket(Record, frozen=True):
    """Good for 30 seconds, once per feed node."""

    ticket: str
    expires_at: Timestamp


@router.post(
    "/api/v1/feed/ticket",
    **describe(
        summary="A ticket for the feed: one's own view with a session, the public view without",
        returns=FeedTicket,
        errors=(401, 403, 503),
        security=({"cookie": ()}, {"bearer": ()}, {}),
    ),
)
async def feed_ticket(request: Request) -> Response:
    """What it shows is decided here and now, from the account; a body is not read."""
    desk = desk_of(request)
    principal = await desk.access.principal(request)
    viewer = Viewer()
    if principal is not None and principal.is_staff:
        viewer = Viewer(
            role=principal.role,
            subject=principal.name,
            agencies=principal.agencies,
            kecamatan=principal.kecamatan,
            kelurahan=principal.kelurahan,
        )
    ticket, expires_at = tickets.issue(desk.settings.secret_bytes, viewer, datetime.now(UTC))
    return private(FeedTicket(ticket=ticket, expires_at=expires_at))


TYPES: Final = (FeedTicket,)
