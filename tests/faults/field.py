"""The system under fire: Kafka, PostgreSQL and every service as a process of its own, each to be hurt by its handle."""

import asyncio
import itertools
import signal
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

import asyncpg
import httpx

from dispatcher.desk import accounts, device_keys
from infra import tickets
from infra.access import DeviceScope
from infra.local.ports import find_free
from infra.local.stack import Stack
from infra.migrate import migrate
from infra.tickets import Viewer
from infra.topics_admin import ensure_topics
from schemas.vocabulary import Role
from tests.faults.process import SECRET, Service
from tests.faults.proxy import Proxy

if TYPE_CHECKING:
    from tests.faults.load import Load

#: For whatever has to come up or go down, on a machine that others use too.
PATIENCE_S: Final = 240.0
_PASSWORD: Final = "petugas-Bekasi-2026"
_OPERATOR: Final = "poc-rina"

#: A short session, so that a dead worker is missed soon; small batches, so that there are many dangerous points.
_TOLD: Final = {
    "PATRIOT_SESSION_TIMEOUT_MS": "2000",
    "PATRIOT_MAX_BATCH": "40",
    "PATRIOT_ANONYMOUS_REPORTS_PER_MINUTE": "0",
    "PATRIOT_WRONG_CODES_PER_MINUTE": "100000",
}


