"""One version of one row of the board, and the shapes it is shown in."""

from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Final

import msgspec

from schemas.feed import PublicIncidentRow, Tags
from schemas.wire import encode

_decode: Final = msgspec.json.Decoder(dict[str, object]).decode

#: The tags that clients are shown (contract section 3); the others decide who sees the row.
_SHOWN_TAGS: Final = ("agency", "kecamatan")


class Shape(StrEnum):
    """How much of an incident is shown. Rows of the other channels are public as they are."""

    #: All of it.
    WHOLE = "whole"
    #: Without people: for those who read and do not operate (executive and council).
    IMPERSONAL = "impersonal"
    #: What anyone may see (contract section 3).
    PUBLIC = "public"


class Row:
    """A row's version, immutable; what is derived from it is made once and kept with it."""

    __slots__ = ("_shaped", "data", "key", "name", "offset", "received_at", "seq", "tags", "tags_json")

    def __init__(self, offset: int, seq: int, key: str, tags: Tags, data: bytes, received_at: datetime | None) -> None:
        self.offset = offset
        self.seq = seq
        self.key = key
        #: The key as JSON.
        self.name = encode(key)
        self.tags = tags
        self.tags_json = encode({name: tags[name] for name in _SHOWN_TAGS if name in tags})
        self.data = data
        self.received_at = received_at
        self._shaped: dict[Shape, bytes] = {}

    def shaped(self, shape: Shape) -> bytes:
        """The row as JSON in a shape."""
        if shape is Shape.WHOLE:
            return self.data
        known = self._shaped.get(shape)
        if known is None:
            known = self._shaped[shape] = encode(_SHAPES[shape](_decode(self.data)))
        return known

    def entry(self, shape: Shape) -> bytes:
        """The row as an entry of `state`."""
        return b'{"key":%b,"data":%b}' % (self.name, self.shaped(shape))

    def publication(self, shape: Shape, offset: int) -> bytes:
        """The row as an entry of `pubs` or `publications`, for a change at `offset`: its own, or one before it."""
        return b'{"offset":%d,"key":%b,"tags":%b,"data":%b}' % (
            offset,
            self.name,
            self.tags_json,
            self.shaped(shape),
        )


def _public(row: Mapping[str, object]) -> Mapping[str, object]:
    shown = {name: row.get(name) for name in PublicIncidentRow.__struct_fields__}
    for name in ("lat", "lon"):
        value = shown[name]
        # 0.001° is some 110 m: the street, not the house that reported.
        shown[name] = round(value, 3) if isinstance(value, float) else value
    return shown


def _impersonal(row: Mapping[str, object]) -> Mapping[str, object]:
    return {**row, "officers": [], "photo_url": None}


_SHAPES: Final[Mapping[Shape, Callable[[Mapping[str, object]], Mapping[str, object]]]] = {
    Shape.PUBLIC: _public,
    Shape.IMPERSONAL: _impersonal,
}
