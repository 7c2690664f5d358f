"""What tests of the dispatcher share: a database with the newest schema, a pool, names of their own."""

import uuid
from collections.abc import AsyncIterator

import pytest

from infra.local.stack import Stack
from infra.postgres import Pool, close_pool, open_pool
from tests.dispatcher.bench import SCHEMA


@pytest.fixture(scope="session")
async def pool(stack: Stack) -> AsyncIterator[Pool]:
    """Connections to the tests' database."""
    opened = await open_pool(stack.postgres.dsn, application="test", size=12)
    await opened.execute(SCHEMA)
    yield opened
    await close_pool(opened)


@pytest.fixture
def name() -> str:
    """A name that no other test has, for topics and consumers."""
    return f"test-{uuid.uuid4().hex[:8]}"


@pytest.fixture
async def empty_outbox(pool: Pool) -> None:
    """Nothing of earlier tests waits for the relay."""
    await pool.execute("DELETE FROM outbox")
