"""A message ready to go out, what a channel makes of it, and what every channel is."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from dispatcher.decisions.notify_text import Language, Words
from dispatcher.subscription_store import Subscription


@dataclass(frozen=True, slots=True)
class Address:
    """How a receiver is reached. Personal data: it goes to the channel and nowhere else, not into a log either."""

    #: `user:<username>`, `report:<report id>` or `group:<audience>`.
    receiver: str
    email: str | None = None
    phone: str | None = None
    subscriptions: tuple[Subscription, ...] = ()

    @property
    def name(self) -> str:
        """What stands behind the kind: a username, a report's id, an audience."""
        return self.receiver.partition(":")[2]


@dataclass(frozen=True, slots=True)
class Message:
    """One message. The id stays the same however often it is tried."""

    id: str
    to: Address
    words: Words
    language: Language
    urgent: bool
    #: Seconds after which it is no news any more.
    expires_s: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an attempt."""

    delivered: bool
    #: In a few words without personal data, for whoever looks why.
    came_back: str
    #: No further attempt can change it.
    final: bool = False
    #: The other side has asked to be left alone for so long.
    retry_after: timedelta | None = None
    #: Addresses of browsers that are gone.
    gone: tuple[str, ...] = ()


class Channel(Protocol):
    """One way to reach people. Blocking: it is called in a thread, `at_once` of them at most."""

    @property
    def name(self) -> str:
        """As in the table."""

    @property
    def takes_ids(self) -> bool:
        """Whether the same message a second time has no second effect."""

    @property
    def at_once(self) -> int:
        """Messages that are under way at the same time."""

    def send(self, message: Message) -> Outcome:
        """Send it, within some 15 s. Raises nothing that is expected of networks and disks."""
