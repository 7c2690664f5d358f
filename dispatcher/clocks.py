"""Fires what is due: each deadline once, late ones too, by PostgreSQL's clock and whichever worker is first."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Final

import msgspec
import structlog

from dispatcher import incident_store, metrics
from dispatcher.deadline_store import LEAVE_BOARD, Deadline, claim_next, leaves_board_at, postpone
from dispatcher.decisions.change import Change
from dispatcher.fault import Fault, fault_of
from dispatcher.supervise import pause
from infra import failpoints
from infra.postgres import Connection, Pool

log = structlog.get_logger()

#: Seconds between looks while nothing is due.
_LOOK_S: Final = 1.0
#: One that fails is tried again after this, so that it keeps no other waiting.
_POSTPONED: Final = timedelta(minutes=5)


async def leave_board(connection: Connection, deadline: Deadline) -> None:
    """The incident's row leaves the wall. It is no change of the incident: its version stays."""
    incident = (await incident_store.select_for_update(connection, [deadline.incident_id]))[deadline.incident_id]
    if leaves_board_at(incident) is None:
        return  # work goes on, or it has left
    await incident_store.save(connection, [Change(incident, msgspec.structs.replace(incident, on_board=False), ())])


#: What each kind of deadline does when it fires.
_FIRE: Final[Mapping[str, Callable[[Connection, Deadline], Awaitable[None]]]] = {LEAVE_BOARD: leave_board}


class Clocks:
    """Looks for deadlines. Any number of workers may run one."""

    def __init__(self, pool: Pool, *, ahead: timedelta = timedelta()) -> None:
        self._pool = pool
        self._ahead = ahead

    async def run(self, stop: asyncio.Event) -> None:
        """Fire deadlines until `stop` is set. Raises what PostgreSQL raises when it is away."""
        while not stop.is_set():
            if not await self.fire_next():
                await pause(stop, _LOOK_S)

    async def fire_next(self) -> bool:
        """Fire one deadline in one transaction; False when none is due."""
        deadline: Deadline | None = None
        try:
            async with self._pool.acquire(timeout=5) as connection, connection.transaction():
                deadline = await claim_next(connection, self._ahead)
                if deadline is None:
                    return False
                await _FIRE[deadline.kind](connection, deadline)
                failpoints.hit("clocks.in_transaction")
                late = await connection.fetchval("SELECT extract(epoch FROM now() - $1::timestamptz)", deadline.due_at)
        except Exception as error:
            if deadline is None or fault_of(error) is Fault.UNAVAILABLE:
                raise
            metrics.DEADLINES.labels(deadline.kind, "failed").inc()
            log.error("deadline_failed", kind=deadline.kind, incident=deadline.incident_id, error=type(error).__name__)
            async with self._pool.acquire(timeout=5) as connection:
                await postpone(connection, deadline, _POSTPONED)
            return True
        metrics.DEADLINES.labels(deadline.kind, "fired").inc()
        metrics.DEADLINE_DELAY.observe(max(float(late), 0.0))
        return True
