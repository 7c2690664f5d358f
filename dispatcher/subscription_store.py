"""Browsers that take web push, and in which language somebody is told; in PostgreSQL."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final, cast

from dispatcher.decisions.incident import new_id
from dispatcher.decisions.notify_text import LANGUAGES, Language
from infra.postgres import Connection

#: A person has a phone, a desk and a few more; beyond, the oldest is forgotten.
MOST: Final = 10


@dataclass(frozen=True, slots=True)
class Subscription:
    """What a browser has given to be reached: its address and keys (RFC 8030, RFC 8291)."""

    endpoint: str
    p256dh: str
    auth: str


def of_user(username: str) -> str:
    """The receiver who is a member of staff."""
    return f"user:{username}"


def of_code(tracking_code: str) -> str:
    """The receiver who has this tracking code."""
    return f"code:{tracking_code}"


async def subscribe(connection: Connection, receiver: str, subscription: Subscription) -> str:
    """Keep it, and answer its id; the same address again is renewed."""
    found: str = await connection.fetchval(
        "INSERT INTO push_subscription (id, receiver, endpoint, p256dh, auth) VALUES ($1, $2, $3, $4, $5)"
        " ON CONFLICT (receiver, endpoint) DO UPDATE SET p256dh = excluded.p256dh, auth = excluded.auth,"
        " created_at = clock_timestamp() RETURNING id",
        new_id("PSH"),
        receiver,
        subscription.endpoint,
        subscription.p256dh,
        subscription.auth,
    )
    await connection.execute(
        "DELETE FROM push_subscription WHERE receiver = $1 AND id NOT IN (SELECT id FROM push_subscription"
        " WHERE receiver = $1 ORDER BY created_at DESC, id LIMIT $2)",
        receiver,
        MOST,
    )
    return found


async def unsubscribe(connection: Connection, receiver: str, endpoint: str) -> None:
    """Forget it; safe when it is not there."""
    await connection.execute("DELETE FROM push_subscription WHERE receiver = $1 AND endpoint = $2", receiver, endpoint)


async def gone(connection: Connection, endpoint: str) -> None:
    """The push service knows it no more: nobody is reached by it."""
    await connection.execute("DELETE FROM push_subscription WHERE endpoint = $1", endpoint)


async def forget(connection: Connection, receivers: Collection[str]) -> None:
    """These are reached by push no more, and have no language of their own."""
    for table in ("push_subscription", "notification_setting"):
        await connection.execute(f"DELETE FROM {table} WHERE receiver = ANY($1)", list(receivers))  # noqa: S608


async def select(connection: Connection, receivers: Collection[str]) -> Mapping[str, list[Subscription]]:
    """Where these take push; who does not is not in it."""
    rows = await connection.fetch(
        "SELECT receiver, endpoint, p256dh, auth FROM push_subscription WHERE receiver = ANY($1) ORDER BY created_at",
        list(receivers),
    )
    found: dict[str, list[Subscription]] = {}
    for row in rows:
        found.setdefault(row["receiver"], []).append(Subscription(row["endpoint"], row["p256dh"], row["auth"]))
    return found


async def put_language(connection: Connection, receiver: str, language: Language) -> None:
    """From now on the receiver is told in this language."""
    await connection.execute(
        "INSERT INTO notification_setting (receiver, language) VALUES ($1, $2)"
        " ON CONFLICT (receiver) DO UPDATE SET language = excluded.language, updated_at = clock_timestamp()",
        receiver,
        language,
    )


async def language_of(connection: Connection, receiver: str) -> Language:
    """In which language the receiver is told."""
    found = await connection.fetchval("SELECT language FROM notification_setting WHERE receiver = $1", receiver)
    return cast(Language, found) if found in LANGUAGES else "id"
