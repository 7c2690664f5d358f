"""Every message of the feed (contract section 3): what a client says, what a node says. One JSON object a text frame.

Field names follow Centrifugo's protocol. What clients send is open within a command, so that a newer client may say
more; what nodes send may gain fields.
"""

from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from schemas.vocabulary import Category, FeedChannel
from schemas.wire import Record, Timestamp

SUBPROTOCOL: Final = "patriot.feed.v1+json"
#: A client's frames have at most this size.
MAX_MESSAGE_BYTES: Final = 64 * 1024
MAX_OFFSET: Final = 2**63 - 1

Ticket = Annotated[str, Meta(max_length=8192)]
MessageId = Annotated[int, Meta(ge=0, le=MAX_OFFSET)]
#: A Kafka offset of `bekasi.feed.v1`, the same on every node.
Offset = Annotated[int, Meta(ge=0, le=MAX_OFFSET)]


class Connect(msgspec.Struct, frozen=True):
    """The first message."""

    ticket: Ticket
    #: What the client calls itself; for people who read logs.
    name: Annotated[str, Meta(max_length=100)] | None = None


class Filter(msgspec.Struct, frozen=True):
    """Saves bandwidth: a row passes when, for each field given, its tag is one of the values."""

    agency: list[str] | None = None
    category: list[Category] | None = None
    kecamatan: list[str] | None = None
    status: list[str] | None = None


class Subscribe(msgspec.Struct, frozen=True):
    """Begin one channel; with `recover`, from where the client stopped."""

    channel: FeedChannel
    recover: bool = False
    epoch: str | None = None
    offset: Offset | None = None
    filter: Filter | None = None


class Unsubscribe(msgspec.Struct, frozen=True):
    """End one channel."""

    channel: str


class Refresh(msgspec.Struct, frozen=True):
    """A newer ticket of the same person: the connection may go on."""

    ticket: Ticket


class ConnectCommand(Record, frozen=True):
    """Within 5 s of the handshake, else close 4502."""

    id: MessageId
    connect: Connect


class SubscribeCommand(Record, frozen=True):
    """One subscription a channel; a second replaces the first."""

    id: MessageId
    subscribe: Subscribe


class UnsubscribeCommand(Record, frozen=True):
    """Nothing of the channel is sent after its answer."""

    id: MessageId
    unsubscribe: Unsubscribe


class RefreshCommand(Record, frozen=True):
    """Before the `ttl` of the last ticket is over, else close 4005."""

    id: MessageId
    refresh: Refresh


class Beat(Record, frozen=True):
    """`{}`: a ping of the node, and the client's answer to it."""


class Connected(Record, frozen=True):
    """`ping`: seconds between pings; `ttl`: seconds until the ticket has to be refreshed."""

    client: str
    ping: int
    ttl: int


class ConnectReply(Record, frozen=True):
    """The answer to `connect`."""

    id: MessageId
    connect: Connected


class Ttl(Record, frozen=True):
    """Seconds until the ticket has to be refreshed."""

    ttl: int


class RefreshReply(Record, frozen=True):
    """The answer to `refresh`."""

    id: MessageId
    refresh: Ttl


class Nothing(Record, frozen=True):
    """Nothing more is to be said."""


class UnsubscribeReply(Record, frozen=True):
    """The answer to `unsubscribe`."""

    id: MessageId
    unsubscribe: Nothing


class Publication(Record, frozen=True, omit_defaults=True):
    """One row that changed, whole (an upsert by `key`), or that left (`removed`)."""

    offset: Offset
    key: str
    tags: dict[str, str] | None = None
    data: Any = None
    removed: bool = False


class StateEntry(Record, frozen=True, omit_defaults=True):
    """One row as it now is."""

    key: str
    data: Any


class Subscribed(Record, frozen=True, omit_defaults=True):
    """Either `recovered` with the `publications` since the client's offset, or the `state`, whole or its beginning."""

    epoch: str
    offset: Offset
    recovered: bool
    #: Whether the filter that was asked for is applied; absent when none was.
    filtered: bool | None = None
    publications: list[Publication] | None = None
    state: list[StateEntry] | None = None
    #: Further parts of the state follow as pushes.
    more: bool | None = None


class SubscribeReply(Record, frozen=True):
    """The answer to `subscribe`."""

    id: MessageId
    subscribe: Subscribed


class Refused(Record, frozen=True):
    """Why; the connection goes on."""

    code: str
    message: str


class ErrorReply(Record, frozen=True):
    """The answer to a command that cannot be done."""

    id: MessageId
    error: Refused


class Changes(Record, frozen=True):
    """Everything that changed in (`since`, `offset`]. `at`: the node's clock. `as_of`: contained up to then."""

    channel: FeedChannel
    epoch: str
    since: Offset
    offset: Offset
    at: Timestamp
    as_of: Timestamp | None
    pubs: list[Publication]


class ChangesPush(Record, frozen=True):
    """At least every 5 s, empty if need be. One whose `since` is above the client's offset is a gap."""

    push: Changes


class StatePart(Record, frozen=True):
    """A further part of the state, at most 256 KiB."""

    channel: FeedChannel
    epoch: str
    state: list[StateEntry]
    more: bool


class StatePush(Record, frozen=True):
    """Comes when the part before it has left."""

    push: StatePart


class Disconnect(Record, frozen=True):
    """The close code that follows, and when to come back."""

    code: int
    reason: str
    reconnect_after_ms: int


class Disconnecting(Record, frozen=True):
    """What is disconnected."""

    disconnect: Disconnect


class DisconnectPush(Record, frozen=True):
    """Just before the node closes."""

    push: Disconnecting


FROM_CLIENT: Final = (ConnectCommand, SubscribeCommand, UnsubscribeCommand, RefreshCommand, Beat)
FROM_NODE: Final = (
    ConnectReply,
    SubscribeReply,
    UnsubscribeReply,
    RefreshReply,
    ErrorReply,
    ChangesPush,
    StatePush,
    DisconnectPush,
    Beat,
)
