"""One client, from `connect` to the close code. No I/O: it is told what came and what time it is."""

import secrets
from collections.abc import Callable
from datetime import datetime
from typing import Final, assert_never

from command_center_ui import frame, metrics
from command_center_ui.delivery import LostTrack, deliver
from command_center_ui.group import Phase, Subscription
from command_center_ui.groups import Groups
from command_center_ui.instant import Instant
from command_center_ui.outbox import BEHIND_S, CUT_BYTES, Outbox, Wire
from command_center_ui.places import Places
from command_center_ui.protocol import (
    BadRequest,
    Close,
    Connect,
    Pong,
    Refresh,
    Refusal,
    Subscribe,
    Unsubscribe,
    read,
)
from command_center_ui.row import Shape
from command_center_ui.view import BadFilter, read_filter, view_of
from infra.tickets import TicketError, Viewer
from schemas.vocabulary import FeedChannel

#: Contract: `connect` is the first message, within this time.
CONNECT_WITHIN_S: Final = 5.0
#: Contract: a ping this often.
PING_EVERY_S: Final = 25
#: A client that has said nothing for this long after a ping is not there any more.
ANSWER_WITHIN_S: Final = 10.0
#: Who finds no place although it has a ticket comes back after this, to another node or when others have left.
_FULL_COME_BACK_MS: Final = 15_000
#: Who a ticket lets in; raises `TicketError`.
Admit = Callable[[str, datetime], Viewer]


