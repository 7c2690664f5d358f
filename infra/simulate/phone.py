"""An officer's phone: it may be out of reach, then it keeps what was tapped and sends it later, or dead."""

import asyncio
import uuid
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from infra.public_api import PASSING, Api
from infra.simulate.citizens import draw_photo
from infra.simulate.day import Day, now
from schemas.vocabulary import Category

#: Chances per look at the phone, and how long it lasts in minutes.
_OFFLINE_CHANCE: Final = 0.004
_OFFLINE_MIN: Final = 10.0
_DEAD_CHANCE: Final = 0.0015
_DEAD_MIN: Final = (15.0, 60.0)


@dataclass(frozen=True, slots=True)
class _Tap:
    path: str
    body: dict[str, object]
    key: str


class Phone:
    """What an officer taps reaches the city now or later, each tap once, with the time at which it was tapped."""

    def __init__(self, api: Api, rng: Random, day: Day) -> None:
        self._api = api
        self._rng = rng
        self._day = day
        self._waiting: deque[_Tap] = deque()
        self._back_at = 0.0

    async def look(self) -> None:
        """Take the phone out: it may just have died, or have lost the network for a while."""
        if self._rng.random() < _DEAD_CHANCE:
            await self._day.sleep(self._rng.uniform(*_DEAD_MIN))
        if self.online and self._rng.random() < _OFFLINE_CHANCE:
            self._back_at = self._day.hours + _OFFLINE_MIN / 60
        await self._send_waiting()

    @property
    def online(self) -> bool:
        """Whether there is a network."""
        return self._day.hours >= self._back_at

    async def be(self, status: str, lat: float, lon: float) -> None:
        """Tell one's presence and place; lost when there is no network, for the next one says it anew."""
        if self.online:
            body = {"status": status, "lat": lat, "lon": lon, "accuracy_m": 12, "at": now()}
            await self._api.send("PUT", "/api/v1/me/presence", json=body)

    async def assignments(self) -> Sequence[dict[str, Any]]:
        """What one is asked to do and does; empty when that cannot be read."""
        if not self.online:
            return []
        found = await self._api.items("/api/v1/assignments", status="offered,accepted,en_route,on_scene", limit=5)
        return [dict(one) for one in found]

    async def tap(self, assignment: dict[str, Any], verb: str, lat: float, lon: float, **more: object) -> bool:
        """A verb; whether it counts. Without a network it does until the city says otherwise."""
        path = f"/api/v1/assignments/{assignment['id']}/{verb}"
        self._waiting.append(_Tap(path, {"at": now(), "lat": lat, "lon": lon, **more}, str(uuid.uuid4())))
        return await self._send_waiting()

    async def photo(self, category: str) -> list[str]:
        """A photo of the place; its id, or nothing when it could not be sent."""
        if not self.online:
            return []
        picture = await asyncio.to_thread(draw_photo, self._rng, Category(category))
        answer = await self._api.send("POST", "/api/v1/photos", files={"photo": ("bukti.jpg", picture, "image/jpeg")})
        return [answer.json()["photo_id"]] if answer is not None and answer.status_code == 201 else []

    async def _send_waiting(self) -> bool:
        """In order; what the city refuses is dropped, what it could not take waits on. Whether all were taken."""
        good = True
        while self._waiting and self.online:
            tap = self._waiting[0]
            answer = await self._api.send("POST", tap.path, headers={"Idempotency-Key": tap.key}, json=tap.body)
            if answer is None or answer.status_code in PASSING:
                return good
            self._waiting.popleft()
            good = good and answer.status_code == 200
        return good
