"""Officers: on shift they are somewhere, take breaks, say yes or no, go there, work, and show what they have done."""

import math
from random import Random
from typing import Any, Final

from infra.simulate.city import SPOTS, metres_between, near
from infra.simulate.day import Day
from infra.simulate.phone import Phone
from infra.simulate.shift import Shift

#: Minutes between two looks at the phone while nothing is to be done, and between two positions on the way.
_LOOK_EVERY_MIN: Final = 1.7
_STEP_MIN: Final = 1.5
#: 20 km/h by road, which is 1.3 times the straight line: the same that the recommender assumes.
_METRES_PER_MIN: Final = 20_000 / 60 / 1.3
_THERE_M: Final = 40.0
_AT_WORK_MIN: Final = (8.0, 35.0)
_DECLINED: Final = 0.07
_REASONS: Final = ("Sedang menangani kejadian lain", "Kendaraan mogok", "Akses jalan tertutup")
_NO_ANSWER: Final = 0.03
_BREAK_CHANCE: Final = 0.006
_BREAK_MIN: Final = 30.0
_WITH_PHOTO: Final = 0.85
_NOTES: Final = ("Sudah ditangani di lokasi", "Selesai, lokasi bersih", "Arus sudah lancar kembali")


class Officer:
    """One officer and the place where they are."""

    def __init__(self, phone: Phone, rng: Random, day: Day, shift: Shift) -> None:
        self._phone = phone
        self._rng = rng
        self._day = day
        self._shift = shift
        home = rng.choice(SPOTS)
        self._lat, self._lon = near(rng, home.lat, home.lon, 1500)
        self._ignored: set[str] = set()

    async def work(self) -> None:
        """Day after day, for ever."""
        on_duty = False
        while True:
            await self._phone.look()
            if self._shift.into(self._day.hours) is None:
                if on_duty:
                    await self._phone.be("off_duty", self._lat, self._lon)
                on_duty = False
            else:
                on_duty = True
                await self._be_asked()
            await self._day.sleep(_LOOK_EVERY_MIN)

    async def _be_asked(self) -> None:
        if self._rng.random() < _BREAK_CHANCE:
            await self._phone.be("on_break", self._lat, self._lon)
            await self._day.sleep(_BREAK_MIN)
        await self._phone.be("available", self._lat, self._lon)
        for assignment in await self._phone.assignments():
            if assignment["id"] not in self._ignored:
                await self._serve(assignment)
        self._lat, self._lon = near(self._rng, self._lat, self._lon, 150)

    async def _serve(self, assignment: dict[str, Any]) -> None:
        if assignment["status"] == "offered" and not await self._answer(assignment):
            return
        incident = assignment["incident"]
        if assignment["status"] != "on_scene":
            await self._tap(assignment, "depart")
            if incident["lat"] is not None:
                await self._go_to(incident["lat"], incident["lon"])
            await self._tap(assignment, "arrive")
        await self._day.sleep(self._rng.uniform(*_AT_WORK_MIN))
        with_photo = self._rng.random() < _WITH_PHOTO
        photos = await self._phone.photo(incident["category"]) if with_photo else []
        await self._tap(assignment, "complete", note=self._rng.choice(_NOTES), photo_ids=photos)

    async def _answer(self, assignment: dict[str, Any]) -> bool:
        """Say yes, or no with a reason, or nothing at all; whether it was a yes that counts."""
        chance = self._rng.random()
        if chance < _NO_ANSWER:
            self._ignored.add(assignment["id"])
            return False
        if chance < _NO_ANSWER + _DECLINED:
            await self._tap(assignment, "decline", reason=self._rng.choice(_REASONS))
            return False
        return await self._tap(assignment, "accept")

    async def _go_to(self, lat: float, lon: float) -> None:
        while (far := metres_between((self._lat, self._lon), (lat, lon))) > _THERE_M:
            await self._day.sleep(_STEP_MIN)
            part = min(_STEP_MIN * _METRES_PER_MIN / far, 1.0)
            self._lat = round(self._lat + (lat - self._lat) * part, 5)
            self._lon = round(self._lon + (lon - self._lon) * part, 5)
            if math.isclose(part, 1.0):
                self._lat, self._lon = near(self._rng, lat, lon, _THERE_M / 2)
            await self._phone.be("available", self._lat, self._lon)
            await self._phone.look()

    async def _tap(self, assignment: dict[str, Any], verb: str, **more: object) -> bool:
        return await self._phone.tap(assignment, verb, self._lat, self._lon, **more)
