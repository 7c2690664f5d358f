"""asyncpg with our settings: time-outs on everything, UTC, JSON as bytes of ours."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import asyncpg
import msgspec

#: A statement that takes longer than this is a mistake or a stuck server; the caller answers 503 or tries again.
STATEMENT_TIMEOUT_S: Final = 10.0
CONNECT_TIMEOUT_S: Final = 5.0

if TYPE_CHECKING:  # generic in the stubs only
    Plain = asyncpg.Connection[asyncpg.Record]
    Connection = Plain | asyncpg.pool.PoolConnectionProxy[asyncpg.Record]
    Pool = asyncpg.Pool[asyncpg.Record]
else:
    Plain = asyncpg.Connection
    Connection = Plain | asyncpg.pool.PoolConnectionProxy
    Pool = asyncpg.Pool

#: Errors that the data causes: the same statement with the same values fails again (NUL 22021, surrogates, range …).
PERMANENT: Final = (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError, UnicodeEncodeError, OverflowError)
#: Errors that pass: connection, deadlock, serialization, shut-down, too many connections.
TRANSIENT: Final = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    # what asyncpg makes of a server that ends the session between its answers to one statement
    asyncpg.InternalClientError,
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.LockNotAvailableError,
    asyncpg.QueryCanceledError,
    ConnectionError,
    TimeoutError,
    OSError,
)
#: Whatever PostgreSQL, or the way to it, makes of a statement.
ANY_FAILURE: Final = (*TRANSIENT, asyncpg.PostgresError)


def sentence(error: BaseException | None) -> str:
    """What `/readyz` and a person at the prompt are told of an error of PostgreSQL's; never a secret."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"shows a certificate that cannot be believed ({error.verify_message}); look at sslrootcert"
    if isinstance(error, ssl.SSLError):
        return f"does not speak TLS with us ({error.reason or 'no reason given'}); look at sslmode"
    if isinstance(error, asyncpg.InvalidAuthorizationSpecificationError):
        return "does not let us in: wrong user or password"
    if isinstance(error, asyncpg.InsufficientPrivilegeError):
        return f"does not allow us ({error}); see `patriot migrate --roles`"
    if isinstance(error, OtherCity):
        return str(error)
    if isinstance(error, RoleMissing):
        return f"does not let us work in our role ({error}); run `patriot migrate`"
    return "does not answer"


async def prepare(connection: Any) -> None:
    """Per connection: JSON columns take and give Python values, through msgspec."""
    for kind in ("json", "jsonb"):
        await connection.set_type_codec(
            kind,
            schema="pg_catalog",
            encoder=lambda value: msgspec.json.encode(value).decode(),
            decoder=lambda text: msgspec.json.decode(text),
        )


async def connect(
    dsn: str,
    *,
    application: str,
    statement_timeout: float | None = STATEMENT_TIMEOUT_S,
    training: bool | None = None,
    **server_settings: str,
) -> Plain:
    """One connection of its own, for locks and listeners. Raises what `TRANSIENT` names when there is no server.

    With `statement_timeout` None a statement takes as long as it takes. With `training` it raises `OtherCity`
    where the database belongs to a city of the other kind.
    """
    connection: Plain = await asyncpg.connect(
        dsn,
        timeout=CONNECT_TIMEOUT_S,
        command_timeout=statement_timeout,
        server_settings={"application_name": application, "timezone": "UTC", **server_settings},
    )
    try:
        await prepare(connection)
        await _is_our_city(connection, training)
    except BaseException:
        connection.terminate()
        raise
    return connection


class OtherCity(ConnectionError):
    """The database is a real city's and ours is for training, or the other way round."""


async def _is_our_city(connection: Any, training: bool | None) -> None:
    if training is None:
        return
    try:
        marked = bool(await connection.fetchval("SELECT training FROM city"))
    except asyncpg.UndefinedTableError:
        return  # not migrated yet, which is said elsewhere
    if marked != training:
        kinds = ("training", "real") if marked else ("real", "training")
        raise OtherCity(
            f"is the database of a {kinds[0]} city, and this service is for a {kinds[1]} one: look at PATRIOT_TRAINING"
            " and PATRIOT_POSTGRES_DSN"
        )


class RoleMissing(ConnectionError):
    """The database lets us in, but not as the role that we work as."""


async def open_pool(
    dsn: str, *, application: str, size: int, role: str | None = None, training: bool | None = None
) -> Pool:
    """A pool of at most `size` connections, lazily filled so that a service starts before its database does.

    With `role` they work as that role, whatever the login may do beside it; acquiring one raises `RoleMissing` where
    there is no such role for us. Such connections are not reset after use: nothing may be done on them that outlives a
    transaction. With `training`, acquiring one raises `OtherCity` where the database belongs to a city of the other
    kind.
    """

    async def prepare_ours(connection: Any) -> None:
        await prepare(connection)
        await _is_our_city(connection, training)

    async def prepare_as_role(connection: Any) -> None:
        await prepare_ours(connection)
        try:
            await connection.execute(f"SET ROLE {role}")
        except (asyncpg.InvalidParameterValueError, asyncpg.InsufficientPrivilegeError) as error:
            raise RoleMissing(str(error)) from error

    pool: Pool = await asyncpg.create_pool(
        dsn,
        min_size=0,
        max_size=size,
        timeout=CONNECT_TIMEOUT_S,
        command_timeout=STATEMENT_TIMEOUT_S,
        max_inactive_connection_lifetime=60,
        init=prepare_ours if role is None else prepare_as_role,
        reset=None if role is None else _leave_as_it_is,
        server_settings={
            "application_name": application,
            "timezone": "UTC",
            "idle_in_transaction_session_timeout": "15s",
        },
    )
    return pool


async def _leave_as_it_is(_: Any) -> None:
    """In place of asyncpg's reset, a way to the server and back; it rolls back an open transaction all the same."""


@asynccontextmanager
async def within(pool: Pool, seconds: float) -> AsyncIterator[Connection]:
    """A connection of the pool, for `seconds` from the wish for it to the end of its work.

    After that the connection is cut, and what waits on it raises one of `TRANSIENT`. A time-out around a query would
    not do: cancelled, it is waited for, and a stopped server lets that wait last (13 s were measured).
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    async with pool.acquire(timeout=seconds) as connection:
        cut = loop.call_at(deadline, connection.terminate)
        try:
            yield connection
        except AttributeError as error:
            # Cut between two steps of one statement, asyncpg stumbles over a protocol that is gone.
            if loop.time() < deadline:
                raise
            raise asyncpg.ConnectionDoesNotExistError(f"the connection was cut after {seconds} s") from error
        finally:
            cut.cancel()


def backoff(first: float = 0.2, most: float = 5.0) -> Iterator[float]:
    """Seconds to wait before each next try: doubling from `first` to `most`."""
    delay = first
    while True:
        yield delay
        delay = min(delay * 2, most)


async def close_pool(pool: Pool, timeout: float = 5.0) -> None:
    """Close gracefully, or cut after `timeout` s."""
    try:
        async with asyncio.timeout(timeout):
            await pool.close()
    except TimeoutError:
        pool.terminate()
