"""The object store: the first put wins, what is kept stays as it is, nothing leaves the directory."""

import asyncio
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.objects import Objects


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
