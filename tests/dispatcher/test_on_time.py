"""The share on time: counted in SQL as it would be counted by hand, and never without what is open and overdue."""

import random
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from dispatcher import on_time
from dispatcher.decisions.on_time import Tally
from infra.postgres import Pool, prepare
from schemas.place import AgencyRef
from schemas.vocabulary import Category, ClockKind, IncidentStatus, Regency

HOUR = timedelta(hours=1)
DLH = AgencyRef.parse("32.75/DLH")


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    """A city without incidents."""
    async with asyncpg.create_pool(database, min_size=1, max_size=2, init=prepare) as opened:
        await opened.execute("DELETE FROM incident")
        yield opened


def test_the_share_is_of_all_that_can_be_judged() -> None:
    assert Tally(3, 1, 0).share == 0.75
    assert Tally(3, 0, 3).share == 0.5
    assert Tally(0, 0, 2).share == 0
    assert Tally(0, 0, 0).share is None


async def put(
    pool: Pool, status: IncidentStatus, due: datetime | None, done: datetime | None, updated: datetime, **fields: object
) -> None:
    names = {"category": "flood", "regency": "32.75", "agency": "DLH", "kecamatan": "32.75.04", **fields}
    ended = status in (IncidentStatus.REJECTED, IncidentStatus.CLOSED, IncidentStatus.MERGED)
    await pool.execute(
        f"INSERT INTO incident (id, version, title, status, priority, place_precision, opened_at, updated_at,"
        f" received_at, last_report_at, confidence, due_at, resolved_at, ended_at, {', '.join(names)})"
        f" VALUES ($1, 1, '', $2, 'normal', 'exact', $3, $3, $3, $3, 1, $4, $5, $6,"
        f" {', '.join(f'${n}' for n in range(7, 7 + len(names)))})",
        f"INC-{random.randrange(10**12)}",
        status.value,
        updated,
        due,
        done if status in (IncidentStatus.RESOLVED, IncidentStatus.CLOSED) else None,
        done if ended else None,
        *names.values(),
    )


async def tallies(pool: Pool, days: int = 7, **scope: object) -> dict[tuple[ClockKind, Category], Tally]:
    async with pool.acquire() as connection:
        since = await connection.fetchval("SELECT now()") - timedelta(days=days)
        return {(one.clock, one.category): one.tally for one in await on_time.tallies(connection, since, **scope)}


async def test_it_is_counted_as_by_hand(pool: Pool) -> None:
    rng, now = random.Random(7), datetime.now(UTC)
    expected: Counter[tuple[Category, str]] = Counter()
    for _ in range(300):
        status = rng.choice(
            [IncidentStatus.ROUTED, IncidentStatus.RESOLVED, IncidentStatus.CLOSED, IncidentStatus.REJECTED]
        )
        category = rng.choice(list(Category))
        due = rng.choice([None, now + rng.uniform(-300, 20) * HOUR])
        at_work = status is IncidentStatus.ROUTED
        done = None if at_work else now - rng.uniform(0, 300) * HOUR
        updated = done or now - rng.uniform(0, 2000) * HOUR
        await put(pool, status, due, done, updated, category=category.value)
        if due is None:
            continue
        if at_work:
            if due < now:
                expected[category, "overdue"] += 1
        elif done is not None and done >= now - 168 * HOUR:
            if done > due:
                expected[category, "late"] += 1
            elif status is not IncidentStatus.REJECTED:
                expected[category, "in_time"] += 1
    found = await tallies(pool)
    assert {clock for clock, _ in found} == {ClockKind.RESOLVED}
    assert {
        (category, name): count
        for (_, category), tally in found.items()
        for name, count in tally._asdict().items()
        if count
    } == dict(expected)


async def test_what_is_open_and_overdue_counts_however_old(pool: Pool) -> None:
    now = datetime.now(UTC)
    await put(pool, IncidentStatus.ON_HOLD, now - 3000 * HOUR, None, now - 4000 * HOUR)
    await put(pool, IncidentStatus.RESOLVED, now + HOUR, now - HOUR, now - HOUR)
    assert await tallies(pool) == {(ClockKind.RESOLVED, Category.FLOOD): Tally(1, 0, 1)}


async def test_every_clock_of_an_incident_is_counted(pool: Pool) -> None:
    now = datetime.now(UTC)
    times = {
        "first_look_due_at": now - 3 * HOUR,
        "looked_at": now - 4 * HOUR,
        "on_scene_due_at": now - 2 * HOUR,
        "on_scene_at": now - HOUR,
    }
    await put(pool, IncidentStatus.IN_PROGRESS, now + HOUR, None, now, **times)
    assert await tallies(pool) == {
        (ClockKind.FIRST_LOOK, Category.FLOOD): Tally(1, 0, 0),
        (ClockKind.ON_SCENE, Category.FLOOD): Tally(0, 1, 0),
    }


async def test_each_sees_the_own_scope(pool: Pool) -> None:
    now = datetime.now(UTC)
    await put(pool, IncidentStatus.ROUTED, now - HOUR, None, now)
    await put(pool, IncidentStatus.ROUTED, now - HOUR, None, now, regency=Regency.KABUPATEN_BEKASI.value)
    key = (ClockKind.RESOLVED, Category.FLOOD)
    assert (await tallies(pool))[key].overdue == 2
    assert (await tallies(pool, agencies=(DLH,)))[key].overdue == 1
    assert await tallies(pool, kecamatan="32.75.09") == {}
