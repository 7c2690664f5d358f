"""What `ingest.photos` and its worker processes say to each other; light, so that ingest itself never loads Pillow."""

import struct
from enum import IntEnum
from typing import Final

#: Said once by a worker that has loaded its libraries and set its limits.
READY: Final = b"\x01"
#: Asked: the length of a path, then the path.
ASK: Final = struct.Struct("!I")
#: Answered: verdict, width, height, length of the photo, length of the thumbnail; then the two as JPEG.
ANSWER: Final = struct.Struct("!BIIII")
MAX_ANSWER_BYTES: Final = 16 * 1024 * 1024

#: A phone's 50 megapixel photo passes; what a small file can blow up to (13,000² from 20 kB) does not.
MAX_PIXELS: Final = 64_000_000


class Verdict(IntEnum):
    """What the worker says of a file."""

    PHOTO = 0
    #: Neither JPEG, PNG, WebP nor HEIC by its first bytes.
    NOT_A_PHOTO = 1
    #: It begins like one, and cannot be read to its end.
    BROKEN = 2
    TOO_MANY_PIXELS = 3
