"""A data directory belongs to one run at a time, and says in a sentence why it cannot be used."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from infra.local import data_dir
from infra.local.data_dir import DataDir
from infra.local.trouble import Trouble, of_os_error


def test_a_second_run_is_told_the_pid_of_the_first(tmp_path: Path) -> None:
    with DataDir(tmp_path), pytest.raises(Trouble, match=rf"pid {os.getpid()}"), DataDir(tmp_path):
        pass


def test_a_directory_is_free_again_when_its_owner_was_killed(tmp_path: Path) -> None:
    script = (
        "import sys, os, signal; from pathlib import Path; from infra.local.data_dir import DataDir\n"
        "DataDir(Path(sys.argv[1])).__enter__(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False, timeout=30)
    assert not data_dir.is_taken(tmp_path)
    with DataDir(tmp_path):
        assert data_dir.is_taken(tmp_path)


def test_a_file_is_not_a_data_directory(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    with pytest.raises(Trouble, match="not a directory"), DataDir(tmp_path / "data"):
        pass


def test_a_secret_is_made_once_and_for_us_alone(tmp_path: Path) -> None:
    with DataDir(tmp_path) as data:
        secret = data.secret("city")
        assert data.secret("city") == secret
        assert len(secret) == 64
        assert (tmp_path / "secrets" / "city").stat().st_mode & 0o077 == 0


def test_a_log_that_grew_is_put_aside_while_it_is_written(tmp_path: Path) -> None:
    with DataDir(tmp_path) as data:
        (tmp_path / "log").mkdir()
        with data.log_file("web").open("ab", buffering=0) as log:
            log.write(b"x" * (10 * 1024 * 1024 + 1))
            data.trim_logs()
            log.write(b"next")
        assert data.log_file("web").read_bytes() == b"next"
        assert (tmp_path / "log" / "web.log.1").stat().st_size == 10 * 1024 * 1024 + 1


@pytest.mark.parametrize(
    ("code", "said"),
    [(errno.ENOSPC, "disk is full"), (errno.EACCES, "No permission"), (errno.EROFS, "read-only")],
)
def test_trouble_with_the_disk_is_a_sentence(code: int, said: str) -> None:
    assert said in of_os_error(OSError(code, os.strerror(code)), "writing to /data").message


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may make a small disk")
def test_a_full_disk_is_one_sentence(tmp_path: Path) -> None:
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(tmp_path)], check=False)
    if mounted.returncode != 0:
        pytest.skip("this machine does not let root mount")
    try:
        with pytest.raises(Trouble, match=r"MB are free .* are needed"), DataDir(tmp_path):
            pass
        assert not data_dir.is_taken(tmp_path)
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)
