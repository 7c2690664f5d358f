"""Query parameters, read as strictly as bodies: known names, once where once is meant, words of the contract."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final, Literal, TypeVar

import msgspec
from fastapi import Request

from dispatcher.desk.page import Mark, NameMark, mark_of
from infra.openapi import parameter
from infra.problem import FieldError, Problem, invalid
from schemas.wire import Timestamp

E = TypeVar("E", bound=StrEnum)
M = TypeVar("M", Mark, NameMark)

MAX_LIMIT: Final = 500
DEFAULT_LIMIT: Final = 100
_MAX_TEXT: Final = 200
#: In a query a `+` means a space; before an offset of hours nothing else can be meant than the plus it was.
_LOST_PLUS: Final = re.compile(r"(?<=\d) (?=\d\d:\d\d$)")

LIMIT: Final = parameter(
    "limit", "query", "Items a page", {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT}
)
CURSOR: Final = parameter("cursor", "query", "`next_cursor` of the page before", {"type": "string"})


class Parameters:
    """The query of one request. Every method raises 422 that names the parameter and never its value."""

    def __init__(self, request: Request, known: Sequence[str]) -> None:
        self._given: dict[str, list[str]] = {}
        for name, value in request.query_params.multi_items():
            if name not in known:
                shown = name if re.fullmatch(r"[A-Za-z0-9_]{1,60}", name) else "?"
                raise Problem(
                    422,
                    "invalid",
                    f"{shown}: there is no such parameter here",
                    errors=[FieldError(field=shown, message="there is no such parameter here")],
                )
            if "\x00" in value:
                raise invalid(name, "expected text without NUL")
            self._given.setdefault(name, []).append(value)

    def one(self, name: str) -> str | None:
        """The value of a parameter that may be given once; None when it is not given."""
        values = self._given.get(name)
        if values is None:
            return None
        if len(values) > 1:
            raise invalid(name, "given more than once")
        return values[0]

    def words(self, name: str) -> list[str]:
        """All values of a parameter, repeated or with commas between them."""
        words = [word.strip() for value in self._given.get(name, ()) for word in value.split(",")]
        if not all(words):
            raise invalid(name, "an empty word")
        return words

    def members(self, name: str, kind: type[E]) -> list[E]:
        """The same as words of the contract."""
        try:
            return [kind(word) for word in self.words(name)]
        except ValueError as error:
            raise invalid(name, "not one of the allowed words") from error

    def member(self, name: str, kind: type[E]) -> E | None:
        """One word of the contract."""
        value = self.one(name)
        try:
            return None if value is None else kind(value)
        except ValueError as error:
            raise invalid(name, "not one of the allowed words") from error

    def flag(self, name: str) -> bool | None:
        """`true` or `false`."""
        value = self.one(name)
        if value not in (None, "true", "false"):
            raise invalid(name, "expected true or false")
        return None if value is None else value == "true"

    def time(self, name: str) -> datetime | None:
        """A time with an offset (RFC 3339), in UTC."""
        value = self.one(name)
        if value is None:
            return None
        try:
            return msgspec.convert(_LOST_PLUS.sub("+", value), Timestamp).astimezone(UTC)
        except (msgspec.ValidationError, OverflowError) as error:
            raise invalid(name, "not a time with an offset (RFC 3339)") from error

    def text(self, name: str) -> str | None:
        """Words to look for, up to 200 characters."""
        value = self.one(name)
        if value is None:
            return None
        value = value.strip()
        if not value or len(value) > _MAX_TEXT:
            raise invalid(name, f"expected 1 to {_MAX_TEXT} characters")
        return value

    def numbers(self, name: str, count: int) -> list[float] | None:
        """`count` finite numbers with commas between them."""
        value = self.one(name)
        if value is None:
            return None
        parts = value.split(",")
        if len(parts) != count or not all(re.fullmatch(r"-?\d{1,4}(\.\d{1,20})?", part.strip()) for part in parts):
            raise invalid(name, f"expected {count} numbers with commas between them")
        return [float(part) for part in parts]

    def limit(self) -> int:
        """Items a page, 1 to 500, 100 when not given."""
        value = self.one("limit")
        if value is None:
            return DEFAULT_LIMIT
        if not re.fullmatch(r"[1-9]\d{0,2}", value, re.ASCII) or int(value) > MAX_LIMIT:
            raise invalid("limit", f"expected a whole number from 1 to {MAX_LIMIT}")
        return int(value)

    def cursor(self, kind: type[M]) -> M | None:
        """Where the page before ended, as `next_cursor` told it."""
        value = self.one("cursor")
        try:
            return None if value is None else mark_of(value, kind)
        except ValueError as error:
            raise invalid("cursor", "not a cursor of ours") from error

    def language(self) -> Literal["id", "en"] | None:
        """`lang`, when it is given."""
        value = self.one("lang")
        if value not in (None, "id", "en"):
            raise invalid("lang", "expected id or en")
        return "en" if value == "en" else "id" if value == "id" else None
