"""The CloudEvents headers of what ingest sends, with everything that is the same each time encoded once."""

from datetime import UTC, datetime
from functools import cache
from typing import Final

from schemas.envelope import CONTENT_TYPE, SPEC_VERSION, Headers, schema_id, source

_ROOM: Final = "ingest"


def headers(
    event_type: str, event_id: str, subject: bytes, time: str, traceparent: bytes, *, training: bool = False
) -> Headers:
    """As `schemas.envelope.write` has them; `time` is RFC 3339."""
    return [
        *_constant(event_type, training),
        ("ce_id", event_id.encode()),
        ("ce_subject", subject),
        ("ce_time", time.encode()),
        ("traceparent", traceparent),
    ]


def rfc3339(time: datetime) -> str:
    """A time in UTC, to the microsecond."""
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")


@cache
def _constant(event_type: str, training: bool) -> Headers:
    return [
        ("ce_specversion", SPEC_VERSION.encode()),
        ("ce_type", event_type.encode()),
        ("ce_source", source(_ROOM, training=training).encode()),
        ("ce_dataschema", schema_id(event_type).encode()),
        ("content-type", CONTENT_TYPE.encode()),
    ]
