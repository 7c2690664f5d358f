"""Where photos are kept."""

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from infra.objects import Objects
from infra.photos import Photos, PhotoSize, photo_id

REPORT = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def photos(tmp_path: Path) -> Iterator[Photos]:
    objects = Objects(tmp_path)
    yield Photos(objects)
    objects.close()


async def test_a_photo_is_found_by_its_id_in_both_sizes(photos: Photos) -> None:
    kept = await photos.keep(REPORT, 1, b"full", b"thumb")
    assert kept == sha256(b"full").hexdigest()
    assert await photos.read(photo_id(REPORT, 1)) == b"full"
    assert await photos.read(photo_id(REPORT, 1), PhotoSize.THUMB) == b"thumb"
    assert await photos.read(photo_id(REPORT, 2)) is None


async def test_a_repeated_report_keeps_the_photo_it_had(photos: Photos) -> None:
    await photos.keep(REPORT, 1, b"full", b"thumb")
    assert await photos.keep(REPORT, 1, b"encoded by a newer release", b"thumb") == sha256(b"full").hexdigest()
    assert await photos.read(photo_id(REPORT, 1)) == b"full"


async def test_erasing_leaves_other_reports_alone(photos: Photos) -> None:
    other = REPORT[::-1]
    for report, n in ((REPORT, 1), (REPORT, 2), (other, 1)):
        await photos.keep(report, n, b"full", b"thumb")
    assert await photos.erase(REPORT) == 4
    assert await photos.read(photo_id(REPORT, 1)) is None
    assert await photos.read(photo_id(other, 1)) == b"full"


@pytest.mark.parametrize(
    "name", ["", "1", f"{REPORT}", f"{REPORT}-0", f"{REPORT}-1.thumb", f"../{REPORT}-1", f"{REPORT}-1\n"]
)
async def test_what_is_no_id_is_no_photo(photos: Photos, name: str) -> None:
    await photos.keep(REPORT, 1, b"full", b"thumb")
    assert await photos.read(name) is None
