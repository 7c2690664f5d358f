"""What people do with their own account: the password, the second factor, the sessions."""

from datetime import UTC, datetime
from typing import Annotated, Final

from fastapi import APIRouter, Request
from msgspec import Meta
from starlette.responses import Response

from dispatcher import audit_store
from dispatcher.desk import accounts, reach, sessions, totp
from dispatcher.desk.page import Page
from dispatcher.desk.resources import BODY_ERRORS, SIGNED_IN, STAFF_ERRORS, Desk, desk_of, private
from dispatcher.desk.session import give_back, take_a_turn, token_of
from dispatcher.desk.sessions import SessionRow
from infra.access import Duty, Principal
from infra.http import read_json
from infra.openapi import describe, parameter
from infra.problem import Problem, invalid
from schemas.wire import Inbound, Record

router = APIRouter(tags=["account"])

#: NIST SP 800-63B asks for 8 at least beside a second factor; length is what counts, so nothing else is asked.
MIN_PASSWORD: Final = 8
Password = Annotated[str, Meta(min_length=1, max_length=1000)]
NewPassword = Annotated[str, Meta(min_length=MIN_PASSWORD, max_length=1000, pattern=r"^[^\u0000]*$")]
Code = Annotated[str, Meta(min_length=6, max_length=40)]


class PasswordChange(Inbound, frozen=True):
    """The own password, and the one in its place."""

    password: Password
    new_password: NewPassword


class PasswordReset(Inbound, frozen=True):
    """The one-time token of an administrator, and the password that is chosen by it."""

    token: Annotated[str, Meta(min_length=1, max_length=100)]
    new_password: NewPassword


class TotpBegin(Inbound, frozen=True):
    """The own password: a screen that was left open must not get a second factor of somebody else's."""

    password: Password


class TotpBegun(Record, frozen=True):
    """What an authenticator app is told; it is asked for once a first code is shown (PUT)."""

    secret: str
    otpauth_uri: str


class TotpConfirm(Inbound, frozen=True):
    """The code that the app shows."""

    code: Code


class TotpConfirmed(Record, frozen=True):
    """Each of these replaces one code, once. They are shown this once."""

    recovery_codes: tuple[str, ...]


class TotpRemove(Inbound, frozen=True):
    """The own password and a code."""

    password: Password
    code: Code


@router.put(
    "/api/v1/me/password",
    **describe(
        summary="Change my password; my other sessions end",
        body=PasswordChange,
        status=204,
        errors=(*BODY_ERRORS, *STAFF_ERRORS, 429),
        security=SIGNED_IN,
    ),
)
async def change_password(request: Request) -> Response:
    """422 for a wrong old one, or a new one that is no other."""
    desk = desk_of(request)
    principal = await desk.access.staff(request, owing=True)
    body = await read_json(request, PasswordChange)
    await _require_password(desk, request, principal, body.password)
    if body.new_password == body.password:
        raise invalid("new_password", "choose another one than before")
    _require_good(body.new_password, principal.name)
    stored = await desk.passwords.hashed(body.new_password)
    async with desk.database.transaction() as connection:
        token = token_of(request)
        await accounts.put_password(connection, principal.name, stored, must_change=False, keep=token)
        await sessions.settle(connection, principal.name, Duty.PASSWORD)
        await audit_store.record(
            connection, actor=principal.name, action="password_changed", subject=f"account:{principal.name}"
        )
    desk.access.forget_person(principal.name)
    return Response(status_code=204)


@router.post(
    "/api/v1/password-reset",
    **describe(
        summary="Set a password by a one-time token; sessions of the account end",
        body=PasswordReset,
        status=204,
        errors=(*BODY_ERRORS, 429, 503),
    ),
)
async def reset_password(request: Request) -> Response:
    """422 for a token that is unknown, used, or older than 24 hours. A second factor is asked for as before."""
    desk = desk_of(request)
    body = await read_json(request, PasswordReset)
    address = desk.address(request)
    take_a_turn(desk, "", address)
    stored = await desk.passwords.hashed(body.new_password)
    async with desk.database.acting(reach.RESETTING).transaction() as connection:
        name = await accounts.spend_reset(connection, body.token)
        if name is None:
            raise invalid("token", "not known, used before, or older than 24 hours: ask for a new one")
        _require_good(body.new_password, name)
        # From here on it is known whose it is.
        await connection.execute(reach.of_account(name).sql())
        await accounts.put_password(connection, name, stored, must_change=False)
        await audit_store.record(connection, actor=name, action="password_reset", subject=f"account:{name}")
    give_back(desk, "", address)
    desk.access.forget_person(name)
    return Response(status_code=204)


@router.post(
    "/api/v1/me/totp",
    **describe(
        summary="Begin with a second factor",
        body=TotpBegin,
        returns=TotpBegun,
        errors=(*BODY_ERRORS, *STAFF_ERRORS, 409, 429),
        security=SIGNED_IN,
    ),
)
async def begin_totp(request: Request) -> Response:
    """Nothing is asked for until it is confirmed; begun anew, what was begun before is forgotten. 409 when there is one
    already: it is removed first."""
    desk = desk_of(request)
    principal = await desk.access.staff(request, owing=True)
    body = await read_json(request, TotpBegin)
    await _require_password(desk, request, principal, body.password)
    secret = totp.new_secret()
    async with desk.database.transaction() as connection:
        if not await totp.begin(connection, principal.name, totp.seal(desk.settings.secret_bytes, secret)):
            raise Problem(409, "second-factor-there", "You have a second factor already. Remove it first.")
    return private(TotpBegun(secret=secret, otpauth_uri=totp.uri(secret, principal.name)))


