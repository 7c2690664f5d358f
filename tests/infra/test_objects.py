"""The object store: the first put wins, what is kept stays as it is, nothing leaves the directory."""

import asyncio
import errno
import gc
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.objects import WAITERS, Objects


@pytest.fixture
def objects(tmp_path: Path) -> Iterator[Objects]:
    store = Objects(tmp_path / "objects")
    yield store
    store.close()


async def test_what_is_put_can_be_got(objects: Objects) -> None:
    assert await objects.put_if_absent("photos/ab/1", b"light")
    assert await objects.get("photos/ab/1") == b"light"
    assert await objects.get("photos/ab/2") is None
    assert await objects.get("photos/ab/1/deeper") is None


async def test_a_taken_key_is_left_as_it_is(objects: Objects) -> None:
    assert await objects.put_if_absent("a/1", b"first")
    assert not await objects.put_if_absent("a/1", b"second")
    assert await objects.get("a/1") == b"first"


async def test_of_many_at_once_one_wins(objects: Objects) -> None:
    wins = await asyncio.gather(*(objects.put_if_absent("a/b/c", bytes([n])) for n in range(50)))
    assert wins.count(True) == 1
    assert await objects.get("a/b/c") == bytes([wins.index(True)])


async def test_nothing_half_written_is_left_or_seen(objects: Objects) -> None:
    await asyncio.gather(*(objects.put_if_absent(f"a/{n % 5}", b"x" * 1000) for n in range(50)))
    assert sorted(path.name for path in (objects.root / "a").iterdir()) == ["0", "1", "2", "3", "4"]
    (objects.root / "a" / ".half-dead").write_bytes(b"of a killed process")
    assert sorted(await objects.keys("a")) == [f"a/{n}" for n in range(5)]


async def test_two_stores_on_one_directory_agree(objects: Objects) -> None:
    other = Objects(objects.root)
    assert await objects.put_if_absent("a/1", b"x")
    assert not await other.put_if_absent("a/1", b"y")
    assert await other.get("a/1") == b"x"
    other.close()


async def test_a_folder_is_deleted_whole_and_may_come_back(objects: Objects) -> None:
    for name in ("1", "1.thumb", "2"):
        await objects.put_if_absent(f"photos/r/{name}", b"x")
    await objects.put_if_absent("photos/s/1", b"y")
    assert await objects.delete("photos/r") == 3
    assert await objects.delete("photos/r") == 0
    assert await objects.keys("photos") == ["photos/s/1"]
    assert await objects.put_if_absent("photos/r/1", b"again")


async def test_deleting_beside_putting_never_fails(objects: Objects) -> None:
    for _ in range(20):
        await asyncio.gather(
            *(objects.put_if_absent(f"a/r/{n}", b"x", durable=False) for n in range(4)), objects.delete("a/r")
        )
    assert await objects.delete("a/r") == 0 or await objects.keys("a") == []


async def test_only_what_is_old_is_swept(objects: Objects) -> None:
    for name in ("old", "young"):
        await objects.put_if_absent(f"keys/{name}", b"x")
    (objects.root / "keys" / ".half-old").write_bytes(b"x")
    week_ago = time.time() - 7 * 86400 - 60
    for name in ("old", ".half-old"):
        os.utime(objects.root / "keys" / name, (week_ago, week_ago))
    assert await objects.sweep("keys", before=time.time() - 7 * 86400) == 1
    assert await objects.keys("keys") == ["keys/young"]
    assert not (objects.root / "keys" / ".half-old").exists()
    assert await objects.sweep("nothing-there", before=time.time()) == 0


@pytest.mark.parametrize(
    "key", ["", "/", "..", "../x", "a/../b", "a//b", "/etc/passwd", "a/", ".half-1", "A", "a\0", "a\n", "a b", "é"]
)
async def test_a_key_cannot_leave_the_directory(objects: Objects, key: str) -> None:
    with pytest.raises(ValueError, match="not a key"):
        await objects.put_if_absent(key, b"x")
    with pytest.raises(ValueError, match="not a key"):
        await objects.get(key)


async def test_a_store_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    store = Objects(tmp_path / "file")
    with pytest.raises(OSError):
        await store.put_if_absent("a/1", b"x")
    store.close()


class Hung:
    """A disk that is away: whoever opens one of these pipes waits in the kernel for its other end."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._pipes = [objects.root / "hung" / str(n) for n in range(4)]
        self._pipes[0].parent.mkdir(parents=True)
        for pipe in self._pipes:
            os.mkfifo(pipe)

    def reads(self) -> list[asyncio.Task[bytes | None]]:
        """One for each thread, on its way into the kernel."""
        return [asyncio.create_task(self._objects.get(f"hung/{pipe.name}")) for pipe in self._pipes]

    async def come_back(self) -> None:
        """A writer that writes nothing; the readers may not be there yet."""
        for pipe in self._pipes:
            await asyncio.to_thread(pipe.write_bytes, b"")


async def test_behind_a_disk_that_hangs_waits_no_more_than_a_crowd_and_then_all_goes_on(objects: Objects) -> None:
    hung = Hung(objects)
    await objects.put_if_absent("a/1", b"x")
    reading = hung.reads()
    waiting = [asyncio.create_task(objects.get("a/1")) for _ in range(WAITERS - len(reading))]
    await asyncio.sleep(0)
    for verb in (objects.get("a/1"), objects.put_if_absent("a/2", b"y"), objects.remove("a/1")):
        with pytest.raises(OSError) as refused:
            await verb
        assert refused.value.errno == errno.EBUSY
    await hung.come_back()
    assert await asyncio.gather(*reading) == [b""] * len(reading)
    assert set(await asyncio.gather(*waiting)) == {b"x"}
    assert await objects.put_if_absent("a/2", b"y")


async def test_who_gives_up_waiting_leaves_nothing_behind(objects: Objects) -> None:
    hung = Hung(objects)
    reading = hung.reads()
    photo = os.urandom(1000)
    held = sys.getrefcount(photo)

    async def put(n: int) -> None:
        async with asyncio.timeout(0.05):
            await objects.put_if_absent(f"a/{n}", photo)

    given_up = await asyncio.gather(*(put(n) for n in range(50)), return_exceptions=True)
    assert {type(each) for each in given_up} == {TimeoutError}
    del given_up
    await asyncio.sleep(0)
    gc.collect()
    assert sys.getrefcount(photo) == held
    await hung.come_back()
    await asyncio.gather(*reading)
    assert await objects.keys("a") == []


async def test_a_caller_that_gave_up_keeps_its_thread_until_the_disk_has_answered(objects: Objects) -> None:
    hung = Hung(objects)
    for each in (reading := hung.reads()):
        await asyncio.sleep(0)
        each.cancel()
    await asyncio.gather(*reading, return_exceptions=True)
    other = asyncio.create_task(objects.get("a/1"))
    await asyncio.wait({other}, timeout=0.2)
    assert not other.done()
    await hung.come_back()
    assert await other is None


def test_a_process_ends_although_its_disk_hangs(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "hung")
    program = f"""
import asyncio
from pathlib import Path
from infra.objects import Objects

async def main() -> None:
    objects = Objects(Path({str(tmp_path)!r}))
    reading = [asyncio.create_task(objects.get("hung")) for _ in range(4)]
    await asyncio.wait(reading, timeout=0.2)
    objects.close()
    print("closed", sum(each.done() for each in reading))

asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "closed 0\n"), done.stderr