class Session:
    """One client. `received` for each message, `advance` while `owes`, `check` twice a second, `leave` at the end."""

    def __init__(
        self, groups: Groups, admit: Admit, places: "Places[Session]", wire: Wire, now: Instant, ttl_s: int
    ) -> None:
        """`ttl_s`: how long the connection lives without a new ticket."""
        self.client_id = f"c-{secrets.token_hex(4)}"
        self.viewer: Viewer | None = None
        self.closed = False
        self._groups = groups
        self._admit = admit
        self._places = places
        self._outbox = Outbox(wire)
        self._subscriptions: dict[FeedChannel, Subscription] = {}
        self._came_at = now.steady
        self._heard_at = now.steady
        self._pinged_at = now.steady
        self._ttl_s = ttl_s
        self._ends_at = now.steady + ttl_s
        self._behind_since: float | None = None

    @property
    def owes(self) -> bool:
        """Whether something waits for room in the client's buffer, or for this node to catch up with the client."""
        return self._outbox.owes

    @property
    def shape(self) -> Shape | None:
        """How much it is shown of incidents; None before `connect`."""
        if self.viewer is None:
            return None
        view = view_of(self.viewer, FeedChannel.INCIDENTS, None)
        return view.shape if view else None

    @property
    def behind(self) -> bool:
        """Whether more than 64 KiB of pushes wait for it."""
        return self._behind_since is not None

    def watches(self, channel: FeedChannel) -> bool:
        """Whether it is live on a channel."""
        subscription = self._subscriptions.get(channel)
        return subscription is not None and subscription.phase is Phase.LIVE

    def received(self, message: str | bytes, now: Instant) -> None:
        """A message of the client."""
        if self.closed:
            return
        self._heard_at = now.steady
        try:
            reply_to, command = read(message)
        except BadRequest as error:
            self.close(Close.BAD_REQUEST, str(error))
            return
        viewer = self.viewer
        if isinstance(command, Connect):
            self._connect(reply_to, command, now)
        elif viewer is None:
            self.close(Close.BAD_REQUEST, "connect comes first")
        else:
            match command:
                case Pong():
                    pass
                case Subscribe():
                    self._subscribe(viewer, reply_to, command, now)
                case Unsubscribe():
                    self._unsubscribe(reply_to, command)
                case Refresh():
                    self._refresh(viewer, reply_to, command, now)
                case _:
                    assert_never(command)

    def advance(self, now: Instant) -> None:
        """Write what is owed and fits into the buffer; end a client that is too slow."""
        self._outbox.owes = False
        for subscription in tuple(self._subscriptions.values()):
            try:
                self._outbox.owes |= deliver(subscription, now)
            except LostTrack:
                self.close(Close.TOO_SLOW, "too far behind to catch up")
                return
        self._judge_pace(now)

    def check(self, now: Instant, *, stalled: bool = False) -> None:
        """Deadlines: connect, silence (not by one who could not be heard, `stalled`), expiry, pace. Pings in time."""
        if self.closed:
            return
        if self.viewer is not None and now.steady >= self._ends_at:
            self.close(Close.EXPIRED, "the ticket has run out")
            return
        if self.viewer is None:
            if now.steady - self._came_at >= CONNECT_WITHIN_S and not stalled:
                self.close(Close.SILENT, "no connect in time")
            return
        unanswered = self._pinged_at > self._heard_at and now.steady - self._pinged_at >= ANSWER_WITHIN_S
        if unanswered and not stalled:
            self.close(Close.SILENT, "no answer to a ping")
            return
        if now.steady - self._pinged_at >= PING_EVERY_S:
            self._pinged_at = now.steady
            self._outbox.write(frame.PING, "ping")
        self._judge_pace(now)

    def disconnect(self, reason: str, reconnect_after_ms: int) -> None:
        """Send the client away in good order: this node goes, or is full; others are there."""
        if not self.closed:
            self._outbox.write(frame.disconnect(Close.SHUTDOWN, reason, reconnect_after_ms), "disconnect")
            self.close(Close.SHUTDOWN, reason)

    def close(self, code: Close, reason: str) -> None:
        """End it. Nothing is written to it afterwards."""
        if not self.closed:
            metrics.CLOSED.labels(code.value).inc()
            self.leave()
            self._outbox.wire.close(code, reason)

    def leave(self) -> None:
        """The connection has ended."""
        self.closed = True
        self._places.leave(self)
        self._outbox.owes = False
        for subscription in self._subscriptions.values():
            self._groups.leave(subscription)
        self._subscriptions.clear()
        self._behind_since = None

    # Commands

    def _connect(self, reply_to: int, command: Connect, now: Instant) -> None:
        if self.viewer is not None:
            self.close(Close.BAD_REQUEST, "connected already")
            return
        try:
            viewer = self._admit(command.ticket, now.wall)
        except TicketError as error:
            self.close(Close.BAD_TICKET, f"ticket {error}")
            return
        if not self._places.take(self, staff=viewer.role is not None):
            self.disconnect("this node is full", _FULL_COME_BACK_MS)
            return
        self.viewer = viewer
        self._ends_at = now.steady + self._ttl_s
        self._pinged_at = now.steady
        self._outbox.write(frame.connected(reply_to, self.client_id, PING_EVERY_S, self._ttl_s), "reply")

    def _refresh(self, viewer: Viewer, reply_to: int, command: Refresh, now: Instant) -> None:
        try:
            shown = self._admit(command.ticket, now.wall)
        except TicketError as error:
            self.close(Close.BAD_TICKET, f"ticket {error}")
            return
        if shown.subject != viewer.subject:
            self.close(Close.NOT_ALLOWED, "this ticket is somebody else's")
        elif shown != viewer:
            # What is on its screen was chosen for what it was; it comes back and starts afresh as what it is.
            self.close(Close.EXPIRED, "what you may see has changed")
        else:
            self._ends_at = now.steady + self._ttl_s
            self._outbox.write(frame.refreshed(reply_to, self._ttl_s), "reply")

    def _subscribe(self, viewer: Viewer, reply_to: int, command: Subscribe, now: Instant) -> None:
        try:
            channel = FeedChannel(command.channel)
        except ValueError:
            self._refuse(reply_to, Refusal.UNKNOWN_CHANNEL, "there is no such channel")
            return
        try:
            view = view_of(viewer, channel, read_filter(command.filter))
        except BadFilter as error:
            self._refuse(reply_to, Refusal.BAD_FILTER, str(error))
            return
        if view is None:
            self._refuse(reply_to, Refusal.NOT_ALLOWED, "this channel is not for this view")
            return
        self._end(channel, Refusal.REPLACED, "another subscription to the channel came")
        resume = None
        if command.recover and command.epoch is not None and command.offset is not None:
            resume = (command.epoch, command.offset)
        self._subscriptions[channel] = self._groups.join(view, self._outbox, reply_to, resume, now)
        self.advance(now)

    def _unsubscribe(self, reply_to: int, command: Unsubscribe) -> None:
        try:
            channel = FeedChannel(command.channel)
        except ValueError:
            self._refuse(reply_to, Refusal.UNKNOWN_CHANNEL, "there is no such channel")
            return
        self._end(channel, Refusal.REPLACED, "unsubscribed before it was answered")
        self._outbox.write(frame.unsubscribed(reply_to), "reply")

    def _refuse(self, reply_to: int, code: Refusal, message: str) -> None:
        self._outbox.write(frame.refused(reply_to, code, message), "reply")

    def _end(self, channel: FeedChannel, code: Refusal, message: str) -> None:
        subscription = self._subscriptions.pop(channel, None)
        if subscription is not None:
            if subscription.phase is Phase.WAITING:
                self._refuse(subscription.reply_to, code, message)
            self._groups.leave(subscription)

    def _judge_pace(self, now: Instant) -> None:
        waiting = self._outbox.live()
        if self._outbox.has_room():
            self._behind_since = None
            return
        self._outbox.owes = True
        if self._behind_since is None:
            self._behind_since = now.steady
        if waiting > CUT_BYTES or now.steady - self._behind_since >= BEHIND_S:
            self.close(Close.TOO_SLOW, "too slow")
