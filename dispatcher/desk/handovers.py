"""Shift hand-over: written by itself, signed by who gives and by who takes, and kept."""

from datetime import datetime, timedelta
from typing import Final

import msgspec
from fastapi import APIRouter, Request
from msgspec.structs import asdict
from starlette.responses import Response

from dispatcher import audit_store
from dispatcher.decisions.incident import new_id
from dispatcher.desk import handover_content, handover_store, incident_query
from dispatcher.desk.handover_content import HandoverContent, digest_of
from dispatcher.desk.handover_store import HandoverRow
from dispatcher.desk.page import Mark, Page, cursor_of
from dispatcher.desk.query import CURSOR, LIMIT, Parameters
from dispatcher.desk.resources import BODY_ERRORS, SIGNED_IN, STAFF_ERRORS, desk_of, private, scope_of
from infra.access import Principal
from infra.http import answer, read_json
from infra.openapi import describe, parameter
from infra.postgres import Connection
from infra.problem import Problem, invalid
from schemas.vocabulary import Role
from schemas.wire import Identifier, Inbound, Note, Timestamp

router = APIRouter(tags=["handovers"])

#: Who works in shifts at a desk.
MAY: Final = frozenset({Role.AGENT, Role.OPERATOR, Role.SUPERVISOR, Role.DISPATCHER, Role.ADMIN})
#: A shift, when nobody says when it began and none was handed over since yesterday.
_SHIFT: Final = timedelta(hours=8)
#: A hand-over that is older has been forgotten: what follows is not one shift.
_LONGEST: Final = timedelta(hours=24)

_ID: Final = (parameter("handover_id", "path", "Its id", {"type": "string"}, required=True),)


class GiveHandover(Inbound, frozen=True):
    """Hand over to somebody of the same scope; `since` as for what is shown before."""

    taker: Identifier
    since: Timestamp | None = None
    note: Note | None = None


class TakeHandover(Inbound, frozen=True):
    """Read and taken over."""

    remark: Note | None = None


class Handover(HandoverRow, frozen=True):
    """A hand-over with what it tells."""

    content: HandoverContent


@router.get(
    "/api/v1/handover",
    **describe(
        summary="What a hand-over would tell now: open, at risk, on hold, officers out, notes, what changed",
        returns=HandoverContent,
        errors=(*STAFF_ERRORS, 422),
        parameters=(
            parameter(
                "since",
                "query",
                "When the shift began; the last hand-over of this scope when left out, else 8 h ago",
                {"type": "string", "format": "date-time"},
            ),
        ),
        security=SIGNED_IN,
    ),
)
async def preview(request: Request) -> Response:
    """Of one's scope."""
    desk = desk_of(request)
    principal = await desk.staff(request, MAY)
    since = Parameters(request, ("since",)).time("since")
    async with desk.database.snapshot() as connection:
        content = await _content(connection, principal, since)
    return private(content)


@router.post(
    "/api/v1/handovers",
    **describe(
        summary="Hand over: what is told is kept as it is now, signed by me",
        body=GiveHandover,
        returns=Handover,
        status=201,
        errors=(*BODY_ERRORS, *STAFF_ERRORS),
        security=SIGNED_IN,
    ),
)
async def give(request: Request) -> Response:
    """To be signed by the taker (`take`)."""
    desk = desk_of(request)
    principal = await desk.staff(request, MAY)
    body = await read_json(request, GiveHandover)
    # Of one moment, which a transaction that writes does not see.
    async with desk.database.snapshot() as connection:
        content = await _content(connection, principal, body.since)
    async with desk.database.transaction() as connection:
        taker = body.taker.strip().lower()
        await _require_taker(connection, principal, taker)
        kept = msgspec.to_builtins(content)
        made = HandoverRow(
            id=new_id("HND"),
            agencies=principal.agencies,
            since=content.since,
            giver=principal.name,
            given_at=await connection.fetchval("SELECT clock_timestamp()"),
            taker=taker,
            taken_at=None,
            note=body.note or "",
            remark=None,
            digest=digest_of(kept),
        )
        await handover_store.insert(connection, made, kept)
        await _sign(connection, principal, "handover_given", made)
    return answer(_whole(made, kept), 201, headers={"Cache-Control": "no-store"})


