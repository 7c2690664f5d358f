"""PostgreSQL that is away: 503 in 3 s, no pile-up, and work goes on when it is back. A proxy stands in the way."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from schemas.vocabulary import Role
from tests.dispatcher.desk.office import PASSWORD, Office, Person, open_office


class Line:
    """A TCP proxy to PostgreSQL that can be stalled (nothing passes, nothing ends) and cut."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._passes = asyncio.Event()
        self._passes.set()
        self._writers: set[asyncio.StreamWriter] = set()
        self.refuses = False
        self.server: asyncio.Server | None = None

    async def open(self) -> int:
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port: int = self.server.sockets[0].getsockname()[1]
        return port

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.refuses:
            writer.close()
            return
        server_reader, server_writer = await asyncio.open_connection(*self._target)
        self._writers |= {writer, server_writer}
        await asyncio.gather(self._pass(reader, server_writer), self._pass(server_reader, writer))

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65_536):
                await self._passes.wait()
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()

    def stall(self) -> None:
        self._passes.clear()

    def cut(self) -> None:
        self.refuses = True
        for writer in self._writers:
            writer.close()

    def heal(self) -> None:
        self.refuses = False
        self._passes.set()

    async def close(self) -> None:
        self.heal()
        self.cut()
        if self.server:
            self.server.close()


@pytest.fixture
async def line(database: str) -> AsyncIterator[Line]:
    parts = urlsplit(database)
    opened = Line(str(parts.hostname), int(parts.port or 5432))
    yield opened
    await opened.close()


@pytest.fixture
async def far_office(database: str, line: Line, tmp_path: Path) -> AsyncIterator[Office]:
    """A desk whose line to PostgreSQL can fail."""
    parts = urlsplit(database)
    port = await line.open()
    dsn = database.replace(f":{parts.port}/", f":{port}/")
    async with open_office(dsn, tmp_path, desk_connections=3) as opened:
        yield opened
        line.heal()


async def ask_everything(person: Person, incident_id: str) -> list[tuple[int, float]]:
    async def ask(method: str, path: str, body: object = None) -> tuple[int, float]:
        start = time.perf_counter()
        answer = await person.http.request(method, f"/api/v1{path}", json=body)
        assert answer.status_code != 503 or int(answer.headers["retry-after"]) >= 1
        return answer.status_code, time.perf_counter() - start

    return await asyncio.gather(
        *(ask("GET", "/incidents") for _ in range(20)),
        *(ask("GET", f"/incidents/{incident_id}") for _ in range(10)),
        *(ask("POST", f"/incidents/{incident_id}/note", {"version": 99, "text": "x"}) for _ in range(10)),
        ask("POST", "/session", {"username": "nobody", "password": PASSWORD}),
        ask("GET", "/sensors"),
        ask("GET", "/assignments"),
    )


@pytest.mark.parametrize("fault", ["stall", "cut"])
async def test_everything_is_503_in_3_seconds_and_works_again_afterwards(
    far_office: Office, line: Line, fault: str
) -> None:
    operator = await far_office.staff(Role.OPERATOR)
    incident = await far_office.incident()
    assert {status for status, _ in await ask_everything(operator, incident["id"])} <= {200, 401, 409}
    getattr(line, fault)()
    for _ in range(1 if fault == "cut" else 2):
        answers = await ask_everything(operator, incident["id"])
        assert {status for status, _ in answers} == {503}
        assert max(seconds for _, seconds in answers) < 3.5
    ready = await operator.http.get("/readyz")
    assert ready.status_code == 503 and ready.json()["missing"] == {"postgres": "does not answer"}
    assert (await operator.http.get("/healthz")).status_code == 200
    line.heal()
    assert (await operator.http.get("/readyz")).status_code == 200
    assert {status for status, _ in await ask_everything(operator, incident["id"])} <= {200, 401, 409}


async def test_who_comes_on_top_of_a_full_house_is_told_at_once(far_office: Office, line: Line) -> None:
    operator = await far_office.staff(Role.OPERATOR)
    await operator.get("/incidents")
    line.stall()

    async def ask() -> float:
        start = time.perf_counter()
        answer = await operator.http.get("/api/v1/incidents")
        assert answer.status_code == 503
        return time.perf_counter() - start

    seconds = sorted(await asyncio.gather(*(ask() for _ in range(300))))
    assert seconds[100] < 1.5, "beyond 100 waiters nobody waits"


async def test_a_session_that_is_not_known_yet_waits_no_longer(far_office: Office, line: Line) -> None:
    name = await far_office.hire(Role.OPERATOR)
    somebody = await far_office.anyone()
    token = (await somebody.post("/session", username=name, password=PASSWORD))["token"]
    line.stall()
    start = time.perf_counter()
    stranger = await far_office.anyone(Authorization=f"Bearer {token}")
    answer = await stranger.http.get("/api/v1/me")
    assert answer.status_code == 503 and time.perf_counter() - start < 3.5


async def test_a_database_without_a_schema_is_not_ready(database: str, tmp_path: Path) -> None:
    async with open_office(database.rpartition("/")[0] + "/postgres", tmp_path) as office:
        ready = await (await office.anyone()).http.get("/readyz")
        assert ready.status_code == 503 and "patriot migrate" in ready.json()["missing"]["schema"]
        somebody = await office.anyone()
        await somebody.post("/session", 503, username="nobody", password=PASSWORD)
