"""The officer's day: what one is asked to do, and the verbs that say how it goes."""

from collections.abc import Mapping
from typing import Any, Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from dispatcher import assignment_store, incident_store
from dispatcher.decisions import assignment, proof
from dispatcher.decisions.assignment import Assignment, IllegalStep, Phone, legal_verbs
from dispatcher.decisions.incident import IllegalMove
from dispatcher.decisions.proof import Done
from dispatcher.desk import assignment_query, incident_query, receipts
from dispatcher.desk import metrics as desk_metrics
from dispatcher.desk.command import PhotoIds, attach_photos
from dispatcher.desk.page import Mark, Page, cursor_of
from dispatcher.desk.query import CURSOR, LIMIT, Parameters
from dispatcher.desk.reach import open_incidents
from dispatcher.desk.receipts import Asked, OtherBody, Receipt
from dispatcher.desk.resources import BODY_ERRORS, SIGNED_IN, STAFF_ERRORS, desk_of, private, role_of
from dispatcher.offers import open_asking
from infra.http import read_json
from infra.openapi import describe, parameter
from infra.postgres import Connection
from infra.problem import Problem, invalid
from infra.trace import traceparent_of
from schemas.assignment import AssignmentRow
from schemas.incident import IncidentRow
from schemas.vocabulary import AssignmentStatus, Role
from schemas.wire import Inbound, Latitude, Longitude, Note, Timestamp, encode

router = APIRouter(tags=["assignments"])

#: Who sees assignments: an officer the own ones, the others those of their agencies.
READERS: Final = frozenset({Role.OFFICER, Role.DISPATCHER, Role.OPERATOR, Role.SUPERVISOR, Role.ADMIN})
_MAX_KEY: Final = 200
#: What ends an assignment without the officer's doing.
_ENDED_BY_OTHERS: Final = frozenset({AssignmentStatus.EXPIRED, AssignmentStatus.RELEASED})


class AssignmentDetail(AssignmentRow, frozen=True, kw_only=True):
    """An assignment with the incident it is about, as an officer needs both."""

    incident: IncidentRow
    #: The verbs that its status allows.
    legal: tuple[str, ...]


class FromPhone(Inbound, frozen=True):
    """What the phone says of itself: its clock and where it is. A phone that says nothing acts now, at no place."""

    at: Timestamp | None = None
    lat: Latitude | None = None
    lon: Longitude | None = None

    @property
    def phone(self) -> Phone:
        """The same for the core. Raises 422 for half a place."""
        if (self.lat is None) != (self.lon is None):
            raise invalid("lon" if self.lon is None else "lat", "lat and lon come together")
        return Phone(at=self.at, lat=self.lat, lon=self.lon)


class Decline(FromPhone, frozen=True, kw_only=True):
    """Not possible, and why."""

    reason: Note


class Complete(FromPhone, frozen=True, kw_only=True):
    """Done, and what was done."""

    note: Note
    photo_ids: PhotoIds = ()


_PARAMETERS: Final = (
    parameter(
        "status",
        "query",
        "Any of these",
        {"type": "array", "items": {"type": "string", "enum": list(AssignmentStatus)}},
    ),
    LIMIT,
    CURSOR,
)


@router.get(
    "/api/v1/assignments",
    **describe(
        summary="Assignments, newest change first: an officer's own, for others those of their agencies",
        returns=Page[AssignmentDetail],
        errors=(*STAFF_ERRORS, 422),
        parameters=_PARAMETERS,
        security=SIGNED_IN,
    ),
)
async def list_assignments(request: Request) -> Response:
    """A page, each with its incident."""
    desk = desk_of(request)
    principal = await desk.staff(request, READERS)
    given = Parameters(request, [str(one["name"]) for one in _PARAMETERS])
    limit = given.limit()
    async with desk.database.snapshot() as connection:
        found = await assignment_query.select_page(
            connection,
            officer=principal.name if role_of(principal) is Role.OFFICER else None,
            agencies=principal.agencies,
            kecamatan=principal.kecamatan,
            statuses=given.members("status", AssignmentStatus),
            after=given.cursor(Mark),
            limit=limit + 1,
        )
        page = found[:limit]
        incidents = await incident_query.select_rows(connection, sorted({one.incident_id for one in page}))
    items = tuple(_detail(one, incidents[one.incident_id]) for one in page)
    more = len(found) > limit
    cursor = cursor_of(Mark(updated_at=page[-1].updated_at, id=page[-1].id)) if more else None
    return private(Page(items=items, next_cursor=cursor))


def _described(summary: str, body: type[FromPhone]) -> Mapping[str, Any]:
    return describe(
        summary=summary,
        body=body,
        body_required=body is not FromPhone,
        returns=AssignmentDetail,
        errors=(*BODY_ERRORS, *STAFF_ERRORS, 404, 409),
        parameters=(
            parameter("assignment_id", "path", "Its id", {"type": "string"}, required=True),
            parameter(
                "Idempotency-Key",
                "header",
                "A repeat with the same key and body is answered as the first was; kept 7 days",
                {"type": "string", "minLength": 1, "maxLength": 200},
            ),
        ),
        security=SIGNED_IN,
    )


@router.post("/api/v1/assignments/{assignment_id}/accept", **_described("Say yes to an offer", FromPhone))
async def accept(request: Request) -> Response:
    """The incident is in progress, the officer busy."""
    return await _act(request, "accept", FromPhone)


