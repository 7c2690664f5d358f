"""The pool of decoding processes: bounded, and a photo that kills its worker harms nobody else."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from infra.problem import Problem
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


async def test_a_killed_process_costs_one_photo_and_is_replaced(pool: PhotoWorkers, photo: Path) -> None:
    await encode(pool, photo)
    (worker,) = children()
    os.kill(worker.pid, signal.SIGSTOP)
    waiting = asyncio.create_task(refusal(pool, photo))
    await asyncio.sleep(0.1)
    worker.kill()
    assert (await waiting).status == 422
    assert await encode(pool, photo) == [(640, 480)]


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
