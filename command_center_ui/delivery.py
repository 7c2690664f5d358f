"""Gives one client on one channel what it is owed, as far as there is room in its buffer: the answer, the state part
by part, what it missed."""

from typing import Final

from command_center_ui import frame
from command_center_ui.group import Phase, Subscription
from command_center_ui.instant import Instant
from command_center_ui.portions import INLINE_BYTES

#: Parts of the state per round for one client, so that a fast one does not keep the others waiting.
_PARTS_PER_ROUND: Final = 4


class LostTrack(Exception):
    """The client is so far behind that what it missed is no longer known."""


def deliver(subscription: Subscription, now: Instant) -> bool:
    """Write what fits now; True when more is owed. Raises `LostTrack`."""
    if subscription.phase is Phase.WAITING:
        _answer(subscription, now)
    if subscription.phase is Phase.STREAMING:
        _stream(subscription)
    if subscription.phase is Phase.LIVE:
        _catch_up(subscription, now)
    return subscription.phase is not Phase.LIVE or subscription.offset < subscription.group.sent


def _answer(subscription: Subscription, now: Instant) -> None:
    """Answer a `subscribe` with what was missed, or with the first part of the state."""
    outbox, group = subscription.outbox, subscription.group
    if not (outbox.part_has_left() and outbox.has_room()):
        return
    board, channel = group.board, group.view.channel
    if subscription.resume is not None and subscription.resume[0] == group.epoch:
        offset = subscription.resume[1]
        if offset > board.offset and now.steady < subscription.patience:
            return
        if board.recoverable(channel, offset):
            _recover(subscription, offset)
            return
    # Before the topic's first record there is nothing to be at: offset 0, and a state that is completed once record 0
    # is there, and contains it.
    here, keys = max(board.offset, 0), board[channel].keys()
    part = group.portions.part(group.view, keys, 0) if board.offset >= 0 else None
    if part is None and board.offset >= 0:
        return
    subscription.offset = here
    if part is not None and part.next_key is None and len(part.entries) <= INLINE_BYTES:
        subscription.phase = Phase.LIVE
        answer = frame.state(
            subscription.reply_to, group.epoch, here, part.entries, more=False, filtered=subscription.filtered
        )
        outbox.write_part(answer)
    else:
        subscription.phase = Phase.STREAMING
        answer = frame.state(subscription.reply_to, group.epoch, here, b"", more=True, filtered=subscription.filtered)
        outbox.write(answer, "reply")


def _recover(subscription: Subscription, offset: int) -> None:
    group = subscription.group
    missed = group.portions.missed(group.view, offset)
    if missed is not None:
        # When it is more than fits into a frame, the offset says so and the rest follows as pushes.
        subscription.phase, subscription.offset = Phase.LIVE, missed.offset
        answer = frame.recovered(
            subscription.reply_to, group.epoch, missed.offset, missed.pubs, filtered=subscription.filtered
        )
        subscription.outbox.write(answer, "reply")


def _stream(subscription: Subscription) -> None:
    """Further parts of the state, each when the last has left.

    Rows are as they are now, keys as they were when the first part was made: what came since is in the pushes that
    follow, which begin at the offset of the answer.
    """
    outbox, group = subscription.outbox, subscription.group
    if group.board.offset < 0:
        return
    if subscription.keys is None:
        subscription.keys = group.board[group.view.channel].keys()
    for _ in range(_PARTS_PER_ROUND):
        if not (outbox.part_has_left() and outbox.has_room()):
            return
        part = group.portions.part(group.view, subscription.keys, subscription.next_key)
        if part is None:
            return
        outbox.write_part(part.frame)
        if part.next_key is None:
            subscription.keys, subscription.phase = None, Phase.LIVE
            return
        subscription.next_key = part.next_key


def _catch_up(subscription: Subscription, now: Instant) -> None:
    """Join what a client missed while it had no room, or while it was getting the state."""
    outbox, group = subscription.outbox, subscription.group
    while subscription.offset < group.sent and outbox.has_room():
        if subscription.offset < group.board[group.view.channel].ring.lost:
            raise LostTrack
        chunk = group.catch_up(subscription.offset, now)
        subscription.offset = chunk.offset
        outbox.write(chunk.frame, "catch_up")
