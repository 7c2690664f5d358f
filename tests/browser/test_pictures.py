"""The pictures of the README, and what only a picture proves: that the map is drawn, with a marker for what happens.

PATRIOT_WRITE_PICTURES=1 writes them into docs/; otherwise they go to a temporary folder and the tree stays as it is.
"""

import io
import os
from pathlib import Path
from random import Random
from typing import Final

import pytest
from PIL import Image
from playwright.async_api import Locator, Page

from infra.simulate.citizens import draw_photo
from schemas.vocabulary import Category
from tests.browser.conftest import PATIENCE_MS, PROJECT, Visit
from tests.browser.living_city import LivingCity
from tests.browser.visitors import SMALL_PHONE, WALL_SCREEN, CitizenPhone, WallScreen, sign_in, standing_at
from tests.city import City
from tests.people import Gateway, Staff, until

LARGEST: Final = 300_000
#: look.md: critical and high on the dark ground, the ground itself and the land.
CRITICAL: Final = (0xFF, 0x4D, 0x5E)
HIGH: Final = (0xFF, 0x9E, 0x3D)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Where pictures go."""
    return PROJECT / "docs" if os.environ.get("PATRIOT_WRITE_PICTURES") == "1" else tmp_path


async def test_the_wall_of_a_living_city_shows_it_on_the_map_and_in_words(
    visit: Visit, city: City, gateway: Gateway, operator: Staff, pictures: Path
) -> None:
    wall = WallScreen(await visit(**WALL_SCREEN, reduced_motion="reduce"))
    await sign_in(wall.page, operator)
    await wall.open()
    map_of_bekasi = wall.page.get_by_role("region", name="Peta kejadian di Bekasi")
    async with LivingCity(city, gateway, operator) as living:
        await living.go_about_its_day()

        async def drawn() -> bool:
            picture = await _shot(map_of_bekasi)
            return _pixels(picture, CRITICAL) > 300 and _pixels(picture, HIGH) > 100

        await until(drawn, PATIENCE_MS / 1000, "markers on the map")
        size = _save(await _shot(wall.page), pictures / "wall.png")
    assert size == (1920, 1080)
    whole = "[document.scrollingElement.scrollWidth, document.scrollingElement.scrollHeight]"
    assert await wall.page.evaluate(whole) == [1920, 1080], "nothing scrolls on a wall"


async def test_the_citizens_four_screens_in_a_row(visit: Visit, pictures: Path) -> None:
    citizen = CitizenPhone(
        await visit(**SMALL_PHONE, **standing_at(-6.2196, 106.9845), color_scheme="light", reduced_motion="reduce")
    )
    screens = []
    await citizen.open()
    await citizen.add_photo(draw_photo(Random(11), Category.TRAFFIC_JAM))
    screens.append(await _shot(citizen.page))
    await citizen.to_place()
    await citizen.use_location()
    screens.append(await _shot(citizen.page))
    await citizen.to_text()
    await citizen.write("Macet total, truk mogok di tengah jalan")
    await citizen.page.get_by_text("Kemacetan").click()
    screens.append(await _shot(citizen.page))
    await citizen.send()
    await citizen.receipt()
    screens.append(await _shot(citizen.page))
    gap = 32
    row = Image.new("RGB", (sum(screen.width for screen in screens) + gap * 5, screens[0].height + gap * 2), "#d5dce6")
    for number, screen in enumerate(screens):
        row.paste(screen, (gap + number * (screen.width + gap), gap))
    _save(row, pictures / "citizen.png")


async def _shot(shown: Page | Locator) -> Image.Image:
    return Image.open(io.BytesIO(await shown.screenshot(caret="initial"))).convert("RGB")


def _pixels(picture: Image.Image, colour: tuple[int, int, int]) -> int:
    return sum(count for count, found in picture.getcolors(picture.width * picture.height) or [] if found == colour)


def _save(picture: Image.Image, path: Path) -> tuple[int, int]:
    """As a PNG of 256 colours, which is small enough for a repository."""
    picture.quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(path, optimize=True)
    assert path.stat().st_size < LARGEST
    return picture.size
