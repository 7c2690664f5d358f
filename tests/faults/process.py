"""A service of ours as a process that a test may kill, with a named fail point armed if it likes."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from infra.local.ports import find_free

SECRET = "5a" * 32


class Service:
    """`patriot NAME` on loopback. `start` comes back once it is ready; the log is kept for a test that failed."""

    def __init__(self, name: str, folder: Path, port_variable: str, environment: Mapping[str, str]) -> None:
        self.name = name
        self.port = find_free("127.0.0.1")
        self.url = f"http://127.0.0.1:{self.port}"
        self._log = folder / f"{name}-{self.port}.log"
        self._environment = {**os.environ, "PATRIOT_SECRET": SECRET, port_variable: str(self.port), **environment}
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def runs(self) -> bool:
        """Whether there is a process (a paused one counts)."""
        return self.process is not None and self.process.poll() is None

    def start(self, failpoints: str = "", patience: float = 30.0, more: Mapping[str, str] | None = None) -> Self:
        """Start it, with `more` environment; with `failpoints` such as `ingest.after_ack=kill@40` it will kill itself
        there."""
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "infra.local.cli", self.name],
                env={**self._environment, **(more or {}), "PATRIOT_FAILPOINTS": failpoints},
                stdout=log,
                stderr=log,
            )
        if self.wait_ready(patience) or failpoints:
            return self
        raise AssertionError(f"{self.name} ended with {self.process.returncode}:\n{self.tail()}")

    def wait_ready(self, patience: float = 30.0) -> bool:
        """Wait until it is ready; False when it ended before."""
        deadline = time.monotonic() + patience
        # One client: each would read the certificates of the world anew, and keep every other thread waiting for it.
        with httpx.Client(timeout=2, verify=False) as http:
            while self.runs:
                try:
                    if http.get(f"{self.url}/readyz").status_code == 200:
                        return True
                except httpx.HTTPError:
                    pass
                assert time.monotonic() < deadline, f"{self.name} is not ready:\n{self.tail()}"
                time.sleep(0.05)
        return False

    def wait_killed(self, patience: float = 30.0) -> None:
        """Wait until it has killed itself at its fail point."""
        code = self._wait(patience, "reach its fail point")
        assert code == -9, f"{self.name} ended with {code}, not by SIGKILL:\n{self.tail()}"

    def terminate(self, patience: float = 30.0) -> int:
        """SIGTERM, and wait for the end; answers the exit code."""
        self.send(signal.SIGTERM)
        return self._wait(patience, "end after SIGTERM")

    def send(self, signum: signal.Signals) -> None:
        """Send a signal, if it still runs."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signum)

    def kill(self) -> None:
        """kill -9, if it still runs."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def tail(self) -> str:
        """The end of its log."""
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-30:])

    def _wait(self, patience: float, what: str) -> int:
        assert self.process is not None
        try:
            return self.process.wait(patience)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} did not {what}:\n{self.tail()}") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
