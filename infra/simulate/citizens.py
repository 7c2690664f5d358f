"""Citizens: they see a scene and report it, some with photo or name, and some say whether the answer pleases them."""

import asyncio
import io
import uuid
from collections import deque
from random import Random
from typing import Final

import msgspec
from PIL import Image, ImageDraw

from infra.public_api import Api
from infra.simulate.city import City, Scene, near
from infra.simulate.day import Day, rhythm
from infra.simulate.texts import complaint, reporter
from schemas.vocabulary import Category

_SHARE_WITH_PHOTO: Final = 0.35
_SHARE_WITH_NAME: Final = 0.3
_SHARE_BY_ADDRESS: Final = 0.08
#: Tries of one report, with the same Idempotency-Key, before this citizen gives up.
_TRIES: Final = 5
#: Reports whose answer their citizens wait for; older ones are forgotten.
_FOLLOWED: Final = 300
_LOOK_EVERY_MIN: Final = 4.0
#: Who looks up the answer says whether it pleases, and seldom it does not.
_SHARE_WITH_FEEDBACK: Final = 0.5
_SHARE_NOT_SATISFIED: Final = 0.12
#: Nothing more comes after these.
_ANSWERED: Final = frozenset({"closed", "rejected", "transferred"})
#: Scenes that are there when the simulation begins, so that a new city is not empty.
_FIRST_SCENES: Final = 6

_SKY: Final = {Category.TRAFFIC_JAM: (92, 110, 132), Category.ILLEGAL_DUMPING: (120, 118, 88)}


def draw_photo(rng: Random, category: Category) -> bytes:
    """A small picture that stands for a photo: a street with boxes for cars or heaps. JPEG bytes."""
    image = Image.new("RGB", (640, 480), _SKY.get(category, (104, 112, 120)))
    pen = ImageDraw.Draw(image)
    pen.polygon([(220, 200), (420, 200), (640, 480), (0, 480)], fill=(60, 62, 66))
    for _ in range(14):
        x, y = rng.randrange(120, 520), rng.randrange(210, 440)
        size = 12 + (y - 200) // 5
        colour = tuple(rng.randrange(60, 230) for _ in range(3))
        if category is Category.ILLEGAL_DUMPING:
            pen.ellipse([x, y, x + size, y + size], fill=colour)
        else:
            pen.rectangle([x, y, x + size * 2, y + size], fill=colour)
    out = io.BytesIO()
    image.save(out, "JPEG", quality=70)
    return out.getvalue()


async def _report(api: Api, rng: Random, scene: Scene, codes: deque[str]) -> None:
    lat, lon = near(rng, scene.lat, scene.lon, 60)
    report: dict[str, object] = {"description": complaint(rng, scene.category, scene.spot.name)}
    if rng.random() < _SHARE_BY_ADDRESS:
        report["address"] = scene.spot.name
    else:
        report |= {"lat": lat, "lon": lon}
    if rng.random() < _SHARE_WITH_NAME:
        report["reporter"] = reporter(rng)
    with_photo = rng.random() < _SHARE_WITH_PHOTO
    photo = await asyncio.to_thread(draw_photo, rng, scene.category) if with_photo else None
    headers = {"Idempotency-Key": str(uuid.uuid4())}
    body = msgspec.json.encode(report)
    for _ in range(_TRIES):
        if photo is None:
            answer = await api.send(
                "POST", "/api/v1/reports", content=body, headers={**headers, "Content-Type": "application/json"}
            )
        else:
            answer = await api.send(
                "POST",
                "/api/v1/reports",
                headers=headers,
                files=[
                    ("report", (None, body, "application/json")),
                    ("photo", ("foto.jpg", photo, "image/jpeg")),
                ],
            )
        if answer is not None and answer.status_code == 202:
            codes.append(answer.json()["tracking_code"])
        if answer is not None and answer.status_code not in (429, 503):
            return


async def live(api: Api, city: City, rng: Random, day: Day, per_minute: float) -> None:
    """Report for ever, on average `per_minute` times a minute of ours, more in the rush hours and less at night; a
    scene begins whenever none is left unreported."""
    loop = asyncio.get_running_loop()
    codes: deque[str] = deque(maxlen=_FOLLOWED)
    for _ in range(_FIRST_SCENES):
        city.begin_scene(loop.time())
    async with asyncio.TaskGroup() as reports:
        reports.create_task(_judge(api, rng, day, codes))
        while True:
            scene = city.unreported(loop.time())
            if scene is None:
                city.begin_scene(loop.time())
                continue
            reports.create_task(_report(api, rng, scene, codes))
            await asyncio.sleep(rng.expovariate(per_minute * rhythm(day.hour) / 60))


async def _judge(api: Api, rng: Random, day: Day, codes: deque[str]) -> None:
    """Look up one's report now and then; once it is answered, some say whether they are satisfied."""
    while True:
        await day.sleep(_LOOK_EVERY_MIN)
        if not codes:
            continue
        code = codes.popleft()
        answer = await api.send("GET", f"/api/v1/reports/{code}")
        if answer is None or answer.status_code != 200 or answer.json()["status"] != "resolved":
            if answer is not None and answer.status_code == 200 and answer.json()["status"] not in _ANSWERED:
                codes.append(code)
            continue
        if rng.random() < _SHARE_WITH_FEEDBACK:
            said: dict[str, object] = {"satisfied": True}
            if rng.random() < _SHARE_NOT_SATISFIED:
                said = {"satisfied": False, "comment": "Belum beres, masih sama seperti kemarin"}
            await api.send("POST", f"/api/v1/reports/{code}/feedback", json=said)
