"""`patriot replay` against the real city: killed, it goes on without doubles; what cannot be sent is named."""

import asyncio
import json
import subprocess
import sys
import time
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest

from infra.local.stack import Stack
from schemas import topics
from tests.city import City
from tests.evaluation_data import evaluation_file
from tests.faults.process import Service
from tests.ingest.conftest import environment
from tests.ingest.intake import BOTH, hand_out_keys, kept
from tests.people import until

PATRIOT = [sys.executable, "-m", "infra.local.cli", "replay"]


def reports_file(folder: Path, mark: str, count: int) -> Path:
    path = folder / "reports.jsonl"
    rows = [
        {"description": f"{mark} {n}", "lat": -6.2 - n / 5000, "lon": 107.0, "observed_at": "2026-11-01T07:00:00+07:00"}
        for n in range(count)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def readings_file(folder: Path, sensor: str, count: int, every_s: float = 30.0) -> Path:
    """In the form of public recordings: naive times of long ago, and a value."""
    path = folder / f"{sensor}.csv"
    first = datetime(2015, 9, 8, 11, 39)  # noqa: DTZ001 - as such files have it
    lines = [f"{first + timedelta(seconds=every_s * n)},{40 + n % 20}\n" for n in range(count)]
    path.write_text("timestamp,value\n" + "".join(lines))
    return path


async def count(city: City, query: str, of: str) -> tuple[int, int]:
    """All rows, and different ones."""
    connection = await asyncpg.connect(city.postgres_dsn)
    try:
        row = await connection.fetchrow(query, of)
        return row[0], row[1]
    finally:
        await connection.close()


REPORTS = "SELECT count(*), count(DISTINCT description) FROM report WHERE starts_with(description, $1)"
READINGS = "SELECT count(*), count(DISTINCT observed_at) FROM traffic_reading WHERE sensor_id = $1"


def settled(state: Path) -> int:
    return int(json.loads(state.read_text())["settled"]) if state.exists() else 0


def start(arguments: Sequence[str]) -> subprocess.Popen[str]:
    return subprocess.Popen([*PATRIOT, *arguments], stderr=subprocess.PIPE, text=True)


def kill_at(arguments: Sequence[str], state: Path, rows: int) -> bool:
    """Run it and kill -9 it once so many rows are settled; False when it had ended before."""
    process = subprocess.Popen([*PATRIOT, *arguments], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while process.poll() is None and settled(state) < rows:
        assert time.monotonic() < deadline, "the replay does not get on"
        time.sleep(0.01)
    ended = process.poll() is not None
    process.kill()
    process.wait()
    return not ended


async def test_a_killed_replay_goes_on_without_doubles_even_without_its_state(city: City, tmp_path: Path) -> None:
    mark, sensor = f"putar ulang {uuid.uuid4().hex}", f"replay-{uuid.uuid4().hex[:8]}"
    reports = [
        str(reports_file(tmp_path, mark, 100)), "--data-dir", str(city.data_dir), "--pace", "0",
        "--state", str(state := tmp_path / "state.json"),
    ]  # fmt: skip
    readings = [
        str(readings_file(tmp_path, sensor, 4000)), "--data-dir", str(city.data_dir), "--pace", "0",
        "--kind", "speed", "--shift", "now", "--state", str(readings_state := tmp_path / "readings.json"),
    ]  # fmt: skip
    killed = [await asyncio.to_thread(kill_at, reports, state, rows) for rows in (1, 30, 60)]
    assert any(killed), "it was never killed in the middle"
    await asyncio.to_thread(kill_at, readings, readings_state, 1)

    for each in (reports, readings):
        done = await asyncio.to_thread(city.patriot, "replay", *each)
        assert done.returncode == 0, done.stderr
    assert json.loads(state.read_text())["fates"] == {"taken": 100}
    assert json.loads(readings_state.read_text())["fates"] == {"taken": 4000}

    async def arrived() -> bool:
        return (await count(city, REPORTS, mark))[0] >= 100 and (await count(city, READINGS, sensor))[0] >= 4000

    await until(arrived, what="all rows in the database")
    # The keys are made of the files: whoever has lost the state sends nothing twice either.
    state.unlink()
    again = await asyncio.to_thread(city.patriot, "replay", *reports)
    assert again.returncode == 0 and "100 taken" in again.stderr, again.stderr
    assert await count(city, REPORTS, mark) == (100, 100)
    assert await count(city, READINGS, sensor) == (4000, 4000)

    finished = await asyncio.to_thread(city.patriot, "replay", *reports)
    assert finished.returncode == 0 and "--restart" in finished.stderr


async def test_bad_rows_are_named_by_line_and_stop_nobody_unless_strict(city: City, tmp_path: Path) -> None:
    now = datetime.now(UTC)
    path = tmp_path / "mixed.csv"
    path.write_text(
        "sensor_id,observed_at,speed_kmh,occupancy\n"
        f"s-{uuid.uuid4().hex[:6]},{now.isoformat()},40,12\n"
        f"s 2,{now.isoformat()},40,12\n"
        f"s3,{(now - timedelta(days=8)).isoformat()},40,12\n"
        f"s4,{now.isoformat()},fast,12\n"
        "s5\n"
    )
    common = [str(path), "--data-dir", str(city.data_dir), "--scale", "occupancy=0.01", "--pace", "0"]
    done = await asyncio.to_thread(city.patriot, "replay", *common)
    assert done.returncode == 0
    named = [line.removeprefix(f"{path}:") for line in done.stderr.splitlines() if line.startswith(str(path))]
    assert sorted(line.partition(":")[0] for line in named) == ["3", "4", "5", "6"]
    assert done.stderr.splitlines()[-1].startswith("5 of 5 rows (100 %): 1 taken, 1 refused, 3 bad")

    strict = await asyncio.to_thread(city.patriot, "replay", *common, "--strict", "--restart")
    assert strict.returncode == 1
    assert strict.stderr.splitlines()[-1].startswith(f"Error: {path}:3: sensor_id: ")


async def test_rows_are_spaced_as_in_the_recording(city: City, tmp_path: Path) -> None:
    sensor = f"paced-{uuid.uuid4().hex[:8]}"
    path = readings_file(tmp_path, sensor, 5, every_s=30)
    begun = time.monotonic()
    done = await asyncio.to_thread(
        city.patriot, "replay", str(path), "--data-dir", str(city.data_dir),
        "--kind", "speed", "--pace", "60", "--shift", "now", "--strict",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - begun >= 2.0, "120 recorded seconds, 60 times as fast"


async def test_complaints_of_citizens_are_taken_as_they_are(city: City, tmp_path: Path) -> None:
    path = evaluation_file("complaints.csv")
    options = ["--data-dir", str(city.data_dir), "--address", "Bekasi Timur", "--pace", "0"]
    state = ["--state", str(tmp_path / "state.json")]
    done = await asyncio.to_thread(city.patriot, "replay", str(path), *options, *state)
    assert done.returncode == 0, done.stderr
    assert "151 taken" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ([], 2, "Missing argument"),
        (["FILE", "--scale", "colour=3"], 2, "--scale colour=3"),
        (["FILE", "--scale", "occupancy=little"], 2, "not a number"),
        (["FILE", "--scale", "0.01"], 2, "--scale 0.01"),
        (["FILE", "--lat", "-6"], 2, "--lat and --lon"),
        (["FILE", "--base-url", "localhost:8080"], 2, "--base-url must look like"),
        (["FILE", "--data-dir", "/nowhere"], 1, "No `patriot up` runs on /nowhere"),
        (["/nowhere.csv"], 2, "does not exist"),
    ],
)
def test_wrong_usage_is_one_clear_line(tmp_path: Path, arguments: list[str], code: int, said: str) -> None:
    path = readings_file(tmp_path, "s", 1)
    words = [str(path) if word == "FILE" else word for word in arguments]
    done = subprocess.run([*PATRIOT, *words], capture_output=True, text=True, cwd=tmp_path, timeout=60, check=False)
    assert done.returncode == code, done.stderr
    assert said in done.stderr.splitlines()[-1]


async def test_a_key_that_is_not_known_ends_it_at_once(city: City, tmp_path: Path) -> None:
    path, key = readings_file(tmp_path, "s", 10), tmp_path / "key"
    key.write_text("pk_nobody\n")
    done = await asyncio.to_thread(
        city.patriot, "replay", str(path), "--base-url", city.base_url, "--api-key-file", str(key),
        "--kind", "speed", "--state", str(tmp_path / "state.json"),
    )  # fmt: skip
    assert done.returncode == 1
    assert "--api-key-file" in done.stderr.splitlines()[-1]


async def test_it_waits_for_a_city_that_is_not_there_and_goes_on_when_it_falls(stack: Stack, tmp_path: Path) -> None:
    await hand_out_keys(stack.postgres.dsn)
    mark = f"sabar {uuid.uuid4().hex}"
    key = tmp_path / "key"
    key.write_text(BOTH)
    service = Service("ingest", tmp_path, "PATRIOT_PORT", environment(stack, tmp_path / "data"))
    arguments = [
        str(reports_file(tmp_path, mark, 120)), "--base-url", service.url, "--api-key-file", str(key),
        "--pace", "0", "--state", str(tmp_path / "state.json"),
    ]  # fmt: skip
    with service:
        replay = start(arguments)
        try:
            await asyncio.sleep(1.0)
            await asyncio.to_thread(service.start, "ingest.after_ack=kill@30")
            await asyncio.to_thread(service.wait_killed)
            await asyncio.to_thread(service.start)
            _, told = await asyncio.to_thread(replay.communicate, None, 90)
        finally:
            replay.kill()
        assert replay.returncode == 0, told
    assert "120 taken" in told
    found = [each for each in await kept(stack.kafka.bootstrap, topics.REPORT) if mark in each.value["description"]]
    assert len({each.headers["ce_id"] for each in found}) == 120


async def test_asked_to_stop_it_stops_in_good_order_and_says_how_to_go_on(city: City, tmp_path: Path) -> None:
    path, state = readings_file(tmp_path, f"stop-{uuid.uuid4().hex[:8]}", 100), tmp_path / "state.json"
    process = start(
        [
            str(path), "--data-dir", str(city.data_dir), "--kind", "speed", "--shift", "now", "--state", str(state),
        ]
    )  # fmt: skip
    await until(lambda: _is(settled(state) >= 1), what="a row to be sent")
    process.terminate()
    _, told = await asyncio.to_thread(process.communicate, None, 30)
    assert process.returncode == 1
    assert told.splitlines()[-1] == "Error: Stopped. The same command goes on from here."
    assert json.loads(state.read_text())["finished"] is False


async def _is(true: bool) -> bool:
    return true
