"""`make bench`: measures chapter by chapter, writes docs/benchmarks.md and bench-rows.jsonl.

A chapter that fails is told and the rest goes on; then the end is 1.
"""

import argparse
import asyncio
import sys
import tempfile
import time
import traceback
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from infra.local.stack import Stack
from infra.migrate import migrate
from infra.topics_admin import ensure_topics
from tests.bench import (
    clocks,
    end_to_end,
    fan_out,
    growth,
    ingest,
    listing,
    machine,
    page,
    playback,
    recommend,
    sink,
    size,
)
from tests.bench.machine import Noise
from tests.bench.row import Section

PROJECT: Final = Path(__file__).resolve().parents[2]
PAGE: Final = PROJECT / "docs" / "benchmarks.md"
ROWS: Final = PROJECT / "bench-rows.jsonl"
#: Chapters by the word on the command line, in the order of the page.
ORDER: Final = {
    "sink": sink.TITLE,
    "ingest": ingest.TITLE,
    "feed": "Feed",
    "end-to-end": end_to_end.TITLE,
    "growth": growth.TITLE,
    "recommend": recommend.TITLE,
    "clocks": clocks.TITLE,
    "playback": playback.TITLE,
    "list": listing.TITLE,
    "size": size.TITLE,
}

#: A chapter that hangs is given up, and the rest goes on.
_LIMIT_S: Final = 1_800.0

Chapter = Callable[[Path, Noise], Awaitable[Section]]


def chapters(rounds: int, minutes: float) -> dict[str, Chapter]:
    """What measures each chapter. A long one has fewer rounds, so that all together take some ten minutes."""
    fewer = max(1, rounds * 2 // 3)
    return {
        "sink": lambda folder, noise: sink.run(folder, rounds, noise),
        "ingest": lambda folder, noise: ingest.run(folder, rounds, noise),
        "feed": lambda folder, noise: _feed(folder, rounds, noise),
        "end-to-end": lambda folder, noise: end_to_end.run(folder, fewer, noise),
        "growth": lambda folder, noise: growth.run(folder, max(1, rounds // 3), noise),
        "recommend": lambda folder, noise: recommend.run(folder, rounds, noise),
        "clocks": lambda folder, noise: clocks.run(folder, rounds, noise),
        "playback": lambda folder, noise: playback.run(folder, rounds, noise),
        "list": lambda folder, noise: listing.run(folder, rounds, noise),
        "size": lambda folder, noise: size.run(folder, noise, minutes),
    }


async def _feed(folder: Path, rounds: int, noise: Noise) -> Section:
    noise.listen()
    async with Stack(folder / "feed") as stack:
        await ensure_topics(stack.kafka.bootstrap, embedded=True)
        await migrate(stack.postgres.dsn)
        return await fan_out.section(stack, folder, rounds=rounds)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


async def _within(chapter: Awaitable[Section], seconds: float) -> Section:
    async with asyncio.timeout(seconds):
        return await chapter


def _measure(name: str, chapter: Chapter, folder: Path) -> bool:
    """Measure one chapter and write it; whether it went well."""
    noise, started = Noise(), time.monotonic()
    folder.mkdir()
    try:
        section = asyncio.run(_within(chapter(folder, noise), _LIMIT_S))
    except Exception as error:
        traceback.print_exc()
        _say(f"{name} failed: {type(error).__name__}: {str(error)[:500]}")
        return False
    section.rows += noise.rows()
    when, minutes = datetime.now(UTC), (time.monotonic() - started) / 60
    about = f"{when:%Y-%m-%d %H:%M} UTC, {machine.describe()}; took {minutes:.1f} min."
    before = PAGE.read_text("utf-8") if PAGE.exists() else ""
    PAGE.write_text(page.merged(before, {section.title: (section, about)}, list(ORDER.values())), "utf-8")
    with ROWS.open("ab") as file:
        for row in section.rows:
            said = {"at": when, "chapter": section.title, "about": about, **msgspec.to_builtins(row)}
            file.write(msgspec.json.encode(said) + b"\n")
    print(f"\n{section.title} ({minutes:.1f} min)\n\n{page.table(section.rows)}", flush=True)
    return True


def main() -> int:
    """Measure, write, and answer whether all went well."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="rounds in which contenders take turns (default 3)")
    parser.add_argument("--only", nargs="+", choices=list(ORDER), default=list(ORDER), help="some chapters only")
    parser.add_argument("--minutes", type=float, default=2.0, help="of the simulated city before its size is taken")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="patriot-bench-", ignore_cleanup_errors=True) as name:
        return _all(given, Path(name))


def _all(given: argparse.Namespace, folder: Path) -> int:
    failed = []
    for name, chapter in chapters(given.rounds, given.minutes).items():
        if name in given.only:
            _say(f"{name} …")
            if not _measure(name, chapter, folder / name):
                failed.append(name)
    if failed:
        _say(f"failed: {', '.join(failed)}; the rest is written")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
