"""How fast one client may talk: 5,000 messages a second would keep everybody else waiting."""

from dataclasses import dataclass
from typing import Final

#: A page opens five channels at once and then says one word in 25 s; a client in a hurry is not cut, it is read later.
MESSAGES_PER_S: Final = 100.0
AT_ONCE: Final = 200.0


@dataclass(slots=True)
class Pace:
    """A bucket of messages; what the client sends faster stays in its socket."""

    _left: float = AT_ONCE
    _at: float | None = None

    def spend(self, now: float) -> float:
        """Count a message at `now` (steady, seconds); how long to wait before the next is read."""
        if self._at is not None:
            self._left = min(AT_ONCE, self._left + (now - self._at) * MESSAGES_PER_S)
        self._at = now
        self._left -= 1
        return max(0.0, -self._left / MESSAGES_PER_S)
