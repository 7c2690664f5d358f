"""The desk for its tests: opened once a module on a database of its own."""

from collections.abc import AsyncIterator

import pytest

from tests.dispatcher.desk.office import Office, open_office


@pytest.fixture(scope="module")
async def office(database: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Office]:
    """The desk as `patriot desk` serves it."""
    async with open_office(database, tmp_path_factory.mktemp("desk")) as opened:
        yield opened
