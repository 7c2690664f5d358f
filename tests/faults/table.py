"""docs/faults.md's table, written from the rows of the two newest soak runs."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from tests.faults.scenario import Row

_PAGE: Final = Path("docs/faults.md")
_BEGINS, _ENDS = "<!-- from here: make soak -->", "<!-- to here -->"
_HEAD: Final = (
    "| fault | lost | ghosts | doubled | gaps | reordered | recovered (goal) | drained |\n"
    "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n"
)


def write(rows: Path) -> None:
    """Put the newest row of each fault, of the two seeds that ran last, between the page's marks."""
    found = [msgspec.json.decode(line, type=Row) for line in rows.read_bytes().splitlines()]
    page = _PAGE.read_text()
    before, _, rest = page.partition(_BEGINS)
    _, _, after = rest.partition(_ENDS)
    _PAGE.write_text(f"{before}{_BEGINS}\n\n{render(found)}\n{_ENDS}{after}")


def render(rows: Sequence[Row]) -> str:
    """The tables, oldest run first."""
    seeds = list(dict.fromkeys(row.seed for row in reversed(rows)))[:2]
    return "\n".join(_run([row for row in rows if row.seed == seed]) for seed in reversed(seeds))


def _run(rows: Sequence[Row]) -> str:
    newest = {row.fault: row for row in rows}
    first = min(newest.values(), key=lambda row: row.at)
    lines = "".join(
        f"| {row.fault} | {row.lost} | {row.ghosts} | {row.doubled} | {row.gaps} | {row.reordered}"
        f" | {row.recovered_s:.1f} s ({row.goal_s:g} s) | {row.drained_s:.1f} s |\n"
        for row in newest.values()
    )
    sent = sum(row.reports for row in newest.values()), sum(row.readings for row in newest.values())
    return (
        f"Seed {first.seed}, {first.at:%-d %B %Y}, {first.machine}, load average {first.load:.1f} at the start;"
        f" {sent[0]:,} reports and {sent[1]:,} readings.\n\n{_HEAD}{lines}"
    )
