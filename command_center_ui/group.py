"""Clients with one view of one channel: what changed for them is worked out, encoded and deflated once."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, auto
from typing import Final, NamedTuple

from command_center_ui import frame
from command_center_ui.board import Board
from command_center_ui.frame import Frame
from command_center_ui.instant import Instant
from command_center_ui.joining import join
from command_center_ui.outbox import Outbox
from command_center_ui.portions import Portions
from command_center_ui.view import View
from schemas.vocabulary import FeedChannel

#: Contract: a push at least every 5 s; a second of it is left to the network and to a busy node.
HEARTBEAT_S: Final = 4.0
#: Contract: at most one row per key in this time on the fast channels. They are sent together, so that a push still
#: covers everything up to its offset.
FAST_EVERY_S: Final = 5.0
FAST: Final = frozenset({FeedChannel.OFFICERS, FeedChannel.SENSORS})
#: Frames for those who are behind that are kept until the next push: some 64 KiB each, and as many as there are
#: places where clients stand.
_KEPT_CATCH_UPS: Final = 32


class Phase(Enum):
    """Where a subscription stands."""

    #: Not answered yet: the node is behind the client, or the client's buffer is full.
    WAITING = auto()
    #: Parts of the state are on their way.
    STREAMING = auto()
    LIVE = auto()


@dataclass(slots=True, eq=False)
class Subscription:
    """One client on one channel."""

    reply_to: int
    group: "Group"
    outbox: Outbox
    #: Epoch and offset it wants to resume from.
    resume: tuple[str, int] | None
    #: Until when a client ahead of this node is kept waiting (steady clock).
    patience: float
    #: Whether the filter it asked for is applied; None when it asked for none.
    filtered: bool | None = None
    phase: Phase = Phase.WAITING
    #: Up to where the client knows everything.
    offset: int = -1
    #: What is left of the state: keys, and the first that was not sent.
    keys: Sequence[str] | None = None
    next_key: int = 0


class Chunk(NamedTuple):
    """A frame that covers (since, offset]."""

    since: int
    offset: int
    frame: Frame


@dataclass(slots=True, eq=False)
class Group:
    """`sent`: up to where live members were told everything. `scanned` ≥ `sent`: nothing to see in between."""

    view: View
    board: Board
    portions: Portions
    sent: int
    scanned: int
    pushed_at: float
    rows_at: float = float("-inf")
    as_of: datetime | None = None
    members: dict[Subscription, None] = field(default_factory=dict)
    _catch_ups: dict[int, Chunk] = field(default_factory=dict)

    @property
    def epoch(self) -> str:
        return self.view.epoch(self.board.epoch)

    def push(self, now: Instant) -> None:
        """Tell the members what is new to them, or, when it is time, that nothing is."""
        self._catch_ups.clear()
        for chunk in self._due(now):
            for subscription in self.members:
                self._hand(subscription, chunk, now)

    def catch_up(self, since: int, now: Instant) -> Chunk:
        """The next frame for a member that stopped at `since`, below `sent`; members that stopped together share it."""
        chunk = self._catch_ups.get(since)
        if chunk is None:
            joined = join(self.board[self.view.channel], since, self.sent, self.view)
            chunk = self._catch_ups[since] = self._chunk(since, joined.offset, joined.pubs, now)
            if len(self._catch_ups) > _KEPT_CATCH_UPS:
                del self._catch_ups[next(iter(self._catch_ups))]
        return chunk

    def _due(self, now: Instant) -> list[Chunk]:
        channel = self.board[self.view.channel]
        ring = channel.ring
        if self.scanned < ring.lost:
            # More came at once than the ring keeps: nobody can be told what it was. Members find that they have lost
            # track, and start afresh.
            self.sent = self.scanned = ring.lost
        new = ring.newest > self.scanned
        rows_may_go = self.view.channel not in FAST or now.steady - self.rows_at >= FAST_EVERY_S
        chunks: list[Chunk] = []
        if new and rows_may_go:
            complete = False
            while not complete:
                pubs, self.scanned, complete = join(channel, self.scanned, self.board.offset, self.view)
                if pubs:
                    chunks.append(self._chunk(self.sent, self.scanned, pubs, now))
                    self.sent = self.scanned
                    self.rows_at = now.steady
        elif not new:
            self.scanned = self.board.offset
        as_of = self.board.as_of(self.view.channel, self.scanned)
        if not chunks and (now.steady - self.pushed_at >= HEARTBEAT_S or as_of != self.as_of):
            chunks.append(self._chunk(self.sent, self.scanned, [], now))
            self.sent = self.scanned
        if chunks:
            self.pushed_at, self.as_of = now.steady, as_of
        return chunks

    def _hand(self, subscription: Subscription, chunk: Chunk, now: Instant) -> None:
        outbox = subscription.outbox
        if subscription.phase is not Phase.LIVE or subscription.offset < chunk.since or not outbox.has_room():
            outbox.owes = True
            return
        if subscription.offset > chunk.offset:
            # It came after what the others are being told now (rows of a fast channel wait for their turn).
            chunk = self._chunk(subscription.offset, subscription.offset, [], now)
        subscription.offset = chunk.offset
        outbox.write(chunk.frame, "push")

    def _chunk(self, since: int, offset: int, pubs: list[bytes], now: Instant) -> Chunk:
        channel = self.view.channel
        # What is on its way is not there yet: rows of a fast channel that wait, the rest of what a client missed.
        as_of = self.board.as_of(channel, offset)
        # Clients of an empty topic were told that they are at 0.
        told = max(since, 0), max(offset, 0)
        return Chunk(since, offset, frame.push(channel, self.epoch, *told, at=now.wall, as_of=as_of, pubs=pubs))
