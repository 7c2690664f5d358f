"""Joins what happened in a stretch of offsets into what one view has to be told of it."""

from typing import NamedTuple

from command_center_ui.frame import PUSH_BYTES
from command_center_ui.ring import Ring
from command_center_ui.view import View


class Joined(NamedTuple):
    """What happened in a stretch of the ring, for one view: the last word on each key, by rising offset."""

    pubs: list[bytes]
    #: The stretch really covered; below what was asked for when it grew too large.
    offset: int
    complete: bool


def join(ring: Ring, since: int, until: int, view: View) -> Joined:
    """The changes in (since, until] as publications, some `PUSH_BYTES` at most.

    A row that anyone with this view could see at some time in the stretch, and no longer at its end, is `removed`:
    clients stand at different places in the stretch (one got a part of the state in the middle of it), so all of
    them are told. A row that was never in the view is not mentioned.
    """
    latest: dict[str, bytes] = {}
    size = 0
    covered = since
    for change in ring.between(since, until):
        if size >= PUSH_BYTES:
            return Joined(list(latest.values()), covered, complete=False)
        earlier = latest.pop(change.key, b"")
        row = change.row
        if row is not None and view.sees(row.tags):
            latest[change.key] = row.publication(view.shape)
        elif earlier or any(view.sees(tags) for tags in change.before):
            latest[change.key] = change.removal
        size += len(latest.get(change.key, b"")) - len(earlier)
        covered = change.offset
    return Joined(list(latest.values()), until, complete=True)
