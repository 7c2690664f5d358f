"""Lists in pages: where a page ended, as an opaque cursor."""

import base64
from datetime import UTC
from typing import Final, Generic, TypeVar

import msgspec

from schemas.wire import Record, Timestamp, encode

T = TypeVar("T")

_MAX_CURSOR: Final = 400


class Mark(Record, frozen=True):
    """Where a page ended in a list with the newest change first: the next one goes on behind it."""

    updated_at: Timestamp
    id: str


class NameMark(Record, frozen=True):
    """Where a page ended in a list by id."""

    id: str


class Page(Record, Generic[T], frozen=True):
    """One page of a list; `next_cursor` null on the last one."""

    items: tuple[T, ...]
    next_cursor: str | None


def cursor_of(mark: Mark | NameMark) -> str:
    """The mark as text that says nothing to anybody else."""
    return base64.urlsafe_b64encode(encode(mark)).decode()


M = TypeVar("M", Mark, NameMark)


def mark_of(cursor: str, kind: type[M]) -> M:
    """The mark in a cursor. Raises ValueError when it is none of ours."""
    if len(cursor) > _MAX_CURSOR or not cursor.isascii():
        raise ValueError("not a cursor")
    try:
        mark = msgspec.json.decode(base64.urlsafe_b64decode(cursor), type=kind)
        if isinstance(mark, Mark):
            mark.updated_at.astimezone(UTC)  # the year 1 or 9999, beyond its last hour: no database keeps that
    except (msgspec.MsgspecError, RecursionError, OverflowError) as error:
        raise ValueError("not a cursor") from error
    if "\x00" in mark.id:
        raise ValueError("not a cursor")
    return mark
