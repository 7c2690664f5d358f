"""What somebody was told: read and acknowledged; in which language it comes, to which browsers, and when to nobody."""

from typing import Annotated, Final

from fastapi import APIRouter, Request
from msgspec import Meta
from starlette.responses import Response

from dispatcher import audit_store, notification_store, policy_store, subscription_store
from dispatcher.decisions.notify_text import Language, Said, words
from dispatcher.decisions.telling import Audience, Manner
from dispatcher.desk.page import Mark, Page, cursor_of
from dispatcher.desk.query import CURSOR, LIMIT, Parameters
from dispatcher.desk.resources import BODY_ERRORS, SIGNED_IN, STAFF_ERRORS, Desk, desk_of, private
from dispatcher.desk.tracking import LANGUAGE, TRACKING_CODE, checked_code
from dispatcher.notification_store import Shown
from dispatcher.push_services import is_push_service, public_key
from dispatcher.subscription_store import Subscription, of_code, of_user
from infra.http import answer, read_json
from infra.openapi import describe, parameter
from infra.postgres import Connection
from infra.problem import Problem, invalid
from schemas.vocabulary import Role
from schemas.wire import Inbound, Note, Record, Timestamp

router = APIRouter(tags=["notifications"])

#: Who says how people are told.
WRITERS: Final = frozenset({Role.SUPERVISOR, Role.ADMIN})
#: Of a cursor: behind it are those that were read, too.
_READ: Final = "read:"


class NotificationRow(Record, frozen=True):
    """One thing that somebody was told."""

    id: str
    #: What it is: `offer`, `overdue`, `escalated` …
    kind: str
    subject: str
    text: str
    incident_id: str
    assignment_id: str | None
    urgent: bool
    created_at: Timestamp
    #: Since when, and by whom, it is taken care of; of an escalation that may be somebody else.
    acknowledged_at: Timestamp | None
    acknowledged_by: str | None


Endpoint = Annotated[str, Meta(min_length=8, max_length=1000, pattern=r"^https?://[!-~]+$(?!\n)")]
#: base64url, as browsers write keys.
Key = Annotated[str, Meta(min_length=16, max_length=200, pattern=r"^[A-Za-z0-9_-]+=*$(?!\n)")]


class PushKeys(Inbound, frozen=True):
    """Of `PushSubscription.toJSON()`."""

    p256dh: Key
    auth: Key


class PutPushSubscription(Inbound, frozen=True):
    """A browser's `PushSubscription.toJSON()`, and in which language it is told."""

    endpoint: Endpoint
    keys: PushKeys
    #: As browsers write it: milliseconds since 1970. Whoever is gone is dropped all the same.
    expirationTime: float | None = None
    language: Language | None = None


class EndPushSubscription(Inbound, frozen=True):
    """Which browser."""

    endpoint: Endpoint


class PushSubscriptionRow(Record, frozen=True):
    """A browser that is told."""

    id: str


class NotificationSettings(Inbound, frozen=True):
    """How somebody wants to be told."""

    language: Language


class PushKey(Record, frozen=True):
    """What browsers subscribe with."""

    #: base64url of the uncompressed point: `applicationServerKey`.
    public_key: str


class TellingTable(Record, frozen=True):
    """Quiet hours, bundling and patience for each audience."""

    staff: Manner
    officer: Manner
    reporter: Manner


class PutTelling(Inbound, frozen=True):
    """The table as it is to be, and why."""

    staff: Manner
    officer: Manner
    reporter: Manner
    why: Note | None = None


_PARAMETERS: Final = (
    parameter("unread", "query", "Only those that nobody has acknowledged, or only the others", {"type": "boolean"}),
    LANGUAGE,
    LIMIT,
    CURSOR,
)
_ID: Final = parameter("notification_id", "path", "Its id", {"type": "string"}, required=True)
_MY_SUBSCRIPTIONS: Final = "/api/v1/me/push-subscriptions"
_ITS_SUBSCRIPTIONS: Final = "/api/v1/reports/{tracking_code}/push-subscriptions"


