"""When an officer works: one shift, and a whole roster read from a file of the agency's."""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Final

import msgspec

from dispatcher.decisions.calendar import JAKARTA
from schemas.gazetteer import gazetteer
from schemas.place import AgencyRef

#: Nobody works longer in one go; a longer one is a slip in a date.
LONGEST: Final = timedelta(hours=24)
#: Lines of a roster file: a month of 150 officers.
MOST_LINES: Final = 5_000
#: No roster is older or further ahead.
_EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
_LATEST: Final = datetime(2100, 1, 1, tzinfo=UTC)
_NEEDED: Final = ("officer_id", "starts_at", "ends_at")
_KNOWN: Final = (*_NEEDED, "kecamatan")


class Shift(msgspec.Struct, frozen=True, kw_only=True):
    """One officer on duty from a time to another, the end not included."""

    id: str
    #: Username.
    officer: str
    officer_name: str
    agency: AgencyRef
    starts_at: datetime
    ends_at: datetime
    #: Code of the kecamatan to be in; None for all of the regency.
    kecamatan: str | None
    put_by: str
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Wanted:
    """A shift as somebody wants it; `line` of the file, or 0."""

    officer: str
    starts_at: datetime
    ends_at: datetime
    kecamatan: str | None = None
    line: int = 0


@dataclass(frozen=True, slots=True)
class LineError:
    """What is wrong in a line of a roster; the header is line 1."""

    line: int
    field: str
    message: str


def mistake(wanted: Wanted, agency: AgencyRef) -> tuple[str, str] | None:
    """The field of a shift that cannot be, and why; None for one that can. `agency`: the officer's."""
    if not _EARLIEST <= wanted.starts_at <= _LATEST:
        return "starts_at", "a time between 2000 and 2100"
    if wanted.ends_at <= wanted.starts_at:
        return "ends_at", "after starts_at"
    if wanted.ends_at - wanted.starts_at > LONGEST:
        return "ends_at", f"at most {LONGEST / timedelta(hours=1):.0f} h after starts_at"
    if wanted.kecamatan is not None:
        areas = {area.code: area.regency for area in gazetteer().kecamatan}
        if areas.get(wanted.kecamatan) is not agency.regency:
            return "kecamatan", "not the code of a kecamatan of the officer's regency"
    return None


def clash(wanted: Wanted, others: Iterable[Shift]) -> Shift | None:
    """A shift of the same officer at the same time."""
    return next(
        (
            one
            for one in others
            if one.officer == wanted.officer and one.starts_at < wanted.ends_at and wanted.starts_at < one.ends_at
        ),
        None,
    )


def same(wanted: Wanted, others: Iterable[Shift]) -> bool:
    """Whether there is just this shift already."""
    return any(
        one.officer == wanted.officer
        and one.starts_at == wanted.starts_at
        and one.ends_at == wanted.ends_at
        and one.kecamatan == wanted.kecamatan
        for one in others
    )


def read_roster(text: str) -> tuple[list[Wanted], list[LineError]]:
    """The shifts of a CSV file with a header (`officer_id,starts_at,ends_at` and perhaps `kecamatan`), and what is
    wrong in it by itself: unreadable lines, and lines of one officer that overlap.

    Commas or semicolons, with a byte order mark or without. A time without an offset is Asia/Jakarta's.
    """
    text = text.removeprefix("\ufeff")
    first = text.partition("\n")[0]
    try:
        lines = list(csv.reader(io.StringIO(text), delimiter=";" if ";" in first else ",", strict=True))
    except csv.Error:
        return [], [LineError(1, "", "not CSV")]
    header = [cell.strip() for cell in lines[0]] if lines else []
    if not set(_NEEDED) <= set(header) or not set(header) <= set(_KNOWN) or len(set(header)) < len(header):
        return [], [LineError(1, "", f"a header of {', '.join(_NEEDED)} and perhaps kecamatan, each once")]
    if len(lines) > MOST_LINES + 1:
        return [], [LineError(MOST_LINES + 2, "", f"at most {MOST_LINES} lines")]
    found: list[Wanted] = []
    errors: list[LineError] = []
    for number, cells in enumerate(lines[1:], start=2):
        if not any(cell.strip() for cell in cells):
            continue
        wanted = _wanted(number, header, cells)
        if isinstance(wanted, Wanted):
            found.append(wanted)
        else:
            errors.append(wanted)
    return found, sorted([*errors, *_overlaps(found)], key=lambda one: one.line)


def _wanted(number: int, header: Sequence[str], cells: Sequence[str]) -> Wanted | LineError:
    if len(cells) != len(header):
        return LineError(number, "", f"{len(header)} cells, as the header has")
    row = {name: cell.strip() for name, cell in zip(header, cells, strict=True)}
    if not row["officer_id"]:
        return LineError(number, "officer_id", "who works")
    times = []
    for name in ("starts_at", "ends_at"):
        try:
            at = datetime.fromisoformat(row[name])
            times.append((at if at.tzinfo else at.replace(tzinfo=JAKARTA)).astimezone(UTC))
        except (ValueError, OverflowError):
            return LineError(number, name, "a time such as 2026-11-23T06:00 or 2026-11-23T06:00:00+07:00")
    return Wanted(row["officer_id"], times[0], times[1], row.get("kecamatan") or None, number)


def _overlaps(found: Iterable[Wanted]) -> list[LineError]:
    """Lines of one officer that begin before the one before has ended."""
    ordered = sorted(found, key=lambda one: (one.officer, one.starts_at, one.line))
    return [
        LineError(after.line, "starts_at", f"overlaps line {before.line}")
        for before, after in pairwise(ordered)
        if before.officer == after.officer and after.starts_at < before.ends_at
    ]
