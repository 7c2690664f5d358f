"""Writes docs/benchmarks.md: a chapter that was measured takes the place of its former self, the others stay."""

import re
from collections.abc import Mapping
from typing import Final

from tests.bench.row import Row, Section

_HEAD: Final = """# Benchmarks

Written by `make bench`, chapter by chapter. Load generator, Kafka, PostgreSQL and all services share the cores of one
machine: figures to compare with each other, and with themselves on another day, not with those of other machines.
Contenders take turns in rounds whose order rotates, each in a process of its own that is new each time; a ratio is made
of values of the same round. CPU is user and system time of the process that is named, and says more than the clock
does. Its rows as JSON are in `bench-rows.jsonl`, which is not in git.
"""


def merged(page: str, sections: Mapping[str, tuple[Section, str]], order: list[str]) -> str:
    """The page with these chapters (section and the line about its run, by title) written anew."""
    chapters = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL))
    chapters |= {title: _body(section, about) for title, (section, about) in sections.items()}
    known = [title for title in order if title in chapters]
    return _HEAD + "".join(f"\n## {title}\n\n{chapters[title].strip()}\n" for title in known)


def _body(section: Section, about: str) -> str:
    settings = "".join(f"- {line}\n" for line in section.settings)
    return "\n\n".join(part for part in (about, settings.strip(), table(section.rows)) if part)


def table(rows: list[Row]) -> str:
    """Figures as Markdown, each goal with whether it is met."""
    lines = ["| figure | median | min – max | unit | goal | |", "| --- | ---: | ---: | --- | --- | --- |"]
    for row in rows:
        low, high = min(row.values), max(row.values)
        spread = f"{_number(low)} – {_number(high)}" if len(row.values) > 1 else ""
        lines.append(f"| {row.name} | {_number(row.median)} | {spread} | {row.unit} | {verdict(row)} | {row.note} |")
    return "\n".join(lines)


def verdict(row: Row) -> str:
    """The goal, and met or missed."""
    if row.goal is None:
        return ""
    met = "met" if row.goal.met_by(row.median) else "**missed**"
    return f"at {row.goal.is_at} {_number(row.goal.limit)}: {met}"


def _number(value: float) -> str:
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:,.{digits}f}"
