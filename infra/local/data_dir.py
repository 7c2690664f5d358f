"""The data directory: who owns it now, where its parts are, and the secrets kept in it."""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
from pathlib import Path
from types import TracebackType

from infra.local.record import write_whole
from infra.local.trouble import Trouble, of_os_error

#: Bytes. PostgreSQL's and Kafka's first files need some 200 MB; below this they would stop within the hour.
_LEAST_FREE = 500 * 1024 * 1024
#: A log above this size is put aside.
_LOG_SIZE = 10 * 1024 * 1024
_LOGS_KEPT = 3


class DataDir:
    """A data directory that is ours alone while the context is open."""

    def __init__(self, path: Path) -> None:
        self.path = path.expanduser().absolute()
        self._lock: int | None = None

    def __enter__(self) -> DataDir:
        """Make it, see that it can be written, and take it. Raises Trouble when it is taken, full or unusable."""
        if self._lock is not None:
            return self
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            # others may pass (PostgreSQL's account, when we are root) but not look around
            self.path.chmod(0o711 if os.geteuid() == 0 else 0o700)
            self._take()
            self.records.mkdir(exist_ok=True)
            self.trim_logs()
            free = shutil.disk_usage(self.path).free
        except (FileExistsError, NotADirectoryError):
            raise Trouble(f"{self.path} is not a directory. Choose another place with --data-dir.") from None
        except OSError as error:
            raise of_os_error(error, f"preparing {self.path}") from error
        if free < _LEAST_FREE:
            self.__exit__(None, None, None)
            raise Trouble(
                f"Only {free // 1024**2} MB are free on the disk of {self.path}, "
                f"{_LEAST_FREE // 1024**2} MB are needed. Free some space, or choose another place with --data-dir."
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    @property
    def records(self) -> Path:
        """Where the records of running processes are."""
        return self.path / "run"

    def record_file(self, name: str) -> Path:
        """The record of one process."""
        return self.records / f"{name}.json"

    def log_file(self, name: str) -> Path:
        """The log of one process."""
        return self.path / "log" / f"{name}.log"

    @property
    def restoring(self) -> Path:
        """There while a restore into it is under way, and for ever when that broke off."""
        return self.path / "restoring"

    def trim_logs(self) -> None:
        """Put aside what has grown too long; safe while it is written, because every log is opened for appending."""
        for path in self.path.glob("log/*.log"):
            if path.stat().st_size <= _LOG_SIZE:
                continue
            for number in range(_LOGS_KEPT - 1, 0, -1):
                older = path.with_name(f"{path.name}.{number}")
                if older.exists():
                    older.replace(path.with_name(f"{path.name}.{number + 1}"))
            shutil.copyfile(path, path.with_name(f"{path.name}.1"))
            os.truncate(path, 0)

    def secret_file(self, name: str) -> Path:
        """Where a secret is kept."""
        return self.path / "secrets" / name

    def kept(self, name: str) -> str | None:
        """A secret that has been kept, or None."""
        try:
            return self.secret_file(name).read_text()
        except FileNotFoundError:
            return None

    def keep(self, name: str, value: str) -> None:
        """Keep a secret, readable by us alone."""
        self.secret_file(name).parent.mkdir(mode=0o700, exist_ok=True)
        write_whole(self.secret_file(name), value.encode())

    def secret(self, name: str, new: str | None = None) -> str:
        """The secret that has been kept; when there is none, `new` or 32 random bytes in hex are kept from now on."""
        value = self.kept(name)
        if value is None:
            value = new if new is not None else secrets.token_hex(32)
            self.keep(name, value)
        return value

    def _take(self) -> None:
        lock = os.open(self.path / "up.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.read(lock, 20).decode().strip()
            os.close(lock)
            raise Trouble(
                f"Patriot already runs on {self.path} (pid {owner or 'unknown'}). Stop it first, "
                "or choose another --data-dir."
            ) from None
        os.ftruncate(lock, 0)
        os.write(lock, str(os.getpid()).encode())
        self._lock = lock


def is_taken(path: Path) -> bool:
    """Whether somebody runs on this data directory now."""
    try:
        lock = os.open(path / "up.lock", os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False
