"""Photos that are being sent or worked on: each in a file of its own, all of them together bounded."""

import hashlib
import os
import time
from itertools import count
from pathlib import Path
from typing import Final

from ingest import metrics
from ingest.budget import Budget

#: Leftovers of a killed process are older than any upload that goes on.
_LEFTOVER_S: Final = 3600.0


class Upload:
    """A photo as it is being sent."""

    def __init__(self, path: Path, budget: Budget) -> None:
        self.path = path
        self.size = 0
        self._budget = budget
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        self._hash = hashlib.sha256()

    @property
    def digest(self) -> bytes:
        """sha256 of what has been written."""
        return self._hash.digest()

    def write(self, data: bytes) -> None:
        """Append. Raises 503 when all uploads together take too much, OSError when the disk does not want it."""
        self._budget.take(len(data))
        self.size += len(data)
        self._hash.update(data)
        # Into the page cache, a few µs for 64 KiB; handing it to a thread would cost more.
        written = os.write(self._file, data)
        if written < len(data):
            raise OSError("the disk is full")

    def close(self) -> None:
        """All of it is there. Safe twice."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def remove(self) -> None:
        """Give file and room back."""
        self.close()
        self.path.unlink(missing_ok=True)
        self._budget.give_back(self.size)
        self.size = 0


class Uploads:
    """The directory they are in, and how many bytes they may be together. Several processes may share it."""

    def __init__(self, directory: Path, limit: int) -> None:
        self._directory = directory
        self._budget = Budget(limit, "Too many photos are being sent right now. Nothing was taken; try again.")
        self._numbers = count()
        metrics.UPLOAD_BYTES.set_function(lambda: float(self._budget.used))

    def begin(self) -> Upload:
        """A new, empty one. Raises OSError."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        return Upload(self._directory / f"{os.getpid()}-{time.time_ns()}-{next(self._numbers)}", self._budget)

    def sweep(self, now: float) -> None:
        """Remove what a killed process left; `now` is Unix time."""
        for path in self._directory.glob("*"):
            try:
                if path.stat().st_mtime < now - _LEFTOVER_S:
                    path.unlink()
            except FileNotFoundError:
                pass
