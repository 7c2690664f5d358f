"""Sends what waits for one channel: marked before, settled after, outside of any transaction.

A worker that is killed between the two leaves a message that may have arrived. A channel that takes ids gets it again
under the same id, which has no second effect; by any other it is not sent again, for a person who is told twice cannot
tell that from two events (infra/decisions/0029-one-message-per-move.md).
"""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

import structlog

from dispatcher import metrics, notification_store, policy_store, report_store, subscription_store
from dispatcher.decisions.notify_text import Said, words
from dispatcher.decisions.telling import try_again_after
from dispatcher.notification_store import Parcel, Part
from dispatcher.parcel import Address, Channel, Message, Outcome
from infra import failpoints
from infra.postgres import Connection, Pool

log = structlog.get_logger()

#: An attempt ends within this time or counts as lost with its worker; channels give up themselves long before.
LEASE: Final = timedelta(seconds=90)
_PATIENCE_S: Final = 60.0
_UNKNOWN: Final = "outcome unknown: the worker ended while sending"


class Delivery:
    """One channel's. Any number of workers may have one."""

    def __init__(self, pool: Pool, channel: Channel, *, base_url: str = "", lease: timedelta = LEASE) -> None:
        self.channel = channel
        self._pool = pool
        self._base_url = base_url
        self._lease = lease
        # Of its own: a channel that hangs keeps no other waiting.
        self._threads = ThreadPoolExecutor(channel.at_once, thread_name_prefix=f"notify-{channel.name}")

    def close(self) -> None:
        """Wait for nothing more."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def deliver(self) -> int:
        """Send some of what is due, and wait for the outcome; answers how many messages. Raises what PostgreSQL raises
        when it is away."""
        sent = 0
        for again in (True, False):
            async with self._pool.acquire(timeout=5) as connection, connection.transaction():
                parcels = await notification_store.claim(
                    connection, self.channel.name, self.channel.at_once, self._lease, again=again
                )
            results = await asyncio.gather(*(self._deliver(parcel) for parcel in parcels), return_exceptions=True)
            for result in results:
                if isinstance(result, BaseException):
                    raise result
            sent += len(parcels)
        return sent

    async def _deliver(self, parcel: Parcel) -> None:
        async with self._pool.acquire(timeout=5) as connection:
            if parcel.in_doubt and not self.channel.takes_ids:
                await self._end(connection, parcel, "failed", _UNKNOWN)
                return
            message = await self._message(connection, parcel)
        if message is None:
            return
        failpoints.hit("notifier.before_send")
        outcome = await self._send(message)
        if outcome is None:
            # It may still arrive: whoever finds it after the lease decides, as after a kill.
            return
        failpoints.hit("notifier.after_send")
        async with self._pool.acquire(timeout=5) as connection:
            for endpoint in outcome.gone:
                await subscription_store.gone(connection, endpoint)
            await self._settle(connection, parcel, outcome)

    async def _message(self, connection: Connection, parcel: Parcel) -> Message | None:
        """What is to be said of it by now, and to whom; None when that is nothing or nobody."""
        needless = dict(await notification_store.needless(connection, parcel.parts))
        parts = [part for part in parcel.parts if part.id not in needless]
        to = await _address(connection, parcel, parts) if parts else None
        if parts and to is None:
            needless |= {part.id: "no address any more" for part in parts}
        if needless:
            await notification_store.suppress(connection, needless)
            metrics.NOTIFICATIONS.labels(self.channel.name, "suppressed").inc(len(needless))
        if to is None:
            return None
        now: datetime = await connection.fetchval("SELECT now()")
        if parcel.give_up_at <= now:
            await self._end(connection, parcel, "failed", "given up: its time is over")
            return None
        language = await subscription_store.language_of(connection, _settings_of(parcel))
        notes = await notification_store.public_notes(connection, [one.move for one in parts if not one.assignment_id])
        said = [Said(one.template, one.fields, notes.get(one.move)) for one in parts]
        agencies = (await policy_store.live(connection)).agencies
        return Message(
            id=parcel.id,
            to=to,
            words=words(said, language, self._base_url, agencies),
            language=language,
            urgent=parcel.urgent,
            expires_s=max(int((parcel.give_up_at - now).total_seconds()), 60),
        )

    async def _send(self, message: Message) -> Outcome | None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(_PATIENCE_S):
                return await loop.run_in_executor(self._threads, self.channel.send, message)
        except TimeoutError:
            return None
        except Exception as error:
            # a library's own mistake is this message's, not the city's; its text may name addresses
            log.error("notification_failed", channel=self.channel.name, id=message.id, error=type(error).__name__)
            return Outcome(False, f"failed: {type(error).__name__}")

    async def _settle(self, connection: Connection, parcel: Parcel, outcome: Outcome) -> None:
        if outcome.delivered:
            await self._end(connection, parcel, "sent", outcome.came_back)
            return
        delay = try_again_after(parcel.attempts, outcome.retry_after)
        now: datetime = await connection.fetchval("SELECT now()")
        if outcome.final or now + delay >= parcel.give_up_at:
            await self._end(connection, parcel, "failed", outcome.came_back)
            log.warning("notification_given_up", channel=self.channel.name, id=parcel.id, why=outcome.came_back)
            return
        await notification_store.put_off(connection, parcel, delay, outcome.came_back)
        metrics.NOTIFICATIONS.labels(self.channel.name, "retried").inc(len(parcel.parts))

    async def _end(self, connection: Connection, parcel: Parcel, state: str, came_back: str) -> None:
        done = await notification_store.finish(connection, parcel, state, came_back)
        metrics.NOTIFICATIONS.labels(self.channel.name, state).inc(done)


def _settings_of(parcel: Parcel) -> str:
    code = parcel.parts[0].fields.tracking_code
    return subscription_store.of_code(code) if code and parcel.receiver.startswith("report:") else parcel.receiver


async def _address(connection: Connection, parcel: Parcel, parts: Sequence[Part]) -> Address | None:
    """How the receiver is reached by now. None for a reporter whose contact was erased and who takes no push."""
    kind, _, name = parcel.receiver.partition(":")
    subscriber = _settings_of(parcel)
    found = Address(
        parcel.receiver,
        subscriptions=tuple((await subscription_store.select(connection, [subscriber])).get(subscriber, ())),
    )
    if kind == "user":
        return found if await _may_sign_in(connection, name) else None
    if kind == "report":
        contact = await report_store.contact_of(connection, name)
        if contact is None:
            return found if found.subscriptions else None
        return replace(found, email=contact.email, phone=contact.phone)
    return found


async def _may_sign_in(connection: Connection, username: str) -> bool:
    there: bool = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM account WHERE username = $1 AND disabled_at IS NULL)", username
    )
    return there
