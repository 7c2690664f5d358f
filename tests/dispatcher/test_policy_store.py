"""What the city decides anew, in real PostgreSQL: the newest of each part is live for everybody at once."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import msgspec
import pytest

from dispatcher import policy_store
from dispatcher.decisions.calendar import Calendar
from dispatcher.decisions.policy import DEFAULT_POLICY, Policy
from dispatcher.decisions.sla import PROMISES, Promise, Span
from infra.postgres import Pool, prepare
from schemas.vocabulary import ClockKind

EVERY_DAY = Calendar(weekdays=(1, 2, 3, 4, 5, 6, 7), opens="00:00", closes="24:00")
AN_HOUR = Promise(clock=ClockKind.RESOLVED, within=Span(minutes=60))


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    """Nothing has been decided yet."""
    async with asyncpg.create_pool(database, min_size=2, max_size=8, init=prepare) as opened:
        await opened.execute("DELETE FROM policy")
        yield opened


async def live(pool: Pool) -> Policy:
    async with pool.acquire() as connection:
        return await policy_store.live(connection)


async def put(pool: Pool, part: str, value: object, expected: int | None = None) -> int:
    async with pool.acquire() as connection, connection.transaction():
        return await policy_store.put(connection, part, value, by="admin", expected=expected)


async def test_an_empty_table_is_the_default(pool: Pool) -> None:
    assert await live(pool) == DEFAULT_POLICY


async def test_what_is_put_is_live_and_the_rest_stays(pool: Pool) -> None:
    assert await put(pool, "calendars", {"office": EVERY_DAY}) == 1
    assert await put(pool, "promises", (AN_HOUR, *PROMISES)) == 2
    now = await live(pool)
    assert (now.version, now.times_version) == (2, 2)
    assert now.calendars == {"office": EVERY_DAY}
    assert now.promises == (AN_HOUR, *PROMISES)
    assert now.staffing == DEFAULT_POLICY.staffing
    assert await put(pool, "staffing", ()) == 3
    assert ((await live(pool)).version, (await live(pool)).times_version) == (3, 2)


async def test_what_is_not_committed_is_not_live(pool: Pool) -> None:
    async with pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await policy_store.put(connection, "promises", (AN_HOUR,), by="admin")
        assert (await policy_store.live(connection)).promises == (AN_HOUR,)
        assert await live(pool) == DEFAULT_POLICY
        await transaction.rollback()
    assert await live(pool) == DEFAULT_POLICY


async def test_of_many_who_have_read_the_same_version_one_puts(pool: Pool) -> None:
    tries = await asyncio.gather(
        *(put(pool, "promises", (AN_HOUR,), expected=0) for _ in range(6)), return_exceptions=True
    )
    stale = [one for one in tries if isinstance(one, policy_store.StalePart)]
    assert [one for one in tries if isinstance(one, int)] == [1]
    assert [one.version for one in stale] == [1] * 5
    assert await put(pool, "calendars", {"office": EVERY_DAY}, expected=0) == 2, "another part is read by itself"


async def test_a_part_that_cannot_be_read_stays_as_it_was(pool: Pool) -> None:
    await put(pool, "promises", (AN_HOUR,))
    assert (await live(pool)).promises == (AN_HOUR,)
    await put(pool, "promises", [{"clock": "of a later release"}])
    now = await live(pool)
    assert (now.version, now.promises) == (2, (AN_HOUR,))


async def test_who_put_what_is_kept_and_told_to_the_audit(pool: Pool) -> None:
    version = await put(pool, "promises", (AN_HOUR,))
    row = await pool.fetchrow("SELECT part, put_by, body FROM policy WHERE version = $1", version)
    assert (row["part"], row["put_by"]) == ("promises", "admin")
    assert msgspec.convert(row["body"], tuple[Promise, ...]) == (AN_HOUR,)
    told = await pool.fetchrow("SELECT actor, action, subject FROM audit_entry ORDER BY id DESC LIMIT 1")
    assert tuple(told) == ("admin", "policy_put", "policy:promises")
