"""20 anonymous reports a minute from one address; gateways, staff and a proxy's clients are counted apart."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from infra.local.stack import Stack
from tests.faults.process import Service
from tests.ingest.conftest import environment, open_sender
from tests.ingest.intake import BOTH, JAM, STAFF, is_refused


@pytest.fixture(scope="module")
async def strict(stack: Stack, keys: None, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """An ingest with the default limit, behind a proxy on this machine."""
    folder = tmp_path_factory.mktemp("strict")
    settings = environment(stack, folder)
    settings["PATRIOT_ANONYMOUS_REPORTS_PER_MINUTE"] = "20"
    settings["PATRIOT_TRUSTED_PROXIES"] = "127.0.0.2/32"
    with Service("ingest", folder, "PATRIOT_PORT", settings) as service:
        await asyncio.to_thread(service.start)
        yield service.url


async def test_the_twenty_first_has_to_wait(strict: str, stack: Stack, tmp_path: Path) -> None:
    async with open_sender(strict, None, stack, tmp_path) as citizen:
        for _ in range(40):
            is_refused(await citizen.post({"description": "ada apa?"}), 422)
        found = [await citizen.post(JAM, X_Forwarded_For=f"198.51.100.{n}") for n in range(26)]
        assert [each.status_code for each in found[:20]] == [202] * 20
        refused = [each for each in found[20:] if each.status_code != 202]
        assert refused, "one every three seconds may pass"
        for each in refused:
            is_refused(each, 429)
            assert 1 <= int(each.headers["retry-after"]) <= 4
        assert (await citizen.post(JAM, Authorization=f"Bearer {BOTH}")).status_code == 202
        assert (await citizen.post(JAM, Authorization=f"Bearer {STAFF}")).status_code == 202
