"""Listens for wifi nodes that are no longer heard: what is not said must be noticed by somebody who looks."""

import asyncio
from typing import Final

from dispatcher import offset_store
from dispatcher.supervise import pause
from dispatcher.telemetry_intake import TelemetryIntake
from infra.postgres import Pool

#: Seconds between looks; a node is down after 300.
_LOOK_S: Final = 10.0


class Silence:
    """Looks for silent nodes. Any number of workers may run one: a node's row is locked while it is judged."""

    def __init__(self, pool: Pool, intake: TelemetryIntake) -> None:
        """`intake`: the very one that this process reads with, for it knows since when it has been listening."""
        self._pool = pool
        self._intake = intake

    async def run(self, stop: asyncio.Event) -> None:
        """Look until `stop` is set. Raises what PostgreSQL raises when it is away."""
        while not stop.is_set():
            await self.look()
            await pause(stop, _LOOK_S)

    async def look(self) -> int:
        """Judge the silence up to the time until which all readings are contained; returns how many nodes changed."""
        async with self._pool.acquire(timeout=5) as connection, connection.transaction():
            as_of = (await offset_store.oldest_as_of(connection)).get(self._intake.name)
            if as_of is None:
                return 0
            return await self._intake.sweep_silent_nodes(connection, as_of, await connection.fetchval("SELECT now()"))