@router.post("/api/v1/assignments/{assignment_id}/decline", **_described("Say no, or hand it back", Decline))
async def decline(request: Request) -> Response:
    """When nobody else is on it, the incident is the agency's again."""
    return await _act(request, "decline", Decline)


@router.post("/api/v1/assignments/{assignment_id}/depart", **_described("Be on the way", FromPhone))
async def depart(request: Request) -> Response:
    """May be left out."""
    return await _act(request, "depart", FromPhone)


@router.post("/api/v1/assignments/{assignment_id}/arrive", **_described("Be there", FromPhone))
async def arrive(request: Request) -> Response:
    """On the scene."""
    return await _act(request, "arrive", FromPhone)


@router.post("/api/v1/assignments/{assignment_id}/complete", **_described("Be done", Complete))
async def complete(request: Request) -> Response:
    """When it was the last active one, the incident is resolved. What is doubtful about photo, place or time is
    flagged to the shift lead, never refused."""
    return await _act(request, "complete", Complete)


async def _act(request: Request, verb: str, kind: type[FromPhone]) -> Response:
    """One verb: incident, assignment and officer in this order are locked, moved and saved in one transaction."""
    desk = desk_of(request)
    principal = await desk.staff(request, {Role.OFFICER})
    key = _key_of(request)
    body = await read_json(request, kind, without=FromPhone() if kind is FromPhone else None)
    phone = body.phone
    assignment_id = str(request.path_params["assignment_id"])
    asked = Asked.of(f"assignments/{assignment_id}/{verb}", principal.name, key, encode(body)) if key else None
    trace = traceparent_of(request)
    async with desk.database.transaction() as connection:
        incident_id = await _incident_of(connection, assignment_id, principal.name)
        # Its own, wherever it lies by now.
        await open_incidents(connection, [incident_id])
        incident = (await incident_store.select_for_update(connection, [incident_id]))[incident_id]
        if asked and (receipt := await _receipt(connection, asked)):
            return _answered(receipt)
        now = await connection.fetchval("SELECT clock_timestamp()")
        asking = await open_asking(connection, incident, now, trace)
        mine = asking.one(assignment_id)
        try:
            moved = await asking.answer(
                mine,
                assignment.VERBS[verb],
                principal.name,
                phone=phone,
                reason=body.reason if isinstance(body, Decline) else None,
                note=body.note if isinstance(body, Complete) else None,
                photo_ids=body.photo_ids if isinstance(body, Complete) else (),
            )
        except (IllegalStep, IllegalMove) as error:
            raise await _refused(connection, mine, error) from error
        shown: Done | None = None
        if isinstance(body, Complete):
            sent = await attach_photos(desk, connection, incident_id, body.photo_ids, principal.name, now)
            shown = Done(now, [one.uploaded_at for one in sent], mine.offered_at, phone.at, phone.lat, phone.lon)
        (change,) = await asking.finish()
        if shown:
            change = proof.shown(change, proof.judge(incident, shown))
        (saved,) = await incident_store.save(connection, [change])
        done = Receipt(200, encode(_detail(moved, saved.after.row())))
        if asked:
            await receipts.keep(connection, asked, done)
    desk_metrics.COMMANDS.labels(verb).inc()
    return _answered(done)


def _answered(receipt: Receipt) -> Response:
    headers = {"Cache-Control": "no-store"}
    return Response(receipt.body, receipt.status, headers=headers, media_type="application/json")


async def _refused(connection: Connection, mine: Assignment, error: Exception) -> Problem:
    """409; of an offer that has ended meanwhile, why: a phone that was offline learns it only now."""
    why = f"{str(error).capitalize()}."
    if mine.status in _ENDED_BY_OTHERS:
        last = await assignment_store.select_last_step(connection, mine.id)
        ended = "was not answered in time" if mine.status is AssignmentStatus.EXPIRED else "was taken back"
        because = f" ({last.reason})" if last and last.reason else ""
        why = f"This {ended} at {mine.updated_at:%Y-%m-%dT%H:%M:%SZ}{because}. Drop what you have queued for it."
    return Problem(409, "illegal-move", why, current_version=mine.version, legal=legal_verbs(mine))


def _key_of(request: Request) -> str | None:
    key = request.headers.get("idempotency-key")
    if key is None or (0 < len(key) <= _MAX_KEY and key.isascii() and key.isprintable() and not key.isspace()):
        return key
    raise invalid("Idempotency-Key", f"1 to {_MAX_KEY} printable ASCII characters")


async def _incident_of(connection: Connection, assignment_id: str, officer: str) -> str:
    """Whose incident it is, unlocked: it never changes. 404 for an assignment that is not the officer's own."""
    found = None
    if incident_query.is_id(assignment_id):
        found = await assignment_store.select(connection, assignment_id)
    if found is None or found.officer != officer:
        raise Problem(404, "no-such-assignment", "There is no such assignment of yours.")
    return found.incident_id


async def _receipt(connection: Connection, asked: Asked) -> Receipt | None:
    try:
        return await receipts.find(connection, asked)
    except OtherBody as error:
        raise Problem(
            409, "idempotency-key", "This Idempotency-Key was used with another body. Use a new one."
        ) from error


def _detail(one: Assignment, incident: IncidentRow) -> AssignmentDetail:
    row = one.row()
    return AssignmentDetail(
        **{name: getattr(row, name) for name in row.__struct_fields__}, incident=incident, legal=legal_verbs(one)
    )


TYPES: Final = (Page[AssignmentDetail], FromPhone, Decline, Complete)
