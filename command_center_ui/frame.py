"""What a node says, as frames: text made once, and bytes on the wire made once for all who get it."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Frame as WireFrame
from websockets.frames import Opcode

from command_center_ui.protocol import Close, Refusal
from schemas.vocabulary import FeedChannel
from schemas.wire import encode

#: A push ends with the publication that reaches this size. With the largest row (128 KiB) it stays below the 256 KiB
#: a client may be behind, so that no single push can cut a client that reads well.
PUSH_BYTES: Final = 64 * 1024
#: Below this deflate saves less than it costs.
_DEFLATE_FROM: Final = 512
#: Nothing is carried over from frame to frame (RFC 7692 7.1.1.1): one result is right for every client.
_DEFLATE: Final = PerMessageDeflate(True, True, 15, 15, {"level": 1})


class Frame:
    """One text frame. Serialised, and deflated for those who negotiated it, at most once, however many get it."""

    __slots__ = ("_deflated", "_plain", "payload")

    def __init__(self, payload: bytes) -> None:
        self.payload = payload
        self._plain: bytes | None = None
        self._deflated: bytes | None = None

    def wire(self, *, deflate: bool) -> bytes:
        """The bytes to write."""
        if deflate and len(self.payload) >= _DEFLATE_FROM:
            if self._deflated is None:
                text = WireFrame(Opcode.TEXT, self.payload)
                self._deflated = text.serialize(mask=False, extensions=[_DEFLATE])
            return self._deflated
        if self._plain is None:
            self._plain = WireFrame(Opcode.TEXT, self.payload).serialize(mask=False)
        return self._plain


PING: Final = Frame(b"{}")


def _time(moment: datetime | None) -> bytes:
    return b"null" if moment is None else encode(moment.astimezone(UTC))


def connected(reply_to: int, client: str, ping: int, ttl: int) -> Frame:
    """The answer to `connect`."""
    return Frame(encode({"id": reply_to, "connect": {"client": client, "ping": ping, "ttl": ttl}}))


def refreshed(reply_to: int, ttl: int) -> Frame:
    """The answer to `refresh`."""
    return Frame(encode({"id": reply_to, "refresh": {"ttl": ttl}}))


def unsubscribed(reply_to: int) -> Frame:
    """The answer to `unsubscribe`."""
    return Frame(encode({"id": reply_to, "unsubscribe": {}}))


def refused(reply_to: int, code: Refusal, message: str) -> Frame:
    """The answer to a command that cannot be done."""
    return Frame(encode({"id": reply_to, "error": {"code": code, "message": message}}))


def disconnect(code: Close, reason: str, reconnect_after_ms: int) -> Frame:
    """Tells a client when to come back, just before it is closed."""
    said = {"code": code, "reason": reason, "reconnect_after_ms": reconnect_after_ms}
    return Frame(encode({"push": {"disconnect": said}}))


def recovered(reply_to: int, epoch: str, offset: int, publications: Iterable[bytes], *, filtered: bool | None) -> Frame:
    """The answer to `subscribe` for a client that is only told what it missed. `filtered`: whether the filter it asked
    for is applied; None when it asked for none."""
    return Frame(
        b'{"id":%d,"subscribe":{"epoch":%b,"offset":%d,"recovered":true%b,"publications":[%b]}}'
        % (reply_to, encode(epoch), offset, _filtered(filtered), b",".join(publications))
    )


def state(reply_to: int, epoch: str, offset: int, entries: bytes, *, more: bool, filtered: bool | None) -> Frame:
    """The answer to `subscribe` for a client that starts afresh, with the state or only its beginning; `entries` are
    separated by commas. `filtered` as in `recovered`."""
    return Frame(
        b'{"id":%d,"subscribe":{"epoch":%b,"offset":%d,"recovered":false%b,"state":[%b],"more":%b}}'
        % (reply_to, encode(epoch), offset, _filtered(filtered), entries, _truth(more))
    )


def state_part(channel: FeedChannel, epoch: str, entries: bytes, *, more: bool) -> Frame:
    """A further part of the state."""
    return Frame(
        b'{"push":{"channel":%b,"epoch":%b,"state":[%b],"more":%b}}'
        % (encode(channel), encode(epoch), entries, _truth(more))
    )


def push(
    channel: FeedChannel,
    epoch: str,
    since: int,
    offset: int,
    *,
    at: datetime,
    as_of: datetime | None,
    pubs: Iterable[bytes],
) -> Frame:
    """Everything that changed in (since, offset]. `as_of` is null until it is known."""
    return Frame(
        b'{"push":{"channel":%b,"epoch":%b,"since":%d,"offset":%d,"at":%b,"as_of":%b,"pubs":[%b]}}'
        % (encode(channel), encode(epoch), since, offset, _time(at), _time(as_of), b",".join(pubs))
    )


def _filtered(filtered: bool | None) -> bytes:
    return b"" if filtered is None else b',"filtered":%b' % _truth(filtered)


def _truth(value: bool) -> bytes:
    return b"true" if value else b"false"
