"""Keeps background tasks running: what fails is started again, with growing pauses."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

import structlog
from aiokafka.errors import KafkaError

from infra.metrics import RESTARTS
from infra.postgres import TRANSIENT, backoff

log = structlog.get_logger()

#: A task that ran this many seconds is well again: its next failure waits the shortest time.
_WELL_AFTER_S: Final = 30.0


async def pause(stop: asyncio.Event, seconds: float) -> None:
    """Wait that long, or until `stop` is set."""
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        pass


class Supervised:
    """One task, run again after it failed until it is time to stop."""

    def __init__(self, name: str, run: Callable[[asyncio.Event], Awaitable[None]]) -> None:
        self.name = name
        self._run = run
        #: Why it is not running right now; None while it is.
        self.trouble: str | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Run it until `stop` is set and it has come back."""
        RESTARTS.labels(self.name)
        delays = backoff()
        while not stop.is_set():
            began = time.monotonic()
            try:
                self.trouble = None
                await self._run(stop)
            except Exception as error:
                self.trouble = f"failed and is started again: {type(error).__name__}"
                RESTARTS.labels(self.name).inc()
                # A server that is away needs no story, everything else does.
                known = isinstance(error, (*TRANSIENT, KafkaError))
                log.warning("task_failed", task=self.name, error=type(error).__name__, exc_info=not known)
                if time.monotonic() - began > _WELL_AFTER_S:
                    delays = backoff()
                await pause(stop, next(delays))
