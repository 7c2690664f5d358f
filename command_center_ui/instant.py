"""A moment as two clocks see it: a steady one for waiting, the wall's for telling."""

from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True)
class Instant:
    """`steady` (seconds, arbitrary start, never jumps) decides time-outs; `wall` (UTC) is shown and compared with
    times of records and tickets. A clock set by two hours therefore cuts nobody off."""

    steady: float
    wall: datetime

    @classmethod
    def read(cls, steady: float) -> "Instant":
        """Now; `steady` comes from the event loop's clock. For the shell only."""
        return cls(steady, datetime.now(UTC))
