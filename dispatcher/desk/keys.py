"""Keys of gateways and devices, for administrators."""

from typing import Annotated, Final

from fastapi import APIRouter, Request
from msgspec import Meta
from starlette.responses import Response

from dispatcher import audit_store
from dispatcher.desk import device_keys
from dispatcher.desk.accounts import AccountError
from dispatcher.desk.device_keys import DeviceKey
from dispatcher.desk.page import NameMark, Page, cursor_of
from dispatcher.desk.query import CURSOR, LIMIT, Parameters
from dispatcher.desk.resources import BODY_ERRORS, SIGNED_IN, STAFF_ERRORS, desk_of, private
from dispatcher.desk.users import ADMINS
from infra.access import DeviceScope
from infra.http import answer, read_json
from infra.openapi import describe, parameter
from infra.problem import Problem, invalid
from schemas.wire import SEEN, Inbound, Record

router = APIRouter(tags=["device-keys"])


class NewDeviceKey(Inbound, frozen=True):
    """Who has the key, and what it may do."""

    name: Annotated[str, Meta(min_length=1, max_length=100, pattern=SEEN)]
    scopes: Annotated[tuple[DeviceScope, ...], Meta(min_length=1, max_length=10)]


class DeviceKeyMade(Record, frozen=True):
    """The key is shown this once; it is not kept."""

    key: str
    device_key: DeviceKey


@router.get(
    "/api/v1/device-keys",
    **describe(
        summary="Device keys, by id; revoked ones too",
        returns=Page[DeviceKey],
        errors=(*STAFF_ERRORS, 422),
        parameters=(LIMIT, CURSOR),
        security=SIGNED_IN,
    ),
)
async def list_keys(request: Request) -> Response:
    """A page. The keys themselves are not kept."""
    desk = desk_of(request)
    await desk.staff(request, ADMINS)
    given = Parameters(request, ("limit", "cursor"))
    limit, after = given.limit(), given.cursor(NameMark)
    async with desk.database.connection() as connection:
        found = await device_keys.select_page(connection, after.id if after else "", limit + 1)
    page = tuple(found[:limit])
    cursor = cursor_of(NameMark(id=page[-1].id)) if len(found) > limit else None
    return private(Page(items=page, next_cursor=cursor))


@router.post(
    "/api/v1/device-keys",
    **describe(
        summary="Make a device key",
        body=NewDeviceKey,
        returns=DeviceKeyMade,
        status=201,
        errors=(*BODY_ERRORS, *STAFF_ERRORS),
        security=SIGNED_IN,
    ),
)
async def add_key(request: Request) -> Response:
    """Scopes: `reports` (sends citizens' reports beyond the anonymous limit), `telemetry`."""
    desk = desk_of(request)
    principal = await desk.staff(request, ADMINS)
    body = await read_json(request, NewDeviceKey)
    async with desk.database.transaction() as connection:
        try:
            key = await device_keys.add(connection, body.name, body.scopes)
        except AccountError as error:
            raise invalid("name", str(error)) from error
        made = await device_keys.select(connection, device_keys.id_of(key))
        assert made is not None  # noqa: S101 - inserted just now
        await audit_store.record(
            connection,
            actor=principal.name,
            action="device_key_added",
            subject=f"device_key:{made.id}",
            detail={"scopes": list(made.scopes)},
        )
    return answer(DeviceKeyMade(key=key, device_key=made), 201, {"Cache-Control": "no-store"})


@router.delete(
    "/api/v1/device-keys/{key_id}",
    **describe(
        summary="Revoke a device key",
        status=204,
        errors=(*STAFF_ERRORS, 404),
        parameters=(parameter("key_id", "path", "Its id", {"type": "string"}, required=True),),
        security=SIGNED_IN,
    ),
)
async def revoke_key(request: Request) -> Response:
    """It stays in the list. A service that has just seen it may take it for another 60 s. Safe twice."""
    desk = desk_of(request)
    principal = await desk.staff(request, ADMINS)
    key_id = str(request.path_params["key_id"]).replace("\x00", "")
    async with desk.database.transaction() as connection:
        # By id alone: in the path a name would be a guess.
        if await device_keys.select(connection, key_id) is None:
            raise Problem(404, "no-such-key", "There is no key with this id.")
        await device_keys.revoke(connection, key_id)
        await audit_store.record(
            connection, actor=principal.name, action="device_key_revoked", subject=f"device_key:{key_id}"
        )
    desk.access.forget_person(f"key:{key_id}")
    return Response(status_code=204)


TYPES: Final = (Page[DeviceKey], NewDeviceKey, DeviceKeyMade)
