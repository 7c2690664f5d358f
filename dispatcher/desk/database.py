"""PostgreSQL as the desk uses it: under the asker's scope, an answer in time or 503, no queue behind a database that is
away."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import asyncpg
import structlog

from dispatcher.desk import metrics as desk_metrics
from dispatcher.desk import reach
from dispatcher.desk.reach import Reach
from infra.postgres import TRANSIENT, Connection, Pool, within
from infra.problem import Problem, unavailable

log = structlog.get_logger()

#: From the wish for a connection to the end of its work. The contract's goal is a 503 within 3 s.
PATIENCE_S: Final = 2.5
#: Requests that may wait for a connection or have one; what comes on top is refused at once.
WAITERS: Final = 100
#: A row that somebody else holds for longer than this is as good as away.
_LOCK_TIMEOUT: Final = "2s"

#: Not migrated yet, a standby after a failover, or not letting us in: as good as away, until somebody has finished what
#: they do.
_UNFIT: Final = (
    asyncpg.UndefinedTableError,
    asyncpg.UndefinedColumnError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InsufficientPrivilegeError,
)

_AWAY: Final = "The database does not answer at the moment. Nothing was changed; try again."
_IN_DOUBT: Final = "The database went away while saving: it may have been saved or not. Look before you try again."


@dataclass(slots=True)
class _Door:
    """The pool and who is inside, shared by all that ask."""

    pool: Pool
    patience_s: float
    waiters: int
    inside: int = 0


class Database:
    """A pool with a limit on time and on waiters. Raises `Problem` 503 instead of whatever made it so.

    Everything happens in a transaction that PostgreSQL has been told the asker's `Reach` for; without one (`acting`)
    nothing is seen. Nothing that outlives a transaction may be done on its connections: they are not reset.
    """

    def __init__(self, pool: Pool, *, patience_s: float = PATIENCE_S, waiters: int = WAITERS) -> None:
        self._door = _Door(pool, patience_s, waiters)
        self._reach: Callable[[], Reach] = lambda: reach.NOBODY

    def acting(self, asker: Reach | Callable[[], Reach]) -> "Database":
        """The same database, asked by somebody; a function is asked at the beginning of each transaction."""
        other = Database.__new__(Database)
        other._door = self._door
        other._reach = asker if callable(asker) else lambda: asker
        return other

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """A connection for reading, a statement or a few, each of its own moment."""
        async with self._reading("BEGIN READ ONLY") as connection:
            yield connection

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Connection]:
        """Several reads of one moment."""
        async with self._reading("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY") as connection:
            yield connection

    @asynccontextmanager
    async def _reading(self, begin: str) -> AsyncIterator[Connection]:
        try:
            async with self._bounded() as connection:
                try:
                    # In one command, beside asyncpg's own transactions: another would be a way to the server and back.
                    await connection.execute(f"{begin}; {self._reach().sql()}")
                    yield connection
                finally:
                    if not connection.is_closed():
                        await connection.execute("ROLLBACK")
        except (*TRANSIENT, *_UNFIT) as error:
            raise self._away(error) from error
        except asyncpg.DataError as error:
            raise self._refused(error) from error

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """One transaction: committed when the block ends, rolled back when it raises.

        When the database goes away during the commit the answer is `outcome-unknown`.
        """
        committing = False
        try:
            async with self._bounded() as connection:
                transaction = connection.transaction()
                await transaction.start()
                try:
                    await connection.execute(self._reach().sql(lock_timeout=_LOCK_TIMEOUT))
                    yield connection
                except BaseException:
                    if not connection.is_closed():
                        await transaction.rollback()
                    raise
                committing = True
                await transaction.commit()
        except (*TRANSIENT, *_UNFIT) as error:
            raise self._away(error, in_doubt=committing) from error
        except asyncpg.DataError as error:
            raise self._refused(error) from error

    @asynccontextmanager
    async def _bounded(self) -> AsyncIterator[Connection]:
        door = self._door
        if door.inside >= door.waiters:
            raise TimeoutError("too many are waiting")
        door.inside += 1
        try:
            async with within(door.pool, door.patience_s) as connection:
                yield connection
        finally:
            door.inside -= 1

    def _away(self, error: BaseException, *, in_doubt: bool = False) -> Problem:
        desk_metrics.DATABASE_AWAY.inc()
        log.warning("database_away", error=type(error).__name__, in_doubt=in_doubt)
        if in_doubt:
            return unavailable(_IN_DOUBT, slug="outcome-unknown")
        return unavailable(_AWAY)

    def _refused(self, error: asyncpg.DataError) -> Problem:
        """What every check before let through and PostgreSQL will never take: the sender's, not ours to repeat."""
        log.warning("value_refused_by_database", error=type(error).__name__)
        return Problem(422, "invalid", "A value is not one that can be kept.")
