"""Processes killed at their dangerous points, paused, told to end."""

import asyncio
from random import Random
from typing import Final

from tests.faults.field import Field
from tests.faults.process import Service
from tests.faults.scenario import Fault, Strike

_INGEST_POINTS: Final = ("ingest.after_idempotency", "ingest.after_contact", "ingest.after_ack")
_DISPATCHER_POINTS: Final = ("dispatcher.after_read", "dispatcher.in_transaction", "dispatcher.after_commit")
_RELAY_POINT: Final = "relay.after_ack"


def _at(points: tuple[str, ...], which: str) -> Strike:
    """Kill the one service of that name at each of the points in turn."""

    async def strike(field: Field, rng: Random) -> float:
        service: Service = getattr(field, which)
        await field.stop(service)
        since = 0.0
        for point in points:
            await field.start(service, f"{point}=kill@{rng.randint(10, 30)}")
            since = await field.killed(service)
        await field.start(service)
        return since

    return strike


def _dispatcher_at(points: tuple[str, ...]) -> Strike:
    """Kill one of the two dispatchers at each of the points in turn; for the relay's the one that leads."""

    async def strike(field: Field, rng: Random) -> float:
        since = 0.0
        for point in points:
            leader, other = await field.relay_leader()
            victim = leader if point == _RELAY_POINT else rng.choice((leader, other))
            if point == _RELAY_POINT:
                # alone: so it leads again, armed
                await field.stop(other)
            await field.stop(victim)
            await field.start(victim, f"{point}=kill@{rng.randint(2, 8)}")
            since = await field.killed(victim)
            await field.start(victim)
            if point == _RELAY_POINT:
                await field.start(other)
        return since

    return strike


async def kill_desk(field: Field, rng: Random) -> float:
    since = asyncio.get_running_loop().time()
    field.desk.kill()
    await field.start(field.desk)
    return since


async def kill_feed(field: Field, rng: Random) -> float:
    since = asyncio.get_running_loop().time()
    field.feed.kill()
    await field.start(field.feed)
    return since


#: From a SIGSTOP until everybody else has given it up: beyond the worker's session (2 s), and the relay's (10 s).
_WORKER_GONE_S, _RELAY_GONE_S = 5.0, 13.0


async def zombie_worker(field: Field, rng: Random) -> None:
    """A dispatcher that does not lead the relay is paused beyond its session, and wakes."""
    _, worker = await field.relay_leader()
    field.pause(worker)
    await asyncio.sleep(_WORKER_GONE_S)
    field.wake(worker)


async def zombie_relay(field: Field, rng: Random) -> None:
    """The relay that leads is paused until another one leads, and wakes."""
    leader, _ = await field.relay_leader()
    field.pause(leader)
    await asyncio.sleep(_RELAY_GONE_S)
    field.wake(leader)


FAULTS: Final = [
    *(Fault(f"ingest killed {point.partition('.')[2]}", 3, _at((point,), "ingest")) for point in _INGEST_POINTS),
    *(
        Fault(f"dispatcher killed {point.partition('.')[2]}", 15, _dispatcher_at((point,)))
        for point in _DISPATCHER_POINTS
    ),
    Fault("relay killed between ack and mark", 5, _dispatcher_at((_RELAY_POINT,))),
    Fault("desk killed", 5, kill_desk),
    Fault("feed killed", 5, kill_feed),
    Fault("zombie worker", 15, zombie_worker),
    Fault("zombie relay", 15, zombie_relay),
]
