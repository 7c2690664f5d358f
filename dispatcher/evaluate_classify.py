"""The classifier judged on a file of texts: coverage and precision of what it would dispatch."""

from typing import Literal

import click
import msgspec

from dispatcher.decisions.classify import classify
from dispatcher.evaluation_file import Judged, Rows, label_of, share
from schemas.vocabulary import Category


class Line(msgspec.Struct, frozen=True):
    """What the classifier says of a row; `category` is its best guess also for triage."""

    row: int
    category: Category
    confidence: float
    action: Literal["dispatch", "triage"]


def judge_texts(rows: Rows) -> Judged:
    """A line per row, and the summary when rows have a `label`; a label that is no category is a ClickException."""
    lines = []
    for number, row in enumerate(rows):
        said = classify(row["text"])
        lines.append(Line(number, said.category, said.confidence, "dispatch" if said.dispatch else "triage"))
    labels = [_label(number, label_of(row)) for number, row in enumerate(rows)]
    labelled = [(line, label) for line, label in zip(lines, labels, strict=True) if label is not None]
    return Judged(lines, _summary(labelled) if labelled else None)


def _label(number: int, label: str | None) -> Category | None:
    if label is None:
        return None
    try:
        return Category(label)
    except ValueError as error:
        words = ", ".join(Category)
        raise click.ClickException(f"Row {number} has the label {label!r}; labels are {words}.") from error


def _summary(labelled: list[tuple[Line, Category]]) -> str:
    dispatched = [(line, label) for line, label in labelled if line.action == "dispatch"]
    right = sum(line.category is label for line, label in dispatched)
    reports = [line for line, label in labelled if label is not Category.OTHER]
    sent = sum(line.action == "dispatch" for line in reports)
    guessed = sum(line.category is label for line, label in labelled)
    return (
        f"precision of dispatched {share(right, len(dispatched))}, coverage {share(sent, len(reports))},"
        f" best guess right {share(guessed, len(labelled))}"
    )
