"""The envelope of every Kafka record: CloudEvents 1.0 in binary mode, with a W3C traceparent."""

import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

SPEC_VERSION: Final = "1.0"
CONTENT_TYPE: Final = "application/json"
_SCHEMA_BASE: Final = "https://bekasi.id/schemas/"
_OURS: Final = "urn:bekasi:patriot:"
_TRAINING: Final = "urn:bekasi:patriot-training:"

Headers = list[tuple[str, bytes]]


class EnvelopeError(ValueError):
    """A record without the headers that every record has; the message is one sentence and names no value."""


class Envelope(msgspec.Struct, frozen=True, gc=False):
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
_SPEC_VERSION: Final = SPEC_VERSION.encode()
_MAX_ID: Final = 200


def read(headers: Sequence[tuple[str, bytes | None]]) -> Envelope:
    """The envelope of a record. Raises `EnvelopeError` when a required header is missing or not what it should be."""
    found: dict[str, Any] = dict(headers)
    # Each reading comes through here: one way for what is as it should be, and the reason is looked for afterwards.
    try:
        version, event_id, said_time = found["ce_specversion"], found["ce_id"].decode(), found["ce_time"].decode()
        kind, source = found["ce_type"].decode(), found["ce_source"].decode()
        subject = (found.get("ce_subject") or b"").decode()
        traceparent = (found.get("traceparent") or b"").decode()
    except (KeyError, AttributeError, UnicodeDecodeError) as error:
        raise EnvelopeError(_trouble(found)) from error
    if not (version and event_id and said_time and kind and source):
        raise EnvelopeError(_trouble(found))
    if version != _SPEC_VERSION:
        raise EnvelopeError("ce_specversion is not 1.0")
    if len(event_id) > _MAX_ID or "\x00" in event_id:
        raise EnvelopeError("ce_id is not an id")
    try:
        time = datetime.fromisoformat(said_time)
    except ValueError as error:
        raise EnvelopeError("ce_time is not an RFC 3339 time") from error
    if time.tzinfo is None:
        raise EnvelopeError("ce_time has no offset")
    return Envelope(event_id, kind, source, subject, time, traceparent or new_traceparent())


def _trouble(found: Mapping[str, bytes | None]) -> str:
    """Which header is missing, or no text."""
    for name in _REQUIRED:
        if not found.get(name):
            return f"header {name} is missing"
    for name, value in found.items():
        try:
            (value or b"").decode()
        except UnicodeDecodeError:
            return f"header {name!r} is not UTF-8"
    raise AssertionError("nothing is wrong with these headers")
