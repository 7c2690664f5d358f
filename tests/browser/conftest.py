"""A real Chromium on the built pages, and people who sit at it."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, async_playwright, expect

from tests.browser.watch import Watch
from tests.city import City

PROJECT = Path(__file__).resolve().parents[2]

#: Waits are generous: what is tested is that it happens, how fast is the benchmark's.
PATIENCE_MS = 45_000

#: Chromium's own calls home would be outside requests, and its sandbox does not work for root.
FLAGS = (
    "--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--no-first-run", "--disable-dev-shm-usage",
)  # fmt: skip

Visit = Callable[..., Awaitable[Page]]


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of a Chromium: `make test` says which; else the one that is here. Never skipped: fails in a sentence."""
    if given := os.environ.get("PATRIOT_CHROMIUM"):
        return given
    found = subprocess.run(
        [sys.executable, PROJECT / ".ci" / "chromium.py"], capture_output=True, text=True, check=False
    )
    if found.returncode != 0:
        pytest.fail(found.stderr.strip().splitlines()[-1], pytrace=False)
    return found.stdout.strip()


@pytest.fixture(scope="session")
async def browser(chromium: str) -> AsyncIterator[Browser]:
    """One for the run; each visitor has an own context in it."""
    expect.set_options(timeout=PATIENCE_MS)
    async with (
        async_playwright() as playwright,
        await playwright.chromium.launch(executable_path=chromium, args=list(FLAGS)) as opened,
    ):
        yield opened


@pytest.fixture
def watch(city: City) -> Watch:
    """What went wrong on any page of this test; `watch.expect(…)` names what the test breaks on purpose."""
    return Watch(city.base_url, city.feed_url)


@pytest.fixture
async def visit(browser: Browser, city: City, watch: Watch) -> AsyncIterator[Visit]:
    """A browser for one more person, with Playwright's options of a context; afterwards no page may have erred."""
    contexts = []

    async def open_one(**options: Any) -> Page:
        context = await browser.new_context(
            **{"base_url": city.base_url, "locale": "id-ID", "timezone_id": "Asia/Jakarta", **options}
        )
        context.set_default_timeout(PATIENCE_MS)
        contexts.append(context)
        await watch.over(context)
        return await context.new_page()

    yield open_one
    for context in contexts:
        await context.close()
    assert not watch.unexpected(), "\n".join(watch.unexpected())
