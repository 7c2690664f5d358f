"""`patriot up` as a user meets it: one at a time, mending itself, and going on where it was, whatever was killed."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from infra.local.record import identity
from tests.city import ADMIN_PASSWORD, City, start_city, stop_city

COMMAND = [sys.executable, "-m", "infra.local.cli"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("up")


@pytest.fixture(scope="module")
def own_city(folder: Path) -> Iterator[City]:
    """A city for us alone: it is not treated well. The last one that was started is stopped at the end."""
    cities = [start_city(folder, COMMAND, dict(os.environ))]
    yield cities[0]
    if cities[0].process.poll() is None:
        stop_city(cities[0])


def pids(folder: Path) -> dict[str, int]:
    return {one["name"]: one["pid"] for one in json.loads((folder / "ready.json").read_text())["services"]}


def until(what: Callable[[], bool], seconds: float = 45) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.1)


def works(city: City) -> bool:
    try:
        with urlopen(f"{city.base_url}/readyz", timeout=2) as answer:
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False


def test_the_ready_file_tells_where_everything_is_and_only_us(own_city: City, folder: Path) -> None:
    assert works(own_city)
    assert own_city.services.keys() >= {"kafka", "postgres", "web", "dispatcher", "feed"}
    assert all(identity(pid) for pid in pids(folder).values())
    assert (folder / "ready.json").stat().st_mode & 0o077 == 0


def test_a_second_up_on_the_same_directory_names_the_first(own_city: City) -> None:
    done = own_city.patriot("up", "--data-dir", str(own_city.data_dir))
    assert done.returncode == 1
    assert f"pid {own_city.process.pid}" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert works(own_city)


def test_a_given_port_that_is_taken_is_an_error_before_anything_starts(own_city: City, tmp_path: Path) -> None:
    port = own_city.base_url.rpartition(":")[2]
    done = own_city.patriot("up", "--data-dir", str(tmp_path / "other"), "--port", port)
    assert done.returncode == 1
    assert f"Port {port} on 127.0.0.1 is taken" in done.stderr
    assert not (tmp_path / "other" / "postgres").exists()


def test_the_doctor_finds_a_running_city_well(own_city: City) -> None:
    done = own_city.patriot("doctor", "--data-dir", str(own_city.data_dir))
    assert done.returncode == 0, done.stdout
    assert "FAIL" not in done.stdout


def test_what_is_killed_is_started_again(own_city: City, folder: Path) -> None:
    before = pids(folder)
    for name in ("feed", "dispatcher", "postgres", "kafka"):
        os.kill(before[name], signal.SIGKILL)
    until(lambda: all(pids(folder)[name] != before[name] for name in ("feed", "dispatcher", "postgres", "kafka")))
    until(lambda: works(own_city))


def test_a_city_goes_on_after_everything_was_killed(own_city: City, folder: Path) -> None:
    before = pids(folder)
    for pid in (own_city.process.pid, before["kafka"], before["postgres"]):  # the services are left as orphans
        os.kill(pid, signal.SIGKILL)
    own_city.process.wait(10)
    (folder / "ready.json").unlink()
    again = start_city(folder, COMMAND, dict(os.environ))
    try:
        assert works(again)
        assert (again.admin_username, again.admin_password) == ("admin", ADMIN_PASSWORD)
        assert again.device_api_key == own_city.device_api_key
        assert again.postgres_dsn == own_city.postgres_dsn
        assert not any(identity(pid) for pid in before.values())
    finally:
        left = pids(folder)
        stop_city(again)
    assert not any(identity(pid) for pid in left.values())
    assert not list((again.data_dir / "run").iterdir())


def test_commands_find_the_database_also_while_nothing_runs(own_city: City) -> None:
    """The city was stopped by the test before."""
    done = own_city.patriot("user", "list", "--data-dir", str(own_city.data_dir))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("admin")
    assert not list((own_city.data_dir / "run").iterdir())


def test_ctrl_c_while_it_comes_up_leaves_nothing_behind(tmp_path: Path) -> None:
    run = tmp_path / "data" / "run"
    with (tmp_path / "said").open("wb") as said:
        starting = subprocess.Popen([*COMMAND, "up", "--data-dir", str(tmp_path / "data")], stderr=said)
    until(lambda: starting.poll() is not None or (run.exists() and any(run.iterdir())))
    starting.send_signal(signal.SIGINT)
    assert starting.wait(60) == 0, (tmp_path / "said").read_text()
    assert not list(run.iterdir())
