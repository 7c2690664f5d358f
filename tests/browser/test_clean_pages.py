"""No page errs, asks what it is refused, or reaches out, whoever opens it; and its policy lets no foreign script in."""

import pytest
from playwright.async_api import Error, expect

from tests.browser.conftest import Visit
from tests.browser.visitors import WALL_SCREEN, sign_in
from tests.browser.watch import Watch
from tests.city import City
from tests.people import Staff

PAGES = ("/", "/track/", "/track/AAAA-BBBB-CCCC-DDDD-EEEE", "/wall", "/wall?view=public", "/officer")


@pytest.mark.parametrize("visitor", ["stranger", "operator", "officer", "ended session", "made-up session"])
async def test_every_page_opens_without_an_error_or_a_refusal(
    visit: Visit, city: City, operator: Staff, dishub_officer: Staff, visitor: str
) -> None:
    page = await visit(**WALL_SCREEN)
    if visitor == "made-up session":
        await page.context.add_cookies([{"name": "patriot_session", "value": "x" * 43, "url": city.base_url}])
    elif visitor != "stranger":
        await sign_in(page, dishub_officer if visitor == "officer" else operator)
    if visitor == "ended session":
        cookies = await page.context.cookies()
        ended = await page.context.request.delete("/api/v1/session", headers={"Origin": city.base_url})
        assert ended.ok, await ended.text()
        await page.context.add_cookies(cookies)
    for path in PAGES:
        answer = await page.goto(path)
        assert answer is not None
        assert answer.status == 200
        await expect(page.get_by_role("heading").first).to_be_visible()
        await page.wait_for_load_state("networkidle")
    signed_in = visitor in ("operator", "officer")
    await expect(page.get_by_label("Kata sandi")).to_have_count(0 if signed_in else 1)


@pytest.mark.parametrize("path", PAGES)
async def test_a_pages_policy_lets_no_foreign_and_no_inline_script_in(visit: Visit, city: City, path: str) -> None:
    page = await visit()
    answer = await page.goto(path)
    assert answer is not None
    policy = {
        name: values
        for name, *values in (part.split() for part in answer.headers["content-security-policy"].split(";"))
    }
    assert policy["script-src"] == ["'self'"]
    assert policy["default-src"] == ["'none'"]
    assert policy["frame-ancestors"] == ["'none'"]
    assert policy["base-uri"] == ["'none'"]
    feed = city.feed_url.rstrip("/")
    for name, values in policy.items():
        assert not {"'unsafe-inline'", "'unsafe-eval'", "*", "https:", "data:"} & set(values), name
        assert all(value.startswith("'") or value in ("blob:", feed) for value in values), name
    assert answer.headers["x-content-type-options"] == "nosniff"


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
