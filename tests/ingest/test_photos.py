"""The pool of decoding processes: bounded, and a photo that kills its worker harms nobody else."""

import asyncio
import contextlib
import os
import resource
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from infra.problem import Problem
from ingest import photos
from ingest.photos import PhotoWorkers
from tests.ingest.intake import a_photo


@pytest.fixture
async def pool() -> AsyncIterator[PhotoWorkers]:
    workers = PhotoWorkers(workers=2, queue=3)
    yield workers
    await workers.close()
    assert children() == []


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    return a_file(tmp_path, a_photo())


def a_file(folder: Path, content: bytes) -> Path:
    path = folder / f"{len(list(folder.iterdir()))}"
    path.write_bytes(content)
    return path


def children() -> list[psutil.Process]:
    """Our decoding processes."""
    return [child for child in psutil.Process().children() if "ingest.photo_worker" in child.cmdline()]


async def encode(pool: PhotoWorkers, *paths: Path) -> list[tuple[int, int]]:
    with pool.admit(len(paths)) as admission:
        return [(photo.width, photo.height) for photo in await admission.encode(paths)]


async def refusal(pool: PhotoWorkers, *paths: Path) -> Problem:
    with pytest.raises(Problem) as refused:
        await encode(pool, *paths)
    return refused.value


async def test_no_process_runs_before_there_is_a_photo(pool: PhotoWorkers, photo: Path) -> None:
    assert children() == []
    assert await encode(pool, photo, photo) == [(640, 480)] * 2
    assert len(children()) == 1


async def test_many_photos_share_two_processes(pool: PhotoWorkers, photo: Path) -> None:
    assert await asyncio.gather(*(encode(pool, photo) for _ in range(5))) == [[(640, 480)]] * 5
    assert len(children()) == 2


async def test_the_queue_has_an_end(pool: PhotoWorkers, photo: Path) -> None:
    outcomes = await asyncio.gather(*(encode(pool, photo) for _ in range(12)), return_exceptions=True)
    refused = [outcome for outcome in outcomes if isinstance(outcome, Problem)]
    assert len(refused) == 7
    assert all(each.status == 503 and each.headers["Retry-After"] for each in refused)
    assert await encode(pool, photo) == [(640, 480)]


@pytest.mark.parametrize(
    ("status", "content"), [(415, b"<svg/>"), (422, a_photo()[:300]), (422, b"\xff\xd8\xff"), (415, b"")]
)
async def test_what_is_no_photo_is_refused_with_its_number(
    pool: PhotoWorkers, photo: Path, tmp_path: Path, status: int, content: bytes
) -> None:
    problem = await refusal(pool, photo, a_file(tmp_path, content))
    assert problem.status == status
    assert problem.errors[0].field == "photo.1"
    assert len(children()) == 1, "a bad photo costs no process"


async def test_a_process_killed_at_work_costs_no_photo(pool: PhotoWorkers, photo: Path) -> None:
    await encode(pool, photo)
    (worker,) = children()
    os.kill(worker.pid, signal.SIGSTOP)
    waiting = asyncio.create_task(encode(pool, photo))
    await asyncio.sleep(0.1)
    worker.kill()
    assert await waiting == [(640, 480)]
    assert len(children()) == 1


async def test_a_process_that_died_idle_costs_no_photo(pool: PhotoWorkers, photo: Path) -> None:
    for _ in range(5):
        await encode(pool, photo)
        (worker,) = children()
        worker.kill()
        worker.wait()  # dead and reaped; whether the loop has heard of it by now is chance
        assert await encode(pool, photo) == [(640, 480)]


async def test_a_photo_that_kills_new_processes_too_is_refused(photo: Path, tmp_path: Path) -> None:
    pool = PhotoWorkers(workers=1, queue=1)
    await encode(pool, photo)
    vanished = tmp_path / "gone"  # reading it ends the worker: the only sure way to kill it from outside
    assert (await refusal(pool, vanished)).status == 422
    assert await encode(pool, photo) == [(640, 480)]
    await pool.close()


async def test_a_machine_that_gives_no_process_is_503_and_nobody_is_blamed(photo: Path) -> None:
    """No descriptor is left for the pipes to a new process (EMFILE), then there is one again."""
    pool = PhotoWorkers(workers=1, queue=1)
    await asyncio.create_subprocess_exec("true")  # the watcher of children has its own descriptors now
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken: list[int] = []
    try:
        resource.setrlimit(
            resource.RLIMIT_NOFILE, (max(int(one.name) for one in Path("/proc/self/fd").iterdir()) + 8, hard)
        )
        with contextlib.suppress(OSError):
            while True:
                taken.append(os.open("/dev/null", os.O_RDONLY))
        problem = await refusal(pool, photo)
    finally:
        for descriptor in taken:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert problem.status == 503 and problem.headers["Retry-After"]
    assert problem.errors == ()
    assert await encode(pool, photo) == [(640, 480)]
    await pool.close()


async def test_a_process_that_dies_before_it_is_ready_is_503(photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pool = PhotoWorkers(workers=1, queue=1)
    monkeypatch.setattr(sys, "executable", "/bin/false")
    assert (await refusal(pool, photo)).status == 503
    monkeypatch.undo()
    assert await encode(pool, photo) == [(640, 480)]
    await pool.close()


async def test_nobody_waits_for_a_worker_without_end(photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(photos, "QUEUE_S", 0.2)
    pool = PhotoWorkers(workers=1, queue=5)
    await encode(pool, photo)
    (worker,) = children()
    os.kill(worker.pid, signal.SIGSTOP)
    first = asyncio.create_task(encode(pool, photo))
    await asyncio.sleep(0)
    assert (await refusal(pool, photo)).status == 503
    os.kill(worker.pid, signal.SIGCONT)
    assert await first == [(640, 480)]
    await pool.close()


async def test_a_photo_that_takes_too_long_is_given_up(photo: Path) -> None:
    pool = PhotoWorkers(workers=1, queue=1, timeout_s=5.0)
    await encode(pool, photo)
    (worker,) = children()
    os.kill(worker.pid, signal.SIGSTOP)
    assert (await refusal(pool, photo)).status == 422
    assert not psutil.pid_exists(worker.pid)
    assert await encode(pool, photo) == [(640, 480)]
    await pool.close()


async def test_whoever_stops_waiting_leaves_no_answer_for_the_next(pool: PhotoWorkers, tmp_path: Path) -> None:
    large, small = a_file(tmp_path, a_photo(size=(6000, 5000))), a_file(tmp_path, a_photo(size=(64, 48)))
    for _ in range(3):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                await encode(pool, large)
        assert await encode(pool, small) == [(64, 48)]


async def test_a_worker_sees_no_secret_of_ours(
    pool: PhotoWorkers, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATRIOT_SECRET", "rahasia")
    await encode(pool, photo)
    assert "PATRIOT_SECRET" not in children()[0].environ()