@router.get(
    "/api/v1/notifications",
    **describe(
        summary="What I was told, unread first, then the newest",
        returns=Page[NotificationRow],
        errors=(*STAFF_ERRORS, 422),
        parameters=_PARAMETERS,
        security=SIGNED_IN,
    ),
)
async def list_notifications(request: Request) -> Response:
    """A page; in the language that is asked for, else in one's own."""
    desk = desk_of(request)
    principal = await desk.access.staff(request)
    given = Parameters(request, [str(one["name"]) for one in _PARAMETERS])
    limit, mark, asked = given.limit(), given.cursor(Mark), given.language()
    after = (mark.id.startswith(_READ), mark.updated_at, mark.id.removeprefix(_READ)) if mark else None
    async with desk.database.connection() as connection:
        found = await notification_store.select_page(
            connection, principal.name, unread=given.flag("unread"), after=after, limit=limit + 1
        )
        language = asked or await subscription_store.language_of(connection, of_user(principal.name))
        rows = await _rows(desk, connection, found[:limit], language)
    cursor = None
    if len(found) > limit:
        last = found[limit - 1]
        read = _READ if last.acknowledged_at else ""
        cursor = cursor_of(Mark(updated_at=last.created_at, id=f"{read}{last.id}"))
    return private(Page(items=rows, next_cursor=cursor), {"Content-Language": language})


@router.post(
    "/api/v1/notifications/{notification_id}/acknowledge",
    **describe(
        summary="I have it: nobody is told of this matter again",
        status=204,
        errors=(*STAFF_ERRORS, 404),
        parameters=(_ID,),
        security=SIGNED_IN,
    ),
)
async def acknowledge(request: Request) -> Response:
    """Safe twice. Of an escalation it holds for everybody; who accepts an offer has acknowledged it by that. 404 for
    what was told to somebody else."""
    desk = desk_of(request)
    principal = await desk.access.staff(request)
    notification_id = str(request.path_params["notification_id"])
    async with desk.database.transaction() as connection:
        if "\x00" in notification_id or not await notification_store.acknowledge(connection, notification_id):
            raise Problem(404, "no-such-notification", "You were not told anything with this id.")
        await audit_store.record(
            connection,
            actor=principal.name,
            action="notification_acknowledged",
            subject=f"notification:{notification_id}",
        )
    return Response(status_code=204)


@router.get(
    "/api/v1/push-key",
    **describe(summary="The key that browsers subscribe to web push with", returns=PushKey, errors=()),
)
async def push_key(request: Request) -> Response:
    """The city's, for as long as its secret is the same."""
    return answer(PushKey(public_key=public_key(desk_of(request).settings.secret_bytes)))


@router.post(
    _MY_SUBSCRIPTIONS,
    **describe(
        summary="Tell me by this browser too",
        body=PutPushSubscription,
        returns=PushSubscriptionRow,
        status=201,
        errors=(*BODY_ERRORS, *STAFF_ERRORS),
        security=SIGNED_IN,
    ),
)
async def subscribe_me(request: Request) -> Response:
    """The same browser again is renewed; ten are kept. 422 for an address of no push service that we know."""
    desk = desk_of(request)
    principal = await desk.access.staff(request)
    return await _subscribe(desk, request, of_user(principal.name))


@router.delete(
    _MY_SUBSCRIPTIONS,
    **describe(
        summary="This browser is not to tell me any more",
        body=EndPushSubscription,
        status=204,
        errors=(*BODY_ERRORS, *STAFF_ERRORS),
        security=SIGNED_IN,
    ),
)
async def unsubscribe_me(request: Request) -> Response:
    """Safe twice."""
    desk = desk_of(request)
    principal = await desk.access.staff(request)
    return await _unsubscribe(desk, request, of_user(principal.name))


@router.post(
    _ITS_SUBSCRIPTIONS,
    **describe(
        summary="Tell this browser how the report is doing",
        body=PutPushSubscription,
        returns=PushSubscriptionRow,
        status=201,
        errors=(*BODY_ERRORS, 404, 429, 503),
        parameters=(TRACKING_CODE,),
    ),
)
async def subscribe_report(request: Request) -> Response:
    """As for staff, with the code as the only key; also before the dispatcher has the report."""
    desk = desk_of(request)
    code = checked_code(desk, request, str(request.path_params["tracking_code"]))
    return await _subscribe(desk, request, of_code(code))


@router.delete(
    _ITS_SUBSCRIPTIONS,
    **describe(
        summary="This browser is not to tell of the report any more",
        body=EndPushSubscription,
        status=204,
        errors=(*BODY_ERRORS, 404, 429, 503),
        parameters=(TRACKING_CODE,),
    ),
)
async def unsubscribe_report(request: Request) -> Response:
    """Safe twice."""
    desk = desk_of(request)
    code = checked_code(desk, request, str(request.path_params["tracking_code"]))
    return await _unsubscribe(desk, request, of_code(code))


