"""Records of running processes on disk, by which the next start finds what a killed one left behind."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import msgspec
import psutil

_LINUX: bool = sys.platform == "linux"
#: Seconds between two looks at processes that were asked to end.
_LOOK_EVERY = 0.1


class Record(msgspec.Struct, frozen=True):
    """What is needed to find a process again, and to be sure that it is still the same one."""

    pid: int
    identity: str
    stop_signal: int


def identity(pid: int) -> str | None:
    """A text that no other process ever shares, or None when nothing (or only a zombie) has this pid.

    On Linux it is made of the boot and the start tick, which no change of the clock touches.
    """
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        if _LINUX:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            return f"{Path('/proc/sys/kernel/random/boot_id').read_text().strip()}:{fields[19]}"
        return f"{process.create_time():.2f}"
    except (psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
        return None


def stop_leftovers(records: Path, grace: float) -> list[str]:
    """End what a killed predecessor left running, by its records alone, and answer the names of what was found.

    Blocks for `grace` seconds at most for all together, then kills.
    """
    found: dict[Path, Record] = {}
    for path in sorted(records.glob("*.json")):
        try:
            record = msgspec.json.decode(path.read_bytes(), type=Record)
        except msgspec.DecodeError:
            record = Record(0, "", 0)
        if record.identity and identity(record.pid) == record.identity:
            found[path] = record
        else:
            path.unlink(missing_ok=True)
    for record in found.values():
        _signal(record, record.stop_signal)
    deadline = time.monotonic() + grace
    while any(_alive(record) for record in found.values()) and time.monotonic() < deadline:
        time.sleep(_LOOK_EVERY)
    for path, record in found.items():
        _signal(record, signal.SIGKILL)
        path.unlink(missing_ok=True)
    return [path.stem for path in found]


def write_whole(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Write a file so that a reader sees all of it or none, also after a crash in between."""
    half = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    half.replace(path)


def _alive(record: Record) -> bool:
    return identity(record.pid) == record.identity


def _signal(record: Record, signum: int) -> None:
    if _alive(record):
        try:
            os.kill(record.pid, signum)
        except ProcessLookupError:
            pass
