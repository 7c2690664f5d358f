"""Shift leads: they keep the roster, take up what nobody has taken, and hand over to each other."""

from collections.abc import Mapping
from datetime import UTC, datetime
from random import Random
from typing import Final

from infra.public_api import Api
from infra.simulate.day import Day
from infra.simulate.desk import Desk
from infra.simulate.shift import Shift

_LOOK_EVERY_MIN: Final = 5.0
#: Hours between two hand-overs.
_WATCH_H: Final = 8.0
#: Shorter than this is not put on the roster any more.
_LEAST_H: Final = 0.25


class Lead(Desk):
    """One of the leads; they take turns."""

    def __init__(
        self, api: Api, rng: Random, day: Day, username: str, roster: Mapping[str, Shift], leads: tuple[str, ...]
    ) -> None:
        """`leads` are the usernames of all, in their turn."""
        super().__init__(api, rng, day, username)
        self._roster = roster
        self._leads = leads

    async def work(self) -> None:
        """For ever: on watch the roster and what is late, off watch nothing but what was handed over."""
        put: set[tuple[str, int]] = set()
        watch: int | None = None
        while True:
            number = int(self.day.hours / _WATCH_H)
            mine = self._leads[number % len(self._leads)] == self.username
            if mine:
                await self._take_over()
                await self._keep_roster(put)
                await self._take_up()
            elif watch is not None and watch != number and self._leads[watch % len(self._leads)] == self.username:
                taker = self._leads[number % len(self._leads)]
                await self.api.send("POST", "/api/v1/handovers", json={"taker": taker, "note": "Serah terima jaga"})
            watch = number
            await self.day.sleep(_LOOK_EVERY_MIN)

    async def _take_over(self) -> None:
        for handover in await self.api.items("/api/v1/handovers", limit=5):
            if handover["taker"] == self.username and handover["taken_at"] is None:
                await self.api.send("POST", f"/api/v1/handovers/{handover['id']}/take", json={"remark": "Diterima"})

    async def _keep_roster(self, put: set[tuple[str, int]]) -> None:
        """Put on the roster who begins now."""
        for username, shift in self._roster.items():
            passed = shift.into(self.day.hours)
            key = (username, shift.number(self.day.hours))
            if passed is None or key in put or shift.length - passed < _LEAST_H:
                continue
            begin = datetime.now(UTC)
            ends = begin + self.day.real(shift.length - passed)
            body = {"officer_id": username, "starts_at": begin.isoformat(), "ends_at": ends.isoformat()}
            answer = await self.api.send("POST", "/api/v1/shifts", json=body)
            if answer is not None and answer.status_code in (201, 409):  # another lead was faster
                put.add(key)

    async def _take_up(self) -> None:
        """What is late and with nobody: ask around once more; what is critical is told to the citizen too."""
        for incident in await self.incidents(status="routed", overdue="true"):
            if not await self.say(incident, "assign"):
                continue
            if incident["priority"] == "critical":
                fresh = await self.read(incident)
                if fresh is not None:
                    await self.say(fresh, "note", text="Kepala regu sudah mengambil alih.", public=True)
