"""What people do at the pages, in their words: found by role, label and text, as a person finds it."""

import re
from typing import Final

from playwright.async_api import Locator, Page, expect

from tests.people import Staff

#: The smallest phone that the form is made for; Playwright's options of a context.
SMALL_PHONE: Final = {
    "viewport": {"width": 360, "height": 640},
    "device_scale_factor": 2,
    "is_mobile": True,
    "has_touch": True,
}
#: The wall's shape.
WALL_SCREEN: Final = {"viewport": {"width": 1920, "height": 1080}}

_CODE: Final = re.compile(r"[0-9A-Z]{4}(-[0-9A-Z]{4}){4}")


def standing_at(lat: float, lon: float) -> dict[str, object]:
    """A phone that knows where it is and may say so; Playwright's options of a context."""
    return {"geolocation": {"latitude": lat, "longitude": lon, "accuracy": 12}, "permissions": ["geolocation"]}


async def sign_in(page: Page, staff: Staff) -> None:
    """Get the session cookie without the form, where signing in is not what is tested."""
    answer = await page.context.request.post(
        "/api/v1/session", data={"username": staff.username, "password": staff.city.staff_password}
    )
    assert answer.ok, await answer.text()


async def sign_in_by_form(page: Page, staff: Staff) -> None:
    """As people do, on a page that offers it."""
    await page.get_by_label("Nama pengguna").fill(staff.username)
    await page.get_by_label("Kata sandi").fill(staff.city.staff_password)
    await page.get_by_role("button", name="Masuk").click()


class CitizenPhone:
    """Somebody reporting: one question a screen."""

    def __init__(self, page: Page) -> None:
        self.page = page

    async def open(self) -> None:
        """The form's first screen."""
        await self.page.goto("/")
        await self.asked("Ada foto kejadiannya?")

    async def asked(self, question: str) -> None:
        """Wait for that screen."""
        await expect(self.page.get_by_role("heading", name=question)).to_be_visible()

    async def add_photo(self, photo: bytes) -> None:
        """Choose a photo and see it."""
        await self.page.get_by_label("Pilih foto").set_input_files(
            {"name": "macet.jpg", "mimeType": "image/jpeg", "buffer": photo}
        )
        await expect(self.page.get_by_role("img", name="Foto 1")).to_be_visible()

    async def to_place(self) -> None:
        """On to the second screen."""
        await self.page.get_by_role("button", name=re.compile("^Lanjut")).click()
        await self.asked("Di mana tempatnya?")

    async def use_location(self) -> None:
        """Let the phone say where."""
        await self.page.get_by_role("button", name="Pakai lokasi saya").click()
        await expect(self.page.get_by_text("Lokasi Anda ditemukan")).to_be_visible()

    async def write_address(self, address: str) -> None:
        """Or write it."""
        await self.page.get_by_label("Alamat atau patokan").fill(address)

    async def to_text(self) -> None:
        """On to the third screen."""
        await self.page.get_by_role("button", name="Lanjut").click()
        await self.asked("Apa yang terjadi?")

    async def write(self, description: str) -> None:
        """The one sentence."""
        await self.page.get_by_label("Satu kalimat sudah cukup").fill(description)

    async def send(self) -> None:
        """Press send, whatever comes of it."""
        await self.page.get_by_role("button", name="Kirim laporan").click()

    async def receipt(self) -> str:
        """Wait for the receipt; returns the tracking code as it is shown."""
        await self.asked("Laporan diterima")
        card = self.page.get_by_role("main")
        await expect(card).to_contain_text(_CODE)
        found = _CODE.search(await card.inner_text())
        assert found
        return found[0]

    async def follow(self) -> None:
        """From the receipt to the tracking page."""
        await self.page.get_by_role("link", name="Lihat perkembangan").click()
        await self.page.wait_for_url("**/track/*")

    async def incident_id(self) -> str:
        """The incident's number, once the tracking page shows it."""
        main = self.page.get_by_role("main")
        await expect(main).to_contain_text(re.compile("INC-"))
        found = re.search(r"INC-[0-9A-Z]+", await main.inner_text())
        assert found
        return found[0]


class WallScreen:
    """The wall display."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.health = page.get_by_role("status")

    async def open(self, path: str = "/wall") -> None:
        """With the session cookie; comes back once it is live."""
        await self.page.goto(path)
        await self.is_live()

    async def is_live(self) -> None:
        """Wait until it says that what it shows is true now."""
        await expect(self.health).to_have_text("Langsung")

    def row(self, incident_id: str) -> Locator:
        """The incident's line of text; it may be among the urgent and the newest."""
        return self.page.get_by_role("article").filter(has_text=incident_id).first


class OfficerPhone:
    """An officer with the list of tasks."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def task(self, incident_id: str) -> Locator:
        """The card of that incident."""
        return self.page.get_by_role("article").filter(has_text=incident_id)

    async def press(self, incident_id: str, step: str) -> None:
        """The card's button."""
        await self.task(incident_id).get_by_role("button", name=step).click()
