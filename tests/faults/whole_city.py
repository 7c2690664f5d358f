"""`patriot up` itself as a field: to be killed as a whole, and brought up again on what it had."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import httpx
import psutil

from infra.local.ports import find_free
from tests.city import City, start_city, stop_city
from tests.faults.field import PATIENCE_S, Field
from tests.faults.process import SECRET


class WholeCity(Field):
    """One process tree. It has addresses and a load like any field, and no handles of single services."""

    _city: City | None = None

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._options = ["--port", str(find_free("127.0.0.1")), "--feed-port", str(find_free("127.0.0.1"))]

    @property
    def bootstrap(self) -> str:
        return self._running.kafka_bootstrap

    @property
    def dsn(self) -> str:
        return self._running.postgres_dsn

    @property
    def reports_url(self) -> str:
        return self._running.base_url

    @property
    def desk_url(self) -> str:
        return self._running.base_url

    @property
    def feed_url(self) -> str:
        return self._running.feed_url

    async def up(self) -> None:
        """`patriot up`; comes back once it says that all is ready."""
        (self.folder / "ready.json").unlink(missing_ok=True)
        environment = {**os.environ, "PATRIOT_SECRET": SECRET}
        command = [sys.executable, "-m", "infra.local.cli"]
        self._city = await asyncio.to_thread(start_city, self.folder, command, environment, *self._options)
        self.device_key = self._city.device_api_key

    def kill_all(self) -> None:
        """kill -9 of the command and of everything that it has started, at once."""
        head = psutil.Process(self._running.process.pid)
        for process in [head, *head.children(recursive=True)]:
            try:
                process.send_signal(signal.SIGKILL)
            except psutil.NoSuchProcess:
                pass
        self._running.process.wait()

    async def whole(self) -> None:
        async with httpx.AsyncClient(timeout=5) as http, asyncio.timeout(PATIENCE_S):
            while True:
                try:
                    if (await http.get(f"{self.reports_url}/readyz")).status_code == 200:
                        return
                except httpx.HTTPError:
                    pass
                await asyncio.sleep(0.2)

    def trouble(self) -> str:
        return self._running.logs()

    @property
    def _running(self) -> City:
        assert self._city is not None, "not up yet"
        return self._city

    async def _bring_up(self) -> None:
        await self.up()

    async def _take_down(self) -> None:
        if self._city is not None and self._city.process.poll() is None:
            await asyncio.to_thread(stop_city, self._city)
