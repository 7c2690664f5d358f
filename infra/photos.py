"""Where photos are kept: `photos/<report_id>/<n>`, a thumbnail beside each, read back by the desk."""

import re
from enum import StrEnum
from hashlib import sha256
from typing import Final

from infra.objects import Objects

CONTENT_TYPE: Final = "image/jpeg"
_ID: Final = re.compile(r"(?P<owner>[0-9a-f]{32})-(?P<n>[1-9][0-9]?)")


class PhotoSize(StrEnum):
    """`?size=` of a photo: at most 480 or 2048 pixels on its longer side."""

    THUMB = "thumb"
    FULL = "full"


def photo_id(report_id: str, n: int) -> str:
    """The id of a report's `n`-th photo, counted from 1."""
    return f"{report_id}-{n}"


class Photos:
    """The photos of all reports. Raises OSError when the store is away or full."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    async def keep(self, report_id: str, n: int, full: bytes, thumbnail: bytes) -> str:
        """Keep a re-encoded photo, on disk when this returns, and answer the sha256 (hex) of what is kept.

        A photo that is already there stays as it is: a repeated report may have been encoded by another release.
        """
        key = f"photos/{report_id}/{n}"
        await self._objects.put_if_absent(f"{key}.thumb", thumbnail)
        if not await self._objects.put_if_absent(key, full):
            full = await self._objects.get(key) or full
        return sha256(full).hexdigest()

    async def read(self, photo: str, size: PhotoSize = PhotoSize.FULL) -> bytes | None:
        """The JPEG with the id `<report_id>-<n>`, or None when there is none (or it is no id at all)."""
        match = _ID.fullmatch(photo)
        if match is None:
            return None
        key = f"photos/{match['owner']}/{match['n']}"
        return await self._objects.get(f"{key}.thumb" if size is PhotoSize.THUMB else key)

    async def erase(self, report_id: str) -> int:
        """Forget every photo of a report; answers how many files that were."""
        return await self._objects.delete(f"photos/{report_id}")
