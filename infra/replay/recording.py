"""A recording: a CSV file with a header, or JSON Lines; its rows one by one, each with the line it begins on."""

import csv
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TextIO

#: A field of CSV longer than this is a quote that nobody closed.
_MAX_FIELD: Final = 128 * 1024


class BadRow(ValueError):
    """A row that cannot be sent; the message says why in one sentence."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its fields by name, or why it has none."""

    #: Counted from 1, the header too.
    line: int
    fields: Mapping[str, Any]
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class Recording:
    """A file of rows. Both methods raise OSError."""

    path: Path

    def digest(self) -> str:
        """sha256 (hex) of the whole file."""
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def rows(self) -> Iterator[Row]:
        """All rows in their order. A bad one is a `Row` with its fault and ends nothing; blank lines are left out."""
        # What is not UTF-8 becomes lone surrogates, so that it spoils its own row and no other.
        with self.path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            first = file.readline()
            file.seek(0)
            yield from _of_json_lines(file) if first.lstrip().startswith(("{", "[")) else _of_csv(file)


def _of_json_lines(file: TextIO) -> Iterator[Row]:
    for line, text in enumerate(file, 1):
        if not text.strip():
            continue
        try:
            value = json.loads(text)
            # An escape may stand for half a character.
            said = json.dumps(value, ensure_ascii=False) if "\\u" in text else text
        except (ValueError, RecursionError):
            yield Row(line, {}, "is not JSON: one object a line is expected")
            continue
        if not isinstance(value, dict):
            yield Row(line, {}, "is not a JSON object: one object a line is expected")
        else:
            yield Row(line, value, _not_text(said))


def _of_csv(file: TextIO) -> Iterator[Row]:
    csv.field_size_limit(_MAX_FIELD)
    table = csv.reader(file, strict=True)
    header: list[str] | None = None
    while True:
        line = table.line_num + 1
        try:
            cells = next(table)
        except StopIteration:
            return
        except csv.Error as error:
            yield Row(line, {}, f"is not CSV: {error}")
            continue
        if not cells:
            continue
        if header is None:
            header = [name.strip() for name in cells]
        elif len(cells) != len(header):
            yield Row(line, {}, f"has {len(cells)} columns, the header has {len(header)}")
        else:
            yield Row(line, dict(zip(header, cells, strict=True)), _not_text("".join(cells)))


def _not_text(text: str) -> str | None:
    return None if text.isascii() or not any("\ud800" <= each <= "\udfff" for each in text) else "is not UTF-8"
