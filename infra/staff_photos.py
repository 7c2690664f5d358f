"""Photos that staff send beside a note: whose each is, and the one incident that it belongs to once it was used.

A photo is kept as `photos/<owner>/1` like a report's. Until it is used, `uploads/<owner>/record` says who sent it and
when; what is listed there to be swept stays as short as two days. Used, `photos/<owner>/attached` says for which
incident: put-if-absent, so that of two incidents one gets it.
"""

import re
from datetime import datetime, timedelta
from typing import Final
from uuid import uuid4

import msgspec

from infra.objects import Objects
from infra.photos import Photos, photo_id
from schemas.wire import Record, Timestamp, encode

#: What nobody has used by then is forgotten (design.md, Photos).
KEPT: Final = timedelta(hours=48)
#: An hour before the sweep nobody may use it any more: the clocks of desk and ingest need not agree.
ATTACHABLE: Final = KEPT - timedelta(hours=1)
_FOLDER: Final = "uploads"
_ID: Final = re.compile(r"(?P<owner>[0-9a-f]{32})-1")


class StaffPhoto(Record, frozen=True):
    """Who sent a photo and when, and the incident it was attached to, if any."""

    uploaded_by: str
    uploaded_at: Timestamp
    incident_id: str | None = None

    def may_be_attached(self, incident_id: str, by: str, now: datetime) -> bool:
        """Only by who sent it, within 47 h; once attached only to the same incident again."""
        if self.uploaded_by != by:
            return False
        if self.incident_id is not None:
            return self.incident_id == incident_id
        return now - self.uploaded_at < ATTACHABLE


class StaffPhotos:
    """All of them. Raises OSError when the store is away or full."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._photos = Photos(objects)

    async def keep(self, by: str, at: datetime, full: bytes, thumbnail: bytes) -> str:
        """Keep a re-encoded photo, on disk when this returns; its id, which `Photos` reads like any other."""
        owner = uuid4().hex
        # The record first: whatever comes after it is found by the sweep, also when this process dies here.
        await self._objects.put_if_absent(_record(owner), encode(StaffPhoto(uploaded_by=by, uploaded_at=at)))
        await self._photos.keep(owner, 1, full, thumbnail)
        return photo_id(owner, 1)

    async def find(self, photo: str) -> StaffPhoto | None:
        """What is known of it; None for a report's photo, and for what is no photo."""
        match = _ID.fullmatch(photo)
        if match is None:
            return None
        owner = match["owner"]
        found = await self._objects.get(_attached(owner)) or await self._objects.get(_record(owner))
        return None if found is None else msgspec.json.decode(found, type=StaffPhoto)

    async def attach(self, photo: str, incident_id: str, by: str, now: datetime) -> bool:
        """Give it to an incident, for good; False when it may not be. The same once more is True."""
        match = _ID.fullmatch(photo)
        found = await self.find(photo)
        if match is None or found is None or not found.may_be_attached(incident_id, by, now):
            return False
        if found.incident_id is not None:
            return True
        attached = msgspec.structs.replace(found, incident_id=incident_id)
        if await self._objects.put_if_absent(_attached(match["owner"]), encode(attached)):
            return True
        first = await self.find(photo)
        return first is not None and first.incident_id == incident_id

    async def sweep(self, now: datetime) -> int:
        """Forget the photos that nobody has used within 48 h; answers how many they were."""
        count = 0
        for key in await self._objects.keys(_FOLDER):
            data = await self._objects.get(key)
            if data is None:
                continue  # another process sweeps too
            if now - msgspec.json.decode(data, type=StaffPhoto).uploaded_at < KEPT:
                continue
            owner = key.split("/")[1]
            if await self._objects.get(_attached(owner)) is None:
                await self._photos.erase(owner)
                count += 1
            # Last: as long as it is there, a sweep that was interrupted begins again.
            await self._objects.delete(f"{_FOLDER}/{owner}")
        return count


def _record(owner: str) -> str:
    return f"{_FOLDER}/{owner}/record"


def _attached(owner: str) -> str:
    return f"photos/{owner}/attached"
