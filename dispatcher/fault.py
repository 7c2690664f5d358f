"""What an error of a batch means: the database is away, somebody is in the way, or the message itself is the cause."""

from enum import Enum, auto
from typing import Final

import asyncpg

from dispatcher.incident_store import StaleVersion
from infra.postgres import PERMANENT, TRANSIENT


class Fault(Enum):
    """Who has to act."""

    #: The database, or the release beside it: the batch waits, as long as it takes.
    UNAVAILABLE = auto()
    #: Another transaction, or slowness: the batch is tried again, a few times and then in smaller parts.
    CONTENDED = auto()
    #: The message: it fails again whatever we do.
    MESSAGE = auto()


_CONTENDED: Final = (
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    asyncpg.LockNotAvailableError,
    asyncpg.QueryCanceledError,
    TimeoutError,
    StaleVersion,
)
_UNAVAILABLE: Final = (
    *TRANSIENT,
    # read-only after a fail-over; a transaction that was idle for too long
    asyncpg.InvalidTransactionStateError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.PostgresSystemError,
    # the schema is not that of this release
    asyncpg.UndefinedTableError,
    asyncpg.UndefinedColumnError,
    asyncpg.InsufficientPrivilegeError,
)


def fault_of(error: Exception) -> Fault:
    """The meaning of `error`. What is not known is the message's, for else one message could stop a worker."""
    if isinstance(error, PERMANENT):
        return Fault.MESSAGE
    if isinstance(error, _CONTENDED):
        return Fault.CONTENDED
    if isinstance(error, _UNAVAILABLE):
        return Fault.UNAVAILABLE
    return Fault.MESSAGE
