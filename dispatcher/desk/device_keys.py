"""Keys of gateways and devices: made, listed, revoked. The key itself is shown once and never kept."""

from collections.abc import Sequence
from typing import Final

import asyncpg

from dispatcher.desk.accounts import AccountError
from infra.access import DEVICE_PREFIX, DeviceScope, new_token, token_hash
from infra.postgres import Connection
from schemas.wire import Record, Timestamp


class DeviceKey(Record, frozen=True):
    """A key of a gateway or device. Its id is public: it stands in logs and with reports."""

    id: str
    name: str
    scopes: tuple[str, ...]
    created_at: Timestamp
    revoked_at: Timestamp | None


async def add(connection: Connection, name: str, scopes: Sequence[DeviceScope]) -> str:
    """A new key; the answer is the only time it is seen. Raises `AccountError`."""
    key = new_token(DEVICE_PREFIX)
    await ensure(connection, key, name=name, scopes=scopes)
    return key


async def ensure(
    connection: Connection, key: str, *, name: str, scopes: Sequence[DeviceScope] = tuple(DeviceScope)
) -> None:
    """Let this key (`infra.access.new_token(DEVICE_PREFIX)`) in, unless it is known already; a revoked one stays so.

    Raises `AccountError` for a name or scopes that make no sense.
    """
    if not name.strip() or len(name) > 100 or not name.isprintable():
        raise AccountError("a key has a name of 1 to 100 printable characters")
    if not scopes:
        raise AccountError("a key needs at least one scope: reports or telemetry")
    await connection.execute(
        "INSERT INTO device_key (id, name, key_hash, scopes) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
        id_of(key),
        name.strip(),
        token_hash(key),
        sorted({scope.value for scope in scopes}),
    )


def id_of(key: str) -> str:
    """The id of a key; it is made of the hash, which tells nothing of the key."""
    return token_hash(key).hex()[:12]


_COLUMNS: Final = "id, name, scopes, created_at, revoked_at"


async def select_all(connection: Connection) -> list[DeviceKey]:
    """Every key, newest last, revoked ones too."""
    rows = await connection.fetch(f"SELECT {_COLUMNS} FROM device_key ORDER BY created_at, id")  # noqa: S608
    return [_from_row(row) for row in rows]


async def select(connection: Connection, key_id: str) -> DeviceKey | None:
    """The key with this id."""
    row = await connection.fetchrow(f"SELECT {_COLUMNS} FROM device_key WHERE id = $1", key_id)  # noqa: S608
    return None if row is None else _from_row(row)


async def select_page(connection: Connection, after: str, limit: int) -> list[DeviceKey]:
    """The next `limit` keys behind an id, revoked ones too."""
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} FROM device_key WHERE id > $1 ORDER BY id LIMIT $2",  # noqa: S608
        after,
        limit,
    )
    return [_from_row(row) for row in rows]


async def revoke(connection: Connection, id_or_name: str) -> int:
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


def _from_row(row: asyncpg.Record) -> DeviceKey:
    return DeviceKey(**{**row, "scopes": tuple(row["scopes"])})
