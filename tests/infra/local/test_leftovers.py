"""What a killed run left behind is found by pid and start time alone, and ended."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import msgspec
import pytest

from infra.local import process
from infra.local.record import Record, identity, stop_leftovers, write_whole


@pytest.fixture
def orphan() -> Iterator[subprocess.Popen[bytes]]:
    # a shell starts what runs in the background with SIGINT ignored, and children would inherit that
    to_default = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    with subprocess.Popen(["sleep", "60"], preexec_fn=to_default) as running:
        yield running
        running.kill()


def keep(records: Path, record: Record) -> None:
    write_whole(records / "web.json", msgspec.json.encode(record))


def test_a_recorded_process_is_ended_by_its_signal(tmp_path: Path, orphan: subprocess.Popen[bytes]) -> None:
    keep(tmp_path, Record(orphan.pid, identity(orphan.pid) or "", signal.SIGINT))
    assert stop_leftovers(tmp_path, grace=10) == ["web"]
    assert orphan.wait(5) == -signal.SIGINT
    assert not list(tmp_path.iterdir())


def test_one_that_does_not_listen_is_killed(tmp_path: Path, orphan: subprocess.Popen[bytes]) -> None:
    keep(tmp_path, Record(orphan.pid, identity(orphan.pid) or "", 0))
    stop_leftovers(tmp_path, grace=0.2)
    assert orphan.wait(5) == -signal.SIGKILL


def test_another_process_with_the_same_pid_is_left_alone(tmp_path: Path, orphan: subprocess.Popen[bytes]) -> None:
    keep(tmp_path, Record(orphan.pid, "some earlier boot:1", signal.SIGKILL))
    assert stop_leftovers(tmp_path, grace=1) == []
    assert orphan.poll() is None


def test_a_torn_record_is_no_reason_to_stop(tmp_path: Path) -> None:
    (tmp_path / "web.json").write_text('{"pid": 1')
    assert stop_leftovers(tmp_path, grace=1) == []


async def test_a_child_that_ignores_its_signal_is_killed_with_all_it_started(tmp_path: Path) -> None:
    script = (
        "import signal, subprocess, sys, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "print(subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']).pid, flush=True); time.sleep(60)"
    )
    log = tmp_path / "child.log"
    child = process.start(process.Command("child", [sys.executable, "-c", script], log, tmp_path / "child.json", {}))
    while not log.read_text().endswith("\n"):
        assert child.returncode is None
    grandchild = int(log.read_text())
    await child.stop(grace=0.2)
    assert child.returncode == -signal.SIGKILL
    assert identity(grandchild) is None
    assert not (tmp_path / "child.json").exists()
