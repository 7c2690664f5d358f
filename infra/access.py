"""Who is asking: session cookie, bearer token or device key, looked up in PostgreSQL through a short cache."""

import hmac
import secrets
import time
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from enum import StrEnum
from hashlib import sha256
from typing import Final
from urllib.parse import urlsplit

import asyncpg
from fastapi import Request

from infra.postgres import TRANSIENT, Connection, Pool, within
from infra.problem import Problem, unavailable
from schemas.place import AgencyRef
from schemas.vocabulary import Role

COOKIE: Final = "patriot_session"
SESSION_PREFIX: Final = "ps_"
DEVICE_PREFIX: Final = "pk_"
#: A revoked session or key may go on for this long on a node that has just seen it.
CACHE_S: Final = 60.0
#: A device key that was good a moment ago stays good this much longer while PostgreSQL is away: its readings need
#: Kafka alone. Sessions don't: what staff do needs PostgreSQL anyway.
_GRACE_S: Final = 600.0
#: Unknown tokens are asked for again after this; a key is often used the moment it is made.
_UNKNOWN_S: Final = 5.0
_CACHE_SIZE: Final = 10_000
#: PostgreSQL has this long to say who somebody is, waiting for a free connection included; then it is 503.
_LOOK_UP_S: Final = 2.5
#: Look-ups that may wait for a connection or have one; what comes on top is 503 at once.
_WAITERS: Final = 100


class Duty(StrEnum):
    """What somebody has to do before a new session is good for anything else."""

    #: The password was somebody else's idea.
    PASSWORD = "password"  # noqa: S105 - a word, not a secret
    #: The role asks for a second factor, and there is none yet.
    TOTP = "totp"


class DeviceScope(StrEnum):
    """What a device key may do."""

    REPORTS = "reports"
    TELEMETRY = "telemetry"


#: A newer release may have written others.
_DEVICE_SCOPES: Final = frozenset(DeviceScope)
_DUTIES: Final = frozenset(Duty)


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody who has shown who they are."""

    #: Username, or `key:<id>` of a device key.
    name: str
    role: Role | None = None
    display_name: str = ""
    #: Empty for the whole city (operators, supervisors, executives, admin).
    agencies: tuple[AgencyRef, ...] = ()
    #: Kemendagri codes of an area; with a kelurahan its kecamatan is there too.
    kecamatan: str | None = None
    kelurahan: str | None = None
    device_scopes: frozenset[DeviceScope] = field(default_factory=frozenset)
    owes: frozenset[Duty] = field(default_factory=frozenset)
    #: True when the browser sent it by itself: unsafe methods then need an own Origin.
    by_cookie: bool = False

    @property
    def is_staff(self) -> bool:
        return self.role is not None


def new_token(prefix: str) -> str:
    """256 random bits behind a prefix that says what it is."""
    return prefix + secrets.token_urlsafe(32)


def token_hash(token: str) -> bytes:
    """What is stored of a token. A plain hash is enough: 256 random bits cannot be guessed."""
    return sha256(token.encode()).digest()


def derive(secret: bytes, purpose: str) -> bytes:
    """A key for one purpose from the city's secret."""
    return hmac.digest(secret, purpose.encode(), sha256)


