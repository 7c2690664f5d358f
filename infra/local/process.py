"""A child process that cannot outlive us unnoticed: its pid and start time are on disk before anything else happens."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import msgspec

from infra.local.account import Account
from infra.local.record import Record, identity, write_whole

_PR_SET_PDEATHSIG = 1
_LINUX: bool = sys.platform == "linux"
_libc = ctypes.CDLL(None) if _LINUX else None

#: Seconds between two looks at a process; there are six of them at most.
_LOOK_EVERY = 0.05


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
        return await _ended(self._popen)

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
    command.log.parent.mkdir(parents=True, exist_ok=True)
    with command.log.open("ab") as log:
        popen = _spawn(command.argv, log, command.env, command.cwd, command.account, command.stop_signal)
    record = Record(popen.pid, identity(popen.pid) or "", int(command.stop_signal))
    command.record.parent.mkdir(parents=True, exist_ok=True)
    write_whole(command.record, msgspec.json.encode(record))
    return Child(command, popen)


@dataclass(frozen=True, slots=True)
class Finished:
    """How a short command ended, and all it wrote."""

    code: int
    output: str

    @property
    def last_line(self) -> str:
        """The line in which most programs say why they failed."""
        return (self.output.strip().splitlines() or ["no reason given"])[-1][:200]


async def run(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    timeout: float,
    cwd: Path | None = None,
    account: Account | None = None,
) -> Finished:
    """Run a command to its end. It is killed after `timeout` seconds (TimeoutError) and when we are cancelled."""
    with tempfile.TemporaryFile() as output:
        popen = _spawn(argv, output, env, cwd, account, signal.SIGKILL)
        try:
            async with asyncio.timeout(timeout):
                await _ended(popen)
        finally:
            if popen.poll() is None:
                os.killpg(popen.pid, signal.SIGKILL)
                popen.wait()
        output.seek(0)
        return Finished(popen.returncode, output.read().decode(errors="replace"))


async def _ended(popen: subprocess.Popen[bytes]) -> int:
    while True:
        if (code := popen.poll()) is not None:
            return code
        await asyncio.sleep(_LOOK_EVERY)


def _spawn(
    argv: Sequence[str],
    output: IO[bytes],
    env: Mapping[str, str],
    cwd: Path | None,
    account: Account | None,
    signal_at_our_death: signal.Signals,
) -> subprocess.Popen[bytes]:
    parent = os.getpid()

    def die_with_parent() -> None:
        if _libc is not None:
            _libc.prctl(_PR_SET_PDEATHSIG, int(signal_at_our_death))
            if os.getppid() != parent:  # it died before we could ask to be told
                os._exit(1)

    return subprocess.Popen(
        list(argv),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        env=dict(env),
        cwd=cwd,
        start_new_session=True,
        # after the change of user, which would clear the request
        preexec_fn=die_with_parent,
        **({} if account is None else account.popen_options()),
    )
