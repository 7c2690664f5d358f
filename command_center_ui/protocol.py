"""What a client may say on the feed, and the codes it is answered with (contract section 3)."""

from enum import IntEnum, StrEnum
from typing import Final

import msgspec
from msgspec import UNSET, UnsetType

from schemas.feed_messages import MAX_MESSAGE_BYTES as MAX_MESSAGE_BYTES
from schemas.feed_messages import SUBPROTOCOL as SUBPROTOCOL
from schemas.feed_messages import Connect as Connect
from schemas.feed_messages import MessageId, Offset
from schemas.feed_messages import Refresh as Refresh
from schemas.feed_messages import Unsubscribe as Unsubscribe


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


class Subscribe(msgspec.Struct, frozen=True):
    """`schemas.feed_messages.Subscribe` as it came: what its channel and filter are worth is the session's to say."""

    channel: str
    recover: bool = False
    epoch: str | None = None
    offset: Offset | None = None
    #: See `command_center_ui.view.Filter`.
    filter: msgspec.Raw = msgspec.Raw(b"null")


class _Message(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Any message. Fields inside a command are open (a newer client may say more); the commands themselves are not."""

    id: MessageId | UnsetType = UNSET
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
