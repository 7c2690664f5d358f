"""Who may be on a node: nobody can fill it alone, neither those who only knock nor all of the public together."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Final, Generic, TypeVar

#: One place in so many is for viewers with a role. Tickets for the public view are for everybody, and thousands of
#: walls at home must not keep out those who run the city; these are some hundred, spread over all nodes.
STAFF_SHARE: Final = 10
#: A stranger has this long before it may be sent away for another. When thousands come back at once, all that have come
#: are younger: sending some of them away would only make them come again.
GRACE_S: Final = 1.0

Client = TypeVar("Client", bound=Hashable)


class Places(Generic[Client]):
    """So many places, a share of them for viewers with a role, and in those that are free only so many strangers:
    clients that have not shown a ticket yet. Who comes when there are so many takes the place of the one that has been
    a stranger for longest."""

    def __init__(self, places: int, strangers: int) -> None:
        self._places = places
        self._for_public = places - places // STAFF_SHARE
        self._for_strangers = strangers
        self._strangers: OrderedDict[Client, float] = OrderedDict()
        self._public: set[Client] = set()
        self._staff: set[Client] = set()

    @property
    def full(self) -> bool:
        """Whether all places are taken by clients with a ticket."""
        return self._known >= self._places

    def crowded(self, now: float) -> bool:
        """Whether there are as many strangers as may be, and all have come just now (steady clock)."""
        return len(self._strangers) >= self._stranger_room and now - next(iter(self._strangers.values()), now) < GRACE_S

    def come(self, client: Client, now: float) -> Client | None:
        """A stranger; who has to go for it, if somebody has to: the one that has been here for longest."""
        self._strangers[client] = now
        return next(iter(self._strangers)) if len(self._strangers) > self._stranger_room else None

    def take(self, client: Client, *, staff: bool) -> bool:
        """The client has shown a ticket; whether there is a place for it. If not it stays a stranger."""
        if self.full or (not staff and len(self._public) >= self._for_public):
            return False
        self._strangers.pop(client, None)
        (self._staff if staff else self._public).add(client)
        return True

    def leave(self, client: Client) -> None:
        """It has gone, or was told to. Safe twice."""
        self._strangers.pop(client, None)
        self._public.discard(client)
        self._staff.discard(client)

    @property
    def _stranger_room(self) -> int:
        return min(self._for_strangers, self._places - self._known)

    @property
    def _known(self) -> int:
        return len(self._public) + len(self._staff)
