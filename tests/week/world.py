"""What happens in the simulated week, one event after the other by their times, and the clocks in between."""

import heapq
import itertools
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, Final

from dispatcher.clocks import Clocks
from dispatcher.report_intake import ReportIntake
from infra import tracking_code
from infra.objects import Objects
from infra.postgres import Pool
from infra.simulate.city import MIX, near
from infra.simulate.day import rhythm
from infra.simulate.texts import complaint
from infra.staff_photos import StaffPhotos
from schemas.gazetteer import gazetteer
from schemas.vocabulary import Category
from tests.dispatcher.factories import a_message, a_report
from tests.week import clock
from tests.week.people import REGENCIES, Json, Officer, Staff, roster, spots_of

MINUTE: Final = timedelta(minutes=1)
#: Between two looks of those at desks.
_LOOK: Final = 30 * MINUTE
_WITNESSES: Final = (1, 1, 2, 3, 4)
#: Kabupaten has more people, and POC more of Kota's reports.
_KOTA_SHARE: Final = 0.6
_CROWD: Final = "Kerumunan warga di {spot}, jalan tertutup orang"
_CROWD_SHARE: Final = 0.05
#: What only a person can make something of, and what it turns out to be.
_VAGUE: Final = "Tolong ada masalah di {spot}, mohon dicek petugas"
_VAGUE_SHARE: Final = 0.05
_VAGUE_TRUTH: Final = Category.ROAD_DAMAGE
_OUTSIDE: Final = (-6.1754, 106.8272)
_OUTSIDE_SHARE: Final = 0.01
_ACCEPTED, _DECLINED = 0.87, 0.08
_OFFLINE_SHARE: Final = 0.1
#: Verbs beside the usual way, as shares of what an operator looks at.
_HELD, _PASSED_ON, _REROUTED = 0.04, 0.02, 0.6
_NOT_SATISFIED: Final = 0.06

Act = Callable[[datetime], Awaitable[None]]


