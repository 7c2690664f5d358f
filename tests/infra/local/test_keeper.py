"""What dies is started again, each time after a longer wait, and a trouble at its start is no end."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

from infra.local import process
from infra.local.keeper import Keeper
from infra.local.trouble import Trouble


class Sleeper:
    """A real process that does nothing; its next starts fail as often as it is told."""

    name = "sleeper"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.child: process.Child | None = None
        self.failures = 0

    async def start(self) -> None:
        if self.failures:
            self.failures -= 1
            raise Trouble("No room.")
        place = self._folder / "sleeper"
        self.child = process.start(process.Command("sleeper", ["sleep", "60"], place, place.with_suffix(".json"), {}))

    async def stop(self) -> None:
        if self.child is not None:
            await self.child.stop(1)


async def test_what_dies_is_started_again_after_ever_longer_waits(tmp_path: Path) -> None:
    def delays() -> Iterator[float]:
        yield from (0.01, 0.02, 0.03, 0.04)

    sleeper, said, back = Sleeper(tmp_path), list[str](), asyncio.Event()
    await sleeper.start()
    first = sleeper.child
    assert first is not None
    keeping = asyncio.ensure_future(Keeper(sleeper, said.append, back.set, delays).run())
    sleeper.failures = 2
    first.kill()
    await asyncio.wait_for(back.wait(), 10)
    keeping.cancel()
    second = sleeper.child
    assert second is not None
    assert second.pid != first.pid
    assert second.returncode is None
    assert said == [
        "sleeper was ended by SIGKILL; starting it again in 0.01 s.",
        "sleeper did not start (No room); starting it again in 0.02 s.",
        "sleeper did not start (No room); starting it again in 0.03 s.",
        "sleeper runs again.",
    ]
    await sleeper.stop()
