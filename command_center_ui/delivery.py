"""Gives one client on one channel what it is owed, as far as there is room in its buffer: the answer, the state part
by part, what it missed."""

from typing import Final

from command_center_ui import frame
from command_center_ui.frame import STATE_BYTES, WRAPPING_BYTES
from command_center_ui.group import Phase, Subscription, join
from command_center_ui.instant import Instant

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
            joined = join(board[channel].ring, offset, board.offset, group.view)
            # When it missed more than fits into a frame, the offset says so and the rest follows as pushes.
            subscription.phase, subscription.offset = Phase.LIVE, joined.offset
            outbox.write(frame.recovered(subscription.reply_to, group.epoch, joined.offset, joined.pubs), "reply")
            return
    # Before the topic's first record there is nothing to be at: offset 0, and a state that is completed once record 0
    # is there, and contains it.
    subscription.phase, subscription.offset = Phase.STREAMING, max(board.offset, 0)
    entries, more = _entries(subscription)
    outbox.write_part(frame.state(subscription.reply_to, group.epoch, subscription.offset, entries, more=more))


def _stream(subscription: Subscription) -> None:
    """Further parts of the state, each when the last has left."""
    outbox, group = subscription.outbox, subscription.group
    for _ in range(_PARTS_PER_ROUND):
        if subscription.phase is Phase.LIVE or group.board.offset < 0:
            return
        if not (outbox.part_has_left() and outbox.has_room()):
            return
        entries, more = _entries(subscription)
        outbox.write_part(frame.state_part(group.view.channel, group.epoch, entries, more=more))


def _entries(subscription: Subscription) -> tuple[list[bytes], bool]:
    """The next entries of the state, and whether there are more; live after the last.

    Rows are as they are now, keys as they were when the state was begun: what came since is in the pushes that
    follow, which begin where the state was begun.
    """
    board, view = subscription.group.board, subscription.group.view
    if board.offset < 0:
        return [], True
    rows = board[view.channel].rows
    keys = subscription.keys if subscription.keys is not None else board[view.channel].keys()
    entries: list[bytes] = []
    room = STATE_BYTES - WRAPPING_BYTES
    for index in range(subscription.next_key, len(keys)):
        row = rows.get(keys[index])
        if row is None or not view.sees(row.tags):
            continue
        entry = row.entry(view.shape)
        room -= len(entry) + 1
        if room < 0:
            subscription.keys, subscription.next_key = keys, index
            return entries, True
        entries.append(entry)
    subscription.keys, subscription.phase = None, Phase.LIVE
    return entries, False


def _catch_up(subscription: Subscription, now: Instant) -> None:
    """Join what a client missed while it had no room, or while it was getting the state."""
    outbox, group = subscription.outbox, subscription.group
    while subscription.offset < group.sent and outbox.has_room():
        if subscription.offset < group.board[group.view.channel].ring.lost:
            raise LostTrack
        chunk = group.catch_up(subscription.offset, now)
        subscription.offset = chunk.offset
        outbox.write(chunk.frame, "catch_up")
