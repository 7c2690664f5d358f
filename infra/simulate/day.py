"""Time as the simulated city lives it: a day that passes `speed` times as fast as ours, and its rhythm."""

import asyncio
import math
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

#: The hour in which every run begins, so that a seed makes the same day whenever it is run.
BEGINS_AT: Final = 6.0
#: Nobody waits shorter than this, however fast the day passes: the city is asked over a network.
_SHORTEST_S: Final = 0.2


def rhythm(hour: float) -> float:
    """How much citizens report at an hour of the day, 1 on average: little at night, most in the two rush hours."""
    rush = sum(math.exp(-(((hour - peak) / 1.8) ** 2)) for peak in (7.5, 17.5))
    awake = 1 / (1 + math.exp(-(hour - 5.5) * 1.5)) - 1 / (1 + math.exp(-(hour - 22.0) * 1.5))
    return 0.2 + 0.8 * awake + 0.95 * rush


@dataclass(frozen=True, slots=True)
class Day:
    """The clock of the simulated city."""

    speed: float
    _began: float = field(default_factory=time.monotonic)

    @property
    def hours(self) -> float:
        """Hours since midnight of the first day; above 24 from the second day on."""
        return BEGINS_AT + (time.monotonic() - self._began) * self.speed / 3600

    @property
    def hour(self) -> float:
        """The hour of the day, 0 to 24."""
        return self.hours % 24

    async def sleep(self, minutes: float) -> None:
        """Let so many minutes of the city pass."""
        await asyncio.sleep(max(minutes * 60 / self.speed, _SHORTEST_S))

    def real(self, hours: float) -> timedelta:
        """How long so many hours of the city are by our clocks."""
        return timedelta(hours=hours / self.speed)


def now() -> str:
    """Our time, as a phone would send it."""
    return datetime.now(UTC).isoformat()