class Field:
    """`async with Field(folder) as field`: everything is up and ready. One field serves many scenarios in a row.

    Handles: `ingest`, `desk`, `feed`, `dispatchers` (two) are `process.Service`; `stack.kafka` and `stack.postgres`
    have `start`, `stop`, `kill`, `restart`. With `proxied` the services reach Kafka and PostgreSQL through
    `kafka_proxy` and `postgres_proxy`; what the harness itself asks goes by `bootstrap` and `dsn`, never through them.
    """

    #: Reports are flushed by the one broker; where there are several, copied.
    one_broker = True

    def __init__(self, folder: Path, *, proxied: bool = False) -> None:
        self.folder = folder
        self.proxied = proxied
        self.stack = Stack(folder / "stack")
        self.kafka_proxy = Proxy()
        self.postgres_proxy = Proxy()
        #: Numbers of places that no report was at yet.
        self.places: Iterator[int] = itertools.count()
        #: What is being sent while a fault strikes; set by `scenario.run`.
        self.load: Load
        self._rooms = AsyncExitStack()

    # where things are ------------------------------------------------------------------------------------------------

    @property
    def bootstrap(self) -> str:
        """Kafka, as the harness reaches it."""
        return self.stack.kafka.bootstrap

    @property
    def dsn(self) -> str:
        """PostgreSQL, as the harness reaches it."""
        return self.stack.postgres.dsn

    @property
    def reports_url(self) -> str:
        """Base URL of ingest."""
        return self.ingest.url

    @property
    def desk_url(self) -> str:
        """Base URL of the desk."""
        return self.desk.url

    @property
    def feed_url(self) -> str:
        """The WebSocket."""
        return self.feed.url.replace("http", "ws") + "/"

    @property
    def services(self) -> list[Service]:
        """Every process of ours."""
        return [self.ingest, self.desk, self.feed, *self.dispatchers]

    # life ------------------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            await self._bring_up()
        except BaseException:
            await self._take_down()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._take_down()

    async def _bring_up(self) -> None:
        self.stack.data.path.mkdir(exist_ok=True)  # ports are kept there
        if self.proxied:
            listener = find_free("127.0.0.1")
            self.kafka_proxy.target = listener
            self.stack.kafka.extra_settings |= _proxied_listener(
                self.stack.ports.take("kafka"), self.stack.ports.take("kafka_controller"), listener, self.kafka_proxy
            )
        await self._rooms.enter_async_context(self.stack)
        self.postgres_proxy.target = int(self.dsn.rpartition(":")[2].partition("/")[0])
        if self.proxied:
            await self._rooms.enter_async_context(self.kafka_proxy)
            await self._rooms.enter_async_context(self.postgres_proxy)
        await migrate(self.dsn)
        await ensure_topics(self.bootstrap, embedded=self.one_broker)
        await self._employ()
        environment = self.environment
        make = {
            "ingest": "PATRIOT_PORT", "desk": "PATRIOT_PORT", "feed": "PATRIOT_FEED_PORT",
        }  # fmt: skip
        self.ingest, self.desk, self.feed = (
            Service(name, self.folder, variable, environment) for name, variable in make.items()
        )
        self.dispatchers = [self.new_dispatcher(), self.new_dispatcher()]
        await asyncio.gather(*(self.start(service) for service in self.services))

    async def _take_down(self) -> None:
        for service in (service for name in ("ingest", "desk", "feed") if (service := getattr(self, name, None))):
            service.kill()
        for service in getattr(self, "dispatchers", []):
            service.kill()
        await self._rooms.aclose()

    async def _employ(self) -> None:
        connection = await asyncpg.connect(self.dsn)
        try:
            self.device_key = await device_keys.add(connection, "field", list(DeviceScope))
            await accounts.add(connection, accounts.account(_OPERATOR, Role.OPERATOR, []), _PASSWORD)
        finally:
            await connection.close()

    @property
    def environment(self) -> Mapping[str, str]:
        """What every service here is told."""
        kafka, postgres = self.bootstrap, self.dsn
        if self.proxied:
            kafka = f"127.0.0.1:{self.kafka_proxy.port}"
            postgres = postgres.replace(f":{self.postgres_proxy.target}/", f":{self.postgres_proxy.port}/")
        return {
            **_TOLD,
            "PATRIOT_KAFKA_BOOTSTRAP": kafka,
            "PATRIOT_POSTGRES_DSN": postgres,
            "PATRIOT_DATA_DIR": str(self.folder / "data"),
        }

    def new_dispatcher(self) -> Service:
        """One more, not started; whoever makes it ends it."""
        return Service("dispatcher", self.folder, "PATRIOT_DISPATCHER_PORT", self.environment)

    # verbs -----------------------------------------------------------------------------------------------------------

    async def start(self, service: Service, failpoints: str = "", **environment: str) -> None:
        """Start a service and wait until it is ready; `failpoints` as in `infra.failpoints`."""
        await asyncio.to_thread(service.start, failpoints, PATIENCE_S, environment)

    async def killed(self, service: Service) -> float:
        """Wait until it has killed itself at its fail point; answers when (the loop's clock)."""
        await asyncio.to_thread(service.wait_killed, PATIENCE_S)
        return asyncio.get_running_loop().time()

    async def stop(self, service: Service) -> int:
        """SIGTERM, and wait for the end; answers its exit code."""
        return await asyncio.to_thread(service.terminate, PATIENCE_S)

    def pause(self, service: Service) -> None:
        """SIGSTOP."""
        service.send(signal.SIGSTOP)

    def wake(self, service: Service) -> None:
        """SIGCONT."""
        service.send(signal.SIGCONT)

    async def relay_leader(self) -> tuple[Service, Service]:
        """The dispatcher whose relay leads, and the other one. Waits until one does."""
        async with httpx.AsyncClient(timeout=5, verify=False) as http, asyncio.timeout(PATIENCE_S):
            while True:
                for leader, other in itertools.permutations(self.dispatchers, 2):
                    metrics = (await http.get(f"{leader.url}/metrics")).text
                    if 'patriot_dispatcher_relay_leads{shard="0"} 1.0' in metrics:
                        return leader, other
                await asyncio.sleep(0.2)

    async def whole(self) -> None:
        """Everything is up and ready again; started where it is not running."""
        for server in self.stack.servers:
            if server.child is None or server.child.returncode is not None:
                await server.start()
        await asyncio.gather(*(self.start(service) for service in self.services if not service.runs))
        await asyncio.gather(*(asyncio.to_thread(service.wait_ready, PATIENCE_S) for service in self.services))

    def trouble(self) -> str:
        """The ends of all logs, for a run that failed."""
        return "\n".join(f"--- {service.name} (runs: {service.runs})\n{service.tail()}" for service in self.services)

    async def operator(self) -> httpx.AsyncClient:
        """A client of the desk with an operator's session; the caller closes it."""
        http = httpx.AsyncClient(base_url=self.desk_url, timeout=30, verify=False)
        answer = await http.post("/api/v1/session", json={"username": _OPERATOR, "password": _PASSWORD})
        answer.raise_for_status()
        http.cookies.clear()
        http.headers["Authorization"] = f"Bearer {answer.json()['token']}"
        return http

    async def ticket(self) -> str:
        """An operator's ticket for the feed, signed by us: the desk may be what is being hurt."""
        viewer = Viewer(role=Role.OPERATOR, subject=_OPERATOR)
        return tickets.issue(bytes.fromhex(SECRET), viewer, datetime.now(UTC))[0]


def _proxied_listener(port: int, controller: int, listener: int, proxy: Proxy) -> dict[str, str]:
    """A second listener, whose clients are told that it is where the proxy is."""
    return {
        "listeners": f"PLAINTEXT://127.0.0.1:{port},PROXIED://127.0.0.1:{listener},CONTROLLER://127.0.0.1:{controller}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port},PROXIED://127.0.0.1:{proxy.port},"
        f"CONTROLLER://127.0.0.1:{controller}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT",
    }
