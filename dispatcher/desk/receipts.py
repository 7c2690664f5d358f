"""Answers given to an Idempotency-Key, so that a phone may send a command again and nothing happens twice."""

from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from infra.postgres import Connection

#: Days an answer is kept (contract, Idempotency-Key).
KEPT_DAYS: Final = 7


class OtherBody(Exception):
    """The key was used before with another body."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One use of a key: where, by whom, and what was asked."""

    endpoint: str
    #: Username.
    caller: str
    key: str
    digest: bytes

    @classmethod
    def of(cls, endpoint: str, caller: str, key: str, body: bytes) -> "Asked":
        """`body` is the parsed body written anew, so that spaces and the order of fields do not matter."""
        return cls(endpoint, caller, key, sha256(body).digest())


@dataclass(frozen=True, slots=True)
class Receipt:
    """The answer that was given."""

    status: int
    body: bytes


async def find(connection: Connection, asked: Asked) -> Receipt | None:
    """The answer to the same question before, within 7 days. Raises `OtherBody`. Call it with the command's row
    locked, so that of two at once the second sees the first one's answer."""
    row = await connection.fetchrow(
        "SELECT digest, status, body FROM command_receipt WHERE endpoint = $1 AND caller = $2 AND key = $3"
        " AND at > now() - make_interval(days => $4)",
        asked.endpoint,
        asked.caller,
        asked.key,
        KEPT_DAYS,
    )
    if row is None:
        return None
    if row["digest"] != asked.digest:
        raise OtherBody
    return Receipt(row["status"], row["body"])


async def keep(connection: Connection, asked: Asked, receipt: Receipt) -> None:
    """Remember an answer, in the transaction of its effect."""
    await connection.execute(
        "INSERT INTO command_receipt (endpoint, caller, key, digest, status, body) VALUES ($1, $2, $3, $4, $5, $6)"
        " ON CONFLICT (endpoint, caller, key) DO UPDATE"
        " SET digest = excluded.digest, status = excluded.status, body = excluded.body, at = now()",
        asked.endpoint,
        asked.caller,
        asked.key,
        asked.digest,
        receipt.status,
        receipt.body,
    )


async def sweep(connection: Connection) -> int:
    """Forget answers that are older than they are kept; returns how many, 5,000 at most."""
    done: str = await connection.execute(
        "DELETE FROM command_receipt WHERE ctid = ANY (ARRAY(SELECT ctid FROM command_receipt"
        " WHERE at < now() - make_interval(days => $1) LIMIT 5000))",
        KEPT_DAYS,
    )
    return int(done.rpartition(" ")[2])
