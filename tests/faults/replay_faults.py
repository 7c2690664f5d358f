"""`patriot replay` is killed on its way, and ingest with it; the same command goes on where it was."""

import asyncio
import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Final

import asyncpg

from tests.faults.field import PATIENCE_S, Field
from tests.faults.ledger import Outcome, Wish
from tests.faults.load import place, text
from tests.faults.scenario import Fault

_REPORTS: Final = 150
_READINGS: Final = 300
#: It is killed so often, each time after it has been at work for a moment.
_KILLS: Final = 3
_KILLED, _DONE = "killed", "done"


async def replay_killed(field: Field, rng: Random) -> None:
    """Each row is one report or reading at the end, however often it was sent."""
    load, since = field.load, datetime.now(UTC) - timedelta(hours=6)
    reports = [Wish(load.new_key(), "report") for _ in range(_REPORTS)]
    times = [(f"{load.mark}-replay", since + timedelta(seconds=10 * number)) for number in range(_READINGS)]
    readings = Wish(load.new_key(), "readings", readings=tuple(times))
    for wish in (*reports, readings):
        load.ledger.before(wish)
    recording = field.folder / f"recording-{load.mark}.jsonl"
    recording.write_text("".join(f"{json.dumps(row)}\n" for row in _rows(field, reports, readings, since)))

    ends: list[str] = []
    for _ in range(_KILLS):
        ends.append(await _replay(field, recording, killed_after=1.5 + rng.random()))
        field.ingest.kill()
        await field.start(field.ingest)
    ends.append(await _replay(field, recording))
    if ends[0] != _KILLED or ends[-1] != _DONE:
        load.surprises.append(f"the replays ended: {ends}")
    load.ledger.after(readings, Outcome.OK)
    stored = await _stored(field, [text(wish.key) for wish in reports])
    for wish in reports:
        if (report := stored.get(text(wish.key))) is None:
            load.surprises.append(f"replayed report {wish.key} is not stored")
        load.ledger.after(wish, Outcome.OK, report)


def _rows(field: Field, reports: list[Wish], readings: Wish, since: datetime) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = [
        {"kind": "traffic", "sensor_id": sensor, "observed_at": at.isoformat(), "speed_kmh": 31.0}
        for sensor, at in readings.readings
    ]
    for number, wish in enumerate(reports):
        lat, lon = place(next(field.places))
        at = (since + timedelta(seconds=20 * number + 5)).isoformat()
        rows.append(
            {"kind": "report", "description": text(wish.key), "lat": lat, "lon": lon, "observed_at": at,
             "reporter": {"name": "Siti"}}
        )  # fmt: skip
    return sorted(rows, key=lambda row: str(row["observed_at"]))


async def _replay(field: Field, recording: Path, killed_after: float | None = None) -> str:
    """Run the command; how it ended."""
    key = field.folder / "replay-key"
    key.write_text(field.device_key)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "infra.local.cli", "replay", str(recording), "--base-url", field.reports_url,
        "--api-key-file", str(key), "--state", str(recording.with_suffix(".state")), "--pace", "0", "--at-once", "2",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        said, _ = await asyncio.wait_for(process.communicate(), killed_after or PATIENCE_S)
    except TimeoutError:
        process.kill()
        said, _ = await process.communicate()
        return _KILLED if killed_after else f"no end after {PATIENCE_S:.0f} s: {said[-300:]!r}"
    return _DONE if process.returncode == 0 else f"ended with {process.returncode}: {said[-300:]!r}"


async def _stored(field: Field, texts: list[str]) -> dict[str, str]:
    """The reports with these texts, once all are there or nobody can wait any longer."""
    deadline = asyncio.get_running_loop().time() + PATIENCE_S
    connection = await asyncpg.connect(field.dsn)
    try:
        while True:
            rows = await connection.fetch("SELECT id, description FROM report WHERE description = ANY($1)", texts)
            if len(rows) >= len(texts) or asyncio.get_running_loop().time() > deadline:
                return {row["description"]: row["id"] for row in rows}
            await asyncio.sleep(0.2)
    finally:
        await connection.close()


FAULTS: Final = [Fault("replay and ingest killed, three times", 3, replay_killed)]
