"""Deadlines against real PostgreSQL: each fires once, and the row of an ended incident leaves the wall."""

import asyncio
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from dispatcher import deadline_store, incident_store
from dispatcher.clocks import Clocks
from dispatcher.decisions.change import Change
from dispatcher.decisions.incident import Incident, new_id
from infra.postgres import Pool
from schemas import topics
from schemas.vocabulary import Category, IncidentStatus, Priority

pytestmark = pytest.mark.usefixtures("empty_outbox")

_NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)


def incident(status: IncidentStatus, *, at: datetime = _NOW) -> Incident:
    """One that reached `status` at `at`."""
    return Incident(
        id=new_id("INC"),
        version=1,
        category=Category.TRAFFIC_JAM,
        status=status,
        priority=Priority.NORMAL,
        opened_at=_NOW,
        updated_at=at,
        received_at=_NOW,
        last_report_at=_NOW,
        confidence=1.0,
        resolved_at=at if status in (IncidentStatus.RESOLVED, IncidentStatus.CLOSED) else None,
        ended_at=at if status in (IncidentStatus.CLOSED, IncidentStatus.TRANSFERRED) else None,
    )


@pytest.mark.parametrize(
    ("status", "leaves_at"),
    [
        (IncidentStatus.ROUTED, None),
        (IncidentStatus.RESOLVED, _NOW + timedelta(hours=24)),
        (IncidentStatus.CLOSED, _NOW + timedelta(minutes=60)),
        (IncidentStatus.TRANSFERRED, _NOW + timedelta(minutes=60)),
    ],
)
def test_a_row_leaves_an_hour_after_the_end_and_a_day_after_resolved(
    status: IncidentStatus, leaves_at: datetime | None
) -> None:
    assert deadline_store.leaves_board_at(incident(status)) == leaves_at


async def test_ended_incidents_leave_the_board_once_however_many_clocks_there_are(pool: Pool) -> None:
    async with pool.acquire() as connection:
        now = await connection.fetchval("SELECT now()")
        ended = [incident(IncidentStatus.TRANSFERRED, at=now - timedelta(hours=2)) for _ in range(12)]
        at_work = incident(IncidentStatus.ROUTED)
        async with connection.transaction():
            await incident_store.save(connection, [Change(None, each, ()) for each in (*ended, at_work)])
    fired = await asyncio.gather(*(_fire_all(Clocks(pool)) for _ in range(3)))
    assert sum(fired) >= 12
    rows = await pool.fetch(
        "SELECT aggregateid, count(*) AS times FROM outbox WHERE type = $1 AND aggregateid = ANY($2) GROUP BY 1",
        topics.ROW_REMOVED,
        [f"incidents:{each.id}" for each in ended],
    )
    assert {row["aggregateid"]: row["times"] for row in rows} == {f"incidents:{each.id}": 1 for each in ended}
    assert await pool.fetchval("SELECT on_board FROM incident WHERE id = $1", at_work.id)


async def test_work_that_goes_on_cancels_the_deadline_and_an_end_sets_it_anew(pool: Pool) -> None:
    first = incident(IncidentStatus.RESOLVED, at=datetime.now(UTC))
    again = msgspec.structs.replace(first, version=2, status=IncidentStatus.ROUTED)
    closed = msgspec.structs.replace(first, version=3, status=IncidentStatus.CLOSED, ended_at=first.resolved_at)
    dues = []
    for before, after in ((None, first), (first, again), (again, closed)):
        async with pool.acquire() as connection, connection.transaction():
            await incident_store.save(connection, [Change(before, after, ())])
        dues.append(await pool.fetchval("SELECT due_at FROM deadline WHERE incident_id = $1", first.id))
    assert first.resolved_at is not None
    assert dues == [first.resolved_at + timedelta(hours=24), None, first.resolved_at + timedelta(minutes=60)]


async def test_clocks_that_run_ahead_need_no_waiting(pool: Pool) -> None:
    resolved = incident(IncidentStatus.RESOLVED, at=datetime.now(UTC))
    async with pool.acquire() as connection, connection.transaction():
        await incident_store.save(connection, [Change(None, resolved, ())])
    await _fire_all(Clocks(pool))
    assert await pool.fetchval("SELECT on_board FROM incident WHERE id = $1", resolved.id)
    await _fire_all(Clocks(pool, ahead=timedelta(hours=25)))
    assert not await pool.fetchval("SELECT on_board FROM incident WHERE id = $1", resolved.id)
    assert await pool.fetchval("SELECT version FROM incident WHERE id = $1", resolved.id) == 1


async def _fire_all(clocks: Clocks) -> int:
    fired = 0
    while await clocks.fire_next():
        fired += 1
    return fired
