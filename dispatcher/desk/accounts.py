"""Accounts of staff: made, changed, ended, and opened again by a one-time token."""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import asyncpg
import msgspec

from dispatcher import officer_store
from dispatcher.desk import passwords, sessions
from dispatcher.officer_store import Officer
from infra.access import new_token, token_hash
from infra.postgres import Connection
from schemas.gazetteer import gazetteer
from schemas.place import AgencyRef
from schemas.vocabulary import OfficerStatus, Role

FIRST_ADMIN: Final = "admin"
#: A one-time token is handed over in person or by telephone, and used the same day.
RESET_LIFETIME: Final = timedelta(hours=24)
_RESET_PREFIX: Final = "pr_"

#: Any number that nothing else in this database locks.
_CHANGING: Final = 0x7061_6163
_USERNAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
#: Who works for one agency and cannot be without it.
_OF_AN_AGENCY: Final = frozenset({Role.OFFICER, Role.DISPATCHER})


class AccountError(ValueError):
    """An account or key that cannot be as asked; the message is one sentence for the administrator."""


class AccountConflict(AccountError):
    """It could be so, but not as things stand."""


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """A person who signs in."""

    username: str
    display_name: str
    role: Role
    #: Empty: the whole city.
    agencies: tuple[AgencyRef, ...] = ()
    #: Kemendagri codes of an area head's area; with a kelurahan its kecamatan is there too.
    kecamatan: str | None = None
    kelurahan: str | None = None
    disabled_at: datetime | None = None
    #: The password was somebody else's idea.
    must_change_password: bool = False
    #: Whether a second factor is asked for.
    has_totp: bool = False

    @property
    def in_the_field(self) -> bool:
        """Whether there is an officer on the board for it."""
        return self.role is Role.OFFICER and self.disabled_at is None


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What a sign-in is held against."""

    account: Account
    password_hash: str
    #: The shared secret of its second factor, sealed; None without one.
    totp_sealed: bytes | None = None


def account(
    username: str,
    role: Role,
    agencies: Sequence[AgencyRef] = (),
    kecamatan: str | None = None,
    display_name: str | None = None,
    kelurahan: str | None = None,
) -> Account:
    """An account as it may be. Raises `AccountError` for a name or a combination that makes no sense."""
    name = username.strip().lower()
    if not _USERNAME.fullmatch(name):
        raise AccountError("a user name has 1 to 63 letters, digits, dots, hyphens or underscores, a letter first")
    return checked(
        Account(
            username=name,
            display_name=(display_name or username).strip(),
            role=role,
            agencies=tuple(dict.fromkeys(agencies)),
            kecamatan=kecamatan,
            kelurahan=kelurahan,
        )
    )


def checked(new: Account) -> Account:
    """The account, with the kecamatan of its kelurahan. Raises `AccountError` for what makes no sense."""
    if new.role in _OF_AN_AGENCY and not new.agencies:
        raise AccountError(f"an account of role {new.role} needs --agency, for example 32.75/DISHUB")
    if new.role is Role.OFFICER and len(new.agencies) > 1:
        raise AccountError("an officer belongs to one agency")
    if new.role is Role.AREA_HEAD and new.kecamatan is None and new.kelurahan is None:
        raise AccountError("an area head needs --kecamatan, for example 32.75.03, or --kelurahan")
    if new.role is Role.ADMIN and (new.agencies or new.kecamatan or new.kelurahan):
        raise AccountError("an administrator makes accounts for everybody, so has no agency and no area")
    kecamatan = new.kecamatan
    if new.kelurahan is not None:
        of = {area.code: area.kecamatan_code for area in gazetteer().kelurahan}
        if new.kelurahan not in of:
            raise AccountError("there is no kelurahan or desa with this code in Bekasi; codes look like 32.75.03.1001")
        if kecamatan not in (None, of[new.kelurahan]):
            raise AccountError("this kelurahan is not in this kecamatan")
        kecamatan = of[new.kelurahan]
    if kecamatan is not None and kecamatan not in {area.code for area in gazetteer().kecamatan}:
        raise AccountError("there is no kecamatan with this code in Bekasi; codes look like 32.75.03")
    good: Account = msgspec.structs.replace(new, kecamatan=kecamatan)
    return good


async def add(connection: Connection, new: Account, password: str, *, must_change: bool = False) -> None:
    """Make the account; an officer's comes with a row on the board, off duty. Raises `AccountError` when it exists.

    It hashes the password: for commands, not for a server's loop.
    """
    if not password.strip():
        raise AccountError("the password is empty")
    await insert(connection, new, passwords.hashed(password), must_change=must_change)


async def insert(connection: Connection, new: Account, password_hash: str, *, must_change: bool) -> None:
    """The same with a hash that was made elsewhere; `UNUSABLE` is of no password."""
    async with connection.transaction():
        made = await connection.fetchval(
            "INSERT INTO account (username, display_name, role, password_hash, agencies, kecamatan, kelurahan,"
            " must_change_password) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
            " ON CONFLICT (username) DO NOTHING RETURNING created_at",
            new.username,
            new.display_name,
            new.role.value,
            password_hash,
            [str(agency) for agency in new.agencies],
            new.kecamatan,
            new.kelurahan,
            must_change,
        )
        if made is None:
            raise AccountConflict(f"there is an account {new.username} already")
        if new.in_the_field:
            await officer_store.add(connection, _officer(new, made))


def _officer(of: Account, now: datetime) -> Officer:
    return Officer(
        username=of.username,
        name=of.display_name,
        agency=of.agencies[0],
        status=OfficerStatus.OFF_DUTY,
        updated_at=now,
    )


async def change(connection: Connection, before: Account, after: Account) -> None:
    """Write an account whose row is locked (`select_for_update`); what it may see or do changed, its sessions end.

    An officer leaves the board, comes to it, or moves to another agency with it. Raises `AccountConflict` for the last
    administrator, and for an officer who would go while working on something. Services that have seen a session may go
    on with it for 60 s (`infra.access`).
    """
    ends_admin = before.role is Role.ADMIN and before.disabled_at is None
    if ends_admin and (after.role is not Role.ADMIN or after.disabled_at is not None):
        others = await connection.fetchval(
            "SELECT count(*) FROM account WHERE role = 'admin' AND disabled_at IS NULL AND username <> $1",
            before.username,
        )
        if not others:
            raise AccountConflict("this is the last administrator; make another one first")
    now = await connection.fetchval("SELECT now()")
    moves = before.in_the_field and after.in_the_field and before.agencies != after.agencies
    leaves = before.in_the_field and not after.in_the_field
    if (moves or (leaves and after.disabled_at is None)) and await officer_store.has_work(connection, before.username):
        raise AccountConflict("this officer works on something; let it be completed or handed back first")
    await connection.execute(
        "UPDATE account SET display_name = $2, role = $3, agencies = $4, kecamatan = $5, kelurahan = $6,"
        " disabled_at = $7 WHERE username = $1",
        after.username,
        after.display_name,
        after.role.value,
        [str(agency) for agency in after.agencies],
        after.kecamatan,
        after.kelurahan,
        after.disabled_at,
    )
    if moves or leaves:
        await officer_store.leave(connection, before.username, now)
    if after.in_the_field and (moves or not before.in_the_field):
        await officer_store.add(connection, _officer(after, now))
    elif after.in_the_field and before.display_name != after.display_name:
        [known] = (await officer_store.select_for_update(connection, [after.username])).values()
        renamed: Officer = msgspec.structs.replace(known, name=after.display_name, updated_at=now)
        await officer_store.save(connection, renamed)
    if _rights(before) != _rights(after):
        await sessions.end_all(connection, before.username)


def _rights(of: Account) -> tuple[object, ...]:
    return (of.role, of.agencies, of.kecamatan, of.kelurahan, of.disabled_at is None)


async def disable(connection: Connection, username: str) -> None:
    """End an account: no sign-in, no session; an officer leaves the board. Its history stays. Safe twice.

    Raises `AccountError` when there is no such account, or when it is the last administrator's.
    """
    async with connection.transaction():
        before = await _required(connection, username)
        if before.disabled_at is None:
            now = await connection.fetchval("SELECT now()")
            await change(connection, before, msgspec.structs.replace(before, disabled_at=now))


async def enable(connection: Connection, username: str) -> None:
    """Let somebody in again whose account was ended. Raises `AccountError` when there is no such account."""
    async with connection.transaction():
        before = await _required(connection, username)
        if before.disabled_at is not None:
            await change(connection, before, msgspec.structs.replace(before, disabled_at=None))


async def _required(connection: Connection, username: str) -> Account:
    found = await select_for_update(connection, username.strip().lower())
    if found is None:
        raise AccountError(f"there is no account {username}")
    return found


# Passwords ---------------------------------------------------------------------------------------------------------


async def set_password(connection: Connection, username: str, password: str) -> None:
    """Give an account another password and end its sessions. Raises `AccountError` when there is no such account."""
    stored = passwords.hashed(password)
    async with connection.transaction():
        if not await put_password(connection, username, stored, must_change=False):
            raise AccountError(f"there is no account {username}")


async def put_password(
    connection: Connection, username: str, password_hash: str, *, must_change: bool, keep: str | None = None
) -> bool:
    """The same with a hash that was made elsewhere; the session with the token `keep` goes on. False: no such account.

    Whatever one-time token there was is spent.
    """
    done = await connection.fetchval(
        "UPDATE account SET password_hash = $2, must_change_password = $3 WHERE username = $1 RETURNING username",
        username,
        password_hash,
        must_change,
    )
    if done is None:
        return False
    await connection.execute("DELETE FROM password_reset WHERE username = $1", username)
    await sessions.end_all(connection, username, but=keep)
    return True


async def open_reset(connection: Connection, username: str) -> tuple[str, datetime]:
    """A one-time token by which its holder sets a password, and when it ends; the one before is spent. The old password
    goes on until then: whoever resets the account of somebody else locks nobody out."""
    token = new_token(_RESET_PREFIX)
    await connection.execute("DELETE FROM password_reset WHERE username = $1", username)
    ends: datetime = await connection.fetchval(
        "INSERT INTO password_reset (token_hash, username, expires_at) VALUES ($1, $2, now() + $3)"
        " RETURNING expires_at",
        token_hash(token),
        username,
        RESET_LIFETIME,
    )
    return token, ends


async def spend_reset(connection: Connection, token: str) -> str | None:
    """Whose password may be set by this token, which is spent by it; None when it is none, or no longer."""
    name: str | None = await connection.fetchval(
        "DELETE FROM password_reset r USING account a WHERE r.token_hash = $1 AND r.expires_at > now()"
        " AND a.username = r.username AND a.disabled_at IS NULL RETURNING r.username",
        token_hash(token),
    )
    return name


async def sweep_resets(connection: Connection) -> None:
    """Forget tokens whose time is over."""
    await connection.execute("DELETE FROM password_reset WHERE expires_at < now()")


# Reading -----------------------------------------------------------------------------------------------------------

_COLUMNS: Final = (
    "username, display_name, role, agencies, kecamatan, kelurahan, disabled_at, must_change_password,"
    " totp_confirmed_at IS NOT NULL AS has_totp"
)


async def select_all(connection: Connection) -> list[Account]:
    """Every account by name, ended ones too."""
    rows = await connection.fetch(f"SELECT {_COLUMNS} FROM account ORDER BY username")  # noqa: S608
    return [_from_row(row) for row in rows]


async def select_page(
    connection: Connection,
    *,
    roles: Sequence[Role],
    agency: str | None,
    disabled: bool | None,
    text: str | None,
    after: str,
    limit: int,
) -> list[Account]:
    """The next `limit` accounts behind a name: of these roles (none: of any), of an agency, ended or in use, with this
    text in name or display name."""
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} FROM account WHERE username > $1"  # noqa: S608
        " AND ($2::text[] = '{}' OR role = ANY($2)) AND ($3::text IS NULL OR $3 = ANY(agencies))"
        " AND ($4::boolean IS NULL OR (disabled_at IS NOT NULL) = $4)"
        " AND ($5::text IS NULL OR position(lower($5) IN lower(username || ' ' || display_name)) > 0)"
        " ORDER BY username LIMIT $6",
        after,
        [role.value for role in roles],
        agency,
        disabled,
        text,
        limit,
    )
    return [_from_row(row) for row in rows]


async def select(connection: Connection, username: str) -> Account | None:
    """The account with this name, ended or not."""
    row = await connection.fetchrow(f"SELECT {_COLUMNS} FROM account WHERE username = $1", username)  # noqa: S608
    return None if row is None else _from_row(row)


async def select_for_update(connection: Connection, username: str) -> Account | None:
    """The same, locked until the transaction ends. One account is changed at a time: of two last administrators who end
    each other, the second finds itself alone."""
    await connection.execute("SELECT pg_advisory_xact_lock($1)", _CHANGING)
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS} FROM account WHERE username = $1 FOR UPDATE",  # noqa: S608
        username,
    )
    return None if row is None else _from_row(row)


async def select_for_sign_in(connection: Connection, username: str) -> Known | None:
    """An account in use, and what a sign-in is held against."""
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS}, password_hash,"  # noqa: S608
        " CASE WHEN totp_confirmed_at IS NOT NULL THEN totp_sealed END AS totp_sealed"
        "  FROM account WHERE username = $1 AND disabled_at IS NULL",
        username,
    )
    if row is None:
        return None
    return Known(account=_from_row(row), password_hash=row["password_hash"], totp_sealed=row["totp_sealed"])


def _from_row(row: asyncpg.Record) -> Account:
    return Account(
        username=row["username"],
        display_name=row["display_name"],
        role=Role(row["role"]),
        agencies=tuple(AgencyRef.parse(text) for text in row["agencies"]),
        kecamatan=row["kecamatan"],
        kelurahan=row["kelurahan"],
        disabled_at=row["disabled_at"],
        must_change_password=row["must_change_password"],
        has_totp=row["has_totp"],
    )


async def ensure_first_admin(connection: Connection, password: str) -> bool:
    """Make the account `admin` with this password unless there is one; True when it was made now."""
    try:
        await add(connection, account(FIRST_ADMIN, Role.ADMIN, display_name="Administrator"), password)
    except AccountError:
        if not password.strip():
            raise
        return False
    return True