class World:
    """The week. `run` it; what it has done is counted in `done`."""

    def __init__(self, pool: Pool, staff: Staff, secret: bytes, data_dir: Path, rng: Random, begin: datetime) -> None:
        self.codes: dict[str, str] = {}
        self.done: Counter[str] = Counter()
        self._pool = pool
        self._staff = staff
        self._secret = secret
        self._photos = StaffPhotos(Objects(data_dir / "objects"))
        self._rng = rng
        self._begin = begin
        self._intake = ReportIntake(gazetteer())
        self._clocks = Clocks(pool)
        self._events: list[tuple[datetime, int, Act]] = []
        self._order = itertools.count()
        #: The true category of what was written, by report.
        self._truth: dict[str, Category] = {}
        self._held: set[str] = set()
        self._judged: deque[str] = deque()

    def at(self, when: datetime, act: Act) -> None:
        """Let something happen then."""
        heapq.heappush(self._events, (when, next(self._order), act))

    async def run(self, reports: int, days: int, longest: timedelta) -> None:
        """Report `reports` times in `days`, and work on until all are answered, `longest` after that at most."""
        await self._prepare(reports, days)
        end = self._begin + timedelta(days=days)
        while self._events:
            due = await self._pool.fetchval("SELECT min(due_at) FROM deadline WHERE fired_at IS NULL")
            if due is not None and due <= self._events[0][0]:
                await self._fire(due)
                continue
            when, _, act = heapq.heappop(self._events)
            await clock.move(self._pool, when)
            await act(when)
            await self._hand_out(when)
            if when > end and not await self._pool.fetchval(
                "SELECT EXISTS (SELECT FROM incident WHERE status <> ALL($1))",
                ["resolved", "closed", "rejected", "transferred", "merged"],
            ):
                return
            assert when < end + longest, "the city does not come to an end with its work"

    async def _prepare(self, reports: int, days: int) -> None:
        staff, begin = self._staff, self._begin
        await clock.move(self._pool, begin - timedelta(hours=1))
        answer = await staff.supervisor.http.post(
            "/api/v1/shifts/import", content=roster(staff, begin, days * 4), headers={"Content-Type": "text/csv"}
        )
        assert answer.status_code == 200, answer.text
        put = await staff.supervisor.http.put(
            "/api/v1/staffing", json={"lines": [{"agency": "DISHUB", "automatic": True}], "why": "minggu simulasi"}
        )
        assert put.status_code == 200, put.text
        for day in range(days * 4):
            for one in staff.officers.values():
                start = begin + timedelta(days=day, hours=8 * one.crew)
                self.at(start + MINUTE * self._rng.uniform(0, 10), self._comes(one))
                self.at(start + timedelta(hours=8), self._leaves(one))
        for n in range(int(timedelta(days=days * 4) / _LOOK)):
            self.at(begin + n * _LOOK, self._look)
        self._plan_reports(reports, days)

    def _plan_reports(self, reports: int, days: int) -> None:
        planned = 0
        while planned < reports:
            hour = self._rng.choices(range(24), [rhythm(h) for h in range(24)])[0]
            start = self._begin + timedelta(
                days=self._rng.randrange(days), hours=hour, minutes=self._rng.uniform(0, 60)
            )
            category = self._rng.choices([c for c, _ in MIX], [w for _, w in MIX])[0]
            regency = REGENCIES[0] if self._rng.random() < _KOTA_SHARE else REGENCIES[1]
            spot = self._rng.choice(spots_of(regency))
            lat, lon = near(self._rng, spot.lat, spot.lon, 1200)
            if self._rng.random() < _OUTSIDE_SHARE:
                lat, lon = _OUTSIDE
            chance = self._rng.random()
            for _ in range(min(self._rng.choice(_WITNESSES), reports - planned)):
                text, truth = complaint(self._rng, category, spot.name), category
                if chance < _CROWD_SHARE:
                    text, truth = _CROWD.format(spot=spot.name), Category.CROWDING
                elif chance < _CROWD_SHARE + _VAGUE_SHARE:
                    text, truth = _VAGUE.format(spot=spot.name), _VAGUE_TRUTH
                when = start + MINUTE * self._rng.uniform(0, 15)
                self.at(when, self._report(text, truth, near(self._rng, lat, lon, 60)))
                planned += 1

    async def _fire(self, due: datetime) -> None:
        """Let run out what is due by then. Whoever is asked by that answers before the next clock does."""
        await clock.move(self._pool, due)
        while await self._clocks.fire_due() + await self._clocks.fire_answer():
            pass
        await self._hand_out(due)

    # Citizens ------------------------------------------------------------------------------------------------------

    def _report(self, text: str, truth: Category, place: tuple[float, float]) -> Act:
        async def act(now: datetime) -> None:
            code = tracking_code.new(self._secret)
            report = a_report(text, tracking_code=code, submitted_at=now, place=place)
            async with self._pool.acquire() as connection, connection.transaction():
                await self._intake.apply(
                    connection, [a_message(report, now)], await connection.fetchval("SELECT now()")
                )
            self.codes[report.report_id] = code
            self._truth[report.report_id] = truth
            if self._rng.random() < _NOT_SATISFIED:
                self.at(now + timedelta(hours=self._rng.uniform(6, 60)), self._judge(code))

        return act

    def _judge(self, code: str) -> Act:
        async def act(now: datetime) -> None:
            tracked = await self._staff.citizen.get(f"/reports/{code}")
            if tracked["can_reopen"]:
                await self._staff.citizen.post(f"/reports/{code}/feedback", satisfied=False, comment="Belum beres")
                self.done["reopened"] += 1

        return act

    # Desks ---------------------------------------------------------------------------------------------------------

    async def _look(self, now: datetime) -> None:
        """Operators and dispatchers go through what waits for them."""
        page = await self._staff.operator.get("/incidents", status="triage,routed", limit=500)
        for incident in page["items"]:
            if incident["status"] == "triage":
                await self._triage(incident)
            else:
                await self._send(incident, now)

    async def _triage(self, incident: Json) -> None:
        operator = self._staff.operator
        whole = await operator.get(f"/incidents/{incident['id']}")
        truth = next((self._truth[one["report_id"]] for one in whole["reports"]), Category.OTHER)
        if truth is Category.OTHER:
            await self._say(operator, incident, "reject", reason="Bukan kejadian untuk dinas")
        else:
            await self._say(operator, incident, "triage", category=truth)

    async def _send(self, incident: Json, now: datetime) -> None:
        agency = f"{incident['regency']}/{incident['agency']}"
        dispatcher, first = self._staff.dispatchers[agency], incident["id"] not in self._held
        chance = self._rng.random()
        self._held.add(incident["id"])
        if first and chance < _HELD:
            until = (now + timedelta(hours=3)).isoformat()
            await self._say(dispatcher, incident, "hold", reason="waiting_for_outside_body", until=until)
        elif first and chance < _HELD + _PASSED_ON:
            await self._say(dispatcher, incident, "transfer", to="PLN", reason="Kabel milik PLN")
        elif first and incident["category"] == "flood" and chance < _REROUTED:
            await self._say(dispatcher, incident, "reroute", agency="BPBD", reason="Perlu perahu")
        elif incident["agency"] != "DISHUB" or not first:
            await self._say(dispatcher, incident, "assign")

    async def _say(self, who: Any, incident: Json, verb: str, **body: Any) -> None:
        done = await who.say(incident, verb, **body)
        self.done[verb if done["status_code"] == 200 else f"{verb} refused"] += 1

    # Officers ------------------------------------------------------------------------------------------------------

    def _comes(self, one: Officer) -> Act:
        async def act(now: datetime) -> None:
            await one.be("available", now)

        return act

    def _leaves(self, one: Officer) -> Act:
        async def act(now: datetime) -> None:
            if await one.be("off_duty", now) == 409:
                self.at(now + 15 * MINUTE, self._leaves(one))

        return act

    async def _hand_out(self, now: datetime) -> None:
        """Whoever is asked hears it, and answers some seconds later, or has a phone that is dead."""
        rows = await self._pool.fetch("SELECT id, officer, incident_id FROM assignment WHERE status = 'offered'")
        for row in rows:
            one = self._staff.officers[row["officer"]]
            if row["id"] not in one.told:
                one.told.add(row["id"])
                chance, after = self._rng.random(), timedelta(seconds=self._rng.uniform(15, 90))
                if chance < _ACCEPTED:
                    self.at(now + after, self._accept(one, row["id"], row["incident_id"]))
                elif chance < _ACCEPTED + _DECLINED:
                    self.at(now + after, self._decline(one, row["id"]))

    def _decline(self, one: Officer, assignment: str) -> Act:
        async def act(now: datetime) -> None:
            self.done["decline"] += await one.tap(assignment, "decline", now, reason="Kendaraan mogok")

        return act

    def _accept(self, one: Officer, assignment: str, incident_id: str) -> Act:
        async def act(now: datetime) -> None:
            if one.at_work:
                self.done["decline"] += await one.tap(assignment, "decline", now, reason="Sedang di kejadian lain")
                return
            if not await one.tap(assignment, "accept", now):
                self.done["accept refused"] += 1
                return
            self.done["accept"] += 1
            one.at_work = True
            self.at(now + MINUTE * self._rng.uniform(4, 20), self._arrive(one, assignment, incident_id))

        return act

    def _arrive(self, one: Officer, assignment: str, incident_id: str) -> Act:
        async def act(now: datetime) -> None:
            place = await self._pool.fetchrow("SELECT lat, lon FROM incident WHERE id = $1", incident_id)
            if place and place["lat"] is not None:
                one.lat, one.lon = near(self._rng, place["lat"], place["lon"], 25)
            # without a network the phone sends it later, with the time at which it was tapped
            sent = now + 10 * MINUTE if self._rng.random() < _OFFLINE_SHARE else now
            self.at(sent, self._tap(one, assignment, "arrive", now))
            self.at(sent + MINUTE * self._rng.uniform(8, 35), self._complete(one, assignment))

        return act

    def _tap(self, one: Officer, assignment: str, verb: str, tapped: datetime) -> Act:
        async def act(_: datetime) -> None:
            self.done[verb] += await one.tap(assignment, verb, tapped)

        return act

    def _complete(self, one: Officer, assignment: str) -> Act:
        async def act(now: datetime) -> None:
            photos = []
            if self._rng.random() < 0.5:
                photos = [await self._photos.keep(one.username, now, b"\xff\xd8\xff full", b"\xff\xd8\xff thumb")]
            self.done["complete"] += await one.tap(assignment, "complete", now, note="Selesai", photo_ids=photos)
            one.at_work = False

        return act
