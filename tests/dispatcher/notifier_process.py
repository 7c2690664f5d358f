"""The notifier alone in a process, until everything is told: `python -m tests.dispatcher.notifier_process DSN DIR`."""

import asyncio
import sys
from datetime import timedelta
from pathlib import Path

from dispatcher.notifier import Notifier
from dispatcher.notify_settings import NotifySettings
from infra.postgres import Pool, close_pool, open_pool

SECRET = "5e" * 32
#: Messages that a killed process has left are taken up after this.
LEASE = timedelta(seconds=1.5)


def notifier(pool: Pool, dsn: str, data_dir: Path, **settings: object) -> Notifier:
    """One as the dispatcher has it, whose marks lapse sooner."""
    made = NotifySettings(secret=SECRET, postgres_dsn=dsn, data_dir=data_dir, **settings)  # type: ignore[arg-type]
    return Notifier(pool, made, lease=LEASE)


async def tell_everything(pool: Pool, one: Notifier) -> None:
    """Tell and send until nothing waits that is due, nor is on its way."""
    deliveries = one.deliveries()
    try:
        while True:
            done = await one.teller.tell() + sum([await each.deliver() for each in deliveries])
            left = await pool.fetchval(
                "SELECT (SELECT count(*) FROM notification_move WHERE try_after <= now())"
                " + (SELECT count(*) FROM notification"
                "    WHERE state = 'waiting' AND send_after <= now() OR state = 'sending')"
            )
            if not done and not left:
                return
            await asyncio.sleep(0.05)
    finally:
        for each in deliveries:
            each.close()


async def run(dsn: str, data_dir: Path) -> None:
    """All of it."""
    pool = await open_pool(dsn, application="notifier", size=8)
    await tell_everything(pool, notifier(pool, dsn, data_dir))
    await close_pool(pool)


if __name__ == "__main__":
    asyncio.run(run(sys.argv[1], Path(sys.argv[2])))
