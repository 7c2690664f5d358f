"""Everybody who watches: from one change of the board to the frames of thousands of clients.

The naive broadcast encodes each change for each client and sends it at once: it costs as many encodings as there are
clients, and one that does not read fills the memory. Here clients with the same view form a group; what happened in
50 ms is joined and becomes one frame per group, serialised and deflated once, and the same bytes go to every socket.
A frame covers a range of offsets instead of following the last frame, so a client that is behind is simply left out,
and later given one frame that joins what it missed; it costs nothing while it does not read.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC
from random import Random
from typing import Final

from command_center_ui import metrics
from command_center_ui.board import Board
from command_center_ui.groups import Groups
from command_center_ui.instant import Instant
from command_center_ui.outbox import Wire
from command_center_ui.places import Places
from command_center_ui.protocol import Close
from command_center_ui.row import Shape
from command_center_ui.session import Admit, Session
from schemas.vocabulary import FeedChannel

#: How often deadlines of clients are looked at.
_CHECK_EVERY_S: Final = 0.5
#: When this node itself was away for so long (stopped, or starved), what clients said meanwhile is still unread.
_STALLED_S: Final = 5.0
#: Clients that come back after a shutdown are spread over this, and 5 ms more for each of them.
_COME_BACK_WITHIN_MS: Final = 2_000
_COME_BACK_EACH_MS: Final = 5


class Hub:
    """The board and its clients. Plain calls: the shell reads records, sockets and clocks for it."""

    def __init__(self, board: Board, admit: Admit, ttl_s: int, places: Places[Session]) -> None:
        """`ttl_s`: how long a connection lives without a new ticket."""
        self.board = board
        self.sessions: dict[Session, None] = {}
        self.places = places
        self._admit = admit
        self._ttl_s = ttl_s
        self._groups = Groups(board)
        self._checked_at = 0.0
        self._measured = board.offset

    @property
    def owes(self) -> bool:
        """Whether a client waits for a tick, although no record came."""
        return any(session.owes for session in self.sessions)

    def come(self, wire: Wire, now: Instant) -> Session:
        """A connection was opened."""
        session = Session(self._groups, self._admit, self.places, wire, now, self._ttl_s)
        self.sessions[session] = None
        metrics.SOCKETS.set(len(self.sessions))
        crowded_out = self.places.come(session, now.steady)
        if crowded_out is not None:
            crowded_out.close(Close.SILENT, "no connect, and others are coming")
        return session

    def gone(self, session: Session) -> None:
        """A connection has ended, from whichever side."""
        session.leave()
        self.sessions.pop(session, None)
        metrics.SOCKETS.set(len(self.sessions))

    def tick(self, now: Instant) -> None:
        """Push what is new, continue what is owed, look at deadlines. Often when something happens, else twice a
        second."""
        self._groups.portions.begin_round()
        for group in self._groups:
            group.push(now)
        self.board.trim(now.wall, self._groups.looked_at())
        self._measure(now)
        for session in self.sessions:
            if session.owes:
                session.advance(now)
        if now.steady - self._checked_at >= _CHECK_EVERY_S:
            stalled = now.steady - self._checked_at > _STALLED_S
            self._checked_at = now.steady
            for session in self.sessions:
                session.check(now, stalled=stalled)
            self._count(now)

    def leaving(self, chance: Random) -> Sequence[tuple[Session, int]]:
        """Who is to be sent away at shutdown, each with the milliseconds after which it should come back."""
        spread = _COME_BACK_WITHIN_MS + _COME_BACK_EACH_MS * len(self.sessions)
        return [(session, 200 + chance.randrange(spread)) for session in self.sessions]

    def _measure(self, now: Instant) -> None:
        """Report-to-wall, once per report, when somebody is looking."""
        since, self._measured = self._measured, self.board.offset
        ring = self.board[FeedChannel.INCIDENTS].ring
        if ring.newest <= since or not any(session.watches(FeedChannel.INCIDENTS) for session in self.sessions):
            return
        for change in ring.between(max(since, ring.lost), self.board.offset):
            if change.fresh_report is not None:
                metrics.REPORT_TO_WALL.observe(max((now.wall - change.fresh_report).total_seconds(), 0.0))

    def _count(self, now: Instant) -> None:
        metrics.HANDED.settle()
        shapes = Counter(session.shape for session in self.sessions)
        for shape in Shape:
            metrics.CLIENTS.labels(shape).set(shapes[shape])
        metrics.BEHIND.set(sum(session.behind for session in self.sessions))
        for channel in FeedChannel:
            metrics.ROWS.labels(channel).set(len(self.board[channel].rows))
            as_of = self.board.as_of(channel)
            age = float("nan") if as_of is None else (now.wall - as_of.astimezone(UTC)).total_seconds()
            metrics.AS_OF_AGE.labels(channel).set(age)
