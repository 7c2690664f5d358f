"""What a PostgreSQL that goes away looks like to a client: always one of `TRANSIENT`."""

import asyncio
import random
from collections import Counter

import asyncpg

from infra.local.stack import Stack
from infra.postgres import TRANSIENT, connect, open_pool, within

_TERMINATE = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'test-terminated'"
    " AND pid <> pg_backend_pid()"
)


async def test_a_session_ended_at_any_moment_of_a_statement_is_transient(stack: Stack) -> None:
    ended: Counter[str] = Counter()

    async def ask() -> None:
        while True:
            try:
                connection = await connect(stack.postgres.dsn, application="test-terminated")
                for number in range(1_000_000):
                    # another text each time: it is prepared anew, in several round trips
                    await connection.fetchrow(f"SELECT $1::int + {number}", number)
            except TRANSIENT as error:
                ended[type(error).__name__] += 1

    killer = await asyncpg.connect(stack.postgres.dsn)
    asking = [asyncio.create_task(ask()) for _ in range(6)]
    try:
        for _ in range(150):
            await killer.execute(_TERMINATE)
            await asyncio.sleep(0.02)
            for task in asking:
                if task.done():
                    task.result()  # raises what was not transient
    finally:
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
        await killer.close()
    assert sum(ended.values()) > 100, ended


async def test_a_connection_that_we_cut_at_any_moment_of_a_statement_is_transient(stack: Stack) -> None:
    pool = await open_pool(stack.postgres.dsn, application="test-cut", size=2)
    cut = 0
    try:
        for number in range(150):
            async with pool.acquire() as connection:  # connecting is not what is cut
                await connection.fetchval("SELECT 1")
            try:
                async with within(pool, random.uniform(0.0005, 0.004)) as connection:
                    for more in range(1_000):
                        await connection.fetchval(f"SELECT {number * 1_000 + more}")
            except TRANSIENT:
                cut += 1
    finally:
        await pool.close()
    assert cut == 150
