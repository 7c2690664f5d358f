"""`patriot evaluate`: judges a file of texts with the very rules of the dispatcher; needs nothing running."""

from pathlib import Path

import click

from dispatcher.evaluate_classify import judge_texts
from dispatcher.evaluate_duplicates import judge_pairs
from dispatcher.evaluation_file import Judged, read_rows, write_lines

_FILE = click.argument("file", type=click.Path(path_type=Path))
_OUT = click.option(
    "--out", type=click.Path(path_type=Path), help="Write the JSON Lines here instead of to standard output."
)


@click.group()
def command() -> None:
    """Judge a CSV file as the dispatcher would; a summary where labels are given."""


@command.command()
@_FILE
@_OUT
def classify(file: Path, out: Path | None) -> None:
    """Categories of the column `text`: a line {"row", "category", "confidence", "action"} each; `label` is optional."""
    _answer(judge_texts(read_rows(file, ("text",))), out)


@command.command()
@_FILE
@_OUT
def duplicates(file: Path, out: Path | None) -> None:
    """Whether `text` (of `time`) and `text2` (of `time2`) are one event: {"row", "same", "score"}; `label` 1 or 0."""
    _answer(judge_pairs(read_rows(file, ("time", "text", "time2", "text2"))), out)


def _answer(judged: Judged, out: Path | None) -> None:
    write_lines(judged.lines, out)
    if judged.summary is not None:
        click.echo(judged.summary, err=True)
