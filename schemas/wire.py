"""How values travel: strict JSON, safe texts, finite numbers, times with an offset.

Two kinds of struct: what the public sends is closed (`forbid_unknown_fields`), what travels in Kafka is open,
because within a major version a schema may gain optional fields and an older reader must live with them.
"""

from datetime import datetime
from typing import Annotated, Final

import msgspec
from msgspec import Meta

#: Any text without NUL (PostgreSQL cannot keep it); msgspec already refuses lone surrogates and bad UTF-8.
_NO_NUL: Final = r"^[^\u0000]*$"
#: The same with at least one character that can be seen: not white space, zero-width or a direction mark.
_VISIBLE: Final = r"^[^\u0000]*[^\s\u0000\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff][^\u0000]*$"

#: What people send is looked at more closely: nor is it a control, an isolate, a filler or a variation selector. The
#: one above stays as it is, for records in Kafka may only be read more generously within a major version.
SEEN: Final = (
    r"^[^\u0000]*[^\s\u0000-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    r"\u202a-\u202e\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb][^\u0000]*$"
)

SafeText = Annotated[str, Meta(max_length=4000, pattern=_NO_NUL)]
Description = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=4000,
        pattern=_VISIBLE,
        description="What is the matter, in the reporter's words.",
    ),
]
Line = Annotated[str, Meta(min_length=1, max_length=300, pattern=_VISIBLE)]
Note = Annotated[str, Meta(min_length=1, max_length=4000, pattern=SEEN)]
DeviceId = Annotated[str, Meta(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]*(?!\n)$")]
Identifier = Annotated[str, Meta(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]*(?!\n)$")]
Latitude = Annotated[float, Meta(ge=-90, le=90, description="WGS 84 decimal degrees")]
Longitude = Annotated[float, Meta(ge=-180, le=180, description="WGS 84 decimal degrees")]
Timestamp = Annotated[datetime, Meta(tz=True)]
NonNegative = Annotated[float, Meta(ge=0, le=1e9)]
Count = Annotated[int, Meta(ge=0, le=10**9)]


class Inbound(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What somebody outside sends us: closed."""


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """What travels between the rooms or goes out: open to fields that a later release adds. Nulls are written."""


_encoder: Final = msgspec.json.Encoder()


def encode(value: object) -> bytes:
    """JSON bytes of a struct or plain value; fields in the order of their definition."""
    return _encoder.encode(value)
