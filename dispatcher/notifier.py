"""Tells people: makes notifications of moves, and sends them by every channel there is, none waiting for another."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final

import structlog

from dispatcher import metrics, notification_store, report_store
from dispatcher.delivery import LEASE, Delivery
from dispatcher.mailbox import Mailbox
from dispatcher.notify_settings import NotifySettings
from dispatcher.parcel import Channel
from dispatcher.supervise import pause
from dispatcher.teller import Teller
from dispatcher.web_push import WebPush
from infra.postgres import Pool

log = structlog.get_logger()

#: Seconds between looks while there is nothing to do.
_LOOK_S: Final = 1.0
_SWEEP_S: Final = 3600.0
_SWEPT_AT_ONCE: Final = 5_000


class Notifier:
    """Any number of workers may run one."""

    def __init__(self, pool: Pool, settings: NotifySettings, *, lease: timedelta = LEASE) -> None:
        self._pool = pool
        self._settings = settings
        self._lease = lease
        self._mailbox = Mailbox(settings.data_dir / "mailbox")
        self.teller = (
            Teller(pool, to_browsers=False)
            if settings.training
            else Teller(pool, settings.urls, to_mailbox=settings.notify_mailbox)
        )
        for channel in self.channels():
            for end in ("sent", "failed", "suppressed", "retried"):
                metrics.NOTIFICATIONS.labels(channel.name, end)

    def channels(self) -> list[Channel]:
        """Those that this city has; of a training city nothing leaves the machine, whatever it is told."""
        settings = self._settings
        if settings.training:
            return [self._mailbox]
        found: list[Channel] = [self._mailbox] if settings.notify_mailbox else []
        if settings.secret:
            contact = settings.public_url or "mailto:patriot@localhost"
            found.append(WebPush(settings.secret_bytes, settings.push_services, contact))
        return [*found, *settings.urls]

    def deliveries(self) -> list[Delivery]:
        """One for each channel; close them."""
        base_url = (self._settings.public_url or "").rstrip("/")
        return [Delivery(self._pool, one, base_url=base_url, lease=self._lease) for one in self.channels()]

    async def run(self, stop: asyncio.Event) -> None:
        """Tell until `stop` is set. Raises what PostgreSQL raises when it is away."""
        deliveries = self.deliveries()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(_again_and_again(self.teller.tell, stop))
                group.create_task(_again_and_again(self.sweep, stop, _SWEEP_S))
                group.create_task(_again_and_again(self._measure, stop, 10 * _LOOK_S))
                for delivery in deliveries:
                    group.create_task(_again_and_again(delivery.deliver, stop))
        except* Exception as errors:
            raise errors.exceptions[0] from None
        finally:
            for delivery in deliveries:
                delivery.close()

    async def sweep(self) -> int:
        """Forget what is past its time, and what was written to those who are not to be known any more."""
        days = self._settings.notification_days
        async with self._pool.acquire(timeout=5) as connection:
            await notification_store.give_up(connection)
            now: datetime = await connection.fetchval("SELECT now()")
            forgotten = await notification_store.forget(connection, now - timedelta(days=days), _SWEPT_AT_ONCE)
            kept = await asyncio.to_thread(self._mailbox.reports)
            gone = await report_store.without_contact(connection, kept)
        await asyncio.to_thread(self._mailbox.forget, gone)
        await asyncio.to_thread(self._mailbox.sweep, days)
        return int(forgotten == _SWEPT_AT_ONCE)

    async def _measure(self) -> int:
        async with self._pool.acquire(timeout=5) as connection:
            ages = await notification_store.waiting_age(connection)
        for channel in ("moves", *(one.name for one in self.channels())):
            metrics.NOTIFICATIONS_AGE.labels(channel).set(ages.get(channel, 0.0))
        return 0


async def _again_and_again(once: Callable[[], Awaitable[int]], stop: asyncio.Event, seconds: float = _LOOK_S) -> None:
    while not stop.is_set():
        if not await once():
            await pause(stop, seconds)
