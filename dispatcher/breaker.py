"""A run of bad messages stops the worker, instead of emptying the topic into the dead letters."""

from collections import deque
from collections.abc import Sequence
from typing import Final

from infra.postgres import Connection

#: design.md: opens at this many refused messages in a row …
IN_A_ROW: Final = 100
#: … or when more than half of this many were refused.
WINDOW: Final = 1000


class Breaker:
    """Counts how the last messages of one worker ended."""

    def __init__(self) -> None:
        self._last: deque[bool] = deque(maxlen=WINDOW)
        self._bad = 0
        self._run = 0

    def admit(self, refused: Sequence[bool]) -> tuple[int, str | None]:
        """How many of the next messages may be settled, given which of them are refused; and the reason, when the
        last of those opens the breaker. Nothing is counted yet."""
        run, bad = self._run, self._bad
        window = [*self._last, *refused]
        oldest = len(self._last) - WINDOW
        for number, is_bad in enumerate(refused):
            run = run + 1 if is_bad else 0
            bad += is_bad - (window[oldest + number] if oldest + number >= 0 else False)
            if run >= IN_A_ROW:
                return number + 1, f"{run} messages in a row were set aside"
            if bad > WINDOW // 2:
                return number + 1, f"{bad} of the last {WINDOW} messages were set aside"
        return len(refused), None

    def note(self, refused: Sequence[bool]) -> None:
        """Count messages that are settled."""
        for is_bad in refused:
            self._bad += is_bad - (self._last[0] if len(self._last) == WINDOW else False)
            self._last.append(is_bad)
            self._run = self._run + 1 if is_bad else 0

    def reset(self) -> None:
        """Forget everything: somebody has looked."""
        self._last.clear()
        self._bad = self._run = 0


async def open_(connection: Connection, consumer: str, reason: str) -> None:
    """Stop every worker of `consumer`, until `close`."""
    await connection.execute(
        "INSERT INTO breaker (consumer, opened_at, reason) VALUES ($1, now(), $2) ON CONFLICT DO NOTHING",
        consumer,
        reason,
    )


async def reason_open(connection: Connection, consumer: str) -> str | None:
    """Why the workers of `consumer` are stopped; None when they are not."""
    reason: str | None = await connection.fetchval("SELECT reason FROM breaker WHERE consumer = $1", consumer)
    return reason


async def close(connection: Connection, consumers: Sequence[str] | None) -> list[str]:
    """Let workers go on (None: all); answers whose breaker was open."""
    rows = await connection.fetch(
        "DELETE FROM breaker WHERE $1::text[] IS NULL OR consumer = ANY($1) RETURNING consumer", consumers
    )
    return sorted(row["consumer"] for row in rows)


async def all_open(connection: Connection) -> dict[str, str]:
    """Consumers that are stopped, and why."""
    rows = await connection.fetch("SELECT consumer, reason FROM breaker ORDER BY consumer")
    return {row["consumer"]: row["reason"] for row in rows}
