"""Photos are decoded and encoded anew by a few processes with limits, and a queue with an end before them."""

import asyncio
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from infra.problem import FieldError, Problem, unavailable
from ingest import metrics
from ingest.metrics import PhotoOutcome
from ingest.photo_protocol import ANSWER, ASK, MAX_ANSWER_BYTES, MAX_PIXELS, READY, Verdict

log = structlog.get_logger()

#: Wall time for one photo, a second try included; a 50 megapixel PNG takes 3 s on one core.
_TIMEOUT_S: Final = 20.0
#: A worker is there within this time (0.3 s on a quiet machine), or the machine cannot take photos right now.
_START_S: Final = 10.0
#: A photo waits no longer than this for a worker; who sent it is told to come again.
QUEUE_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class EncodedPhoto:
    """A photo as it may be kept: JPEGs made of pixels alone, and the size of the larger one."""

    full: bytes
    thumbnail: bytes
    width: int
    height: int


class PhotoWorkers:
    """A bounded pool of decoding processes. They start when the first photo comes, and are replaced when they die."""

    def __init__(self, *, workers: int, queue: int, timeout_s: float = _TIMEOUT_S) -> None:
        self._slots = [_Worker() for _ in range(workers)]
        self._idle: asyncio.LifoQueue[_Worker] = asyncio.LifoQueue()
        for worker in self._slots:
            self._idle.put_nowait(worker)
        self._room = workers + queue
        self._timeout_s = timeout_s

    def admit(self, photos: int) -> "Admission":
        """Room in the queue for all photos of one report, or 503 at once. Use it as a context manager."""
        if photos > self._room:
            metrics.PHOTOS.labels(PhotoOutcome.BUSY).inc(photos)
            raise _busy()
        return Admission(self, photos)

    async def close(self) -> None:
        """End the processes."""
        for worker in self._slots:
            await worker.end()

    async def _encode(self, path: Path, index: int) -> EncodedPhoto:
        try:
            async with asyncio.timeout(QUEUE_S):
                worker = await self._idle.get()
        except TimeoutError as error:
            metrics.PHOTOS.labels(PhotoOutcome.BUSY).inc()
            raise _busy() from error
        try:
            with metrics.PHOTO_SECONDS.time():
                verdict, photo = await self._ask(worker, path)
        except WorkerCannotStart as error:
            metrics.PHOTOS.labels(PhotoOutcome.UNAVAILABLE).inc()
            log.warning("photo_worker_cannot_start", reason=str(error))
            raise unavailable("Photos cannot be worked on right now. Nothing was taken; try again.") from error
        except (TimeoutError, _Died) as error:
            # Killed by its limits or by us; whatever this file is, it is not a photo that we can show.
            metrics.PHOTOS.labels(PhotoOutcome.KILLED).inc()
            log.warning("photo_worker_replaced", reason=type(error).__name__)
            raise _refused(422, index, "cannot be read: decoding it takes too much") from error
        finally:
            self._idle.put_nowait(worker)
        metrics.PHOTOS.labels(PhotoOutcome.ENCODED if verdict is Verdict.PHOTO else PhotoOutcome.REFUSED).inc()
        match verdict:
            case Verdict.PHOTO:
                return photo
            case Verdict.NOT_A_PHOTO:
                raise _refused(415, index, "is not a JPEG, PNG, WebP or HEIC photo")
            case Verdict.TOO_MANY_PIXELS:
                raise _refused(413, index, f"has more than {MAX_PIXELS // 1_000_000} megapixels")
            case _:
                raise _refused(422, index, "is broken or cut off")

    async def _ask(self, worker: "_Worker", path: Path) -> tuple[Verdict, EncodedPhoto]:
        """What a worker says of a photo. Who was found dead, or died at it without being new, says nothing of the
        photo: a new one is asked once more. A worker that fails is ended.

        Raises WorkerCannotStart, `_Died` or TimeoutError.
        """
        try:
            was_new = await worker.start()
            async with asyncio.timeout(self._timeout_s):
                try:
                    return await worker.encode(path)
                except _Died:
                    if was_new:
                        raise
                    log.warning("photo_worker_replaced", reason="died")
                    await worker.end()
                    await worker.start()
                    return await worker.encode(path)
        except BaseException:
            await worker.end()  # an answer nobody waits for must not be taken for the next photo's
            raise


class WorkerCannotStart(Exception):
    """The machine does not give us a process that decodes: no memory, no descriptors, no more processes."""


class _Died(Exception):
    """The worker ended before it had answered, or answered what no worker of ours does."""


class Admission:
    """Room for the photos of one report."""

    def __init__(self, pool: PhotoWorkers, photos: int) -> None:
        self._pool = pool
        self._photos = photos

    def __enter__(self) -> "Admission":
        self._pool._room -= self._photos
        return self

    def __exit__(self, *_: object) -> None:
        self._pool._room += self._photos

    async def encode(self, paths: Sequence[Path]) -> list[EncodedPhoto]:
        """Encode them one after another, so that one report cannot take every worker.

        Raises 413, 415 or 422 for the first that cannot be taken, 503 when no worker can be had.
        """
        return [await self._pool._encode(path, index) for index, path in enumerate(paths)]


class _Worker:
    """One decoding process, started when it is needed."""

    def __init__(self) -> None:
        self._process: Process | None = None

    async def start(self) -> bool:
        """Have a process that is ready; True when it is a new one. Raises WorkerCannotStart."""
        if self._process is not None and self._process.returncode is None:
            return False
        try:
            # With an environment of its own: it decodes strangers' files and needs to know none of our secrets.
            process = self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-s", "-m", "ingest.photo_worker"),
                stdin=PIPE,
                stdout=PIPE,
                stderr=DEVNULL,
                env={"PYTHONPATH": str(Path(__file__).parents[1])},
            )
            assert process.stdout is not None  # noqa: S101 - it was asked for
            async with asyncio.timeout(_START_S):
                await process.stdout.readexactly(len(READY))
        except (OSError, asyncio.IncompleteReadError) as error:  # TimeoutError is an OSError
            raise WorkerCannotStart(type(error).__name__) from error
        return True

    async def encode(self, path: Path) -> tuple[Verdict, EncodedPhoto]:
        """What the process says of the photo. Raises `_Died`."""
        process = self._process
        assert process is not None and process.stdin is not None and process.stdout is not None  # noqa: S101
        name = str(path).encode()
        try:
            process.stdin.write(ASK.pack(len(name)) + name)
            await process.stdin.drain()
            verdict, width, height, full, thumbnail = ANSWER.unpack(await process.stdout.readexactly(ANSWER.size))
            if full + thumbnail > MAX_ANSWER_BYTES:
                raise _Died
            return Verdict(verdict), EncodedPhoto(
                await process.stdout.readexactly(full), await process.stdout.readexactly(thumbnail), width, height
            )
        except (OSError, asyncio.IncompleteReadError, ValueError) as error:
            raise _Died from error

    async def end(self) -> None:
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        try:
            process.kill()
        except ProcessLookupError:
            pass
        await process.wait()


def _busy() -> Problem:
    return unavailable("Too many photos are being worked on right now. Nothing was taken; try again.")


def _refused(status: int, index: int, why: str) -> Problem:
    field = FieldError(field=f"photo.{index}", message=why)
    return Problem(status, "photo", f"Photo {index + 1} {why}.", errors=[field])
