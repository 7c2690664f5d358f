"""What waits to be read by one client, and how much more it may be given."""

from typing import Final, Protocol

from command_center_ui.frame import Frame
from command_center_ui.metrics import HANDED, FrameKind
from command_center_ui.protocol import Close

#: Contract: above this many bytes of pushes a client is behind and gets them joined, later.
BEHIND_BYTES: Final = 64 * 1024
#: Above this it is cut.
CUT_BYTES: Final = 256 * 1024
#: Nor may it stay behind for longer than this.
BEHIND_S: Final = 10.0


class Wire(Protocol):
    """One client's connection, as the core sees it. Nothing here waits or raises."""

    def write(self, frame: Frame) -> int:
        """Hand a frame to the connection's buffer; how many bytes it took there."""

    def buffered(self) -> int:
        """Bytes that the connection has not taken from its buffer yet."""

    def close(self, code: Close, reason: str) -> None:
        """Say goodbye behind what is buffered, then end, by force if it takes too long."""


class Outbox:
    """Counts what is live and what is state: parts of the state are as large as four clients' backlogs, and the
    client asked for them, so they don't make it slow; the next part waits until the last has left the buffer."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        #: Something could not be written yet: whoever owns it looks again at the next tick.
        self.owes = False
        self._part_under_way = False
        self._live_since_part = 0

    def part_has_left(self) -> bool:
        """Whether a further part of the state may be written."""
        if self._part_under_way and self.wire.buffered() <= self._live_since_part:
            self._part_under_way = False
        return not self._part_under_way

    def live(self) -> int:
        """Bytes of pushes and answers that wait; what waits before a part is at most `BEHIND_BYTES` and not counted."""
        return self.wire.buffered() if self.part_has_left() else self._live_since_part

    def has_room(self) -> bool:
        """False for a client that is behind."""
        return self.live() <= BEHIND_BYTES

    def write(self, frame: Frame, kind: FrameKind) -> None:
        """Hand over anything that is not state."""
        self._live_since_part += self._put(frame, kind)

    def write_part(self, frame: Frame) -> None:
        """Hand over a part of the state. Only when the last one has left."""
        self._put(frame, "state")
        self._live_since_part = 0
        self._part_under_way = True

    def _put(self, frame: Frame, kind: FrameKind) -> int:
        size = self.wire.write(frame)
        HANDED.add(kind, size)
        return size
