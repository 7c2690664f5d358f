"""One record of `bekasi.feed.v1` as the board reads it: a row that changed or went, or a pulse."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import msgspec

from schemas.feed import FeedPulsed, Tags
from schemas.topics import FEED_PULSED, HEADER_SEQ, HEADER_TAGS, HEADER_TAGS_BEFORE, ROW_CHANGED, ROW_REMOVED
from schemas.vocabulary import FeedChannel
from schemas.wire import encode

#: A row is some 600 bytes. One that is larger than this could not share a frame (512 KiB) with anything.
MAX_ROW_BYTES: Final = 128 * 1024
#: Shards of the dispatcher; a pulse that speaks of more is a mistake, and each one costs memory.
MAX_SHARDS: Final = 1024

_decode_json: Final = msgspec.json.Decoder().decode
_decode_tags: Final = msgspec.json.Decoder(dict[str, str] | None).decode
_decode_pulse: Final = msgspec.json.Decoder(FeedPulsed).decode


class BadRecord(ValueError):
    """A record that cannot be read; the message says what is wrong with it and shows none of its content."""


@dataclass(frozen=True, slots=True)
class RowRecord:
    """A row's new version (`data`, a JSON object as bytes) or its end (`data` None)."""

    offset: int
    #: Kafka's timestamp, seconds since 1970.
    at: float
    channel: FeedChannel
    key: str
    #: Rises per key; the same number again is the same record, sent twice.
    seq: int
    tags: Tags
    #: Tags of the version before this one, as its writer knew them; None for a new row.
    tags_before: Tags | None
    data: bytes | None
    #: When the newest report of an incident arrived; None on other channels.
    received_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class PulseRecord:
    """A shard's word of how far everything acknowledged is contained."""

    offset: int
    at: float
    pulse: FeedPulsed


def read(
    key: bytes | None, value: bytes | None, headers: Iterable[tuple[str, bytes]], offset: int, timestamp_ms: int
) -> RowRecord | PulseRecord:
    """A Kafka record as what it says. Raises `BadRecord` for anything a board cannot show."""
    named = {name: bytes(content or b"") for name, content in headers}
    at = timestamp_ms / 1000
    try:
        kind = named.get("ce_type", b"").decode()
        if kind == FEED_PULSED:
            return PulseRecord(offset, at, _pulse(value))
        if kind not in _ROW_TYPES:
            raise BadRecord("ce_type is none of the feed's")
        channel, colon, name = (key or b"").decode().partition(":")
        if not colon or not name or channel not in _CHANNELS:
            raise BadRecord("the key is not <channel>:<row key>")
        seq = named.get(HEADER_SEQ, b"")
        if not seq.isdigit():
            raise BadRecord(f"{HEADER_SEQ} is not a number")
        data, received_at = (None, None) if value is None else _row(value)
        return RowRecord(
            offset=offset,
            at=at,
            channel=FeedChannel(channel),
            key=name,
            seq=int(seq),
            tags=_decode_tags(named.get(HEADER_TAGS) or b"{}") or {},
            tags_before=_decode_tags(named.get(HEADER_TAGS_BEFORE) or b"null"),
            data=data,
            received_at=received_at,
        )
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, OverflowError) as error:
        raise BadRecord(f"{type(error).__name__} in key, headers or value") from error


_CHANNELS: Final = frozenset(channel.value for channel in FeedChannel)
_ROW_TYPES: Final = frozenset({*ROW_CHANGED.values(), ROW_REMOVED})


def _pulse(value: bytes | None) -> FeedPulsed:
    pulse = _decode_pulse(value or b"")
    if not 0 <= pulse.shard < pulse.shards <= MAX_SHARDS:
        raise BadRecord("the pulse's shard is not one of its shards")
    return pulse


def _row(value: bytes) -> tuple[bytes, datetime | None]:
    """The row in our own spelling of JSON, so that nothing in it can fail later, and its `received_at`."""
    if len(value) > MAX_ROW_BYTES:
        raise BadRecord(f"the row is larger than {MAX_ROW_BYTES} bytes")
    row = _decode_json(value)
    if not isinstance(row, dict):
        raise BadRecord("the row is not a JSON object")
    received_at = row.get("received_at")
    try:
        moment = datetime.fromisoformat(received_at) if isinstance(received_at, str) else None
    except ValueError:
        moment = None
    return encode(row), moment if moment is not None and moment.tzinfo is not None else None
