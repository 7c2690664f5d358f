"""What it was measured on: cores, load, and how unsteady the machine was meanwhile."""

import os
import subprocess
import sys
import time
from collections.abc import Iterable

import psutil

from tests.bench.row import Row


def describe() -> str:
    """In one line."""
    memory = psutil.virtual_memory().total / 2**30
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return (
        f"{os.cpu_count()} cores, {memory:.0f} GiB, Python {sys.version.split()[0]}, "
        f"commit {commit.stdout.strip() or 'none'}"
    )


class Noise:
    """The same work again and again: what varies is the machine's."""

    def __init__(self) -> None:
        self._loop_ms: list[float] = []
        self._load: list[float] = []

    def listen(self) -> None:
        """One more look: some 50 ms of arithmetic, and the load average."""
        start, n = time.perf_counter(), 0
        for number in range(1_000_000):
            n += number
        self._loop_ms.append((time.perf_counter() - start) * 1000)
        self._load.append(os.getloadavg()[0])

    def rows(self) -> list[Row]:
        """Median and spread over all looks."""
        return [
            Row(
                "a loop of one million additions", "ms", tuple(self._loop_ms), "the same each time: the spread is noise"
            ),
            Row("load average, 1 min", "", tuple(self._load), "before each round, the measurement's own work included"),
        ]


def cpu_s(pids: Iterable[int]) -> float:
    """CPU seconds, user and system, that these processes have used so far; one that has ended counts nothing."""
    total = 0.0
    for pid in pids:
        try:
            total += sum(psutil.Process(pid).cpu_times()[:2])
        except psutil.NoSuchProcess:
            continue
    return total


def tree_cpu_s(top: psutil.Process) -> float:
    """The same of a process with all its children: PostgreSQL has one for each connection."""
    return cpu_s([top.pid, *(child.pid for child in top.children(recursive=True))])
