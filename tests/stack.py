"""Kafka and PostgreSQL without any service of ours: for tests that bring their own dispatcher."""

from collections.abc import AsyncIterator

import pytest

from infra.local.stack import Stack
from infra.migrate import migrate
from infra.topics_admin import ensure_topics


@pytest.fixture(scope="session")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """One for the run, with the newest schema and the city's topics."""
    async with Stack(tmp_path_factory.mktemp("stack")) as running:
        await migrate(running.postgres.dsn)
        await ensure_topics(running.kafka.bootstrap, embedded=True)
        yield running
