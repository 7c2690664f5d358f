"""What a client may say on the feed, and the codes it is answered with (contract section 3)."""

from enum import IntEnum, StrEnum
from typing import Annotated, Final

import msgspec
from msgspec import UNSET, Meta, UnsetType

SUBPROTOCOL: Final = "patriot.feed.v1+json"
#: A client's frames have at most this size.
MAX_MESSAGE_BYTES: Final = 64 * 1024
MAX_OFFSET: Final = 2**63 - 1


class Close(IntEnum):
    """Why the node ends a connection. Below 4500 the client comes back; above only with a new ticket or mended."""

    SHUTDOWN = 4001
    EXPIRED = 4005
    TOO_SLOW = 4008
    BAD_TICKET = 4500
    BAD_REQUEST = 4501
    SILENT = 4502
    NOT_ALLOWED = 4507


class Refusal(StrEnum):
    """Why one command was refused while the connection goes on."""

    UNKNOWN_CHANNEL = "unknown_channel"
    NOT_ALLOWED = "not_allowed"
    BAD_FILTER = "bad_filter"
    #: Another subscription to the channel came before this one was answered.
    REPLACED = "replaced"


class Connect(msgspec.Struct, frozen=True):
    """The first message."""

    ticket: Annotated[str, Meta(max_length=8192)]
    #: What the client calls itself; for people who read logs.
    name: Annotated[str, Meta(max_length=100)] | None = None


class Subscribe(msgspec.Struct, frozen=True):
    """Begin one channel; with `recover`, from where the client stopped."""

    channel: str
    recover: bool = False
    epoch: str | None = None
    offset: Annotated[int, Meta(ge=0, le=MAX_OFFSET)] | None = None
    #: See `command_center_ui.view.Filter`.
    filter: msgspec.Raw = msgspec.Raw(b"null")


class Unsubscribe(msgspec.Struct, frozen=True):
    """End one channel."""

    channel: str


class Refresh(msgspec.Struct, frozen=True):
    """A newer ticket of the same person: the connection may go on."""

    ticket: Annotated[str, Meta(max_length=8192)]


class _Message(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Any message. Fields inside a command are open (a newer client may say more); the commands themselves are not."""

    id: Annotated[int, Meta(ge=0, le=MAX_OFFSET)] | UnsetType = UNSET
    connect: Connect | UnsetType = UNSET
    subscribe: Subscribe | UnsetType = UNSET
    unsubscribe: Unsubscribe | UnsetType = UNSET
    refresh: Refresh | UnsetType = UNSET


class Pong(msgspec.Struct, frozen=True):
    """`{}`: the client is there."""


Command = Connect | Subscribe | Unsubscribe | Refresh | Pong


class BadRequest(ValueError):
    """A message that is not one; the message says why and repeats nothing of it."""


_decode: Final = msgspec.json.Decoder(_Message).decode


def read(message: str | bytes) -> tuple[int, Command]:
    """A text frame as (id, command); a pong has id 0. Raises `BadRequest` for everything else."""
    if isinstance(message, bytes):
        raise BadRequest("send text frames, not binary")
    if len(message) > MAX_MESSAGE_BYTES:
        raise BadRequest("the message is too large")
    try:
        found = _decode(message)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise BadRequest("not a message of this protocol") from error
    said = [part for part in (found.connect, found.subscribe, found.unsubscribe, found.refresh) if part is not UNSET]
    if not said and found.id is UNSET:
        return 0, Pong()
    if len(said) != 1 or found.id is UNSET:
        raise BadRequest("a message has an id and one command")
    return found.id, said[0]
