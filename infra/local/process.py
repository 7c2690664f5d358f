"""A child process that cannot outlive us unnoticed: its pid and start time are on disk before anything else happens."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import psutil

from infra.local.account import Account

_PR_SET_PDEATHSIG = 1
_LINUX: bool = sys.platform == "linux"
_libc = ctypes.CDLL(None) if _LINUX else None

#: Seconds between two looks at a process; there are six of them at most.
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


@dataclass(frozen=True, slots=True)
class Command:
    """What to run and how to stop it."""

    #: Short word used in messages and as the name of log and record.
    name: str
    argv: Sequence[str]
    #: Standard output and error are appended here.
    log: Path
    #: Where the record is kept.
    record: Path
    env: Mapping[str, str]
    cwd: Path | None = None
    #: The unprivileged account to run as; None for our own.
    account: Account | None = None
    #: What asks it to end in good order.
    stop_signal: signal.Signals = signal.SIGTERM


class Child:
    """A running command. Made by `start`; `stop` may be called any number of times."""

    def __init__(self, command: Command, popen: subprocess.Popen[bytes]) -> None:
        self.command = command
        self.pid = popen.pid
        self._popen = popen

    @property
    def returncode(self) -> int | None:
        """How it ended (negative: the signal), or None while it runs."""
        return self._popen.poll()

    async def wait(self) -> int:
        """Wait for its end and answer how it ended."""
        while True:
            if (code := self.returncode) is not None:
                return code
            await asyncio.sleep(_LOOK_EVERY)

    def send(self, signum: signal.Signals) -> None:
        """Send a signal to the process alone, if it is still there."""
        if self.returncode is None:
            self._popen.send_signal(signum)

    async def stop(self, grace: float) -> None:
        """Ask it to end, wait `grace` seconds, then kill it and whatever it started."""
        self.send(self.command.stop_signal)
        try:
            async with asyncio.timeout(grace):
                await self.wait()
        except TimeoutError:
            pass
        self.kill()
        await self.wait()
        self.command.record.unlink(missing_ok=True)

    def kill(self) -> None:
        """End the process and its process group at once; nothing is tidied up."""
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass  # already gone; macOS says EPERM for a group of zombies


def start(command: Command) -> Child:
    """Start `command` in a session of its own, so that Ctrl-C reaches only us and we decide the order of the end.

    On Linux the kernel sends its stop signal when our thread dies; elsewhere the record lets the next start find it.
    Raises OSError when it cannot be started.
    """
    parent = os.getpid()

    def die_with_parent() -> None:
        if _libc is not None:
            _libc.prctl(_PR_SET_PDEATHSIG, int(command.stop_signal))
            if os.getppid() != parent:  # it died before we could ask to be told
                os._exit(1)

    command.log.parent.mkdir(parents=True, exist_ok=True)
    with command.log.open("ab") as log:
        popen = subprocess.Popen(
            list(command.argv),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=dict(command.env),
            cwd=command.cwd,
            start_new_session=True,
            # after the change of user, which would clear the request
            preexec_fn=die_with_parent,
            **({} if command.account is None else command.account.popen_options()),
        )
    record = Record(popen.pid, identity(popen.pid) or "", int(command.stop_signal))
    command.record.parent.mkdir(parents=True, exist_ok=True)
    write_whole(command.record, msgspec.json.encode(record))
    return Child(command, popen)


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
