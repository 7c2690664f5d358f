"""The board as projected from `bekasi.feed.v1`: newest version of each row, what changed lately, how fresh it is.

Everything here follows from the records alone, in their order: any two nodes that have read the same records give
the same rows under the same offsets, which is what lets a client resume on another node.
"""

from base64 import urlsafe_b64encode
from bisect import bisect_right
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Final
from uuid import UUID

from command_center_ui.record import PulseRecord, RowRecord
from command_center_ui.ring import KEEP_CHANGES, KEEP_S, Change, Ring
from command_center_ui.row import Row
from schemas.feed import FeedPulsed
from schemas.vocabulary import FeedChannel

#: Raised when rows are written in another way, so that clients start afresh.
ROW_FORMAT: Final = 1
#: Rows that went are remembered this long, so that a record sent twice does not bring one back.
_KEEP_GONE: Final = 50_000


def epoch_of(topic_id: UUID, row_format: int = ROW_FORMAT) -> str:
    """Eight characters that change when the topic is made anew or the row format changes, and only then."""
    return urlsafe_b64encode(sha256(b"%b/%d" % (topic_id.bytes, row_format)).digest()[:6]).decode()


def _offset_of(pulse: tuple[int, object]) -> int:
    return pulse[0]


@dataclass(slots=True)
class ChannelBoard:
    """One channel: its rows by key and its ring."""

    ring: Ring
    rows: dict[str, Row] = field(default_factory=dict)
    #: Rows that went, with the number of the record that said so; oldest first.
    gone: dict[str, int] = field(default_factory=dict)
    _keys: tuple[str, ...] | None = None

    def keys(self) -> Sequence[str]:
        """The keys there are now; the same object until one comes or goes, so that many readers share it."""
        if self._keys is None:
            self._keys = tuple(self.rows)
        return self._keys

    def apply(self, record: RowRecord) -> bool:
        """Take a record in; False when it is one that was there before."""
        previous = self.rows.get(record.key)
        if record.seq <= (previous.seq if previous else self.gone.get(record.key, -1)):
            return False
        row = None
        if record.data is None:
            self.rows.pop(record.key, None)
            self.gone.pop(record.key, None)
            self.gone[record.key] = record.seq
            if len(self.gone) > _KEEP_GONE:
                del self.gone[next(iter(self.gone))]
        else:
            row = Row(record.offset, record.seq, record.key, record.tags, record.data, record.received_at)
            self.rows[record.key] = row
            self.gone.pop(record.key, None)
        if (row is None) != (previous is None):
            self._keys = None
        before = [] if previous is None else [previous.tags]
        if record.tags_before is not None and record.tags_before not in before:
            before.append(record.tags_before)
        fresh = record.received_at if previous is None or previous.received_at != record.received_at else None
        self.ring.add(Change(record.offset, record.at, record.key, row, tuple(before), fresh))
        return True


class Board:
    """All channels up to `offset`, the offset of the newest record read (−1 before the first)."""

    def __init__(self, epoch: str, *, keep_changes: int = KEEP_CHANGES) -> None:
        self.epoch = epoch
        self.offset = -1
        self._channels = {channel: ChannelBoard(Ring(keep_changes)) for channel in FeedChannel}
        #: (second, offset of its first record), for the last 10 minutes: which offsets are recent enough.
        self._marks: deque[tuple[int, int]] = deque()
        self._pulses: dict[int, FeedPulsed] = {}
        #: (offset of a pulse, how fresh each channel is from there on), oldest first; as far back as `_marks`.
        self._as_of: list[tuple[int, Mapping[FeedChannel, datetime]]] = []

    def __getitem__(self, channel: FeedChannel) -> ChannelBoard:
        return self._channels[channel]

    def apply(self, record: RowRecord | PulseRecord) -> bool:
        """Take the next record in; False when its row was already there (a record sent twice). Offsets rise."""
        self.pass_over(record.offset, record.at)
        match record:
            case RowRecord():
                return self._channels[record.channel].apply(record)
            case PulseRecord():
                self._pulses[record.pulse.shard] = record.pulse
                self._as_of.append((record.offset, self._least(record.pulse.shards)))
                return True

    def pass_over(self, offset: int, at: float) -> None:
        """Go on to `offset` without its content: a record that could not be read."""
        self.offset = offset
        if not self._marks or int(at) > self._marks[-1][0]:
            self._marks.append((int(at), offset))

    def as_of(self, channel: FeedChannel, offset: int | None = None) -> datetime | None:
        """Up to when everything acknowledged is contained in what was read (up to `offset`); None until every shard
        has said so, and for offsets that are no longer recoverable."""
        until = self.offset if offset is None else offset
        known = bisect_right(self._as_of, until, key=_offset_of)
        return self._as_of[known - 1][1].get(channel) if known else None

    def trim(self, wall: datetime, looked_at: Mapping[FeedChannel, int] | None = None) -> None:
        """Let go of changes that are older than 10 minutes; of those that arrive as old, only up to the offset that
        everybody who watches the channel has `looked_at`."""
        oldest = wall.timestamp() - KEEP_S
        while self._marks and self._marks[0][0] < oldest:
            self._marks.popleft()
        if self._marks:
            # The newest pulse before the first mark still counts at it.
            del self._as_of[: max(bisect_right(self._as_of, self._marks[0][1], key=_offset_of) - 1, 0)]
        for name, channel in self._channels.items():
            channel.ring.trim(oldest, (looked_at or {}).get(name, self.offset))

    def recoverable(self, channel: FeedChannel, offset: int) -> bool:
        """Whether every change after `offset` is still in the ring.

        Holds only inside the last 10 minutes of records (as of the last `trim`): further back the log may have been
        compacted before this node read it, and a row's end may be gone from it altogether.
        """
        floor = self._marks[0][1] - 1 if self._marks else self.offset
        return max(floor, self._channels[channel].ring.lost) <= offset <= self.offset

    def _least(self, shards: int) -> Mapping[FeedChannel, datetime]:
        told = [self._pulses[shard].as_of if shard in self._pulses else {} for shard in range(shards)]
        return {
            channel: min(pulse[channel] for pulse in told)
            for channel in FeedChannel
            if all(channel in pulse for pulse in told)
        }
