"""A city in the middle of its day, so that a picture of the wall shows what it is for."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from types import TracebackType
from typing import Final, Self

from infra.simulate.citizens import draw_photo
from schemas.vocabulary import Category
from tests.city import City
from tests.people import Gateway, Json, Staff

#: What a citizen writes, and where: far from every other test's places.
_REPORTS: Final = (
    ("Macet total arah Summarecon, sudah setengah jam", -6.2257, 107.0009),
    ("Macet di depan stasiun, angkot ngetem dua lajur", -6.2361, 106.9994),
    ("Macet parah, truk mogok di tengah jalan", -6.2846, 106.9123),
    ("Kendaraan padat merayap, lampu merah mati, macet", -6.3092, 106.9246),
    ("Macet panjang di pasar, parkir liar di badan jalan", -6.2622, 107.0560),
    ("Macet total di gerbang kawasan, kontainer melintang", -6.2820, 107.1480),
    ("Macet, antrean panjang sampai bundaran", -6.3350, 107.1360),
    ("Tumpukan sampah liar di pinggir jalan, bau busuk", -6.3455, 106.9960),
    ("Buang sampah sembarangan di bantaran, sudah menumpuk", -6.2930, 107.0330),
    ("Sampah liar menumpuk di lahan kosong", -6.3420, 107.0390),
    ("Banjir setinggi lutut, mobil tidak bisa lewat", -6.3010, 106.9860),
    ("Banjir di perumahan, air setinggi lutut", -6.1740, 107.0130),
    ("Jalan berlubang besar, bahaya untuk motor", -6.2700, 107.2530),
    ("Jalan rusak parah, aspal terkelupas", -6.3190, 107.0800),
    ("Lampu jalan mati, gelap sekali", -6.3620, 106.9850),
    ("PJU padam sepanjang jalan sudah tiga hari", -6.2480, 106.9420),
    ("Wifi publik mati dari kemarin, tidak bisa connect", -6.2383, 106.9926),
)
#: Name, what others read, agency, and where they are.
_OFFICERS: Final = (
    ("potret-budi", "Budi Santoso", "32.75/DISHUB", -6.2180, 107.0190),
    ("potret-agus", "Agus Permana", "32.16/DISHUB", -6.3050, 107.1600),
    ("potret-sari", "Sari Wulandari", "32.75/DLH", -6.3230, 106.9660),
    ("potret-joko", "Joko Susilo", "32.75/BPBD", -6.2700, 106.9790),
)
#: Which report is whose, and how far it is.
_WORK: Final = ((0, 0, ("accept", "arrive")), (5, 1, ("accept",)), (7, 2, ("accept", "arrive")), (10, 3, ()))
_PRIORITIES: Final = ((0, "critical"), (5, "critical"), (10, "critical"), (2, "high"), (11, "high"))
#: Two ends of roads with sensors, and how many; km/h in turn.
_ROADS: Final = (((-6.2490, 106.9540), (-6.3080, 107.2130), 13), ((-6.1930, 106.9890), (-6.3560, 107.0120), 8))
_SPEEDS: Final = (44.0, 34.0, 21.0, 12.5, 7.0, 18.0, 46.0, 39.0, 48.0, 27.0, 42.0)
_WIFI: Final = ((-6.2010, 107.0290), (-6.2640, 106.9540), (-6.3060, 107.0190), (-6.2480, 107.1210), (-6.3480, 107.1690))


@dataclass
class LivingCity:
    """Reports, readings and officers; on leaving, the officers have done their work and go home."""

    city: City
    gateway: Gateway
    operator: Staff
    officers: list[Staff] = field(default_factory=list)
    incidents: list[str] = field(default_factory=list)

    async def __aenter__(self) -> Self:
        await asyncio.gather(*(asyncio.to_thread(self._hire, *officer[:3]) for officer in _OFFICERS))
        for name, _, _, lat, lon in _OFFICERS:
            officer = await Staff(self.city, name, self.city.staff_password).__aenter__()
            self.officers.append(officer)
            await officer.be_at(lat, lon)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for officer in self.officers:
            for assignment in await _assignments(officer):
                for verb, words in (("accept", {}), ("arrive", {}), ("complete", {"note": "Beres", "photo_ids": []})):
                    await officer.act(assignment, verb, **words)
            *_, lat, lon = next(known for known in _OFFICERS if known[0] == officer.username)
            await officer.be_at(lat, lon, status="off_duty")
            await officer.__aexit__(kind, error, trace)

    async def go_about_its_day(self) -> None:
        """Everything that the picture shows."""
        await self._read_devices()
        photo = draw_photo(Random(7), Category.TRAFFIC_JAM)
        receipts = await asyncio.gather(
            *(
                self.gateway.report(text, *([photo] if number % 4 == 0 else []), lat=lat, lon=lon)
                for number, (text, lat, lon) in enumerate(_REPORTS)
            )
        )
        for receipt in receipts:
            self.incidents.append((await self.gateway.tracked(receipt["tracking_code"]))["incident_id"])
        for number, priority in _PRIORITIES:
            await self.operator.command(self.incidents[number], "triage", priority=priority)
        for number, officer, verbs in _WORK:
            await self.operator.command(self.incidents[number], "assign", officer_id=self.officers[officer].username)
            assignment = await self.officers[officer].assignment_for(self.incidents[number])
            for verb in verbs:
                assert (await self.officers[officer].act(assignment, verb)).status_code == 200

    def _hire(self, name: str, display_name: str, agency: str) -> None:
        done = self.city.patriot(
            "user", "add", name, "--display-name", display_name, "--role", "officer", "--agency", agency,
            "--data-dir", str(self.city.data_dir), "--password-stdin", stdin=self.city.staff_password + "\n",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr

    async def _read_devices(self) -> None:
        now = datetime.now(UTC).isoformat()
        readings: list[Json] = []
        for road, (start, end, count) in enumerate(_ROADS):
            for number in range(count):
                part = number / (count - 1)
                where = {
                    "lat": round(start[0] + (end[0] - start[0]) * part, 5),
                    "lon": round(start[1] + (end[1] - start[1]) * part, 5),
                }
                speed = {"speed_kmh": _SPEEDS[number % len(_SPEEDS)], "observed_at": now}
                readings.append({"kind": "traffic", "sensor_id": f"potret-{road}-{number}", **speed, **where})
        for number, (lat, lon) in enumerate(_WIFI):
            state = {"state": "up", "clients": 11 * number, "observed_at": now}
            readings.append({"kind": "wifi", "node_id": f"potret-{number}", **state, "lat": lat, "lon": lon})
        assert (await self.gateway.send(readings))["rejected"] == []


async def _assignments(officer: Staff) -> list[Json]:
    answer = await officer.http.get("/api/v1/assignments", params={"status": "offered,accepted,en_route,on_scene"})
    assert answer.status_code == 200, answer.text
    items: list[Json] = answer.json()["items"]
    return items
