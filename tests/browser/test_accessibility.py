"""axe finds nothing serious or critical: each page in each state, in both languages and both colour schemes."""

from typing import Final

from playwright.async_api import expect

from tests.browser.accessibility import INDONESIAN, grave_findings
from tests.browser.conftest import Visit
from tests.browser.visitors import (
    SMALL_PHONE,
    WALL_SCREEN,
    CitizenPhone,
    OfficerPhone,
    WallScreen,
    sign_in,
    standing_at,
)
from tests.people import Gateway, Staff, photo_jpeg

KRANJI: Final = (-6.2290, 106.9770)
#: Nothing is to be judged half-way through a change.
STILL: Final = {"reduced_motion": "reduce"}


async def test_the_citizens_pages_have_no_grave_findings(visit: Visit) -> None:
    citizen = CitizenPhone(await visit(**SMALL_PHONE, **STILL, **standing_at(*KRANJI)))
    page = citizen.page
    await citizen.open()
    found = await grave_findings(page, "photo")
    await citizen.add_photo(photo_jpeg())
    found += await grave_findings(page, "photo, with one")
    await citizen.to_place()
    await page.get_by_role("button", name="Pilih di peta").click()
    await expect(page.get_by_role("button", name="Pakai titik ini")).to_be_enabled()
    found += await grave_findings(page, "map", INDONESIAN)
    await page.get_by_role("button", name="Batal").click()
    await citizen.use_location()
    found += await grave_findings(page, "place")
    await citizen.to_text()
    await page.get_by_role("button", name="Tambah kontak").click()
    found += await grave_findings(page, "contact", INDONESIAN)
    await page.get_by_role("button", name="Batal").click()
    await citizen.write("Macet, ada kecelakaan, korban luka")
    await expect(page.get_by_role("link", name="Telepon 112 sekarang")).to_be_visible()
    found += await grave_findings(page, "text")
    await citizen.send()
    await citizen.receipt()
    found += await grave_findings(page, "receipt")
    await citizen.follow()
    await citizen.incident_id()
    found += await grave_findings(page, "track")
    await page.goto("/track/AAAA-BBBB-CCCC-DDDD-EEEE")
    await expect(page.get_by_role("alert")).to_contain_text("Kode tidak dikenal")
    found += await grave_findings(page, "track, unknown code")
    assert not found, "\n".join(found)


async def test_the_wall_has_no_grave_findings(visit: Visit, operator: Staff) -> None:
    wall = WallScreen(await visit(**WALL_SCREEN, **STILL))
    await wall.page.goto("/wall?theme=auto")
    found = await grave_findings(wall.page, "sign-in")
    await sign_in(wall.page, operator)
    await wall.open("/wall?theme=auto")
    found += await grave_findings(wall.page, "wall")
    assert not found, "\n".join(found)


async def test_the_officers_page_has_no_grave_findings(
    visit: Visit, operator: Staff, dishub_officer: Staff, gateway: Gateway
) -> None:
    receipt = await gateway.report("Macet panjang di depan stasiun", lat=KRANJI[0], lon=KRANJI[1])
    incident_id = (await gateway.tracked(receipt["tracking_code"]))["incident_id"]
    officer = OfficerPhone(await visit(**SMALL_PHONE, **STILL))
    page = officer.page
    await page.goto("/officer")
    found = await grave_findings(page, "sign-in")
    await sign_in(page, dishub_officer)
    await page.goto("/officer")
    await expect(page.get_by_role("heading", name="Tugas saya")).to_be_visible()
    await dishub_officer.be_at(*KRANJI)
    await operator.command(incident_id, "assign", officer_id=dishub_officer.username)
    await expect(officer.task(incident_id)).to_be_visible()
    found += await grave_findings(page, "list")
    await officer.press(incident_id, "Tolak")
    found += await grave_findings(page, "decline", INDONESIAN)
    await page.get_by_role("button", name="Batal").click()
    await officer.press(incident_id, "Terima tugas")
    await officer.press(incident_id, "Sudah di lokasi")
    await officer.press(incident_id, "Selesaikan")
    found += await grave_findings(page, "complete", INDONESIAN)
    await page.get_by_label("Catatan").fill("Arus sudah lancar")
    await page.get_by_role("dialog").get_by_role("button", name="Selesaikan").click()
    await expect(officer.task(incident_id)).to_have_count(0)
    assert not found, "\n".join(found)


async def test_axe_sees_what_it_must(visit: Visit) -> None:
    page = await visit()
    await page.goto("/track/")
    await page.evaluate(
        """() => {
          const main = document.querySelector('main');
          main.append(Object.assign(document.createElement('img'), { src: '/favicon.svg' }));
          main.append(Object.assign(document.createElement('p'), { id: 'faint', textContent: 'Samar' }));
          document.getElementById('faint').style.color = '#808890';
        }"""
    )
    found = "\n".join(await grave_findings(page, "track"))
    for rule in ("id, light: color-contrast (serious)", "en, dark: image-alt (critical)"):
        assert rule in found
