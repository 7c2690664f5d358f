"""Files that `patriot evaluate` reads and writes: CSV with named columns in, JSON Lines out, one-line errors."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import click
import msgspec

#: Rows of the file by column name; row 0 is the first below the header.
Rows = Sequence[Mapping[str, str]]


class Judged(NamedTuple):
    """What a judgement says of a file: a line per row, and a summary where the file has labels."""

    lines: Sequence[msgspec.Struct]
    summary: str | None


def read_rows(path: Path, columns: Sequence[str]) -> Rows:
    """The rows of a UTF-8 CSV file with these columns (and any more); ClickException says in one line what is amiss."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            table = csv.DictReader(file, strict=True)
            missing = [column for column in columns if column not in (table.fieldnames or ())]
            if missing:
                raise click.ClickException(f"{path} has no column {', '.join(missing)}; its header must name it.")
            return [_row(path, number, row, columns) for number, row in enumerate(table)]
    except OSError as error:
        raise click.ClickException(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise click.ClickException(f"{path} is not UTF-8 (byte {error.start}); save it as UTF-8.") from error
    except csv.Error as error:
        raise click.ClickException(f"{path} is not a CSV file: {error}.") from error


def _row(path: Path, number: int, row: Mapping[str, str | None], columns: Sequence[str]) -> Mapping[str, str]:
    # csv fills what a short row lacks with None
    short = [column for column in columns if row[column] is None]
    if short:
        raise click.ClickException(f"{path}: row {number} ends before its {short[0]}.")
    return {column: field for column, field in row.items() if isinstance(field, str)}


def write_lines(lines: Sequence[msgspec.Struct], out: Path | None) -> None:
    """Write JSON Lines to the file, or to standard output."""
    encoder = msgspec.json.Encoder()
    content = b"".join(encoder.encode(line) + b"\n" for line in lines)
    if out is None:
        click.echo(content, nl=False)
        return
    try:
        out.write_bytes(content)
    except OSError as error:
        raise click.ClickException(f"{out} cannot be written: {error.strerror}.") from error


def label_of(row: Mapping[str, str]) -> str | None:
    """The row's label, None where the file has none or it is blank."""
    return row.get("label", "").strip() or None


def share(part: int, whole: int) -> str:
    """A share with three decimals and what it is of, `-` of nothing: `0.950 (95 of 100)`."""
    return f"{part / whole:.3f} ({part} of {whole})" if whole else "- (0 of 0)"
