"""The envelope of every Kafka record: CloudEvents 1.0 in binary mode, with a W3C traceparent."""

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import msgspec

SPEC_VERSION: Final = "1.0"
CONTENT_TYPE: Final = "application/json"
_SCHEMA_BASE: Final = "https://bekasi.id/schemas/"
_OURS: Final = "urn:bekasi:patriot:"
_TRAINING: Final = "urn:bekasi:patriot-training:"

Headers = list[tuple[str, bytes]]


class EnvelopeError(ValueError):
    """A record without the headers that every record has; the message is one sentence and names no value."""


class Envelope(msgspec.Struct, frozen=True):
    """What a record says about itself."""

    id: str
    type: str
    source: str
    subject: str
    time: datetime
    traceparent: str


def schema_id(event_type: str) -> str:
    """`$id` of the JSON Schema of an event type's value; also `ce_dataschema`."""
    return f"{_SCHEMA_BASE}{event_type}.json"


def source(room: str, *, training: bool) -> str:
    """`ce_source` of what a room of ours sends; that of a training city can be told by it from that of a real one."""
    return f"{_TRAINING if training else _OURS}{room}"


def is_foreign(source: str, *, training: bool) -> bool:
    """Whether it comes from a training city and ours is a real one, or the other way round."""
    return source.startswith(_OURS if training else _TRAINING)


def new_traceparent() -> str:
    """A fresh W3C trace context (https://www.w3.org/TR/trace-context/), sampled."""
    return f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"


def write(envelope: Envelope) -> Headers:
    """The envelope as Kafka headers."""
    return [
        ("ce_specversion", SPEC_VERSION.encode()),
        ("ce_id", envelope.id.encode()),
        ("ce_type", envelope.type.encode()),
        ("ce_source", envelope.source.encode()),
        ("ce_subject", envelope.subject.encode()),
        ("ce_time", envelope.time.astimezone(UTC).isoformat().replace("+00:00", "Z").encode()),
        ("ce_dataschema", schema_id(envelope.type).encode()),
        ("content-type", CONTENT_TYPE.encode()),
        ("traceparent", envelope.traceparent.encode()),
    ]


_REQUIRED: Final = ("ce_specversion", "ce_id", "ce_type", "ce_source", "ce_time")
_READ: Final = ("ce_id", "ce_type", "ce_source", "ce_time", "ce_subject", "traceparent")
_SPEC_VERSION: Final = SPEC_VERSION.encode()
_MAX_ID: Final = 200


def read(headers: Sequence[tuple[str, bytes | None]]) -> Envelope:
    """The envelope of a record. Raises `EnvelopeError` when a required header is missing or not what it should be."""
    found = dict(headers)
    for name in _REQUIRED:
        if not found.get(name):
            raise EnvelopeError(f"header {name} is missing")
    if found["ce_specversion"] != _SPEC_VERSION:
        raise EnvelopeError("ce_specversion is not 1.0")
    try:
        event_id, kind, source, said_time, subject, traceparent = [(found.get(name) or b"").decode() for name in _READ]
    except UnicodeDecodeError as error:
        name = next(name for name in _READ if found.get(name) == error.object)
        raise EnvelopeError(f"header {name!r} is not UTF-8") from error
    if len(event_id) > _MAX_ID or "\x00" in event_id:
        raise EnvelopeError("ce_id is not an id")
    try:
        time = datetime.fromisoformat(said_time)
    except ValueError as error:
        raise EnvelopeError("ce_time is not an RFC 3339 time") from error
    if time.tzinfo is None:
        raise EnvelopeError("ce_time has no offset")
    return Envelope(event_id, kind, source, subject, time, traceparent or new_traceparent())