@router.post(
    "/api/v1/handovers/{handover_id}/take",
    **describe(
        summary="Take over: signed by me too",
        body=TakeHandover,
        body_required=False,
        returns=Handover,
        errors=(*BODY_ERRORS, *STAFF_ERRORS, 404, 409),
        parameters=_ID,
        security=SIGNED_IN,
    ),
)
async def take(request: Request) -> Response:
    """By the one whom it was given to, once."""
    desk = desk_of(request)
    principal = await desk.staff(request, MAY)
    body = await read_json(request, TakeHandover, without=TakeHandover())
    async with desk.database.transaction() as connection:
        found = await _find(connection, request)
        if found[0].taker != principal.name:
            raise Problem(403, "not-yours", "This was handed over to somebody else.")
        now = await connection.fetchval("SELECT clock_timestamp()")
        taken = await handover_store.take(connection, found[0].id, now, body.remark)
        if taken is None:
            raise Problem(409, "taken", "You have taken this over already.")
        await _sign(connection, principal, "handover_taken", taken)
    return private(_whole(taken, found[1]))


@router.get(
    "/api/v1/handovers",
    **describe(
        summary="Hand-overs in one's scope, newest first",
        returns=Page[HandoverRow],
        errors=(*STAFF_ERRORS, 422),
        parameters=(LIMIT, CURSOR),
        security=SIGNED_IN,
    ),
)
async def list_handovers(request: Request) -> Response:
    """A page."""
    desk = desk_of(request)
    await desk.staff(request, MAY)
    given = Parameters(request, ("limit", "cursor"))
    limit, after = given.limit(), given.cursor(Mark)
    async with desk.database.connection() as connection:
        found = await handover_store.select_page(connection, after, limit + 1)
    page = tuple(found[:limit])
    cursor = cursor_of(Mark(updated_at=page[-1].given_at, id=page[-1].id)) if len(found) > limit else None
    return private(Page(items=page, next_cursor=cursor))


@router.get(
    "/api/v1/handovers/{handover_id}",
    **describe(
        summary="One hand-over, as it was signed",
        returns=Handover,
        errors=(*STAFF_ERRORS, 404),
        parameters=_ID,
        security=SIGNED_IN,
    ),
)
async def get_handover(request: Request) -> Response:
    """404 outside one's scope."""
    desk = desk_of(request)
    await desk.staff(request, MAY)
    async with desk.database.connection() as connection:
        return private(_whole(*await _find(connection, request)))


async def _find(connection: Connection, request: Request) -> tuple[HandoverRow, object]:
    text = str(request.path_params["handover_id"])
    found = await handover_store.select(connection, text) if incident_query.is_id(text) else None
    if found is None:
        raise Problem(404, "no-such-handover", "There is no such hand-over in your scope.")
    return found


async def _content(connection: Connection, principal: Principal, since: datetime | None) -> HandoverContent:
    now = await connection.fetchval("SELECT now()")
    if since is None:
        last = await handover_store.last_given(connection, principal.agencies, now - _LONGEST)
        since = last or now - _SHIFT
    if since > now or since < now - _LONGEST * 7:
        raise invalid("since", "a time in the last 7 days")
    return await handover_content.select_content(connection, scope_of(principal), since)


async def _require_taker(connection: Connection, principal: Principal, taker: str) -> None:
    """422 unless it is somebody else who works at such a desk with the same scope."""
    row = await connection.fetchrow(
        "SELECT role, agencies, kecamatan FROM account WHERE username = $1 AND disabled_at IS NULL", taker
    )
    mine = sorted(map(str, principal.agencies))
    fits = row is not None and row["role"] in MAY and sorted(row["agencies"]) == mine
    if taker == principal.name or not fits:
        raise invalid("taker", "somebody else whose account has the scope of yours")


async def _sign(connection: Connection, principal: Principal, action: str, made: HandoverRow) -> None:
    """The signature: that this person, signed in, has done this with just this content, in the audit's chain."""
    await audit_store.record(
        connection, actor=principal.name, action=action, subject=f"handover:{made.id}", detail={"digest": made.digest}
    )


def _whole(row: HandoverRow, content: object) -> Handover:
    return Handover(**asdict(row), content=msgspec.convert(content, HandoverContent))


TYPES: Final = (HandoverContent, Handover, Page[HandoverRow], GiveHandover, TakeHandover)
