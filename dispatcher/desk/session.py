"""Signing in and out, and who one is."""

import time
from typing import Annotated, Final

import structlog
from fastapi import APIRouter, Request
from msgspec import Meta
from starlette.responses import Response

from dispatcher.desk import accounts
from dispatcher.desk import metrics as desk_metrics
from dispatcher.desk.accounts import SESSION_LIFETIME, Account
from dispatcher.desk.resources import BODY_ERRORS, SIGNED_IN, Desk, desk_of, private, refuse_when_late, role_of
from infra.access import COOKIE, Principal
from infra.http import read_json
from infra.openapi import describe
from infra.problem import Problem
from schemas.place import AgencyRef
from schemas.vocabulary import Role
from schemas.wire import Inbound, Record

log = structlog.get_logger()

router = APIRouter(tags=["session"])

#: Readable by our pages, unlike the session: they know who is signed in without asking and being answered 401.
NAME_COOKIE: Final = "patriot_user"
_TOO_OFTEN: Final = "Too many sign-ins that were refused. Wait a little, then try again."


class SignIn(Inbound, frozen=True):
    """The body of `POST /api/v1/session`."""

    username: Annotated[str, Meta(min_length=1, max_length=100)]
    password: Annotated[str, Meta(min_length=1, max_length=1000)]


class User(Record, frozen=True):
    """A signed-in person. No agencies and no kecamatan: sees the whole city."""

    username: str
    display_name: str
    role: Role
    agencies: tuple[AgencyRef, ...]
    kecamatan: str | None


class SessionOpened(Record, frozen=True):
    """What a sign-in answers; the token works as `Authorization: Bearer`."""

    token: str
    user: User


@router.post(
    "/api/v1/session",
    **describe(
        summary="Sign in: sets an HttpOnly cookie, and answers a token for Authorization: Bearer",
        body=SignIn,
        returns=SessionOpened,
        errors=(*BODY_ERRORS, 401, 429, 503),
    ),
)
async def sign_in(request: Request) -> Response:
    """Check a name and a password; the answer takes as long, and says the same, whichever of them is wrong."""
    desk = desk_of(request)
    given = await read_json(request, SignIn, limit=16 * 1024)
    name = given.username.strip().lower()
    address = desk.address(request)
    _take_a_turn(desk, name, address)
    async with desk.database.connection() as connection:
        # NUL is in no name, and PostgreSQL takes none
        found = await accounts.select_for_sign_in(connection, name) if "\x00" not in name else None
    if not await desk.passwords.fit(found[1] if found else None, given.password) or found is None:
        desk_metrics.SIGN_INS.labels("refused").inc()
        raise Problem(401, "wrong-sign-in", "Name or password is not right.")
    desk.throttles.sign_in.give_back(_caller(name, address))
    desk.throttles.sign_in_address.give_back(address)
    async with desk.database.transaction() as connection:
        token = await accounts.open_session(connection, name)
    desk_metrics.SIGN_INS.labels("ok").inc()
    log.info("signed_in", username=name)
    response = private(SessionOpened(token=token, user=_user_of(found[0])))
    _set_cookies(request, desk, response, token, name)
    return response


@router.delete(
    "/api/v1/session",
    **describe(summary="Sign out", status=204, errors=(401, 403, 503), security=SIGNED_IN),
)
async def sign_out(request: Request) -> Response:
    """End the session that asks. Without one there is nothing to end, which is as well."""
    desk = desk_of(request)
    principal = await desk.access.principal(request)
    token = _token_of(request)
    if principal is not None and principal.is_staff and token:
        async with desk.database.transaction() as connection:
            await accounts.end_session(connection, token)
        desk.access.forget(token)
    response = Response(status_code=204)
    response.delete_cookie(COOKIE, path="/", httponly=True, samesite="lax")
    response.delete_cookie(NAME_COOKIE, path="/", samesite="lax")
    return response


@router.get("/api/v1/me", **describe(summary="Who I am", returns=User, errors=(401, 503), security=SIGNED_IN))
async def me(request: Request) -> Response:
    """The signed-in person."""
    principal = await desk_of(request).access.staff(request)
    return private(_user(principal))


def _caller(name: str, address: str) -> str:
    return f"{name}@{address}"


def _take_a_turn(desk: Desk, name: str, address: str) -> None:
    """Count this as a refused one until it is not, so that many at once don't slip through. Raises 429."""
    throttles = desk.throttles
    caller = _caller(name, address)
    try:
        refuse_when_late(throttles.sign_in_address, address, _TOO_OFTEN)
        refuse_when_late(throttles.sign_in, caller, _TOO_OFTEN)
    except Problem:
        desk_metrics.SIGN_INS.labels("throttled").inc()
        raise
    throttles.sign_in.take(caller, time.monotonic())
    throttles.sign_in_address.take(address, time.monotonic())


def _set_cookies(request: Request, desk: Desk, response: Response, token: str, name: str) -> None:
    secure = request.url.scheme == "https" or (desk.settings.public_url or "").startswith("https:")
    seconds = int(SESSION_LIFETIME.total_seconds())
    response.set_cookie(COOKIE, token, max_age=seconds, path="/", secure=secure, httponly=True, samesite="lax")
    response.set_cookie(NAME_COOKIE, name, max_age=seconds, path="/", secure=secure, samesite="lax")


def _token_of(request: Request) -> str | None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else request.cookies.get(COOKIE)


def _user_of(account: Account) -> User:
    return User(
        username=account.username,
        display_name=account.display_name,
        role=account.role,
        agencies=account.agencies,
        kecamatan=account.kecamatan,
    )


def _user(principal: Principal) -> User:
    return User(
        username=principal.name,
        display_name=principal.display_name,
        role=role_of(principal),
        agencies=principal.agencies,
        kecamatan=principal.kecamatan,
    )


TYPES: Final = (User, SignIn, SessionOpened)
