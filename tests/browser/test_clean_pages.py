"""No page errs, asks what it is refused, or reaches out, whoever opens it; and its policy lets no foreign script in."""

from typing import Final

import pytest
from playwright.async_api import Error, Page, expect

from infra.access import COOKIE
from tests.browser.conftest import Visit
from tests.browser.visitors import WALL_SCREEN, sign_in
from tests.browser.watch import Watch
from tests.city import City
from tests.people import Citizen, Staff

PAGES: Final = ("/", "/track/", "/track/AAAA-BBBB-CCCC-DDDD-EEEE", "/wall", "/wall?view=public", "/officer")
#: Those that look who is there.
STAFF_PAGES: Final = ("/wall", "/officer")
UNSAFE: Final = {"'unsafe-inline'", "'unsafe-eval'", "*", "http:", "https:", "data:"}


async def test_no_page_errs_or_is_refused_anything(visit: Visit) -> None:
    page = await visit(**WALL_SCREEN)
    for path in PAGES:
        await _opens(page, path)


@pytest.mark.parametrize("session", ["operator", "officer", "ended", "made up"])
async def test_staff_pages_neither_err_nor_are_refused_anything_whatever_the_session_is(
    visit: Visit, city: City, operator: Staff, dishub_officer: Staff, session: str
) -> None:
    page = await visit(**WALL_SCREEN)
    if session == "made up":
        await page.context.add_cookies([{"name": COOKIE, "value": "x" * 43, "url": city.base_url}])
    else:
        await sign_in(page, dishub_officer if session == "officer" else operator)
    if session == "ended":
        cookies = await page.context.cookies()
        ended = await page.context.request.delete("/api/v1/session", headers={"Origin": city.base_url})
        assert ended.ok, await ended.text()
        await page.context.add_cookies(cookies)
    for path in STAFF_PAGES:
        await _opens(page, path)
        await expect(page.get_by_label("Kata sandi")).to_have_count(0 if session in ("operator", "officer") else 1)


async def _opens(page: Page, path: str) -> None:
    answer = await page.goto(path)
    assert answer is not None
    assert answer.status == 200
    await expect(page.get_by_role("heading").first).to_be_visible()
    await page.wait_for_load_state("networkidle")


async def test_a_pages_policy_lets_no_foreign_and_no_inline_script_in(citizen: Citizen) -> None:
    feed = citizen.city.feed_url.rstrip("/")
    for path in PAGES:
        headers = (await citizen.http.get(path)).headers
        policy = {
            name: values for name, *values in (part.split() for part in headers["content-security-policy"].split(";"))
        }
        assert policy["script-src"] == ["'self'"], path
        for name in ("default-src", "frame-ancestors", "base-uri"):
            assert policy[name] == ["'none'"], path
        for name, values in policy.items():
            assert not UNSAFE & set(values), f"{path}: {name}"
            assert all(value.startswith("'") or value in ("blob:", feed) for value in values), f"{path}: {name}"
        assert headers["x-content-type-options"] == "nosniff"


async def test_the_watch_over_pages_sees_what_it_must(visit: Visit, watch: Watch) -> None:
    page = await visit()
    await page.goto("/track/")
    await page.evaluate("fetch('/api/v1/incidents').catch(() => undefined)")
    await page.evaluate("console.error('said aloud')")
    await page.evaluate("setTimeout(() => { throw new Error('nobody caught it') })")
    await page.evaluate("document.body.insertAdjacentHTML('beforeend', '<p style=\"color: red\">x</p>')")
    await page.evaluate("new Promise((resolve) => setTimeout(resolve, 200))")
    with pytest.raises(Error):
        await page.goto("http://127.0.0.1:9/")
    seen = "\n".join(watch.faults)
    kinds = ("answered 401", "console: said aloud", "thrown: nobody caught it", "against the policy: style-src")
    for fault in (*kinds, "went elsewhere", "failed: GET"):
        assert fault in seen
    watch.expect("")
