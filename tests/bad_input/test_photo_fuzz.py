"""Photos as nobody took them: mutated bytes through the decoding process end as clean pixels or as a clear refusal."""

import io
import random
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from infra.problem import Problem
from ingest.photo_worker import FULL_SIDE, THUMB_SIDE
from ingest.photos import PhotoWorkers
from tests.ingest.intake import a_photo

KINDS: Final = ("JPEG", "PNG", "WEBP", "HEIF")
#: Pieces that formats are made of, where a decoder expects something else.
PIECES: Final = (
    b"\xff\xd8\xff\xe1", b"\xff\xc2\x00\x11", b"\xff\xda", b"\xff\xd9", b"Exif\0\0MM\0*", b"IHDR\xff\xff\xff\xff",
    b"IDAT", b"acTL", b"fdAT", b"iCCP", b"zTXt", b"VP8X", b"ANMF", b"ALPH", b"ICCP", b"ftypheic", b"mdat", b"iloc",
    b"hvcC", b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\x80\0\0\0", b"%!PS-Adobe-3.0 EPSF-3.0\n",
    b"<svg onload=alert(1)>",
)  # fmt: skip
#: The slowest on a busy machine; the pool's own limit is 20 s.
MOST_S: Final = 20.0
MOST_BYTES: Final = 400 * 1024 * 1024


def an_exif() -> bytes:
    exif = Image.Exif()
    exif[0x010F] = "Kamera rahasia"
    gps = exif.get_ifd(0x8825)
    gps[1], gps[2], gps[3], gps[4] = "S", (6.0, 14.0, 56.0), "E", (107.0, 1.0, 14.0)
    return exif.tobytes()


PHOTOS: Final = {kind: a_photo(kind, (160, 120), exif=an_exif()) for kind in KINDS}


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A photo with some of its bytes changed, doubled, cut out, swapped with another format's, or cut off."""
    data = bytearray(PHOTOS[draw(st.sampled_from(KINDS))])
    for _ in range(draw(st.integers(1, 8))):
        # more often in the head, where sizes and tables are
        at = draw(st.one_of(st.integers(0, min(200, len(data))), st.integers(0, len(data))))
        match draw(st.integers(0, 5)):
            case 0:
                data[at : at + 1] = bytes([draw(st.integers(0, 255))])
            case 1:
                piece = draw(st.sampled_from(PIECES))
                data[at : at + len(piece)] = piece
            case 2:
                data[at:at] = draw(st.one_of(st.sampled_from(PIECES), st.binary(max_size=40)))
            case 3:
                del data[at : at + draw(st.integers(1, 100))]
            case 4:
                other = PHOTOS[draw(st.sampled_from(KINDS))]
                data[at : at + 200] = other[at : at + 200]
            case _:
                data = data[: max(at, 16)]
    return bytes(data)


@pytest.fixture(scope="module")
async def pool() -> AsyncIterator[PhotoWorkers]:
    workers = PhotoWorkers(workers=1, queue=4)
    yield workers
    await workers.close()


async def sent(pool: PhotoWorkers, path: Path, data: bytes) -> tuple[bytes, bytes] | Problem:
    path.write_bytes(data)
    try:
        with pool.admit(1) as admission:
            [photo] = await admission.encode([path])
    except Problem as problem:
        return problem
    return photo.full, photo.thumbnail


def is_clean(jpeg: bytes, side: int) -> None:
    image = Image.open(io.BytesIO(jpeg), formats=("JPEG",))
    image.load()
    assert max(image.size) <= side and image.mode == "RGB"
    assert not image.getexif() and not {"exif", "icc_profile", "xmp", "comment"} & set(image.info)
    assert not any(word in jpeg for word in (b"Exif", b"rahasia", b"GPS", b"<svg", b"%!PS"))


@settings(max_examples=150, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(data=mutated())
async def test_a_mutated_photo_is_clean_or_refused(
    pool: PhotoWorkers, tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    start = time.monotonic()
    found = await sent(pool, tmp_path_factory.getbasetemp() / "mutated", data)
    assert time.monotonic() - start < MOST_S
    if isinstance(found, Problem):
        assert found.status in (413, 415, 422), found.detail
        assert found.errors[0].field == "photo.0"
    else:
        is_clean(found[0], FULL_SIDE)
        is_clean(found[1], THUMB_SIDE)


async def test_after_all_of_them_the_process_is_small_and_takes_an_honest_photo(
    pool: PhotoWorkers, tmp_path: Path
) -> None:
    found = await sent(pool, tmp_path / "honest", PHOTOS["JPEG"])
    assert not isinstance(found, Problem)
    (worker,) = [one for one in psutil.Process().children() if "ingest.photo_worker" in one.cmdline()]
    assert worker.memory_info().rss < MOST_BYTES


def a_bomb(kind: str) -> bytes:
    """A small file that says it is 60,000 pixels wide and high, or that has far more in it than it says."""
    out = io.BytesIO()
    match kind:
        case "frames":
            frames = [Image.new("P", (1_000, 1_000), n % 2) for n in range(30)]
            frames[0].save(out, "PNG", save_all=True, append_images=frames[1:])
        case "text":
            from PIL.PngImagePlugin import PngInfo  # noqa: PLC0415

            info = PngInfo()
            info.add_text("x", "y" * 60_000_000, zip=True)
            Image.new("RGB", (10, 10)).save(out, "PNG", pnginfo=info)
        case "JPEG":
            data = bytearray(a_photo("JPEG", (64, 64)))
            at = data.index(b"\xff\xc0")
            data[at + 5 : at + 9] = b"\xea\x60\xea\x60"
            return bytes(data)
        case _:
            data = bytearray(a_photo("WEBP", (64, 64)))
            at = data.index(b"\x9d\x01\x2a")
            data[at + 3 : at + 7] = b"\xff\x3f\xff\x3f"
            return bytes(data)
    return out.getvalue()


@pytest.mark.parametrize("kind", ["frames", "text", "JPEG", "WEBP"])
async def test_a_bomb_does_not_go_off(pool: PhotoWorkers, tmp_path: Path, kind: str) -> None:
    bomb = a_bomb(kind)
    assert len(bomb) < 300_000
    found = await sent(pool, tmp_path / "bomb", bomb)
    if kind == "frames":
        assert not isinstance(found, Problem), "of an animation the first picture is taken"
    else:
        assert isinstance(found, Problem) and found.status in (413, 422)
    for worker in psutil.Process().children():
        if "ingest.photo_worker" in worker.cmdline():
            assert worker.memory_info().rss < MOST_BYTES


async def test_noise_behind_every_head_is_refused(pool: PhotoWorkers, tmp_path: Path) -> None:
    noise = random.Random(3275).randbytes(20_000)
    for photo in PHOTOS.values():
        found = await sent(pool, tmp_path / "noise", photo[:40] + noise)
        assert isinstance(found, Problem) and found.status == 422
