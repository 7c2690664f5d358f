"""Decodes one photo after another in a process of its own with limits, and encodes it anew: only pixels get through.

Started by `ingest.photos`; asked over stdin and answering over stdout as `ingest.photo_protocol` says.
"""

import io
import os
import resource
import signal
import sys
import warnings
from typing import BinaryIO, Final

import pillow_heif
from PIL import Image, ImageCms, ImageOps

from ingest.photo_protocol import ANSWER, ASK, MAX_PIXELS, READY, Verdict

#: Pixels on the longer side: enough for a number plate, small enough for the wall.
FULL_SIDE: Final = 2048
THUMB_SIDE: Final = 480
#: About a third of the bytes of 95, without a difference that a person sees on a street photo.
_QUALITY: Final = 82
#: 64 megapixels decoded (4 bytes each), turned upright and scaled, with room to spare.
_MEMORY_BYTES: Final = 1024 * 1024 * 1024
_CPU_S_PER_PHOTO: Final = 15

_SRGB: Final = ImageCms.createProfile("sRGB")
_HEIF_BRANDS: Final = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")


def kind_of(head: bytes) -> str | None:
    """Pillow's name of the format that the first 16 bytes announce, or None for everything we don't take."""
    if head.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if head[4:8] == b"ftyp" and head[8:12] in _HEIF_BRANDS:
        return "HEIF"
    return None


def encode(data: bytes) -> tuple[Verdict, int, int, bytes, bytes]:
    """The verdict; for a photo its size after turning and scaling, and the two JPEGs without any metadata."""
    kind = kind_of(data[:16])
    if kind is None:
        return Verdict.NOT_A_PHOTO, 0, 0, b"", b""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            # Formats are named, or Pillow would try them all: EPS alone starts Ghostscript.
            image: Image.Image = Image.open(io.BytesIO(data), formats=(kind,))
        if image.width * image.height > MAX_PIXELS:
            return Verdict.TOO_MANY_PIXELS, 0, 0, b"", b""
        # A JPEG is decoded at a half, a quarter or an eighth where that is still large enough.
        image.draft("RGB", (FULL_SIDE, FULL_SIDE))
        image.seek(0)
        image.load()
        full = _plain(image)
    except (Image.DecompressionBombWarning, Image.DecompressionBombError, MemoryError):
        return Verdict.TOO_MANY_PIXELS, 0, 0, b"", b""
    except Exception:  # each decoder fails in ways of its own; all of them mean the same to the sender
        return Verdict.BROKEN, 0, 0, b"", b""
    thumb = full.copy()
    thumb.thumbnail((THUMB_SIDE, THUMB_SIDE), Image.Resampling.LANCZOS)
    return Verdict.PHOTO, full.width, full.height, _jpeg(full), _jpeg(thumb)


def _plain(image: Image.Image) -> Image.Image:
    """Upright, at most 2048 pixels, sRGB, on white; a new image that has pixels and nothing else."""
    profile = image.info.get("icc_profile")
    if image.mode in ("P", "PA"):
        image = image.convert("RGBA")  # scaling mixes neighbours, which palette numbers cannot do
    elif image.mode.startswith("I") or image.mode == "F":
        image = image.convert("I").point(lambda value: value * (1 / 256)).convert("L")
    image.thumbnail((FULL_SIDE, FULL_SIDE), Image.Resampling.LANCZOS)
    image = _upright(image)
    if profile and image.mode in ("RGB", "CMYK", "L"):
        image = _to_srgb(image, profile)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        plain = Image.new("RGB", image.size, "white")
        plain.paste(image, mask=image.getchannel("A"))
    else:
        image = image.convert("RGB")
        plain = Image.new("RGB", image.size)
        plain.paste(image)
    return plain


def _upright(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # broken EXIF says nothing about the pixels
        return image


def _to_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        converted = ImageCms.profileToProfile(image, source, _SRGB, outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return image  # a broken profile costs a shade of colour, not the photo
    return converted if converted is not None else image


def _jpeg(image: Image.Image) -> bytes:
    target = io.BytesIO()
    image.save(target, "JPEG", quality=_QUALITY, progressive=True, optimize=True)
    return target.getvalue()


def _limit() -> None:
    if sys.platform == "linux":  # macOS refuses this one
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (32, 32))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for whoever started us; we end when stdin does
    os.nice(5)  # encoding photos must not delay reports without


def _allow_cpu() -> None:
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(used.ru_utime + used.ru_stime) + _CPU_S_PER_PHOTO
    resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.RLIM_INFINITY))


def main(ask: BinaryIO, answer: BinaryIO) -> None:
    """Serve until `ask` ends."""
    pillow_heif.options.DECODE_THREADS = 1
    pillow_heif.register_heif_opener(thumbnails=False)
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS
    Image.preinit()
    _limit()
    answer.write(READY)
    answer.flush()
    while len(length := ask.read(ASK.size)) == ASK.size:
        path = ask.read(ASK.unpack(length)[0]).decode()
        _allow_cpu()
        with open(path, "rb") as file:  # noqa: PTH123 - one import less in a process that many are started of
            data = file.read()
        verdict, width, height, full, thumb = encode(data)
        answer.write(ANSWER.pack(verdict, width, height, len(full), len(thumb)) + full + thumb)
        answer.flush()


if __name__ == "__main__":
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    main(sys.stdin.buffer, answers)
