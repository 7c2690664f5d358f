"""Accounts of staff, their sessions, and keys of devices: made, listed, ended."""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import asyncpg
import msgspec

from dispatcher import officer_store
from dispatcher.desk import passwords
from dispatcher.officer_store import Officer
from infra.access import DEVICE_PREFIX, SESSION_PREFIX, DeviceScope, new_token, token_hash
from infra.postgres import Connection
from schemas.gazetteer import gazetteer
from schemas.place import AgencyRef
from schemas.vocabulary import OfficerStatus, Role

#: A working day and some; then people sign in again.
SESSION_LIFETIME: Final = timedelta(hours=12)
FIRST_ADMIN: Final = "admin"

_USERNAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
#: Who works for one agency and cannot be without it.
_OF_AN_AGENCY: Final = frozenset({Role.OFFICER, Role.DISPATCHER})


class AccountError(ValueError):
    """An account or key that cannot be as asked; the message is one sentence for the administrator."""


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """A person who signs in."""

    username: str
    display_name: str
    role: Role
    #: Empty: the whole city.
    agencies: tuple[AgencyRef, ...] = ()
    #: Kemendagri code of an area head's kecamatan.
    kecamatan: str | None = None
    disabled_at: datetime | None = None


class DeviceKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key of a gateway or device; the key itself is shown once and never kept."""

    id: str
    name: str
    scopes: tuple[str, ...]
    created_at: datetime
    revoked_at: datetime | None = None


def account(
    username: str,
    role: Role,
    agencies: Sequence[AgencyRef] = (),
    kecamatan: str | None = None,
    display_name: str | None = None,
) -> Account:
    """An account as it may be. Raises `AccountError` for a name or a combination that makes no sense."""
    name = username.strip().lower()
    if not _USERNAME.fullmatch(name):
        raise AccountError("a user name has 1 to 63 letters, digits, dots, hyphens or underscores, a letter first")
    if role in _OF_AN_AGENCY and not agencies:
        raise AccountError(f"an account of role {role} needs --agency, for example 32.75/DISHUB")
    if role is Role.OFFICER and len(agencies) > 1:
        raise AccountError("an officer belongs to one agency")
    if role is Role.AREA_HEAD and kecamatan is None:
        raise AccountError("an area head needs --kecamatan, for example 32.75.03")
    if kecamatan is not None and kecamatan not in {area.code for area in gazetteer().kecamatan}:
        raise AccountError("there is no kecamatan with this code in Bekasi; codes look like 32.75.03")
    return Account(
        username=name,
        display_name=(display_name or username).strip(),
        role=role,
        agencies=tuple(dict.fromkeys(agencies)),
        kecamatan=kecamatan,
    )


async def add(connection: Connection, new: Account, password: str) -> None:
    """Make the account; an officer's comes with a row on the board, off duty. Raises `AccountError` when it exists."""
    if not password.strip():
        raise AccountError("the password is empty")
    stored = passwords.hashed(password)
    async with connection.transaction():
        made = await connection.fetchval(
            "INSERT INTO account (username, display_name, role, password_hash, agencies, kecamatan)"
            " VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (username) DO NOTHING RETURNING created_at",
            new.username,
            new.display_name,
            new.role.value,
            stored,
            [str(agency) for agency in new.agencies],
            new.kecamatan,
        )
        if made is None:
            raise AccountError(f"there is an account {new.username} already")
        if new.role is Role.OFFICER:
            officer = Officer(
                username=new.username,
                name=new.display_name,
                agency=new.agencies[0],
                status=OfficerStatus.OFF_DUTY,
                updated_at=made,
            )
            await officer_store.add(connection, officer)


async def set_password(connection: Connection, username: str, password: str) -> None:
    """Give an account another password and end its sessions. Raises `AccountError` when there is no such account."""
    stored = passwords.hashed(password)
    async with connection.transaction():
        done = await connection.fetchval(
            "UPDATE account SET password_hash = $2 WHERE username = $1 RETURNING username", username, stored
        )
        if done is None:
            raise AccountError(f"there is no account {username}")
        await connection.execute("DELETE FROM session WHERE username = $1", username)


async def disable(connection: Connection, username: str) -> None:
    """End an account: no sign-in, no session; an officer leaves the board. Its history stays.

    Raises `AccountError` when there is no such account. Safe twice. A service may go on for 60 s (`infra.access`).
    """
    async with connection.transaction():
        now = await connection.fetchval(
            "UPDATE account SET disabled_at = coalesce(disabled_at, now()) WHERE username = $1 RETURNING now()",
            username.strip().lower(),
        )
        if now is None:
            raise AccountError(f"there is no account {username}")
        await connection.execute("DELETE FROM session WHERE username = $1", username.strip().lower())
        await officer_store.leave(connection, username.strip().lower(), now)


