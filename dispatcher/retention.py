"""Forgets what people have told of themselves once its time is over, and tells the audit how much that was."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from dispatcher import audit_store, playback_store, report_store
from infra.postgres import Connection

EXPIRED: Final = "expired"
_ACTOR: Final = "dispatcher"
_AT_ONCE: Final = 1_000
_Step = Callable[[Connection, datetime, int], Awaitable[int]]


@dataclass(frozen=True, slots=True)
class Retention:
    """How many days each is kept; for reporters' data from the end of their incident on."""

    contact_days: int
    words_days: int
    playback_days: int

    async def apply(self, connection: Connection) -> None:
        """Forget what is due, in small transactions; safe to be killed and begun again."""
        steps: tuple[tuple[str, int, _Step], ...] = (
            ("contacts", self.contact_days, report_store.expire_contacts),
            ("words", self.words_days, report_store.expire_words),
            ("board", self.playback_days, playback_store.sweep),
        )
        now: datetime = await connection.fetchval("SELECT now()")
        for what, days, step in steps:
            await _all(connection, what, partial(step, connection, now - timedelta(days=days), _AT_ONCE))


async def _all(connection: Connection, what: str, step: Callable[[], Awaitable[int]]) -> None:
    count = _AT_ONCE
    while count == _AT_ONCE:
        async with connection.transaction():
            count = await step()
            if count:
                await audit_store.record(connection, actor=_ACTOR, action=EXPIRED, subject=what, detail={"rows": count})
