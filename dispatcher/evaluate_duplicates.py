"""The judgement of sameness tried on a file of pairs: precision and recall of "one event"."""

from datetime import datetime, timedelta, timezone
from typing import Final

import click
import msgspec

from dispatcher.decisions.sameness import compare
from dispatcher.evaluation_file import Judged, Rows, label_of, share

#: Times without an offset are Bekasi's; Jakarta keeps no summer time.
_JAKARTA: Final = timezone(timedelta(hours=7), "WIB")


class Line(msgspec.Struct, frozen=True):
    """What is said of a row's two texts; the same when they are swapped."""

    row: int
    same: bool
    score: float


def judge_pairs(rows: Rows) -> Judged:
    """A line per row, and a summary when rows have a `label` (1 same event, 0 not); ClickException names a bad row."""
    lines = []
    for number, row in enumerate(rows):
        gap = _time(number, row["time"]) - _time(number, row["time2"])
        said = compare(row["text"], row["text2"], gap)
        lines.append(Line(number, said.same, said.score))
    labels = [_label(number, label_of(row)) for number, row in enumerate(rows)]
    labelled = [(line, label) for line, label in zip(lines, labels, strict=True) if label is not None]
    return Judged(lines, _summary(labelled) if labelled else None)


def _time(number: int, written: str) -> datetime:
    try:
        time = datetime.fromisoformat(written.strip())
    except ValueError as error:
        raise click.ClickException(
            f"Row {number} has the time {written!r}; write 2026-11-22T14:05:00+07:00."
        ) from error
    return time if time.tzinfo else time.replace(tzinfo=_JAKARTA)


def _label(number: int, label: str | None) -> bool | None:
    if label not in (None, "0", "1"):
        raise click.ClickException(f"Row {number} has the label {label!r}; labels are 1 (same event) and 0.")
    return None if label is None else label == "1"


def _summary(labelled: list[tuple[Line, bool]]) -> str:
    joined = [label for line, label in labelled if line.same]
    same = [line for line, label in labelled if label]
    right = sum(line.same is label for line, label in labelled)
    return (
        f"precision of joined {share(sum(joined), len(joined))}, recall {share(sum(joined), len(same))},"
        f" right {share(right, len(labelled))}"
    )
