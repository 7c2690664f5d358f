"""Indonesian unless English is asked for, on every page, whatever the browser's own language."""

import re

import pytest
from playwright.async_api import expect

from tests.browser.conftest import Visit
from tests.browser.visitors import SMALL_PHONE, WALL_SCREEN, sign_in
from tests.people import Citizen, Staff

#: Page, heading in Indonesian and in English.
PAGES = [
    ("/", "Ada foto kejadiannya?", "Do you have a photo?"),
    ("/track/", "Lacak laporan", "Track a report"),
    ("/track/AAAA-BBBB-CCCC-DDDD-EEEE", "Lacak laporan", "Track a report"),
    ("/wall", "Dinding pantau", "Wall display"),
    ("/officer", "Masuk", "Sign in"),
]


@pytest.mark.parametrize(("path", "indonesian", "english"), PAGES)
async def test_a_page_speaks_indonesian_or_as_asked_english(
    visit: Visit, path: str, indonesian: str, english: str
) -> None:
    page = await visit(locale="en-US")
    await page.goto(path)
    await expect(page.locator("html")).to_have_attribute("lang", "id")
    await expect(page.get_by_role("heading", name=indonesian).first).to_be_visible()
    await expect(page).to_have_title(re.compile("Command Center Bekasi"))

    answer = await page.goto(f"{path}?lang=en")
    assert answer is not None
    assert '<html lang="en"' in await answer.text(), "who reads the page without its scripts is told too"
    await expect(page.locator("html")).to_have_attribute("lang", "en")
    await expect(page.get_by_role("heading", name=english).first).to_be_visible()
    await expect(page).to_have_title(re.compile("Bekasi Command Center"))
    await expect(page.get_by_text(indonesian, exact=True)).to_have_count(0)

    await page.get_by_role("button", name="Indonesia").click()
    await expect(page.locator("html")).to_have_attribute("lang", "id")
    await expect(page.get_by_role("heading", name=indonesian).first).to_be_visible()


async def test_the_other_language_keeps_what_was_typed_and_goes_along(visit: Visit) -> None:
    page = await visit(**SMALL_PHONE)
    await page.goto("/?lang=en")
    await page.get_by_role("button", name="Continue without a photo").click()
    await page.get_by_label("Address or landmark").fill("Jl. Ahmad Yani")
    await page.get_by_role("button", name="Indonesia").click()
    await expect(page.get_by_label("Alamat atau patokan")).to_have_value("Jl. Ahmad Yani")
    await page.get_by_role("button", name="English").click()
    page.on("dialog", lambda dialog: dialog.accept())  # what was typed would be lost: the browser asks
    await page.get_by_role("link", name="Track").click()
    await expect(page.get_by_role("heading", name="Track a report")).to_be_visible()
    await expect(page.locator("html")).to_have_attribute("lang", "en")


async def test_the_wall_and_a_report_are_told_in_english(visit: Visit, operator: Staff, citizen: Citizen) -> None:
    receipt = await citizen.report("Lampu jalan mati sepanjang jalan", lat=-6.2790, lon=107.0220)
    incident_id = (await citizen.tracked(receipt["tracking_code"]))["incident_id"]
    page = await visit(**WALL_SCREEN)
    await page.goto(f"/track/{receipt['tracking_code']}?lang=en")
    await expect(page.get_by_text("Street light")).to_be_visible()
    await expect(page.get_by_role("status").first).to_contain_text("Coordination")
    await sign_in(page, operator)
    await page.goto("/wall?lang=en")
    await expect(page.get_by_role("status")).to_have_text("Live")
    await expect(page.get_by_role("heading", name="Most urgent")).to_be_visible()
    await expect(page.get_by_role("article").filter(has_text=incident_id).first).to_contain_text("Coordination")
