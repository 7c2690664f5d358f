"""Fires what is due: each deadline once, late ones too, by PostgreSQL's clock and whichever worker is first.

What a clock says is an entry of the incident's history, written in the transaction that marks the deadline as fired,
and goes out as `id.bekasi.incident.changed.v1` through the outbox: `due_soon`, `overdue` and `escalated` with the
clock and who is to be told in the detail (`escalation.climb`), `closed`, `resumed`, `rescheduled`. Whoever notifies
reads them there and needs no clock of its own.
"""

import asyncio
from datetime import datetime, timedelta
from typing import Final

import msgspec
import structlog

from dispatcher import deadline_store, incident_store, metrics, offers, policy_store
from dispatcher.deadline_store import ANSWER, HOLD_ENDS, LEAVE_BOARD, Claimed, Deadline, leaves_board_at
from dispatcher.decisions import incident_verbs_hold
from dispatcher.decisions.change import Change
from dispatcher.decisions.escalation import ACTOR, climb, close_by_time, rescheduled
from dispatcher.decisions.incident import Incident
from dispatcher.decisions.policy import Policy
from dispatcher.fault import Fault, fault_of
from dispatcher.supervise import pause
from infra import failpoints
from infra.postgres import Connection, Pool
from schemas.vocabulary import ClockKind, IncidentStatus

log = structlog.get_logger()

#: Seconds between looks while nothing is due.
_LOOK_S: Final = 1.0
#: Seconds between looks for incidents whose due times follow from an older policy.
_SWEEP_S: Final = 5.0
#: One that fails is tried again after this, so that it keeps no other waiting.
_POSTPONED: Final = timedelta(minutes=5)
#: Deadlines, and incidents of a sweep, in one transaction: it holds their rows, and who commands one waits for it.
_MOST: Final = 200
#: Transactions side by side while there are very many: ours and PostgreSQL's work overlap.
_LANES: Final = 3


def fire(incident: Incident, deadline: Deadline, claimed: Claimed, policy: Policy) -> Change | None:
    """What a deadline of any kind but `answer` means for its incident as it is now; None when that is nothing."""
    if deadline.kind == LEAVE_BOARD:
        # No change of the incident: its version stays. Work may go on, or the row has left.
        gone = leaves_board_at(incident) is not None
        return Change(incident, msgspec.structs.replace(incident, on_board=False), ()) if gone else None
    if deadline.kind == HOLD_ENDS:
        ends_at = incident.hold_ends_at
        if incident.status is not IncidentStatus.ON_HOLD or ends_at is None or ends_at > claimed.until:
            return None
        return incident_verbs_hold.resume(incident, actor=ACTOR, now=claimed.now)
    clock = ClockKind(deadline.kind)
    if clock is ClockKind.CLOSED:
        return close_by_time(incident, now=claimed.now)
    return climb(incident, clock, fired=deadline.step, until=claimed.until, now=claimed.now, policy=policy)


