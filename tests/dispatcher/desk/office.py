"""The desk as its tests meet it: the real app on a real PostgreSQL, reports that became incidents, staff."""

import itertools
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import httpx
from fastapi import FastAPI

from dispatcher.desk import accounts, sessions
from dispatcher.desk.app import room
from dispatcher.desk.settings import DeskSettings
from dispatcher.effects import Message
from dispatcher.report_intake import ReportIntake
from dispatcher.telemetry_intake import TelemetryIntake
from infra import tracking_code
from infra.http import build_app
from infra.objects import Objects
from infra.postgres import Pool, close_pool, open_pool
from infra.staff_photos import StaffPhotos
from schemas.gazetteer import gazetteer
from schemas.place import AgencyRef
from schemas.vocabulary import Role
from tests.dispatcher.desk.openapi import Document
from tests.dispatcher.factories import SUMMARECON, a_message, a_report

Json = dict[str, Any]

SECRET: Final = "5e" * 32
PASSWORD: Final = "kata-sandi-ujian"
JAM: Final = "Macet total di depan mal, kendaraan tidak bergerak"
DUMPING: Final = "Ada tumpukan sampah liar di pinggir jalan, bau sekali"
_places = itertools.count()
_names = itertools.count(1)


def elsewhere() -> tuple[float, float]:
    """A point in Kota Bekasi where no other test has reported anything: 2 km from the last one."""
    n = next(_places)
    return -6.20 - (n % 5) * 0.018, 106.965 + (n // 5) * 0.0185 % 0.055


class Person:
    """Somebody with a client of the desk."""

    def __init__(self, http: httpx.AsyncClient, username: str = "") -> None:
        self.http = http
        self.username = username

    async def get(self, path: str, expect: int = 200, **parameters: Any) -> Any:
        """The JSON of `/api/v1{path}`, which must be answered with `expect`."""
        answer = await self.http.get(f"/api/v1{path}", params=parameters)
        assert answer.status_code == expect, answer.text
        return answer.json()

    async def post(self, path: str, expect: int = 200, *, key: str | None = None, **body: Any) -> Any:
        """The same for POST."""
        headers = {"Idempotency-Key": key} if key else {}
        answer = await self.http.post(f"/api/v1{path}", json=body, headers=headers)
        assert answer.status_code == expect, answer.text
        return answer.json()

    async def command(self, incident_id: str, verb: str, expect: int = 200, **body: Any) -> Json:
        """A verb with the version as it is now."""
        body.setdefault("version", (await self.get(f"/incidents/{incident_id}"))["version"])
        found: Json = await self.post(f"/incidents/{incident_id}/{verb}", expect, **body)
        return found

    async def be(self, status: str = "available", at: datetime | None = None, expect: int = 200, **where: Any) -> Json:
        """Tell one's presence."""
        moment = (at or datetime.now(UTC)).isoformat()
        answer = await self.http.put("/api/v1/me/presence", json={"status": status, "at": moment, **where})
        assert answer.status_code == expect, answer.text
        found: Json = answer.json()
        return found

    async def act(self, assignment: Json, verb: str, expect: int = 200, *, key: str | None = None, **body: Any) -> Json:
        """A verb on an assignment."""
        found: Json = await self.post(f"/assignments/{assignment['id']}/{verb}", expect, key=key, **body)
        return found


class Office:
    """The desk, opened, and what tests put before it."""

    def __init__(self, app: FastAPI, pool: Pool, data_dir: Path) -> None:
        self.app = app
        self.pool = pool
        self.data_dir = data_dir
        self._stack = AsyncExitStack()
        self._document = Document(app)
        self._intake = ReportIntake(gazetteer())

    async def anyone(self, address: str = "127.0.0.1", **headers: str) -> Person:
        """Somebody without a session, from an address."""
        transport = httpx.ASGITransport(app=self.app, raise_app_exceptions=False, client=(address, 40_000))
        client = httpx.AsyncClient(
            transport=transport,
            base_url="http://desk.test",
            headers=headers,
            event_hooks={"response": [self._document.holds]},
        )
        return Person(await self._stack.enter_async_context(client))

    async def hire(
        self, role: Role, agency: str | None = None, kecamatan: str | None = None, name: str | None = None
    ) -> str:
        """An account of this role; its username."""
        username = name or f"{role}-{next(_names)}"
        agencies = [AgencyRef.parse(agency)] if agency else []
        async with self.pool.acquire() as connection:
            await accounts.add(connection, accounts.account(username, role, agencies, kecamatan), PASSWORD)
        return username

    async def staff(self, role: Role, agency: str | None = None, kecamatan: str | None = None) -> Person:
        """Somebody of this role, signed in with a bearer token."""
        username = await self.hire(role, agency, kecamatan)
        async with self.pool.acquire() as connection:
            token = await sessions.open_session(connection, username)
        person = await self.anyone(Authorization=f"Bearer {token}")
        person.username = username
        return person

    async def officer(self, agency: str = "32.75/DISHUB", place: tuple[float, float] | None = SUMMARECON) -> Person:
        """An officer on duty at a place."""
        person = await self.staff(Role.OFFICER, agency)
        where: Json = {"lat": place[0], "lon": place[1]} if place else {}
        await person.be("available", **where)
        return person

    async def incident(self, text: str = JAM, place: tuple[float, float] | None = None, **fields: Any) -> Json:
        """The incident that a report becomes, as the dispatcher makes it; `code` is the report's."""
        code = tracking_code.new(bytes.fromhex(SECRET))
        where = {} if "address" in fields else {"place": place or elsewhere()}
        report = a_report(text, tracking_code=code, **{"submitted_at": datetime.now(UTC), **where, **fields})
        async with self.pool.acquire() as connection, connection.transaction():
            now = await connection.fetchval("SELECT now()")
            await self._intake.apply(connection, [a_message(report, now)], now)
            found = await connection.fetchval("SELECT incident_id FROM report WHERE id = $1", report.report_id)
        return {"id": found, "code": code, "report_id": report.report_id}

    async def readings(self, messages: Sequence[Message]) -> None:
        """What devices have sent, as the dispatcher takes it."""
        async with self.pool.acquire() as connection, connection.transaction():
            now = await connection.fetchval("SELECT now()")
            await TelemetryIntake(gazetteer()).apply(connection, messages, now)

    async def staff_photo(self, username: str, ago: timedelta = timedelta()) -> str:
        """A photo that this person has sent, not used yet; its id."""
        objects = Objects(self.data_dir / "objects")
        kept = await StaffPhotos(objects).keep(
            username, datetime.now(UTC) - ago, b"\xff\xd8\xff full", b"\xff\xd8\xff thumb"
        )
        objects.close()
        return kept

    async def forget_everything(self) -> None:
        """An office on its first day: no incidents, no officers. Other accounts stay."""
        tables = (
            "assignment_history, assignment, offering, shift, officer, incident_history, incident_decision,"
            " incident_evidence, feedback, report_move, report, deadline, sensor, wifi_node, incident, outbox,"
            " command_receipt"
        )
        # DELETE, for TRUNCATE of small tables is ten times slower.
        await self.pool.execute("; ".join(f"DELETE FROM {table.strip()}" for table in tables.split(",")))

    async def close(self) -> None:
        await self._stack.aclose()


@asynccontextmanager
async def open_office(dsn: str, data_dir: Path, **settings: Any) -> AsyncIterator[Office]:
    """The app as `patriot desk` builds it, with its lifespan."""
    made = DeskSettings(secret=SECRET, postgres_dsn=dsn, data_dir=data_dir, **settings)
    app = build_app([room(made)])
    pool = await open_pool(dsn, application="test", size=4)
    office = Office(app, pool, data_dir)
    try:
        async with app.router.lifespan_context(app):
            yield office
    finally:
        await office.close()
        await close_pool(pool)
