"""What a wall says when something behind it is hurt; it always comes back by itself, and is never loaded again."""

import os
import signal

import pytest
from playwright.async_api import expect

from tests.browser.conftest import Visit
from tests.browser.processes import pid_of, stopped
from tests.browser.visitors import SMALL_PHONE, WALL_SCREEN, CitizenPhone, WallScreen, sign_in
from tests.browser.watch import Watch
from tests.city import City
from tests.people import Gateway, Staff, until

#: What a browser itself writes to the console when a feed is away.
NO_FEED = r"console: WebSocket connection to .* failed"
#: Without fresh data for 15 s it must say so; the freshest may be 5 s old when the fault begins, and the machine slow.
SAYS_SO_MS = 30_000


@pytest.fixture
async def wall(visit: Visit, operator: Staff) -> WallScreen:
    """A live wall that would forget its mark if it were loaded again."""
    opened = WallScreen(await visit(**WALL_SCREEN))
    await sign_in(opened.page, operator)
    await opened.open()
    await opened.page.evaluate("window.neverLoadedAgain = true")
    return opened


async def shows_what_is_new(wall: WallScreen, gateway: Gateway, lat: float, lon: float) -> None:
    """A report sent now appears, on the page that was there from the start."""
    receipt = await gateway.report("Jalan berlubang besar, motor hampir jatuh", lat=lat, lon=lon)
    incident_id = (await gateway.tracked(receipt["tracking_code"]))["incident_id"]
    await expect(wall.row(incident_id)).to_contain_text("Jalan rusak")
    assert await wall.page.evaluate("window.neverLoadedAgain === true")


async def test_a_wall_outlives_a_feed_that_is_killed(
    wall: WallScreen, watch: Watch, city: City, gateway: Gateway
) -> None:
    watch.expect(NO_FEED)
    killed = pid_of(city, "feed")
    os.kill(killed, signal.SIGKILL)
    await expect(wall.health).not_to_have_text("Langsung")

    async def restarted() -> bool:
        return pid_of(city, "feed") != killed

    await until(restarted, what="patriot up to start the feed again")
    await wall.is_live()
    await shows_what_is_new(wall, gateway, -6.2317, 106.9893)


async def test_a_wall_without_a_feed_says_so_in_words_until_it_is_back(
    wall: WallScreen, watch: Watch, city: City, gateway: Gateway
) -> None:
    watch.expect(NO_FEED)
    with stopped(city, "feed"):
        await expect(wall.health).to_have_text("Terputus", timeout=SAYS_SO_MS)
        await expect(wall.page.get_by_text("Terputus", exact=True)).to_be_visible()
        await wall.page.get_by_role("button", name="English").click()
        await expect(wall.health).to_have_text("Disconnected")
        await wall.page.get_by_role("button", name="Indonesia").click()
    await wall.is_live()
    await shows_what_is_new(wall, gateway, -6.2255, 106.9641)


async def test_pages_say_that_they_wait_for_a_dispatcher_that_hangs(
    wall: WallScreen, visit: Visit, city: City, gateway: Gateway
) -> None:
    phone = await visit(**SMALL_PHONE)
    with stopped(city, "dispatcher"):
        receipt = await gateway.report("Jalan berlubang besar, motor hampir jatuh", lat=-6.2401, lon=106.9566)
        await phone.goto(f"/track/{receipt['tracking_code']}")
        await expect(phone.get_by_role("status").first).to_contain_text("Sedang diproses")
        await expect(phone.get_by_role("main")).not_to_contain_text("NaN")
        await expect(wall.health).to_contain_text("Data tertunda", timeout=SAYS_SO_MS)
        await expect(wall.page.get_by_text("Data tertunda")).to_be_visible()
        # a figure that nobody counts any more is a dash, never the last value
        figures = wall.page.get_by_role("region", name="Angka kunci")
        await expect(figures.get_by_text("–", exact=True).first).to_be_visible()
    await expect(phone.get_by_role("status").first).to_contain_text("Koordinasi")
    await wall.is_live()
    await expect(wall.row(await CitizenPhone(phone).incident_id())).to_contain_text("Jalan rusak")
    assert await wall.page.evaluate("window.neverLoadedAgain === true")