class Clocks:
    """Looks for deadlines. Any number of workers may run one."""

    def __init__(self, pool: Pool, *, ahead: timedelta = timedelta()) -> None:
        self._pool = pool
        self._ahead = ahead

    async def run(self, stop: asyncio.Event) -> None:
        """Fire deadlines until `stop` is set. Raises what PostgreSQL raises when it is away."""
        loop = asyncio.get_running_loop()
        sweep_at, lanes = loop.time(), 1
        while not stop.is_set():
            fired = await self._fire_side_by_side(lanes)
            lanes = _LANES if fired >= _MOST else 1
            busy = fired + await self.fire_answer()
            if loop.time() >= sweep_at:
                swept = await self.sweep()
                busy += swept
                sweep_at = loop.time() + (0 if swept else _SWEEP_S)
            if not busy:
                await pause(stop, _LOOK_S)

    async def _fire_side_by_side(self, lanes: int) -> int:
        # All end before one of them is told to have failed: nothing of ours goes on unseen.
        fired = await asyncio.gather(*(self.fire_due() for _ in range(lanes)), return_exceptions=True)
        for one in fired:
            if isinstance(one, BaseException):
                raise one
        return sum(one for one in fired if isinstance(one, int))

    async def fire_due(self, most: int = _MOST, *, answers: bool = False) -> int:
        """Fire the oldest deadlines (those of `answer`, or all but those) in one transaction, or if that fails each in
        one of its own; answers how many."""
        claimed: Claimed | None = None
        try:
            async with self._pool.acquire(timeout=5) as connection, connection.transaction():
                claimed = await deadline_store.claim(connection, self._ahead, most=most, answers=answers)
                if claimed is None:
                    return 0
                await self._apply(connection, claimed)
        except Exception as error:
            if claimed is None or fault_of(error) is Fault.UNAVAILABLE:
                raise
            for deadline in claimed.deadlines:
                await self._fire_alone(deadline)
        else:
            _count(claimed)
        return len(claimed.deadlines)

    async def fire_answer(self) -> int:
        """Expire the offer that has waited longest, in one transaction; answers how many. One at a time: it asks the
        next best, whose row is locked until then."""
        return await self.fire_due(1, answers=True)

    async def sweep(self, most: int = _MOST) -> int:
        """Find anew what is due where the policy is a newer one, for some incidents in one transaction; answers how
        many. Nothing is lost when it ends in the middle: what was done is not found again."""
        async with self._pool.acquire(timeout=5) as connection, connection.transaction():
            policy = await policy_store.live(connection)
            found = await incident_store.select_of_older_policy(connection, policy.times_version, most)
            if not found:
                return 0
            now: datetime = await connection.fetchval("SELECT now()")
            changes = [rescheduled(incident, policy, now=now) for incident in found]
            await incident_store.save(connection, [change for change in changes if change.events], policy)
            same = [change for change in changes if not change.events]
            await deadline_store.schedule(connection, same, policy)
            await incident_store.set_times(connection, [change.after for change in same])
            for _ in found:
                failpoints.hit("clocks.in_transaction")
        return len(found)

    async def _apply(self, connection: Connection, claimed: Claimed) -> None:
        policy = await policy_store.live(connection)
        ids = sorted({deadline.incident_id for deadline in claimed.deadlines})
        incidents = await incident_store.select_for_update(connection, ids)
        changes: dict[str, Change] = {}
        for deadline in claimed.deadlines:
            if deadline.kind == ANSWER:
                await offers.expire(connection, deadline)
                continue
            earlier = changes.get(deadline.incident_id)
            incident = earlier.after if earlier else incidents[deadline.incident_id]
            if change := fire(incident, deadline, claimed, policy):
                changes[deadline.incident_id] = earlier.then(change) if earlier else change
        await incident_store.save(connection, list(changes.values()), policy)
        for _ in claimed.deadlines:
            failpoints.hit("clocks.in_transaction")

    async def _fire_alone(self, deadline: Deadline) -> None:
        try:
            async with self._pool.acquire(timeout=5) as connection, connection.transaction():
                claimed = await deadline_store.claim(
                    connection, self._ahead, only=deadline.id, answers=deadline.kind == ANSWER
                )
                if claimed is None:
                    return  # somebody else has fired it meanwhile
                await self._apply(connection, claimed)
        except Exception as error:
            match fault_of(error):
                case Fault.UNAVAILABLE:
                    raise
                case Fault.CONTENDED:
                    log.warning("deadline_contended", kind=deadline.kind, error=type(error).__name__)
                case Fault.MESSAGE:
                    await self._failed(deadline, error)
        else:
            _count(claimed)

    async def _failed(self, deadline: Deadline, error: Exception) -> None:
        metrics.DEADLINES.labels(deadline.kind, "failed").inc()
        log.error("deadline_failed", kind=deadline.kind, incident=deadline.incident_id, error=type(error).__name__)
        async with self._pool.acquire(timeout=5) as connection:
            await deadline_store.postpone(connection, deadline, _POSTPONED)


def _count(claimed: Claimed) -> None:
    for deadline in claimed.deadlines:
        metrics.DEADLINES.labels(deadline.kind, "fired").inc()
        metrics.DEADLINE_DELAY.observe(max((claimed.now - deadline.due_at).total_seconds(), 0.0))
