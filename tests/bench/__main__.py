"""`make bench`: brings a city up, measures it from outside, writes docs/benchmarks.md and bench-rows.jsonl."""

import argparse
import asyncio
import os
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from tests.bench import measure
from tests.bench.measure import Row
from tests.city import City, start_city, stop_city
from tests.people import Staff

PROJECT = Path(__file__).resolve().parents[2]


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


async def _running_city(city: City, rounds: int) -> list[Row]:
    """Everything that is measured on one running city, the kinds taking turns in each round."""
    accepted: list[float] = []
    cpu: list[float] = []
    judged: list[float] = []
    slow: list[list[float]] = []
    fast: list[list[float]] = []
    first = 0
    async with Staff(city, city.admin_username, city.admin_password) as staff:
        for number in range(1, rounds + 1):
            _say(f"round {number} of {rounds}: report to wall at 20/s and 200/s, ingest, dispatcher …")
            slow.append(await measure.report_to_wall(city, staff, 20, 10, first))
            first += 200
            fast.append(await measure.report_to_wall(city, staff, 200, 10, first))
            first += 2_000
            rate, cpu_s = await measure.ingest(city, 5, first)
            accepted.append(rate)
            cpu.append(cpu_s)
            first += int(rate * 6)
            await _caught_up(city)
            judged.append(await measure.judgements(city, 4_000, first))
            first += 4_000
    rows = [
        Row("reports accepted by one ingest process", "1/s", tuple(accepted), "32 connections, dispatcher running too"),
        Row("ingest CPU per 1,000 reports", "s", tuple(cpu)),
        Row("reports through all judgements by one dispatcher", "1/s", tuple(judged), "each its own incident"),
        *measure.percentiles("report → frame at a wall client, 20/s", slow),
        *measure.percentiles("report → frame at a wall client, 200/s", fast),
    ]
    memory = measure.proportional_memory_mib(city)
    rows += [Row(f"memory (PSS), {name}", "MiB", (value,)) for name, value in sorted(memory.items())]
    rows.append(Row("memory (PSS), all of `patriot up`", "MiB", (sum(memory.values()),), "goal 1,229 (1.2 GiB)"))
    return rows


async def _caught_up(city: City) -> None:
    """Wait until the dispatcher has nothing left to read, by the feed's own word: a fresh `as_of`."""
    async with Staff(city, city.admin_username, city.admin_password) as staff:
        for _ in range(600):
            answer = await staff.http.get("/api/v1/incidents", params={"limit": 1})
            newest = answer.json()["items"][0]["updated_at"]
            await asyncio.sleep(1.0)
            again = await staff.http.get("/api/v1/incidents", params={"limit": 1})
            if again.json()["items"][0]["updated_at"] == newest:
                return
    raise AssertionError("the dispatcher did not catch up within ten minutes")


def _table(rows: list[Row]) -> str:
    lines = ["| figure | median | min – max | unit | |", "| --- | ---: | ---: | --- | --- |"]
    for row in rows:
        digits = 0 if row.median >= 100 else 1 if row.median >= 10 else 2
        low, high = min(row.values), max(row.values)
        spread = f"{low:,.{digits}f} – {high:,.{digits}f}" if len(row.values) > 1 else ""
        lines.append(f"| {row.name} | {row.median:,.{digits}f} | {spread} | {row.unit} | {row.note} |")
    return "\n".join(lines)


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="rounds in which the kinds take turns (default 3)")
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory(prefix="patriot-bench-") as name:
        folder = Path(name)
        _say("bringing a city up …")
        city = start_city(folder, measure.COMMAND, dict(os.environ))
        try:
            rows = asyncio.run(_running_city(city, rounds))
        finally:
            stop_city(city)
        _say("starting it again …")
        rows.append(Row("second `patriot up` until ready", "s", measure.second_up_seconds(folder, rounds), "goal 10"))
    when = datetime.now(UTC)
    text = (
        "# Benchmarks\n\nWritten by `make bench`; figures of one machine, to compare with themselves.\n\n"
        f"{when:%Y-%m-%d}, {measure.machine()}. Load generator, Kafka, PostgreSQL and all services share the cores.\n"
        f"Medians of {rounds} rounds in which the kinds take turns; its rows as JSON go to `bench-rows.jsonl`.\n\n"
        + _table(rows)
        + "\n"
    )
    (PROJECT / "docs").mkdir(exist_ok=True)
    (PROJECT / "docs" / "benchmarks.md").write_text(text, "utf-8")
    with (PROJECT / "bench-rows.jsonl").open("ab") as file:
        for row in rows:
            file.write(
                msgspec.json.encode({"at": when, **{k: getattr(row, k) for k in ("name", "unit", "values")}}) + b"\n"
            )
    print(_table(rows))


if __name__ == "__main__":
    main()