class Access:
    """Looks up principals. A request without any credential never touches PostgreSQL."""

    def __init__(self, pool: Pool, own_origins: frozenset[str] = frozenset()) -> None:
        self._pool = pool
        self._own_origins = own_origins
        self._cache: OrderedDict[bytes, tuple[float, Principal | None]] = OrderedDict()
        self._waiting = 0

    def forget(self, token: str) -> None:
        """Drop a token from this process's cache (sign-out, revocation)."""
        self._cache.pop(token_hash(token), None)

    def forget_person(self, name: str) -> None:
        """Drop every session of a person from this process's cache (account changed, sessions ended)."""
        for key in [key for key, (_, found) in self._cache.items() if found is not None and found.name == name]:
            del self._cache[key]

    async def principal(self, request: Request, *, owing: bool = False) -> Principal | None:
        """Who is asking; None for anonymous. It is noted in `request.state.principal`.

        Raises 401 for a credential that is not (or no longer) known, 403 for a cookie from a foreign page and, unless
        `owing`, for who has a `Duty` to do first; 503 when PostgreSQL is needed and does not answer.
        """
        found = await self._principal(request)
        if found is not None and found.owes and not owing:
            raise _to_do_first(found.owes)
        request.state.principal = found
        return found

    async def _principal(self, request: Request) -> Principal | None:
        header = request.headers.get("authorization")
        if header is not None:
            scheme, _, token = header.partition(" ")
            if scheme.lower() != "bearer" or not token.strip():
                raise Problem(401, "bad-credential", "Use Authorization: Bearer with a session token or device key.")
            return self._known(await self._look_up(token.strip()))
        cookie = request.cookies.get(COOKIE)
        if not cookie:
            return None
        if request.method not in ("GET", "HEAD", "OPTIONS"):
            self._require_own_page(request)
        found = await self._look_up(cookie)
        return None if found is None else replace(found, by_cookie=True)

    async def staff(self, request: Request, *, owing: bool = False) -> Principal:
        """A signed-in person; 401 for everybody else. The rest as `principal`."""
        found = await self.principal(request, owing=owing)
        if found is None or not found.is_staff:
            raise Problem(401, "sign-in", "Sign in first.", headers={"WWW-Authenticate": "Bearer"})
        return found

    async def device(self, request: Request, scope: DeviceScope) -> Principal:
        """A device key with `scope`; 401 without one, 403 with another."""
        found = await self.principal(request)
        if found is None or found.is_staff:
            raise Problem(
                401, "device-key", "Send a device key as Authorization: Bearer.", headers={"WWW-Authenticate": "Bearer"}
            )
        if scope not in found.device_scopes:
            raise Problem(403, "device-scope", f"This key does not have the scope {scope}.")
        return found

    @staticmethod
    def _known(found: Principal | None) -> Principal:
        if found is None:
            raise Problem(
                401,
                "bad-credential",
                "This token or key is not known, or no longer.",
                headers={"WWW-Authenticate": "Bearer"},
            )
        return found

    def _require_own_page(self, request: Request) -> None:
        origin = request.headers.get("origin")
        if origin is not None:
            host = request.headers.get("host", "")
            if origin.rstrip("/") in self._own_origins or _host_of(origin) == host:
                return
        elif request.headers.get("sec-fetch-site") in ("same-origin", "none"):
            return
        raise Problem(403, "foreign-origin", "This came from another site. Use our own page, or a bearer token.")

    async def _look_up(self, token: str) -> Principal | None:
        key = token_hash(token)
        now = time.monotonic()
        cached = self._cache.get(key)
        if cached is not None and now < cached[0]:
            return cached[1]
        self._waiting += 1
        try:
            if self._waiting > _WAITERS:
                raise TimeoutError("too many are waiting")
            async with within(self._pool, _LOOK_UP_S) as connection:
                found = await _from_database(connection, token, key)
        except (*TRANSIENT, asyncpg.PostgresError) as error:
            if cached is not None and cached[1] is not None and cached[1].device_scopes and now < cached[0] + _GRACE_S:
                return cached[1]
            raise unavailable("Sign-ins cannot be checked right now. Nothing was changed; try again.") from error
        finally:
            self._waiting -= 1
        # Who owes something is about to do it, and then waits for nothing.
        seconds = CACHE_S if found and not found.owes else _UNKNOWN_S
        self._cache[key] = (time.monotonic() + seconds, found)
        self._cache.move_to_end(key)
        while len(self._cache) > _CACHE_SIZE:
            self._cache.popitem(last=False)
        return found


async def _from_database(connection: Connection, token: str, key: bytes) -> Principal | None:
    if token.startswith(DEVICE_PREFIX):
        row = await connection.fetchrow(
            "SELECT id, name, scopes FROM device_key WHERE key_hash = $1 AND revoked_at IS NULL", key
        )
        if row is None:
            return None
        scopes = frozenset(DeviceScope(scope) for scope in row["scopes"] if scope in _DEVICE_SCOPES)
        return Principal(name=f"key:{row['id']}", display_name=row["name"], device_scopes=scopes)
    row = await connection.fetchrow(
        """
        SELECT a.username, a.role, a.display_name, a.agencies, a.kecamatan, a.kelurahan, s.owes
          FROM session s JOIN account a USING (username)
         WHERE s.token_hash = $1 AND s.expires_at > now() AND a.disabled_at IS NULL
        """,
        key,
    )
    return None if row is None else _from_row(row)


def _host_of(origin: str) -> str | None:
    """The host and port of an Origin; None for `null` and for what is none."""
    try:
        return urlsplit(origin).netloc or None
    except ValueError:  # `http://[`
        return None


def _from_row(row: asyncpg.Record) -> Principal:
    return Principal(
        name=str(row["username"]),
        role=Role(str(row["role"])),
        display_name=str(row["display_name"]),
        agencies=tuple(AgencyRef.parse(text) for text in row["agencies"]),
        kecamatan=row["kecamatan"] or None,
        kelurahan=row["kelurahan"] or None,
        owes=frozenset(Duty(duty) for duty in row["owes"] if duty in _DUTIES),
    )


def _to_do_first(owes: frozenset[Duty]) -> Problem:
    if Duty.PASSWORD in owes:
        return Problem(403, "password-change-required", "Choose a password of your own first: PUT /api/v1/me/password.")
    return Problem(
        403, "second-factor-required", "Your role needs a second factor: set one up first, POST /api/v1/me/totp."
    )
