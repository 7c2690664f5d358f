"""Signing in and out, and who one is."""

import time
from datetime import UTC, datetime
from typing import Annotated, Final

import structlog
from fastapi import APIRouter, Request
from msgspec import Meta
from starlette.responses import Response

from dispatcher import audit_store
from dispatcher.desk import accounts, reach, sessions, totp
from dispatcher.desk import metrics as desk_metrics
from dispatcher.desk.accounts import Account, Known
from dispatcher.desk.database import Database
from dispatcher.desk.resources import BODY_ERRORS, SIGNED_IN, Desk, desk_of, private, refuse_when_late, role_of
from infra.access import COOKIE, Duty, Principal
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
    #: Of the second factor, or a recovery code; where there is one.
    code: Annotated[str, Meta(min_length=6, max_length=40)] | None = None


class User(Record, frozen=True):
    """A signed-in person. No agencies and no kecamatan: sees the whole city."""

    username: str
    display_name: str
    role: Role
    agencies: tuple[AgencyRef, ...]
    kecamatan: str | None
    kelurahan: str | None
    #: To be done before the session is good for anything else: `password`, `totp`.
    owes: tuple[Duty, ...]


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
    """Check a name and a password; the answer takes as long, and says the same, whichever of them is wrong.

    With a second factor: once the password is right a 401 whose `type` ends in `/second-factor` asks for `code`.
    """
    desk = desk_of(request)
    given = await read_json(request, SignIn, limit=16 * 1024)
    name = given.username.strip().lower()
    address = desk.address(request)
    take_a_turn(desk, name, address)
    # NUL is in no name, and PostgreSQL takes none
    known = await _known(desk.database, name) if "\x00" not in name else None
    if not await desk.passwords.fit(known.password_hash if known else None, given.password) or known is None:
        desk_metrics.SIGN_INS.labels("refused").inc()
        raise Problem(401, "wrong-sign-in", "Name or password is not right.")
    give_back(desk, name, address)
    owes = _duties(desk, known.account)
    if known.totp_sealed is not None:
        _take_a_code(desk, name, given.code)
    async with desk.database.acting(reach.of_account(name)).transaction() as connection:
        if known.totp_sealed is not None and not await totp.accept(
            connection, desk.settings.secret_bytes, name, known.totp_sealed, given.code or "", datetime.now(UTC)
        ):
            desk_metrics.SIGN_INS.labels("refused").inc()
            raise Problem(401, "wrong-second-factor", "The code is not right, or was used before. Wait for the next.")
        token = await sessions.open_session(
            connection, name, owes=owes, address=address, user_agent=request.headers.get("user-agent")
        )
        await audit_store.record(connection, actor=name, action="signed_in", subject=name)
    desk.throttles.second_factor.give_back(name)
    desk_metrics.SIGN_INS.labels("ok").inc()
    log.info("signed_in", username=name)
    response = private(SessionOpened(token=token, user=_user_of(known.account, owes)))
    _set_cookies(request, desk, response, token, name)
    return response


async def _known(database: Database, name: str) -> Known | None:
    async with database.connection() as connection:
        return await accounts.select_for_sign_in(connection, name)


def _duties(desk: Desk, account: Account) -> tuple[Duty, ...]:
    owes = []
    if account.must_change_password:
        owes.append(Duty.PASSWORD)
    if account.role in desk.settings.totp_required and not account.has_totp:
        owes.append(Duty.TOTP)
    return tuple(owes)


@router.delete(
    "/api/v1/session",
    **describe(summary="Sign out", status=204, errors=(401, 403, 503), security=SIGNED_IN),
)
async def sign_out(request: Request) -> Response:
    """End the session that asks. Without one there is nothing to end, which is as well."""
    desk = desk_of(request)
    principal = await desk.access.principal(request, owing=True)
    token = token_of(request)
    if principal is not None and principal.is_staff and token:
        async with desk.database.transaction() as connection:
            await sessions.end(connection, token)
            await audit_store.record(connection, actor=principal.name, action="signed_out", subject=principal.name)
        desk.access.forget(token)
    response = Response(status_code=204)
    response.delete_cookie(COOKIE, path="/", httponly=True, samesite="lax")
    response.delete_cookie(NAME_COOKIE, path="/", samesite="lax")
    return response


@router.get("/api/v1/me", **describe(summary="Who I am", returns=User, errors=(401, 503), security=SIGNED_IN))
async def me(request: Request) -> Response:
    """The signed-in person."""
    principal = await desk_of(request).access.staff(request, owing=True)
    return private(_user(principal))


def _caller(name: str, address: str) -> str:
    return f"{name}@{address}"


def take_a_turn(desk: Desk, name: str, address: str) -> None:
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


def give_back(desk: Desk, name: str, address: str) -> None:
    """It was not a refused one."""
    desk.throttles.sign_in.give_back(_caller(name, address))
    desk.throttles.sign_in_address.give_back(address)


def _take_a_code(desk: Desk, name: str, code: str | None) -> None:
    """Raises 401 without a code, and 429 for too many wrong ones. Counted by name, wherever they come from: only who
    has the password gets here, so no stranger can keep anybody out by it."""
    if code is None:
        raise Problem(
            401, "second-factor", "Send the code of your authenticator app, or a recovery code, beside the password."
        )
    refuse_when_late(desk.throttles.second_factor, name, _TOO_OFTEN)
    desk.throttles.second_factor.take(name, time.monotonic())


def _set_cookies(request: Request, desk: Desk, response: Response, token: str, name: str) -> None:
    secure = request.url.scheme == "https" or (desk.settings.public_url or "").startswith("https:")
    seconds = int(sessions.LIFETIME.total_seconds())
    response.set_cookie(COOKIE, token, max_age=seconds, path="/", secure=secure, httponly=True, samesite="lax")
    response.set_cookie(NAME_COOKIE, name, max_age=seconds, path="/", secure=secure, samesite="lax")


def token_of(request: Request) -> str | None:
    """The token that the request came with."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else request.cookies.get(COOKIE)


def _user_of(account: Account, owes: tuple[Duty, ...]) -> User:
    return User(
        username=account.username,
        display_name=account.display_name,
        role=account.role,
        agencies=account.agencies,
        kecamatan=account.kecamatan,
        kelurahan=account.kelurahan,
        owes=owes,
    )


def _user(principal: Principal) -> User:
    return User(
        username=principal.name,
        display_name=principal.display_name,
        role=role_of(principal),
        agencies=principal.agencies,
        kecamatan=principal.kecamatan,
        kelurahan=principal.kelurahan,
        owes=tuple(sorted(principal.owes)),
    )


TYPES: Final = (User, SignIn, SessionOpened)
