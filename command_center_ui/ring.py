"""The newest changes of one channel, oldest first, so that who was away for a moment gets only what it missed."""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import msgspec

from command_center_ui.row import Row
from schemas.feed import Tags

#: Design: the last 10 minutes, 50,000 changes at most.
KEEP_S: Final = 600.0
KEEP_CHANGES: Final = 50_000


@dataclass(frozen=True, slots=True)
class Change:
    """A row's new version, or its end (`row` None), and the tags it had before, by which it is known who had seen it.

    Two sets of tags may be known before: those of the row this node had, and those its writer put into the record.
    They differ only when this node did not see the version between; whoever saw either is told.
    """

    offset: int
    at: float
    key: str
    row: Row | None
    before: tuple[Tags, ...]
    #: When the report arrived that made this version; None when no new report did.
    fresh_report: datetime | None = None

    def tags(self) -> tuple[Tags, ...]:
        """All that are known to have been the row's, until this change and with it."""
        return self.before if self.row is None else (*self.before, self.row.tags)

    @property
    def removal(self) -> bytes:
        """The publication that takes the row away: key only."""
        return b'{"offset":%d,"key":%b,"removed":true}' % (self.offset, msgspec.json.encode(self.key))


class Ring:
    """Changes by rising offset. `lost` is the offset of the newest one that is no longer kept, −1 for none."""

    def __init__(self, keep: int) -> None:
        self.lost = -1
        self._keep = keep
        self._changes: list[Change] = []
        self._offsets: list[int] = []
        self._first = 0

    def __len__(self) -> int:
        return len(self._changes) - self._first

    @property
    def newest(self) -> int:
        """Offset of the newest change ever added, −1 before the first."""
        return self._offsets[-1] if self._offsets else self.lost

    def add(self, change: Change) -> None:
        """Append; offsets rise."""
        self._changes.append(change)
        self._offsets.append(change.offset)
        if len(self) > self._keep:
            self._drop(self._first + 1)

    def trim(self, before: float, until: int) -> None:
        """Let go of the changes in front that are older than `before` (s since 1970) and not beyond offset `until`."""
        first = self._first
        while first < len(self._changes) and self._changes[first].at < before and self._offsets[first] <= until:
            first += 1
        self._drop(first)

    def between(self, since: int, until: int) -> Iterator[Change]:
        """Changes with since < offset ≤ until. `since` must not be below `lost`."""
        low = bisect_right(self._offsets, since, self._first)
        high = bisect_right(self._offsets, until, low)
        for index in range(low, high):
            yield self._changes[index]

    def _drop(self, first: int) -> None:
        if first == self._first:
            return
        self.lost = self._offsets[first - 1]
        self._first = first
        # Moving the rest costs its length: do it seldom enough that each change pays once.
        if self._first > 1024 and self._first * 2 > len(self._changes):
            del self._changes[: self._first], self._offsets[: self._first]
            self._first = 0