async def select_all(connection: Connection) -> list[Account]:
    """Every account by name, ended ones too."""
    rows = await connection.fetch(
        "SELECT username, display_name, role, agencies, kecamatan, disabled_at FROM account ORDER BY username"
    )
    return [_from_row(row) for row in rows]


async def select_for_sign_in(connection: Connection, username: str) -> tuple[Account, str] | None:
    """An account in use and the hash of its password."""
    row = await connection.fetchrow(
        "SELECT username, display_name, role, agencies, kecamatan, disabled_at, password_hash"
        "  FROM account WHERE username = $1 AND disabled_at IS NULL",
        username,
    )
    return (_from_row(row), row["password_hash"]) if row else None


def _from_row(row: asyncpg.Record) -> Account:
    return Account(
        username=row["username"],
        display_name=row["display_name"],
        role=Role(row["role"]),
        agencies=tuple(AgencyRef.parse(text) for text in row["agencies"]),
        kecamatan=row["kecamatan"],
        disabled_at=row["disabled_at"],
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


# Sessions ----------------------------------------------------------------------------------------------------------


async def open_session(connection: Connection, username: str) -> str:
    """A new session's token, good for 12 hours."""
    token = new_token(SESSION_PREFIX)
    await connection.execute(
        "INSERT INTO session (token_hash, username, expires_at) VALUES ($1, $2, now() + $3)",
        token_hash(token),
        username,
        SESSION_LIFETIME,
    )
    return token


async def end_session(connection: Connection, token: str) -> None:
    """The token is good for nothing from now on."""
    await connection.execute("DELETE FROM session WHERE token_hash = $1", token_hash(token))


async def sweep_sessions(connection: Connection) -> int:
    """Forget sessions that have ended; returns how many, 5,000 at most."""
    done: str = await connection.execute(
        "DELETE FROM session WHERE token_hash = ANY (ARRAY("
        "SELECT token_hash FROM session WHERE expires_at < now() LIMIT 5000))"
    )
    return int(done.rpartition(" ")[2])


# Device keys -------------------------------------------------------------------------------------------------------


async def add_device_key(connection: Connection, name: str, scopes: Sequence[DeviceScope]) -> str:
    """A new key; the answer is the only time it is seen. Raises `AccountError`."""
    key = new_token(DEVICE_PREFIX)
    await ensure_device_key(connection, key, name=name, scopes=scopes)
    return key


async def ensure_device_key(
    connection: Connection, key: str, *, name: str, scopes: Sequence[DeviceScope] = tuple(DeviceScope)
) -> None:
    """Let this key (`infra.access.new_token(DEVICE_PREFIX)`) in, unless it is known already; a revoked one stays so.

    Raises `AccountError` for a name or scopes that make no sense.
    """
    if not name.strip() or len(name) > 100 or not name.isprintable():
        raise AccountError("a key has a name of 1 to 100 printable characters")
    if not scopes:
        raise AccountError("a key needs at least one scope: reports or telemetry")
    # The id is public (it stands in logs and with reports); it is made of the hash, which tells nothing of the key.
    await connection.execute(
        "INSERT INTO device_key (id, name, key_hash, scopes) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
        token_hash(key).hex()[:12],
        name.strip(),
        token_hash(key),
        sorted({scope.value for scope in scopes}),
    )


async def select_device_keys(connection: Connection) -> list[DeviceKey]:
    """Every key, newest last, revoked ones too."""
    rows = await connection.fetch(
        "SELECT id, name, scopes, created_at, revoked_at FROM device_key ORDER BY created_at, id"
    )
    return [
        DeviceKey(
            id=row["id"],
            name=row["name"],
            scopes=tuple(row["scopes"]),
            created_at=row["created_at"],
            revoked_at=row["revoked_at"],
        )
        for row in rows
    ]


async def revoke_device_key(connection: Connection, id_or_name: str) -> int:
    """The keys with this id or name are good for nothing from now on (a service may go on for 60 s); how many it were.

    Raises `AccountError` when there is none.
    """
    rows = await connection.fetch(
        "UPDATE device_key SET revoked_at = coalesce(revoked_at, now()) WHERE id = $1 OR name = $1 RETURNING id",
        id_or_name,
    )
    if not rows:
        raise AccountError("there is no key with this id or name")
    return len(rows)
