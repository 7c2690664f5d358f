"""A record of Kafka as a typed message, or the reason why it is none."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Protocol

import msgspec

from dispatcher.effects import Message
from infra.kafka import time_of
from schemas import envelope
from schemas.envelope import EnvelopeError

_TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


class Record(Protocol):
    """What we use of aiokafka's `ConsumerRecord`."""

    topic: str
    partition: int
    offset: int
    #: Milliseconds since 1970; the broker's clock where the topic says LogAppendTime.
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]


@dataclass(frozen=True, slots=True)
class Refused(Exception):
    """Why a record has no effect. `reason` is one of a few words, `detail` a sentence."""

    reason: str
    detail: str


class Unpacker:
    """Decodes records of the given event types. `training` is whether ours is a training city."""

    def __init__(self, types: Mapping[str, type[msgspec.Struct]], *, training: bool = False) -> None:
        self._training = training
        self._decoders = {name: msgspec.json.Decoder(kind) for name, kind in types.items()}
        #: Of the record before: those of one produced batch have the same.
        self._timestamp = 0
        self._received_at = datetime.fromtimestamp(0, UTC)

    def unpack(self, record: Record) -> Message:
        """The message. Raises `Refused` with reason `headers`, `foreign`, `unknown_type`, `tombstone`, `not_json`,
        `schema`, `nul` or `time`."""
        try:
            about = envelope.read(record.headers)
        except EnvelopeError as error:
            raise Refused("headers", str(error)) from error
        if envelope.is_foreign(about.source, training=self._training):
            kinds = ("real", "training") if self._training else ("training", "real")
            raise Refused("foreign", f"it comes from a {kinds[0]} city, and this is a {kinds[1]} one")
        decoder = self._decoders.get(about.type)
        if decoder is None:
            raise Refused("unknown_type", "ce_type names no event of this topic, or a version that is not known")
        if record.value is None:
            raise Refused("tombstone", "the record has no value, and nothing is deleted by it")
        try:
            value: msgspec.Struct = decoder.decode(record.value)
        except msgspec.ValidationError as error:
            raise Refused("schema", str(error)) from error
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise Refused("not_json", f"the value is not JSON in UTF-8: {error}") from error
        # PostgreSQL keeps no NUL; the cheap look at the bytes comes first.
        if b"\\u0000" in record.value and any("\x00" in text for text in _texts(msgspec.to_builtins(value))):
            raise Refused("nul", "a text contains U+0000")
        if record.timestamp != self._timestamp:
            received_at = time_of(record.timestamp)
            if received_at is None:
                raise Refused("time", "the record's timestamp is not a time")
            self._timestamp, self._received_at = record.timestamp, received_at
        if not _TRACEPARENT.fullmatch(about.traceparent):
            about = msgspec.structs.replace(about, traceparent=envelope.new_traceparent())
        return Message(about, value, record.topic, record.partition, record.offset, self._received_at)


def _texts(value: object) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for name, item in value.items():
                yield from _texts(name)
                yield from _texts(item)
        case list() | tuple():
            for item in value:
                yield from _texts(item)
        case _:
            return
