"""Joins what happened in a stretch of offsets into what one view has to be told of it."""

from typing import NamedTuple

from command_center_ui.board import ChannelBoard
from command_center_ui.frame import PUSH_BYTES
from command_center_ui.view import View


class Joined(NamedTuple):
    """What happened in a stretch of the ring, for one view: one word on each key, by rising offset."""

    pubs: list[bytes]
    #: The stretch really covered; below what was asked for when it grew too large.
    offset: int
    complete: bool


def join(channel: ChannelBoard, since: int, until: int, view: View) -> Joined:
    """The changes in (since, until] as publications, some `PUSH_BYTES` at most.

    A row that changed in the stretch is told as it is now, which may be newer than the stretch: a client may hold it
    so already, from a part of the state, and must not be set back. One that anyone with this view could see at some
    time in the stretch, and cannot now, is `removed`: clients stand at different places in the stretch, so all of
    them are told. A row that was never in the view is not mentioned.
    """
    latest: dict[str, bytes] = {}
    size = 0
    covered = since
    for change in channel.ring.between(since, until):
        if size >= PUSH_BYTES:
            return Joined(list(latest.values()), covered, complete=False)
        earlier = latest.pop(change.key, b"")
        now = channel.rows.get(change.key)
        if now is not None and view.sees(now.tags):
            latest[change.key] = now.publication(view.shape, change.offset)
        elif earlier or any(view.sees(tags) for tags in change.tags()):
            latest[change.key] = change.removal
        size += len(latest.get(change.key, b"")) - len(earlier)
        covered = change.offset
    return Joined(list(latest.values()), until, complete=True)
