"""Starts again what dies: after 1 s, then twice as long each time, 30 s at most."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable, Iterator
from typing import Protocol

from infra.local.process import Child
from infra.local.trouble import Trouble
from infra.postgres import backoff

#: Seconds after which a process that ran counts as having been well: the next delay is the first again.
_WELL_AFTER = 60.0


class Startable(Protocol):
    """A server or service that can be started again."""

    name: str
    child: Child | None

    async def start(self) -> None:
        """Start it; Trouble or OSError when it cannot be."""

    async def stop(self) -> None:
        """Stop it in good order."""


class Keeper:
    """Keeps one `thing` running until the task of `run` is cancelled; it must be running when `run` begins."""

    def __init__(
        self,
        thing: Startable,
        say: Callable[[str], None],
        on_restart: Callable[[], None],
        delays: Callable[[], Iterator[float]] = lambda: backoff(first=1.0, most=30.0),
    ) -> None:
        self.thing = thing
        #: How often it has died.
        self.deaths = 0
        self._say = say
        self._on_restart = on_restart
        self._delays = delays

    async def run(self) -> None:
        """Never comes back."""
        delays = self._delays()
        started = time.monotonic()
        trouble = ""
        while True:
            if not trouble and self.thing.child is not None:
                trouble = how_it_ended(await self.thing.child.wait())
            self.deaths += 1
            if time.monotonic() - started > _WELL_AFTER:
                delays = self._delays()
            delay = next(delays)
            self._say(f"{self.thing.name} {trouble}; starting it again in {delay:g} s.")
            await asyncio.sleep(delay)
            started = time.monotonic()
            try:
                await self.thing.start()
            except Trouble as error:
                trouble = f"did not start ({error.message.rstrip('.')})"
            except OSError as error:
                trouble = f"did not start ({error})"
            else:
                trouble = ""
                self._say(f"{self.thing.name} runs again.")
                self._on_restart()


def how_it_ended(code: int) -> str:
    """An exit code in words."""
    if code >= 0:
        return f"ended with {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"
