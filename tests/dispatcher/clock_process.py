"""The clocks alone in a process, until nothing is due: `python -m tests.dispatcher.clock_process DSN AHEAD_S MOST`."""

import asyncio
import sys
from datetime import timedelta

from dispatcher.clocks import Clocks
from infra.postgres import close_pool, open_pool


async def run(dsn: str, ahead_s: float, most: int) -> None:
    """Fire and sweep."""
    pool = await open_pool(dsn, application="clocks", size=2)
    clocks = Clocks(pool, ahead=timedelta(seconds=ahead_s))
    while await clocks.fire_due(most) + await clocks.fire_answer() + await clocks.sweep(most):
        pass
    await close_pool(pool)


if __name__ == "__main__":
    asyncio.run(run(sys.argv[1], float(sys.argv[2]), int(sys.argv[3])))