@router.put(
    "/api/v1/me/totp",
    **describe(
        summary="Confirm the second factor by a first code; it is asked for from now on",
        body=TotpConfirm,
        returns=TotpConfirmed,
        errors=(*BODY_ERRORS, *STAFF_ERRORS, 409),
        security=SIGNED_IN,
    ),
)
async def confirm_totp(request: Request) -> Response:
    """422 for a wrong code, 409 when nothing was begun."""
    desk = desk_of(request)
    principal = await desk.access.staff(request, owing=True)
    body = await read_json(request, TotpConfirm)
    codes = totp.new_recovery_codes()
    async with desk.database.transaction() as connection:
        sealed = await totp.select_begun(connection, principal.name)
        secret = totp.unseal(desk.settings.secret_bytes, sealed) if sealed else None
        if secret is None:
            raise Problem(409, "second-factor-not-begun", "Begin with POST, then confirm by a code.")
        step = totp.step_of(secret, body.code, datetime.now(UTC))
        if step is None:
            raise invalid("code", "not the code that the app shows now; look at the phone's clock")
        await totp.confirm(connection, principal.name, step, codes)
        await sessions.settle(connection, principal.name, Duty.TOTP)
        await audit_store.record(
            connection, actor=principal.name, action="second_factor_added", subject=f"account:{principal.name}"
        )
    desk.access.forget_person(principal.name)
    return private(TotpConfirmed(recovery_codes=tuple(codes)))


@router.post(
    "/api/v1/me/totp/remove",
    **describe(
        summary="Remove the second factor",
        body=TotpRemove,
        status=204,
        errors=(*BODY_ERRORS, *STAFF_ERRORS, 429),
        security=SIGNED_IN,
    ),
)
async def remove_totp(request: Request) -> Response:
    """With password and code. 403 where the role needs one. Safe when there is none."""
    desk = desk_of(request)
    principal = await desk.access.staff(request, owing=True)
    body = await read_json(request, TotpRemove)
    if principal.role in desk.settings.totp_required:
        raise Problem(403, "second-factor-required", "Your role needs a second factor; an administrator can reset it.")
    await _require_password(desk, request, principal, body.password)
    async with desk.database.transaction() as connection:
        known = await accounts.select_for_sign_in(connection, principal.name)
        if known is not None and known.totp_sealed is not None:
            now = datetime.now(UTC)
            if not await totp.accept(
                connection, desk.settings.secret_bytes, principal.name, known.totp_sealed, body.code, now
            ):
                raise invalid("code", "not right, or used before")
        await totp.remove(connection, principal.name)
        await audit_store.record(
            connection, actor=principal.name, action="second_factor_removed", subject=f"account:{principal.name}"
        )
    return Response(status_code=204)


@router.get(
    "/api/v1/me/sessions",
    **describe(
        summary="Where I am signed in, newest first", returns=Page[SessionRow], errors=STAFF_ERRORS, security=SIGNED_IN
    ),
)
async def list_sessions(request: Request) -> Response:
    """All of them: one page."""
    desk = desk_of(request)
    principal = await desk.access.staff(request, owing=True)
    async with desk.database.connection() as connection:
        found = await sessions.select_open(connection, principal.name, token_of(request) or "")
    return private(Page(items=tuple(found), next_cursor=None))


@router.delete(
    "/api/v1/me/sessions",
    **describe(summary="End all my sessions but this one", status=204, errors=STAFF_ERRORS, security=SIGNED_IN),
)
async def end_other_sessions(request: Request) -> Response:
    """Other services may go on with them for 60 s, an open feed until its ticket is to be renewed."""
    desk = desk_of(request)
    principal = await desk.access.staff(request, owing=True)
    async with desk.database.transaction() as connection:
        await sessions.end_all(connection, principal.name, but=token_of(request))
    desk.access.forget_person(principal.name)
    return Response(status_code=204)


@router.delete(
    "/api/v1/me/sessions/{session_id}",
    **describe(
        summary="End one of my sessions",
        status=204,
        errors=(*STAFF_ERRORS, 404),
        parameters=(parameter("session_id", "path", "Its id in the list", {"type": "string"}, required=True),),
        security=SIGNED_IN,
    ),
)
async def end_session(request: Request) -> Response:
    """404 for one that is not there, or not one's own."""
    desk = desk_of(request)
    principal = await desk.access.staff(request, owing=True)
    session_id = str(request.path_params["session_id"])
    async with desk.database.transaction() as connection:
        ended = "\x00" not in session_id and await sessions.end_one(connection, principal.name, session_id)
    if not ended:
        raise Problem(404, "no-such-session", "There is no such session of yours.")
    desk.access.forget_person(principal.name)
    return Response(status_code=204)


async def _require_password(desk: Desk, request: Request, principal: Principal, password: str) -> None:
    """422 unless it is the person's; throttled as a sign-in."""
    address = desk.address(request)
    take_a_turn(desk, principal.name, address)
    async with desk.database.connection() as connection:
        known = await accounts.select_for_sign_in(connection, principal.name)
    if known is None or not await desk.passwords.fit(known.password_hash, password):
        raise invalid("password", "is not your password")
    give_back(desk, principal.name, address)


def _require_good(password: str, username: str) -> None:
    if not password.strip() or password.strip().lower() == username:
        raise invalid("new_password", "choose one that is neither blank nor your name")


TYPES: Final = (
    PasswordChange,
    PasswordReset,
    TotpBegin,
    TotpBegun,
    TotpConfirm,
    TotpConfirmed,
    TotpRemove,
    Page[SessionRow],
)
