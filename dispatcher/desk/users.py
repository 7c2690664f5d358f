"""Accounts of staff, for administrators: made, changed, ended, opened again when a password or a phone is lost."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Request
from msgspec import UNSET, Meta, UnsetType
from starlette.responses import Response

from dispatcher import audit_store
from dispatcher.desk import accounts, passwords, sessions, totp
from dispatcher.desk.accounts import Account, AccountConflict, AccountError
from dispatcher.desk.me import NewPassword
from dispatcher.desk.page import NameMark, Page, cursor_of
from dispatcher.desk.query import CURSOR, LIMIT, Parameters
from dispatcher.desk.resources import BODY_ERRORS, SIGNED_IN, STAFF_ERRORS, desk_of, private
from infra.access import Principal
from infra.http import answer, read_json
from infra.openapi import describe, parameter
from infra.postgres import Connection
from infra.problem import Problem, invalid
from schemas.place import AgencyRef
from schemas.vocabulary import Role
from schemas.wire import Inbound, Line, Record, Timestamp

router = APIRouter(tags=["users"])

ADMINS: Final = frozenset({Role.ADMIN})
#: Kemendagri codes.
KecamatanCode = Annotated[str, Meta(pattern=r"^[0-9]{2}\.[0-9]{2}\.[0-9]{2}(?!\n)$")]
KelurahanCode = Annotated[str, Meta(pattern=r"^[0-9]{2}\.[0-9]{2}\.[0-9]{2}\.[0-9]{4}(?!\n)$")]
Agencies = Annotated[tuple[AgencyRef, ...], Meta(max_length=20)]


class UserRow(Record, frozen=True):
    """An account. No agencies and no area: sees the whole city."""

    username: str
    display_name: str
    role: Role
    agencies: tuple[AgencyRef, ...]
    kecamatan: str | None
    kelurahan: str | None
    disabled_at: Timestamp | None
    #: The next sign-in has to choose a password.
    must_change_password: bool
    #: Whether there is a second factor.
    has_totp: bool


class NewUser(Inbound, frozen=True):
    """An account to be made. With `password`: a temporary one, to be changed at the first sign-in; without, the answer
    has a one-time token by which its owner chooses one."""

    username: Annotated[str, Meta(min_length=1, max_length=63)]
    role: Role
    display_name: Line | None = None
    agencies: Agencies = ()
    kecamatan: KecamatanCode | None = None
    kelurahan: KelurahanCode | None = None
    password: NewPassword | None = None


class UserChange(Inbound, frozen=True):
    """What is to be otherwise; what is left out stays. An area is taken away by null."""

    display_name: Line | UnsetType = UNSET
    role: Role | UnsetType = UNSET
    agencies: Agencies | UnsetType = UNSET
    kecamatan: KecamatanCode | UnsetType | None = UNSET
    kelurahan: KelurahanCode | UnsetType | None = UNSET
    disabled: bool | UnsetType = UNSET


class NewPasswordFor(Inbound, frozen=True):
    """With `password`: a temporary one, which ends the sessions; without, the answer has a one-time token."""

    password: NewPassword | None = None


class OneTimeToken(Record, frozen=True):
    """Sets a password once (`POST /api/v1/password-reset`). It is shown this once: hand it over in person."""

    token: str
    expires_at: Timestamp


class UserOpened(Record, frozen=True):
    """The account, and how its owner comes in; null with a temporary password."""

    user: UserRow
    one_time: OneTimeToken | None


_USERNAME: Final = parameter("username", "path", "Its name", {"type": "string"}, required=True)


def _described(
    summary: str,
    *,
    body: type[msgspec.Struct] | None = None,
    body_required: bool = True,
    returns: Any = None,
    status: int = 200,
) -> Mapping[str, Any]:
    return describe(
        summary=summary,
        body=body,
        body_required=body_required,
        returns=returns,
        status=status,
        errors=(*(BODY_ERRORS if body else ()), *STAFF_ERRORS, 404, 409),
        parameters=(_USERNAME,),
        security=SIGNED_IN,
    )


@router.get(
    "/api/v1/users",
    **describe(
        summary="Accounts, by name",
        returns=Page[UserRow],
        errors=(*STAFF_ERRORS, 422),
        parameters=(
            parameter(
                "role", "query", "Any of these", {"type": "array", "items": {"type": "string", "enum": list(Role)}}
            ),
            parameter("agency", "query", "A pair, such as 32.75/DISHUB", {"type": "string"}),
            parameter("disabled", "query", "Ended ones, or those in use", {"type": "boolean"}),
            parameter("q", "query", "Part of a name", {"type": "string", "minLength": 1, "maxLength": 200}),
            LIMIT,
            CURSOR,
        ),
        security=SIGNED_IN,
    ),
)
async def list_users(request: Request) -> Response:
    """A page, ended ones too."""
    desk = desk_of(request)
    await desk.staff(request, ADMINS)
    given = Parameters(request, ("role", "agency", "disabled", "q", "limit", "cursor"))
    limit, after = given.limit(), given.cursor(NameMark)
    async with desk.database.connection() as connection:
        found = await accounts.select_page(
            connection,
            roles=given.members("role", Role),
            agency=_pair(given.one("agency")),
            disabled=given.flag("disabled"),
            text=given.text("q"),
            after=after.id if after else "",
            limit=limit + 1,
        )
    page = tuple(_row(one) for one in found[:limit])
    cursor = cursor_of(NameMark(id=page[-1].username)) if len(found) > limit else None
    return private(Page(items=page, next_cursor=cursor))


@router.post(
    "/api/v1/users",
    **describe(
        summary="Make an account",
        body=NewUser,
        returns=UserOpened,
        status=201,
        errors=(*BODY_ERRORS, *STAFF_ERRORS, 409),
        security=SIGNED_IN,
    ),
)
async def add_user(request: Request) -> Response:
    """An officer needs one agency, a dispatcher at least one, an area head an area. 409 for a name that is taken."""
    desk = desk_of(request)
    principal = await desk.staff(request, ADMINS)
    body = await read_json(request, NewUser)
    try:
        new = accounts.account(
            body.username, body.role, body.agencies, body.kecamatan, body.display_name, body.kelurahan
        )
    except AccountError as error:
        raise _refused(error) from error
    stored = await desk.passwords.hashed(body.password) if body.password else passwords.UNUSABLE
    async with desk.database.transaction() as connection:
        try:
            await accounts.insert(connection, new, stored, must_change=body.password is not None)
        except AccountError as error:
            raise _refused(error) from error
        one_time = None if body.password else await _one_time(connection, new.username)
        await _tell(connection, principal, "account_added", new)
    new = msgspec.structs.replace(new, must_change_password=body.password is not None)
    opened = UserOpened(user=_row(new), one_time=one_time)
    return answer(opened, 201, {"Cache-Control": "no-store", "Location": f"/api/v1/users/{new.username}"})


@router.get("/api/v1/users/{username}", **_described("One account", returns=UserRow))
async def get_user(request: Request) -> Response:
    """Ended or not."""
    desk = desk_of(request)
    await desk.staff(request, ADMINS)
    async with desk.database.connection() as connection:
        found = await accounts.select(connection, _name(request))
    if found is None:
        raise _no_such_user()
    return private(_row(found))


@router.patch(
    "/api/v1/users/{username}", **_described("Change, end or reopen an account", body=UserChange, returns=UserRow)
)
async def change_user(request: Request) -> Response:
    """When role, scope or use change, its sessions end: here at once, in other services within 60 s, in an open feed
    when its ticket is to be renewed (15 min). 409 for the last administrator, and for an officer who is at work.
    """
    desk = desk_of(request)
    principal = await desk.staff(request, ADMINS)
    body = await read_json(request, UserChange)
    async with _account(request) as (connection, before):
        after = _changed(before, body)
        if body.disabled is not UNSET and body.disabled != (before.disabled_at is not None):
            now = await connection.fetchval("SELECT now()")
            after = msgspec.structs.replace(after, disabled_at=now if body.disabled else None)
        await accounts.change(connection, before, after)
        await _tell(connection, principal, "account_changed", after)
    desk.access.forget_person(after.username)
    return private(_row(after))


def _changed(before: Account, body: UserChange) -> Account:
    """The account as asked. Raises `AccountError` for what makes no sense."""
    given = {
        name: value
        for name in ("display_name", "role", "agencies", "kecamatan", "kelurahan")
        if (value := getattr(body, name)) is not UNSET
    }
    if "kecamatan" in given:
        given.setdefault("kelurahan", None)  # the one of before lies in another kecamatan
    elif given.get("kelurahan"):
        given["kecamatan"] = None  # it follows from the kelurahan
    return accounts.checked(msgspec.structs.replace(before, **given))


@router.post(
    "/api/v1/users/{username}/password-reset",
    **_described("Let somebody choose a new password", body=NewPasswordFor, body_required=False, returns=UserOpened),
)
async def reset_password(request: Request) -> Response:
    """By a one-time token, good for 24 hours (until it is used the old password is good), or a temporary password."""
    desk = desk_of(request)
    principal = await desk.staff(request, ADMINS)
    body = await read_json(request, NewPasswordFor, without=NewPasswordFor())
    stored = await desk.passwords.hashed(body.password) if body.password else None
    async with _account(request) as (connection, account):
        if stored is None:
            one_time = await _one_time(connection, account.username)
        else:
            one_time = None
            await accounts.put_password(connection, account.username, stored, must_change=True)
            account = msgspec.structs.replace(account, must_change_password=True)
        await _tell(connection, principal, "password_reset_opened", account)
    desk.access.forget_person(account.username)
    return private(UserOpened(user=_row(account), one_time=one_time))


@router.delete("/api/v1/users/{username}/totp", **_described("Remove a second factor: the phone is lost", status=204))
async def remove_totp(request: Request) -> Response:
    """With its recovery codes; sessions end. Where the role needs one, the next sign-in sets it up anew."""
    desk = desk_of(request)
    principal = await desk.staff(request, ADMINS)
    async with _account(request) as (connection, account):
        await totp.remove(connection, account.username)
        await sessions.end_all(connection, account.username)
        await _tell(connection, principal, "second_factor_removed", account)
    desk.access.forget_person(account.username)
    return Response(status_code=204)


@router.delete("/api/v1/users/{username}/sessions", **_described("End all sessions of an account", status=204))
async def end_sessions(request: Request) -> Response:
    """Here at once, in other services within 60 s."""
    desk = desk_of(request)
    principal = await desk.staff(request, ADMINS)
    async with _account(request) as (connection, account):
        await sessions.end_all(connection, account.username)
        await _tell(connection, principal, "sessions_ended", account)
    desk.access.forget_person(account.username)
    return Response(status_code=204)


@asynccontextmanager
async def _account(request: Request) -> AsyncIterator[tuple[Connection, Account]]:
    """The account in the path, locked until the block ends. 404 when there is none; what the block finds to make no
    sense is 422 or 409."""
    try:
        async with desk_of(request).database.transaction() as connection:
            found = await accounts.select_for_update(connection, _name(request))
            if found is None:
                raise _no_such_user()
            yield connection, found
    except AccountError as error:
        raise _refused(error) from error


def _name(request: Request) -> str:
    """The name in the path, which may be any text."""
    return str(request.path_params["username"]).lower().replace("\x00", "")


def _no_such_user() -> Problem:
    return Problem(404, "no-such-user", "There is no account with this name.")


def _refused(error: AccountError) -> Problem:
    if isinstance(error, AccountConflict):
        return Problem(409, "account", f"{str(error).capitalize()}.")
    return invalid("body", str(error))


async def _one_time(connection: Connection, username: str) -> OneTimeToken:
    token, expires_at = await accounts.open_reset(connection, username)
    return OneTimeToken(token=token, expires_at=expires_at)


async def _tell(connection: Connection, principal: Principal, action: str, account: Account) -> None:
    detail = {
        "role": account.role.value,
        "agencies": [str(agency) for agency in account.agencies],
        "area": account.kelurahan or account.kecamatan,
        "disabled": account.disabled_at is not None,
    }
    await audit_store.record(
        connection, actor=principal.name, action=action, subject=f"account:{account.username}", detail=detail
    )


def _pair(text: str | None) -> str | None:
    try:
        return None if text is None else str(AgencyRef.parse(text))
    except ValueError as error:
        raise invalid("agency", "written REGENCY/CODE, for example 32.75/DISHUB") from error


def _row(account: Account) -> UserRow:
    return UserRow(**{name: getattr(account, name) for name in UserRow.__struct_fields__})


TYPES: Final = (Page[UserRow], NewUser, UserChange, NewPasswordFor, UserOpened)
