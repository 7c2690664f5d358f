"""All faults there are, in the order in which they strike."""

from importlib import import_module
from random import Random
from typing import Final

from tests.faults.field import Field
from tests.faults.scenario import Fault

_ROOMS: Final = (
    "process_faults",
    "message_faults",
    "replay_faults",
    "kafka_faults",
    "three_brokers",
    "postgres_faults",
    "feed_faults",
    "machine_faults",
)


def in_turn(name: str, *faults: Fault) -> Fault:
    """One fault that is all of these, one after the other, each when the one before is over."""

    async def strike(field: Field, rng: Random) -> float | None:
        since = None
        for fault in faults:
            await field.whole()
            since = await fault.strike(field, rng)
        return since

    return Fault(name, max(fault.goal_s for fault in faults), strike)


def collect() -> list[Fault]:
    """Every fault of every file; each file has its own in `FAULTS`."""
    found: list[Fault] = []
    for room in _ROOMS:
        try:
            found += import_module(f"tests.faults.{room}").FAULTS
        except ModuleNotFoundError:
            continue
    names = [fault.name for fault in found]
    assert len(set(names)) == len(names), "two faults have one name"
    return found
