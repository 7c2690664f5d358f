"""Ingest for its tests: one process for all that leave it as it is."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from infra.local.stack import Stack
from infra.migrate import migrate
from infra.topics_admin import ensure_topics
from tests.faults.process import Service
from tests.ingest.intake import BOTH, STAFF, Sender, hand_out_keys


@pytest.fixture(scope="session")
async def keys(stack: Stack) -> None:
    await hand_out_keys(stack.postgres.dsn)


@pytest.fixture(scope="package")
async def own(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """Kafka and PostgreSQL that a test may stop, if it starts them again."""
    async with Stack(tmp_path_factory.mktemp("own")) as running:
        await migrate(running.postgres.dsn)
        await ensure_topics(running.kafka.bootstrap, embedded=True)
        await hand_out_keys(running.postgres.dsn)
        yield running


def environment(stack: Stack, data_dir: Path) -> dict[str, str]:
    return {
        "PATRIOT_KAFKA_BOOTSTRAP": stack.kafka.bootstrap,
        "PATRIOT_POSTGRES_DSN": stack.postgres.dsn,
        "PATRIOT_DATA_DIR": str(data_dir),
        "PATRIOT_ANONYMOUS_REPORTS_PER_MINUTE": "0",
    }


@pytest.fixture(scope="session")
async def ingest(stack: Stack, keys: None, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Sender]:
    """`patriot ingest`, and a gateway that may send everything."""
    folder = tmp_path_factory.mktemp("ingest")
    with Service("ingest", folder, "PATRIOT_PORT", environment(stack, folder)) as service:
        await asyncio.to_thread(service.start)
        async with open_sender(service.url, BOTH, stack, folder) as sender:
            yield sender


@asynccontextmanager
async def open_sender(url: str, token: str | None, stack: Stack, folder: Path) -> AsyncIterator[Sender]:
    sender = Sender(url, token, stack.kafka.bootstrap, folder)
    yield sender
    await sender.http.aclose()


@pytest.fixture
async def citizen(ingest: Sender, stack: Stack) -> AsyncIterator[Sender]:
    """Somebody without an account."""
    async with open_sender(str(ingest.http.base_url), None, stack, ingest.data_dir) as sender:
        yield sender


@pytest.fixture
async def agent(ingest: Sender, stack: Stack) -> AsyncIterator[Sender]:
    """An agent of the call center, signed in."""
    async with open_sender(str(ingest.http.base_url), STAFF, stack, ingest.data_dir) as sender:
        yield sender
