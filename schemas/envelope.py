"""The envelope of every Kafka record: CloudEvents 1.0 in binary mode, with a W3C traceparent."""

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

SPEC_VERSION: Final = "1.0"
CONTENT_TYPE: Final = "application/json"
_SCHEMA_BASE: Final = "https://bekasi.id/schemas/"

Headers = list[tuple[str, bytes]]


class EnvelopeError(ValueError):
    """A record without the headers that every record has; the message is one sentence and names no value."""


@dataclass(frozen=True, slots=True)
class Envelope:
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
_MAX_ID: Final = 200


def read(headers: Iterable[tuple[str, bytes]] | Sequence[tuple[str, bytes]]) -> Envelope:
    """The envelope of a record. Raises `EnvelopeError` when a required header is missing or not what it should be."""
    found: dict[str, str] = {}
    for name, value in headers:
        try:
            found[name] = bytes(value or b"").decode()
        except UnicodeDecodeError as error:
            raise EnvelopeError(f"header {name!r} is not UTF-8") from error
    for name in _REQUIRED:
        if not found.get(name):
            raise EnvelopeError(f"header {name} is missing")
    if found["ce_specversion"] != SPEC_VERSION:
        raise EnvelopeError("ce_specversion is not 1.0")
    if len(found["ce_id"]) > _MAX_ID or "\x00" in found["ce_id"]:
        raise EnvelopeError("ce_id is not an id")
    try:
        time = datetime.fromisoformat(found["ce_time"])
    except ValueError as error:
        raise EnvelopeError("ce_time is not an RFC 3339 time") from error
    if time.tzinfo is None:
        raise EnvelopeError("ce_time has no offset")
    return Envelope(
        id=found["ce_id"],
        type=found["ce_type"],
        source=found["ce_source"],
        subject=found.get("ce_subject", ""),
        time=time,
        traceparent=found.get("traceparent") or new_traceparent(),
    )
