"""Sessions of staff: opened by a sign-in, listed, ended by who has them, by a change of the account, and by time."""

from collections.abc import Collection
from datetime import timedelta
from typing import Final

from infra.access import SESSION_PREFIX, Duty, new_token, token_hash
from infra.postgres import Connection
from schemas.wire import Record, Timestamp

#: A working day and some; then people sign in again.
LIFETIME: Final = timedelta(hours=12)
#: What is kept of what a browser says of itself.
_USER_AGENT: Final = 200
#: Of the token's hash, enough to tell sessions of one person apart and no help to make one.
_ID: Final = "left(encode(token_hash, 'hex'), 16)"


class SessionRow(Record, frozen=True):
    """An open session, as its owner sees it. `current`: the one that asks."""

    id: str
    created_at: Timestamp
    expires_at: Timestamp
    #: Where it was opened from; for IPv6 the /64.
    address: str | None
    user_agent: str | None
    current: bool


async def open_session(
    connection: Connection,
    username: str,
    *,
    owes: Collection[Duty] = (),
    address: str | None = None,
    user_agent: str | None = None,
) -> str:
    """A new session's token, good for 12 hours; while it owes something it is good for nothing else."""
    token = new_token(SESSION_PREFIX)
    await connection.execute(
        "INSERT INTO session (token_hash, username, expires_at, owes, address, user_agent)"
        " VALUES ($1, $2, now() + $3, $4, $5, $6)",
        token_hash(token),
        username,
        LIFETIME,
        sorted(owes),
        address,
        None if user_agent is None else user_agent.replace("\x00", "")[:_USER_AGENT],
    )
    return token


async def select_open(connection: Connection, username: str, token: str) -> list[SessionRow]:
    """The open sessions of a person, newest first; `token` is of the one that asks."""
    rows = await connection.fetch(
        f"SELECT {_ID} AS id, created_at, expires_at, address, user_agent, token_hash = $2 AS current"  # noqa: S608
        "  FROM session WHERE username = $1 AND expires_at > now() ORDER BY created_at DESC, id",
        username,
        token_hash(token),
    )
    return [SessionRow(**row) for row in rows]


async def end(connection: Connection, token: str) -> None:
    """The token is good for nothing from now on."""
    await connection.execute("DELETE FROM session WHERE token_hash = $1", token_hash(token))


async def end_one(connection: Connection, username: str, session_id: str) -> bool:
    """End a session of this person by its id; False when there is none."""
    done: str = await connection.execute(
        f"DELETE FROM session WHERE username = $1 AND {_ID} = $2",  # noqa: S608
        username,
        session_id,
    )
    return not done.endswith(" 0")


async def end_all(connection: Connection, username: str, *, but: str | None = None) -> None:
    """End every session of this person, but the one with this token."""
    await connection.execute(
        "DELETE FROM session WHERE username = $1 AND token_hash IS DISTINCT FROM $2",
        username,
        None if but is None else token_hash(but),
    )


async def settle(connection: Connection, username: str, duty: Duty) -> None:
    """What the sessions of this person owed is done."""
    await connection.execute("UPDATE session SET owes = array_remove(owes, $2) WHERE username = $1", username, duty)


async def sweep(connection: Connection) -> int:
    """Forget sessions that have ended; returns how many, 5,000 at most."""
    done: str = await connection.execute(
        "DELETE FROM session WHERE token_hash = ANY (ARRAY("
        "SELECT token_hash FROM session WHERE expires_at < now() LIMIT 5000))"
    )
    return int(done.rpartition(" ")[2])
