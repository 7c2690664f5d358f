"""Processes killed at their dangerous points, paused, told to end."""

import asyncio
from contextlib import aclosing
from random import Random
from typing import Final

from tests.faults.field import PATIENCE_S, Field
from tests.faults.process import Service
from tests.faults.reading import Reading
from tests.faults.scenario import Fault, Ground, Strike
from tests.faults.whole_city import WholeCity

INGEST_POINTS: Final = ("ingest.after_idempotency", "ingest.after_contact", "ingest.after_ack")
DISPATCHER_POINTS: Final = ("dispatcher.after_read", "dispatcher.in_transaction", "dispatcher.after_commit")
_RELAY_POINT: Final = "relay.after_ack"


def ingest_killed(*points: str) -> Strike:
    """kill -9 of ingest at each of the points in turn."""

    async def strike(field: Field, rng: Random) -> float:
        await field.stop(field.ingest)
        since = 0.0
        for point in points:
            await field.start(field.ingest, f"{point}=kill@{rng.randint(10, 30)}")
            since = await field.killed(field.ingest)
        await field.start(field.ingest)
        return since

    return strike


def dispatcher_killed(*points: str) -> Strike:
    """kill -9 of one of the two dispatchers at each of the points in turn."""

    async def strike(field: Field, rng: Random) -> float:
        victim = rng.choice(field.dispatchers)
        await field.stop(victim)
        since = 0.0
        for point in points:
            await field.start(victim, f"{point}=kill@{rng.randint(2, 8)}")
            since = await field.killed(victim)
        await field.start(victim)
        return since

    return strike


async def relay_killed(field: Field, rng: Random) -> float:
    """kill -9 of a dispatcher whose relay leads: Kafka has what it sent, the outbox does not know."""
    victim, other = rng.sample(field.dispatchers, 2)
    await asyncio.gather(field.stop(victim), field.stop(other))  # alone it leads
    await field.start(victim, f"{_RELAY_POINT}=kill@{rng.randint(2, 8)}")
    since = await field.killed(victim)
    await asyncio.gather(field.start(victim), field.start(other))
    return since


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


def told_to_end(which: str) -> Strike:
    """SIGTERM of the service under load: it ends by itself, with 0, and what was under way is finished."""

    async def strike(field: Field, rng: Random) -> float:
        since = asyncio.get_running_loop().time()
        service: Service = rng.choice(field.dispatchers) if which == "dispatcher" else getattr(field, which)
        code = await field.stop(service)
        if code != 0:
            field.load.surprises.append(f"{which} ended with {code} after SIGTERM:\n{service.tail()}")
        await field.start(service)
        return since

    return strike


async def clocks_killed(field: Field, rng: Random) -> float:
    """A dispatcher is killed while a deadline fires; clocks run a day ahead: what is resolved leaves at once."""
    ahead = {"PATRIOT_CLOCKS_AHEAD_S": "90000"}
    resolved = await _resolve(field, 12)
    first, second = field.dispatchers
    await asyncio.gather(field.stop(first), field.stop(second))
    await field.start(first, f"clocks.in_transaction=kill@{rng.randint(2, 8)}", **ahead)
    since = await field.killed(first)
    await asyncio.gather(field.start(first, **ahead), field.start(second, **ahead))
    async with Reading(field.dsn, field.bootstrap) as reading, asyncio.timeout(PATIENCE_S):
        while await reading.on_board(resolved):
            await asyncio.sleep(0.2)
    return since


async def _resolve(field: Field, count: int) -> list[str]:
    """An operator resolves incidents of the load; answers which."""
    found: dict[str, str] = {}
    async with Reading(field.dsn, field.bootstrap) as reading, asyncio.timeout(PATIENCE_S):
        while len(set(found.values())) < count:
            await asyncio.sleep(0.2)
            found = await reading.incidents_of([one.report_id for one in field.load.sent if one.alone])
    incidents = sorted(set(found.values()))[:count]
    async with aclosing(await field.operator()) as operator:
        for incident in incidents:
            version = (await operator.get(f"/api/v1/incidents/{incident}")).json()["version"]
            body = {"version": version, "note": "uji"}
            (await operator.post(f"/api/v1/incidents/{incident}/resolve", json=body)).raise_for_status()
    return incidents


async def slow_consumers(field: Field, rng: Random) -> None:
    """Both dispatchers get a tenth of their time."""
    until = asyncio.get_running_loop().time() + 12
    try:
        while asyncio.get_running_loop().time() < until:
            for service in field.dispatchers:
                field.pause(service)
            await asyncio.sleep(0.18)
            for service in field.dispatchers:
                field.wake(service)
            await asyncio.sleep(0.02)
    finally:
        for service in field.dispatchers:
            field.wake(service)


async def members_come_and_go(field: Field, rng: Random) -> None:
    """A third dispatcher joins, and leaves some seconds later, in good order or killed."""
    for number in range(3):
        third = field.new_dispatcher()
        try:
            await field.start(third)
            await asyncio.sleep(rng.uniform(0.5, 2.5))
            if number % 2:
                await field.stop(third)
        finally:
            third.kill()
        await asyncio.sleep(rng.uniform(0.5, 2.5))


async def everything_killed(field: Field, rng: Random) -> float:
    """kill -9 of `patriot up` and all that it had started, then `patriot up` again."""
    assert isinstance(field, WholeCity)
    since = asyncio.get_running_loop().time()
    field.kill_all()
    await field.up()
    return since


FAULTS: Final = [
    *(Fault(f"ingest killed {point.partition('.')[2]}", 3, ingest_killed(point)) for point in INGEST_POINTS),
    *(
        Fault(f"dispatcher killed {point.partition('.')[2]}", 15, dispatcher_killed(point))
        for point in DISPATCHER_POINTS
    ),
    Fault("relay killed between ack and mark", 5, relay_killed),
    Fault("desk killed", 5, kill_desk),
    Fault("feed killed", 5, kill_feed),
    Fault("clocks killed", 10, clocks_killed),
    Fault("zombie worker", 15, zombie_worker),
    Fault("zombie relay", 15, zombie_relay),
    Fault("consumers ten times slower", 10, slow_consumers),
    Fault("members come and go", 10, members_come_and_go),
    *(
        Fault(f"{which} told to end", goal, told_to_end(which))
        for which, goal in (("ingest", 3), ("dispatcher", 5), ("desk", 5))
    ),
    Fault("everything killed at once", 30, everything_killed, Ground.CITY),
]
