"""What those who come get: parts of the state, and what they missed; made once for all who come together.

When a node dies, thousands of clients come to the others within a second. Each part is worked out and deflated once
and kept while its channel does not change; and only a few are made per round, so that those who are there already
get their pushes meanwhile.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from command_center_ui import frame
from command_center_ui.board import Board
from command_center_ui.frame import Frame
from command_center_ui.joining import Joined, join
from command_center_ui.view import View

#: Contract: no state part above this.
STATE_BYTES: Final = 256 * 1024
#: Of which the JSON around the entries has this.
_WRAPPING_BYTES: Final = 1024
#: A state up to this size comes within the answer; a larger one follows it, in parts that others get, too.
INLINE_BYTES: Final = 32 * 1024
#: A round makes this many at most: 20 ms or so, with the largest rows and many of them.
_PER_ROUND: Final = 8
#: And this many are kept, 256 KiB each at most.
_KEPT: Final = 32

T = TypeVar("T")


@dataclass(slots=True)
class _Kept(Generic[T]):
    """Things by key that hold as long as nothing happens in their channel."""

    things: dict[object, tuple[int, T]] = field(default_factory=dict)

    def get(self, key: object, newest: int) -> T | None:
        """What is kept, if it was made when `newest` was the channel's newest change."""
        found = self.things.get(key)
        return found[1] if found is not None and found[0] == newest else None

    def put(self, key: object, newest: int, thing: T) -> T:
        """Keep it; the oldest goes."""
        self.things.pop(key, None)
        self.things[key] = newest, thing
        if len(self.things) > _KEPT:
            del self.things[next(iter(self.things))]
        return thing


@dataclass(frozen=True, slots=True)
class Part:
    """Some of the rows of a view. `next_key` is where the next part begins; None after the last."""

    keys: Sequence[str]
    entries: bytes
    next_key: int | None
    #: As a push of its own.
    frame: Frame


class Portions:
    """Made on demand, `_PER_ROUND` a round."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._left = _PER_ROUND
        self._parts: _Kept[Part] = _Kept()
        self._missed: _Kept[Joined] = _Kept()

    def begin_round(self) -> None:
        """Time has passed: as many may be made again."""
        self._left = _PER_ROUND

    def part(self, view: View, keys: Sequence[str], first: int) -> Part | None:
        """The part of the state that begins with `keys[first]`, as the rows are now; None when this round has made
        enough."""
        # Keys are told apart by identity: the board gives out the same sequence until a key comes or goes, and what
        # is kept keeps its sequence from being freed.
        key = (view, id(keys), first)
        newest = self._board[view.channel].ring.newest
        kept = self._parts.get(key, newest)
        if kept is None and self._may_make():
            return self._parts.put(key, newest, self._make(view, keys, first))
        return kept

    def missed(self, view: View, since: int) -> Joined | None:
        """What changed for a view after `since`; None when this round has made enough."""
        key = (view, since)
        # Up to the node's own offset, so it holds for that offset only.
        kept = self._missed.get(key, self._board.offset)
        if kept is None and self._may_make():
            joined = join(self._board[view.channel], since, self._board.offset, view)
            return self._missed.put(key, self._board.offset, joined)
        return kept

    def _may_make(self) -> bool:
        self._left -= 1
        return self._left >= 0

    def _make(self, view: View, keys: Sequence[str], first: int) -> Part:
        rows = self._board[view.channel].rows
        entries: list[bytes] = []
        room = STATE_BYTES - _WRAPPING_BYTES
        next_key = None
        for index in range(first, len(keys)):
            row = rows.get(keys[index])
            if row is None or not view.sees(row.tags):
                continue
            entry = row.entry(view.shape)
            room -= len(entry) + 1
            if room < 0:
                next_key = index
                break
            entries.append(entry)
        body = b",".join(entries)
        epoch = view.epoch(self._board.epoch)
        return Part(keys, body, next_key, frame.state_part(view.channel, epoch, body, more=next_key is not None))
