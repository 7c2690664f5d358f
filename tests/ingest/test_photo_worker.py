"""What becomes of a photo: only its pixels get through, upright and small, and nothing else is a photo."""

import io
from typing import Any

import pytest
from PIL import Image, ImageChops

from ingest.photo_protocol import MAX_PIXELS, Verdict
from ingest.photo_worker import FULL_SIDE, THUMB_SIDE, encode
from tests.ingest.intake import a_photo

#: What must never be found in a photo that we keep.
TELLTALE = (b"Exif", b"GPS", b"Kamera", b"rahasia", b"adobe.com", b"ICC_PROFILE", b"<script", b"Photoshop")


def shown(jpeg: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(jpeg), formats=("JPEG",))
    image.load()
    return image


def left_right(size: tuple[int, int] = (400, 200)) -> Image.Image:
    """Red at the left, blue at the right."""
    image = Image.new("RGB", size, "blue")
    image.paste("red", (0, 0, size[0] // 2, size[1]))
    return image


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def taken(data: bytes) -> tuple[Image.Image, Image.Image]:
    """The photo and the thumbnail, of which nothing may tell who took it where with what."""
    verdict, width, height, full, thumb = encode(data)
    assert verdict is Verdict.PHOTO
    for jpeg in (full, thumb):
        assert not [word for word in TELLTALE if word in jpeg]
        assert not shown(jpeg).getexif()
    assert shown(full).size == (width, height)
    return shown(full), shown(thumb)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "HEIF"])
def test_every_kind_of_photo_becomes_a_jpeg(kind: str) -> None:
    full, thumb = taken(a_photo(kind, (640, 480)))
    assert full.size == (640, 480)
    assert thumb.size == (480, 360)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"])
def test_every_mode_of_a_photo_becomes_colour(mode: str) -> None:
    image = Image.linear_gradient("L")
    if mode == "I;16":
        image = image.convert("I").point(lambda value: value * 257).convert("I;16")
    else:
        image = image.convert(mode)
    full, _ = taken(saved(image, "JPEG" if mode == "CMYK" else "PNG"))
    assert full.mode == "RGB"
    assert full.getpixel((128, 250)) > full.getpixel((128, 5)), "dark at the top, bright at the bottom"


def test_a_large_photo_becomes_small_and_keeps_its_shape() -> None:
    full, thumb = taken(a_photo(size=(6000, 3000)))
    assert full.size == (FULL_SIDE, FULL_SIDE // 2)
    assert thumb.size == (THUMB_SIDE, THUMB_SIDE // 2)


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1), (7, 3)])
def test_odd_shapes_are_photos_too(size: tuple[int, int]) -> None:
    full, thumb = taken(a_photo(size=size))
    assert min(*full.size, *thumb.size) >= 1


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize(
    ("orientation", "red_at"), [(1, "left"), (2, "right"), (3, "right"), (6, "top"), (8, "bottom")]
)
def test_a_photo_is_turned_upright(kind: str, orientation: int, red_at: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    full, _ = taken(saved(left_right(), kind, exif=exif))
    width, height = full.size
    edge = {
        "left": (2, height // 2),
        "right": (width - 3, height // 2),
        "top": (width // 2, 2),
        "bottom": (width // 2, height - 3),
    }[red_at]
    red, _, blue = full.getpixel(edge)
    assert red > 200 and blue < 80
    assert (width > height) is (red_at in ("left", "right"))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "HEIF"])
def test_who_where_and_with_what_is_dropped(kind: str) -> None:
    exif = Image.Exif()
    exif[0x010F], exif[0x9286] = "Kamera rahasia", "rahasia"
    gps = exif.get_ifd(0x8825)
    gps[1], gps[2], gps[3], gps[4] = "S", (6.0, 14.0, 56.0), "E", (107.0, 1.0, 14.0)
    options: dict[str, Any] = {"exif": exif}
    if kind != "HEIF":
        options["xmp"] = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'>http://ns.adobe.com/rahasia</x:xmpmeta>"
    if kind == "JPEG":
        options["comment"] = b"rahasia"
    sent = a_photo(kind, **options)
    assert b"rahasia" in sent
    taken(sent)


def test_broken_exif_costs_nothing_but_itself() -> None:
    sent = a_photo(exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + b"\xff" * 60)
    assert taken(sent)[0].size == (640, 480)


def test_transparent_becomes_white() -> None:
    full, _ = taken(saved(Image.new("RGBA", (50, 50), (0, 0, 0, 0)), "PNG"))
    assert full.getpixel((25, 25)) == (255, 255, 255)


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_of_an_animation_the_first_picture_is_taken(kind: str) -> None:
    pictures = [Image.new("RGB", (60, 60), colour) for colour in ("red", "blue", "green")]
    full, _ = taken(saved(pictures[0], kind, save_all=True, append_images=pictures[1:], duration=100))
    assert ImageChops.difference(full, Image.new("RGB", (60, 60), "red")).getextrema()[0][1] < 16


def test_what_hangs_behind_a_photo_is_cut_off() -> None:
    _, _, _, full, thumb = encode(a_photo() + b"<script>rahasia</script>PK\x03\x04" * 100)
    assert full and b"rahasia" not in full + thumb


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0",
        b"text",
        b"<html><script>alert(1)</script></html>",
        b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
        b"%PDF-1.7\n",
        b"%!PS-Adobe-3.0 EPSF-3.0\n",
        b"GIF89a" + b"\0" * 100,
        b"BM" + b"\0" * 100,
        b"II*\0" + b"\0" * 100,
        b"PK\x03\x04" + b"\0" * 100,
        b"\0\0\0\x18ftypavif" + b"\0" * 100,
        b"\0\0\0\x18ftypmp42" + b"\0" * 100,
    ],
    ids=lambda data: repr(data[:20]),
)
def test_what_is_no_photo_is_not_even_looked_into(data: bytes) -> None:
    assert encode(data)[0] is Verdict.NOT_A_PHOTO


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "HEIF"])
@pytest.mark.parametrize("part", [0.5, 0.1])
def test_a_cut_off_photo_is_broken(kind: str, part: float) -> None:
    sent = a_photo(kind, (800, 600))
    assert encode(sent[: int(len(sent) * part)])[0] is Verdict.BROKEN


@pytest.mark.parametrize(
    "head", [b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF\x00\x10\x00\x00WEBP", b"\0\0\0\x18ftypheic"]
)
def test_a_photos_first_bytes_alone_are_broken(head: bytes) -> None:
    for rest in (b"", b"<html>" * 100, b"\xff" * 5000):
        assert encode(head + rest)[0] is Verdict.BROKEN


@pytest.mark.parametrize("side", [8_001, 13_000, 30_000])
def test_a_bomb_is_refused_before_it_is_unpacked(side: int) -> None:
    sent = saved(Image.new("1", (side, side)), "PNG")
    assert side * side > MAX_PIXELS and len(sent) < 200_000
    assert encode(sent)[0] is Verdict.TOO_MANY_PIXELS
