"""A database of its own for a test module, on the run's one PostgreSQL."""

import os
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from infra.local.stack import Stack
from infra.migrate import migrate
from infra.postgres import prepare

#: A developer's running PostgreSQL; without it the run's own is asked.
_DSN_VARIABLE = "PATRIOT_TEST_POSTGRES_DSN"


@pytest.fixture(scope="session")
def postgres_server(request: pytest.FixtureRequest) -> str:
    """DSN of a server where databases may be made."""
    given = os.environ.get(_DSN_VARIABLE)
    if given:
        return given
    stack: Stack = request.getfixturevalue("stack")
    return stack.postgres.dsn


@pytest.fixture(scope="module")
async def database(request: pytest.FixtureRequest, postgres_server: str) -> AsyncIterator[str]:
    """DSN of an empty database with our schema, dropped afterwards."""
    name = "test_" + request.module.__name__.rpartition(".")[2]
    admin = await asyncpg.connect(postgres_server)
    await admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    await admin.execute(f"CREATE DATABASE {name}")
    dsn = postgres_server.rpartition("/")[0] + f"/{name}"
    await migrate(dsn)
    yield dsn
    await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await admin.close()


@pytest.fixture
async def connections(database: str) -> AsyncIterator[Any]:
    """A pool with our codecs, as the dispatcher has it."""
    async with asyncpg.create_pool(database, min_size=2, max_size=4, init=prepare) as pool:
        yield pool
