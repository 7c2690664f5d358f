"""One Kafka broker restarted, killed, paused, cut off, far away."""

import asyncio
import signal
from random import Random
from typing import Final

from tests.faults.field import Field
from tests.faults.scenario import Fault, Ground

#: Longer than a worker's session (2 s), a transaction's time-out (15 s) excepted.
_AWAY_S: Final = 5.0
#: Each way. A record needs two round trips and more: one to Kafka, one back, and the relay's transactions some more.
_DELAY_S: Final = 0.5
_DELAYED_S: Final = 15.0


async def restarted(field: Field, rng: Random) -> None:
    await field.stack.kafka.restart()


async def killed(field: Field, rng: Random) -> float:
    since = asyncio.get_running_loop().time()
    await field.stack.kafka.kill()
    await field.stack.kafka.start()
    return since


async def paused(field: Field, rng: Random) -> None:
    """SIGSTOP: connections stay open and nothing is answered, for longer than a worker's session."""
    child = field.stack.kafka.child
    assert child is not None
    child.send(signal.SIGSTOP)
    try:
        await asyncio.sleep(_AWAY_S)
    finally:
        child.send(signal.SIGCONT)


async def connections_cut(field: Field, rng: Random) -> None:
    """Every connection reset, several times in a row."""
    for _ in range(rng.randint(3, 6)):
        field.kafka_proxy.cut()
        await asyncio.sleep(rng.uniform(0.1, 0.8))


async def cut_off(field: Field, rng: Random) -> None:
    """The line is dead: nothing passes, nothing is reset."""
    field.kafka_proxy.stall()
    await asyncio.sleep(_AWAY_S)
    await field.kafka_proxy.heal()


async def far_away(field: Field, rng: Random) -> None:
    """Latency of 500 ms each way; reports sent meanwhile are taken all the same."""
    field.kafka_proxy.delay(_DELAY_S)
    begun = asyncio.get_running_loop().time()
    await asyncio.sleep(_DELAYED_S)
    taken = [sent for sent in field.load.sent if sent.began > begun]
    await field.kafka_proxy.heal()
    if not taken:
        field.load.surprises.append(f"with {_DELAY_S} s of latency to Kafka no report was taken in {_DELAYED_S} s")


FAULTS: Final = [
    Fault("kafka restarted", 10, restarted),
    Fault("kafka killed", 15, killed),
    Fault("kafka paused", 15, paused),
    Fault("kafka connections cut", 5, connections_cut, Ground.PROXIED),
    Fault("kafka cut off", 15, cut_off, Ground.PROXIED),
    Fault("kafka 500 ms away", 10, far_away, Ground.PROXIED),
]
