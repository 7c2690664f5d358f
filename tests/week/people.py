"""The staff of a whole city for a week: who there is, and how each of them works, through the desk's API."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any, Final

import httpx
from fastapi import FastAPI

from dispatcher.desk import accounts, sessions
from infra.postgres import Pool
from infra.simulate.city import SPOTS, Spot, near
from schemas.place import AgencyRef
from schemas.vocabulary import Role

Json = dict[str, Any]

#: Officers of each agency, in Kota and in Kabupaten: seven agencies, both governments, sixty officers.
OFFICERS: Final[Mapping[str, tuple[int, int]]] = {
    "DISHUB": (10, 6),
    "DLH": (7, 5),
    "DBMSDA": (6, 4),
    "SATPOL_PP": (4, 3),
    "PJU": (3, 2),
    "DISKOMINFO": (3, 2),
    "BPBD": (3, 2),
}
REGENCIES: Final = ("32.75", "32.16")
#: The spots of Kota come first in the list; this is the first of Kabupaten.
_FIRST_OF_KABUPATEN: Final = 14
_SHIFT: Final = timedelta(hours=8)
#: Beyond every week that is simulated.
_SESSION: Final = timedelta(days=90)


def spots_of(regency: str) -> tuple[Spot, ...]:
    """Places of one of the two governments."""
    return SPOTS[:_FIRST_OF_KABUPATEN] if regency == REGENCIES[0] else SPOTS[_FIRST_OF_KABUPATEN:]


@dataclass
class Person:
    """Somebody with a session."""

    username: str
    http: httpx.AsyncClient

    async def get(self, path: str, **parameters: Any) -> Json:
        """What is answered with 200."""
        answer = await self.http.get(f"/api/v1{path}", params=parameters)
        assert answer.status_code == 200, f"{self.username} {path}: {answer.status_code} {answer.text}"
        found: Json = answer.json()
        return found

    async def post(self, path: str, *, key: str | None = None, expect: tuple[int, ...] = (200,), **body: Any) -> Json:
        """What is answered with one of `expect`; `status_code` is in it."""
        headers = {"Idempotency-Key": key} if key else {}
        answer = await self.http.post(f"/api/v1{path}", json=body, headers=headers)
        assert answer.status_code in expect, f"{self.username} {path}: {answer.status_code} {answer.text}"
        return {**answer.json(), "status_code": answer.status_code}

    async def say(self, incident: Json, verb: str, **body: Any) -> Json:
        """A verb on an incident as it was read; 409 where somebody was faster or nobody can be asked."""
        path = f"/incidents/{incident['id']}/{verb}"
        return await self.post(path, expect=(200, 409), version=incident["version"], **body)


@dataclass
class Officer(Person):
    """One who goes there."""

    agency: str
    #: Which third of the day is theirs.
    crew: int
    lat: float
    lon: float
    #: Assignments they have been told of.
    told: set[str] = field(default_factory=set)
    #: Has said yes and is not done yet: one thing at a time.
    at_work: bool = False
    #: Why what they tapped did not count.
    refusals: list[str] = field(default_factory=list)

    async def be(self, status: str, at: datetime) -> int:
        """Say one's presence and place; the status of the answer (409 while at work)."""
        body = {"status": status, "at": at.isoformat(), "lat": self.lat, "lon": self.lon, "accuracy_m": 10}
        answer = await self.http.put("/api/v1/me/presence", json=body)
        assert answer.status_code in (200, 409), answer.text
        return answer.status_code

    async def tap(self, assignment: str, verb: str, at: datetime, **body: Any) -> bool:
        """A verb on an assignment; False for one that was taken back meanwhile."""
        key, place = f"{assignment}/{verb}", {"lat": self.lat, "lon": self.lon}
        done = await self.post(
            f"/assignments/{assignment}/{verb}", key=key, expect=(200, 409), at=at.isoformat(), **place, **body
        )
        if done["status_code"] == 409:
            self.refusals.append(done["detail"])
        return bool(done["status_code"] == 200)


@dataclass
class Staff:
    """Everybody."""

    supervisor: Person
    operator: Person
    #: By `32.75/DLH`.
    dispatchers: dict[str, Person]
    officers: dict[str, Officer]
    citizen: Person


async def hire(app: FastAPI, pool: Pool, rng: Random) -> Staff:
    """Make all accounts and sign all in, for longer than the week is."""

    async def signed_in(username: str, role: Role, agency: str | None = None) -> httpx.AsyncClient:
        agencies = [AgencyRef.parse(agency)] if agency else []
        async with pool.acquire() as connection:
            await accounts.add(connection, accounts.account(username, role, agencies), "kata-sandi-ujian")
            token = await sessions.open_session(connection, username)
            await connection.execute(
                "UPDATE session SET expires_at = expires_at + $2::interval WHERE username = $1", username, _SESSION
            )
        return _client(app, {"Authorization": f"Bearer {token}"})

    staff = Staff(
        Person("kepala", await signed_in("kepala", Role.SUPERVISOR)),
        Person("operator", await signed_in("operator", Role.OPERATOR)),
        {},
        {},
        Person("", _client(app, {})),
    )
    for code, numbers in OFFICERS.items():
        for regency, number in zip(REGENCIES, numbers, strict=True):
            agency = f"{regency}/{code}"
            name = f"{code.lower().replace('_', '-')}-{regency[-2:]}"
            staff.dispatchers[agency] = Person(name, await signed_in(name, Role.DISPATCHER, agency))
            for n in range(number):
                username, home = f"{name}-{n + 1}", rng.choice(spots_of(regency))
                client = await signed_in(username, Role.OFFICER, agency)
                staff.officers[username] = Officer(
                    username, client, agency, n % 3, *near(rng, home.lat, home.lon, 1500)
                )
    return staff


def _client(app: FastAPI, headers: Mapping[str, str]) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://desk.test", headers=dict(headers), timeout=60)


def roster(staff: Staff, begin: datetime, days: int) -> str:
    """The roster file of the week: each officer one shift of eight hours a day."""
    lines = ["officer_id,starts_at,ends_at"]
    for day in range(days):
        for one in staff.officers.values():
            start = begin + timedelta(days=day) + one.crew * _SHIFT
            lines.append(f"{one.username},{start.isoformat()},{(start + _SHIFT).isoformat()}")
    return "\n".join(lines) + "\n"