@router.put(
    "/api/v1/me/notification-settings",
    **describe(
        summary="In which language I am told",
        body=NotificationSettings,
        returns=NotificationSettings,
        errors=(*BODY_ERRORS, *STAFF_ERRORS),
        security=SIGNED_IN,
    ),
)
async def put_my_settings(request: Request) -> Response:
    """Until it is put: Indonesian."""
    desk = desk_of(request)
    principal = await desk.access.staff(request)
    return await _put_settings(desk, request, of_user(principal.name))


@router.put(
    "/api/v1/reports/{tracking_code}/notification-settings",
    **describe(
        summary="In which language the reporter is told",
        body=NotificationSettings,
        returns=NotificationSettings,
        errors=(*BODY_ERRORS, 404, 429, 503),
        parameters=(TRACKING_CODE,),
    ),
)
async def put_settings_of_report(request: Request) -> Response:
    """Until it is put: Indonesian."""
    desk = desk_of(request)
    code = checked_code(desk, request, str(request.path_params["tracking_code"]))
    return await _put_settings(desk, request, of_code(code))


@router.get(
    "/api/v1/notification-manners",
    **describe(
        summary="Quiet hours, bundling and patience for each audience",
        returns=TellingTable,
        errors=STAFF_ERRORS,
        security=SIGNED_IN,
    ),
)
async def show_manners(request: Request) -> Response:
    """The live table."""
    desk = desk_of(request)
    await desk.staff(request, WRITERS)
    async with desk.database.connection() as connection:
        policy = await policy_store.live(connection)
    return private(TellingTable(**{one.value: policy.manner(one) for one in Audience}))


@router.put(
    "/api/v1/notification-manners",
    **describe(
        summary="Put the table",
        body=PutTelling,
        returns=TellingTable,
        errors=(*BODY_ERRORS, *STAFF_ERRORS),
        security=SIGNED_IN,
    ),
)
async def put_manners(request: Request) -> Response:
    """It holds from the next move on."""
    desk = desk_of(request)
    principal = await desk.staff(request, WRITERS)
    body = await read_json(request, PutTelling)
    table: dict[Audience, Manner] = {one: getattr(body, one.value) for one in Audience}
    async with desk.database.transaction() as connection:
        await policy_store.put(connection, "telling", table, by=principal.name, why=body.why or "")
    return private(TellingTable(**{one.value: manner for one, manner in table.items()}))


async def _rows(
    desk: Desk, connection: Connection, found: list[Shown], language: Language
) -> tuple[NotificationRow, ...]:
    agencies = (await policy_store.live(connection)).agencies
    moves = [one.part.move for one in found if not one.part.assignment_id]
    notes = await notification_store.public_notes(connection, moves)
    base_url = (desk.settings.public_url or "").rstrip("/")
    rows = []
    for one in found:
        said = words([Said(one.part.template, one.part.fields, notes.get(one.part.move))], language, base_url, agencies)
        rows.append(
            NotificationRow(
                id=one.id,
                kind=one.part.template.value,
                subject=said.subject,
                text=said.text,
                incident_id=one.part.incident_id,
                assignment_id=one.part.assignment_id,
                urgent=one.urgent,
                created_at=one.created_at,
                acknowledged_at=one.acknowledged_at,
                acknowledged_by=one.acknowledged_by,
            )
        )
    return tuple(rows)


async def _subscribe(desk: Desk, request: Request, receiver: str) -> Response:
    body = await read_json(request, PutPushSubscription)
    if not is_push_service(body.endpoint, desk.settings.push_services):
        raise invalid("endpoint", "not an address of a push service that this city sends to")
    async with desk.database.transaction() as connection:
        subscription = Subscription(body.endpoint, body.keys.p256dh, body.keys.auth)
        made = await subscription_store.subscribe(connection, receiver, subscription)
        if body.language is not None:
            await subscription_store.put_language(connection, receiver, body.language)
    return answer(PushSubscriptionRow(id=made), 201, headers={"Cache-Control": "no-store"})


async def _unsubscribe(desk: Desk, request: Request, receiver: str) -> Response:
    body = await read_json(request, EndPushSubscription)
    async with desk.database.transaction() as connection:
        await subscription_store.unsubscribe(connection, receiver, body.endpoint)
    return Response(status_code=204)


async def _put_settings(desk: Desk, request: Request, receiver: str) -> Response:
    body = await read_json(request, NotificationSettings)
    async with desk.database.transaction() as connection:
        await subscription_store.put_language(connection, receiver, body.language)
    return private(body)


TYPES: Final = (
    Page[NotificationRow],
    PutPushSubscription,
    EndPushSubscription,
    PushSubscriptionRow,
    NotificationSettings,
    PushKey,
    TellingTable,
    PutTelling,
)
