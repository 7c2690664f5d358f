"""Which views there are right now, and who shares them."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

from command_center_ui import metrics
from command_center_ui.board import Board
from command_center_ui.group import Group, Subscription
from command_center_ui.instant import Instant
from command_center_ui.outbox import Outbox
from command_center_ui.portions import Portions
from command_center_ui.view import Filter, View
from schemas.vocabulary import FeedChannel

#: Different filters a node makes frames for; who brings one more gets everything its scope allows.
MAX_FILTERS: Final = 64
#: Contract: a client ahead of this node is answered once the node has caught up, after this long at most.
PATIENCE_S: Final = 2.0


class Groups:
    """The groups of one node over one board; a group lives as long as it has a member."""

    def __init__(self, board: Board) -> None:
        self.board = board
        self.portions = Portions(board)
        self._groups: dict[View, Group] = {}
        self._filters: Counter[Filter] = Counter()

    def __iter__(self) -> Iterator[Group]:
        return iter(self._groups.values())

    def looked_at(self) -> Mapping[FeedChannel, int]:
        """Per channel that is watched, up to which offset all its groups have looked at the changes."""
        least: dict[FeedChannel, int] = {}
        for group in self:
            channel = group.view.channel
            least[channel] = min(group.scanned, least.get(channel, group.scanned))
        return least

    def join(
        self, view: View, outbox: Outbox, reply_to: int, resume: tuple[str, int] | None, now: Instant
    ) -> Subscription:
        """A new subscription to `view`, not answered yet. Its filter is dropped when there are too many already, which
        the answer says."""
        wanted = view.wanted
        if wanted is not None and wanted not in self._filters and len(self._filters) >= MAX_FILTERS:
            view = replace(view, wanted=None)
        elif wanted is not None:
            self._filters[wanted] += 1
        group = self._groups.get(view)
        if group is None:
            here = self.board.offset
            group = self._groups[view] = Group(
                view, self.board, self.portions, sent=here, scanned=here, pushed_at=now.steady
            )
            metrics.GROUPS.set(len(self._groups))
        filtered = None if wanted is None else view.wanted is not None
        subscription = Subscription(reply_to, group, outbox, resume, now.steady + PATIENCE_S, filtered)
        group.members[subscription] = None
        return subscription

    def leave(self, subscription: Subscription) -> None:
        """The subscription has ended."""
        group = subscription.group
        del group.members[subscription]
        wanted = group.view.wanted
        if wanted is not None:
            self._filters[wanted] -= 1
            if not self._filters[wanted]:
                del self._filters[wanted]
        if not group.members:
            del self._groups[group.view]
            metrics.GROUPS.set(len(self._groups))
