"""Bytes kept under a key and never changed: a directory today, with the few verbs that S3 has too."""

import asyncio
import errno
import os
import re
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from queue import SimpleQueue
from typing import Final, TypeVar

T = TypeVar("T")

#: `photos/3f2a…/1`: lower-case words, so that no key can leave the directory or meet another on a case-blind disk.
_KEY: Final = re.compile(r"[a-z0-9][a-z0-9_-]*(\.[a-z0-9]+)?(/[a-z0-9][a-z0-9_-]*(\.[a-z0-9]+)?)*")
#: A file being written; never a key.
_HALF: Final = ".half-"
#: A disk that takes longer than this is away; callers answer 503.
TIMEOUT_S: Final = 10.0
_THREADS: Final = 4
#: Calls that wait for a thread or have one; half a second's work of a disk that takes 2 ms for each.
WAITERS: Final = 1000
#: At the end what is being written has this long; a disk that is away must not hold up the process.
_CLOSE_S: Final = 2.0


class Objects:
    """An object store in a directory; several processes may share it.

    Every verb raises OSError (TimeoutError is one) when the disk is full, read-only, away or too slow, and at once when
    `WAITERS` wait for it already.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._threads = _Threads(_THREADS)
        #: A thread for each; kept until it has finished, also when its caller has long gone.
        self._free = asyncio.Semaphore(_THREADS)
        self._inside = 0

    @property
    def root(self) -> Path:
        """The directory, for checks of its free space."""
        return self._root

    def close(self) -> None:
        """Give the threads back; what is being written is finished, if the disk does it within 2 s."""
        self._threads.close(_CLOSE_S)

    async def put_if_absent(self, key: str, data: bytes, *, durable: bool = True) -> bool:
        """Keep `data` under `key` and answer True; False (and nothing is changed) when the key is taken.

        Of several callers at once one gets True. `durable`: True is answered only once file and directory are on the
        disk; without it a power cut may forget the object again.
        """
        given_up = threading.Event()
        try:
            return await self._run(lambda: self._put(self._path(key), data, durable, given_up))
        except BaseException:
            given_up.set()  # a disk that comes back later must not keep what its caller has answered 503 to
            raise

    async def get(self, key: str) -> bytes | None:
        """The bytes under `key`, or None."""
        return await self._run(lambda: _read(self._path(key)))

    async def keys(self, prefix: str) -> list[str]:
        """Every key below the folder `prefix`, in no order."""
        return await self._run(lambda: [self._key(path) for path in self._files(prefix)])

    async def delete(self, prefix: str) -> int:
        """Forget everything below the folder `prefix`, and answer how many keys that were."""
        return await self._run(lambda: self._delete(prefix))

    async def remove(self, key: str) -> None:
        """Forget what is under `key`, if anything is; a power cut may bring it back."""
        await self._run(lambda: self._path(key).unlink(missing_ok=True))

    async def sweep(self, prefix: str, *, before: float) -> int:
        """Forget what was kept below `prefix` before the Unix time `before`; answers how many keys that were."""
        return await self._run(lambda: self._sweep(prefix, before), timeout=600.0)

    async def _run(self, work: Callable[[], T], timeout: float = TIMEOUT_S) -> T:
        if self._inside >= WAITERS:
            raise OSError(errno.EBUSY, "too many wait for the object store")
        self._inside += 1
        try:
            async with asyncio.timeout(timeout):
                # Waited for here and not in a queue of the threads: who gives up leaves nothing behind.
                await self._free.acquire()
                running = asyncio.wrap_future(self._threads.submit(work))
                running.add_done_callback(lambda _: self._free.release())
                return await asyncio.shield(running)
        finally:
            self._inside -= 1

    def _path(self, key: str) -> Path:
        if not _KEY.fullmatch(key):
            raise ValueError("not a key of the object store")
        return self._root / key

    def _key(self, path: Path) -> str:
        return path.relative_to(self._root).as_posix()

    def _put(self, path: Path, data: bytes, durable: bool, given_up: threading.Event) -> bool:
        if path.exists():
            return False
        half = path.parent / f"{_HALF}{secrets.token_hex(8)}"
        for again in (True, False):
            _make_directory(path.parent, durable)
            try:
                descriptor = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                break
            except FileNotFoundError:
                # `delete` removed the empty directory under our feet
                if not again:
                    raise
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                if durable:
                    file.flush()
                    os.fsync(file.fileno())
            if given_up.is_set():
                return False
            try:
                # Unlike rename, link refuses to replace: this is the conditional put.
                os.link(half, path)
            except FileExistsError:
                return False
        finally:
            half.unlink(missing_ok=True)
        if durable:
            _sync_directory(path.parent)
        return True

    def _files(self, prefix: str, *, halves: bool = False) -> Iterator[Path]:
        for folder, _, names in os.walk(self._path(prefix)):
            for name in names:
                if halves or not name.startswith(_HALF):
                    yield Path(folder, name)

    def _delete(self, prefix: str) -> int:
        count = 0
        for path in list(self._files(prefix)):
            path.unlink(missing_ok=True)
            count += 1
        folder = self._path(prefix)
        try:
            folder.rmdir()
            _sync_directory(folder.parent)
        except OSError:
            pass  # something new was put there meanwhile, or it was never there
        return count

    def _sweep(self, prefix: str, before: float) -> int:
        count = 0
        for path in self._files(prefix, halves=True):
            try:
                if path.stat().st_mtime < before:
                    path.unlink()
                    count += not path.name.startswith(_HALF)
            except FileNotFoundError:
                pass  # another process sweeps too
        return count


class _Threads:
    """A few threads of our own: a slow disk must not take those that others (DNS, for one) wait for.

    Daemons, unlike those of ThreadPoolExecutor: the interpreter does not wait for one that hangs in a disk.
    """

    def __init__(self, count: int) -> None:
        self._work: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._threads = [threading.Thread(target=self._run, name=f"objects-{n}", daemon=True) for n in range(count)]
        for each in self._threads:
            each.start()

    def submit(self, work: Callable[[], T]) -> Future[T]:
        """What `work` returns or raises; it cannot be cancelled."""
        future: Future[T] = Future()
        future.set_running_or_notify_cancel()

        def run() -> None:
            try:
                future.set_result(work())
            except BaseException as error:
                future.set_exception(error)

        self._work.put(run)
        return future

    def close(self, timeout: float) -> None:
        """End them, those that hang apart: they end when they can."""
        for _ in self._threads:
            self._work.put(None)
        deadline = time.monotonic() + timeout
        for each in self._threads:
            each.join(max(deadline - time.monotonic(), 0.0))

    def _run(self) -> None:
        while (work := self._work.get()) is not None:
            work()
            del work  # with its photo, which may be long until the next


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None


def _make_directory(path: Path, durable: bool) -> None:
    missing = []
    while not path.is_dir():
        missing.append(path)
        path = path.parent
    for folder in reversed(missing):
        folder.mkdir(mode=0o700, exist_ok=True)
        if durable:
            _sync_directory(folder.parent)


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
