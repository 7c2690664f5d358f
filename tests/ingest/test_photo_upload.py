"""A photo that staff send: taken like a report's, nobody else's, and forgotten when it is not used."""

import io
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from PIL import Image

from infra.objects import Objects
from infra.photos import Photos, PhotoSize
from infra.staff_photos import ATTACHABLE, KEPT, StaffPhotos
from ingest.form import MAX_PHOTO_BYTES
from tests.ingest.intake import Sender, a_photo, is_refused

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
INCIDENT = "INC-0000000001"


async def send(sender: Sender, *photos: bytes, **parts: str) -> httpx.Response:
    files = [("photo", ("bukti.jpg", photo, "image/jpeg")) for photo in photos]
    return await sender.http.post("/api/v1/photos", files=files, data=parts)


@pytest.fixture
async def objects(tmp_path: Path) -> AsyncIterator[Objects]:
    opened = Objects(tmp_path)
    yield opened
    opened.close()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
async def test_a_photo_is_encoded_anew_and_known_as_its_senders(agent: Sender, kind: str) -> None:
    found = await send(agent, a_photo(kind, (3000, 1500)))
    assert found.status_code == 201, found.text
    [name] = found.json().keys()
    assert name == "photo_id"
    objects = Objects(agent.data_dir / "objects")
    kept = await Photos(objects).read(found.json()["photo_id"])
    thumbnail = await Photos(objects).read(found.json()["photo_id"], PhotoSize.THUMB)
    whose = await StaffPhotos(objects).find(found.json()["photo_id"])
    objects.close()
    assert kept and thumbnail and whose
    assert Image.open(io.BytesIO(kept)).format == "JPEG" and max(Image.open(io.BytesIO(kept)).size) == 2048
    assert (whose.uploaded_by, whose.incident_id) == ("cc-dewi", None)
    assert list((agent.data_dir / "uploads").glob("*")) == [], "what was sent does not stay behind"


async def test_only_staff_may_send_one(citizen: Sender, ingest: Sender) -> None:
    is_refused(await send(citizen, a_photo()), 401)
    is_refused(await send(ingest, a_photo()), 401)


async def test_what_is_not_one_photo_is_refused(agent: Sender) -> None:
    photo = a_photo()
    is_refused(await send(agent, b"<svg/>"), 415)
    is_refused(await send(agent, photo[: len(photo) // 2]), 422)
    is_refused(await send(agent, b""), 422)
    is_refused(await send(agent, photo, photo), 422)
    is_refused(await send(agent, photo, report="{}"), 422)
    is_refused(await send(agent, photo + b"x" * MAX_PHOTO_BYTES), 413)
    is_refused(await agent.http.post("/api/v1/photos", json={}), 415)
    is_refused(await agent.http.post("/api/v1/photos", files={"foto": b"x"}), 422)
    nothing = {"Content-Type": "multipart/form-data; boundary=b"}
    is_refused(await agent.http.post("/api/v1/photos", content=b"--b--\r\n", headers=nothing), 422)
    is_refused(await agent.http.get("/api/v1/photos"), 405)


async def test_the_document_tells_what_is_answered(agent: Sender) -> None:
    document = (await agent.http.get("/api/v1/openapi.json")).json()
    described = document["paths"]["/api/v1/photos"]["post"]
    assert {int(status) for status in described["responses"]} == {
        201, 400, 401, 403, 405, 408, 413, 415, 422, 429, 500, 503,
    }  # fmt: skip
    assert set(described["requestBody"]["content"]) == {"multipart/form-data"}
    assert document["components"]["schemas"]["PhotoKept"]["required"] == ["photo_id"]


async def test_a_photo_is_attached_once_and_by_its_sender_alone(objects: Objects) -> None:
    photos = StaffPhotos(objects)
    photo = await photos.keep("budi", NOW, b"full", b"thumb")
    assert not await photos.attach(photo, INCIDENT, "sari", NOW)
    assert await photos.attach(photo, INCIDENT, "budi", NOW)
    assert await photos.attach(photo, INCIDENT, "budi", NOW + timedelta(days=9)), "repeated by its sender"
    assert not await photos.attach(photo, "INC-0000000002", "budi", NOW)
    assert not await photos.attach(photo, INCIDENT, "sari", NOW)
    assert not await photos.attach("a" * 32 + "-1", INCIDENT, "budi", NOW)


async def test_what_nobody_used_is_forgotten_after_two_days_and_nothing_else(objects: Objects) -> None:
    photos, all_photos = StaffPhotos(objects), Photos(objects)
    old, used = [await photos.keep("budi", NOW, b"full", b"thumb") for _ in range(2)]
    young = await photos.keep("budi", NOW + timedelta(hours=1), b"full", b"thumb")
    await all_photos.keep("b" * 32, 1, b"full", b"thumb")
    assert await photos.attach(used, INCIDENT, "budi", NOW + ATTACHABLE - timedelta(seconds=1))
    assert not await photos.attach(old, INCIDENT, "budi", NOW + ATTACHABLE), "it may be swept any time now"
    assert await photos.sweep(NOW + KEPT - timedelta(seconds=1)) == 0
    assert await photos.sweep(NOW + KEPT) == 1
    assert await all_photos.read(old) is None and await photos.find(old) is None
    for kept in (used, young, "b" * 32 + "-1"):
        assert await all_photos.read(kept) == b"full" and await all_photos.read(kept, PhotoSize.THUMB) == b"thumb"
    assert await photos.sweep(NOW + KEPT) == 0
    found = await photos.find(used)
    assert found is not None and (found.uploaded_by, found.incident_id) == ("budi", INCIDENT)
    assert len(await objects.keys("uploads")) == 1, "the list to be swept holds only what is young"
