"""The whole way at real pages: a citizen's phone, the tracking page, the wall, an officer's phone."""

import re
from typing import Final

from playwright.async_api import Page, expect

from tests.browser.conftest import Visit
from tests.browser.visitors import (
    SMALL_PHONE,
    WALL_SCREEN,
    CitizenPhone,
    OfficerPhone,
    WallScreen,
    sign_in,
    sign_in_by_form,
    standing_at,
)
from tests.people import Staff, photo_jpeg

#: A place of its own, so that no other test's reports join.
PEKAYON: Final = (-6.2689, 106.9771)


async def test_a_report_from_a_phone_reaches_the_wall_and_an_officer_and_is_told_to_be_done(
    visit: Visit, operator: Staff, dishub_officer: Staff
) -> None:
    wall = WallScreen(await visit(**WALL_SCREEN))
    await wall.page.goto("/wall")
    await sign_in_by_form(wall.page, operator)
    await wall.is_live()

    citizen = CitizenPhone(await visit(**SMALL_PHONE, **standing_at(*PEKAYON)))
    await citizen.open()
    await fits_the_screen(citizen.page)
    await citizen.add_photo(photo_jpeg())
    await fits_the_screen(citizen.page)
    await citizen.to_place()
    await citizen.use_location()
    await fits_the_screen(citizen.page)
    await citizen.to_text()
    await citizen.write("Macet total, truk mogok menutup dua lajur")
    await fits_the_screen(citizen.page)
    await citizen.send()
    code = await citizen.receipt()
    await fits_the_screen(citizen.page)
    await citizen.follow()
    assert citizen.page.url.endswith(f"/track/{code}")
    incident_id = await citizen.incident_id()
    status = citizen.page.get_by_role("status").first
    await expect(status).to_contain_text("Koordinasi")
    await expect(citizen.page.get_by_text("Dinas Perhubungan")).to_be_visible()
    await expect(citizen.page.get_by_role("img", name="Foto laporan 1")).to_have_js_property("complete", True)

    row = wall.row(incident_id)
    await expect(row).to_be_visible()
    await expect(row).to_contain_text("Kemacetan")
    await expect(row.get_by_role("heading")).to_have_text(re.compile("Kemacetan.*Bekasi Selatan"))

    officer = OfficerPhone(await visit(**SMALL_PHONE, **standing_at(*PEKAYON)))
    await officer.page.goto("/officer")
    await sign_in_by_form(officer.page, dishub_officer)
    await officer.page.get_by_text("Siaga", exact=True).click()
    await expect(officer.page.get_by_label("Siaga")).to_be_checked()
    await operator.command(incident_id, "assign", officer_id=dishub_officer.username)
    await expect(row).to_contain_text("Disposisi")
    await expect(officer.task(incident_id)).to_contain_text("Tugas baru")
    await officer.press(incident_id, "Terima tugas")
    await expect(row).to_contain_text("Proses")
    await expect(row).to_contain_text(dishub_officer.username)

    await officer.press(incident_id, "Sudah di lokasi")
    await officer.press(incident_id, "Selesaikan")
    step = officer.page.get_by_role("dialog", name="Apa yang sudah dikerjakan?")
    await step.get_by_label("Catatan").fill("Truk sudah diderek, arus lancar")
    await step.get_by_role("button", name="Selesaikan").click()
    await expect(officer.task(incident_id)).to_have_count(0)
    await expect(row).to_contain_text("Selesai")
    await citizen.page.reload()
    await expect(status).to_contain_text("Selesai")
    await expect(status).to_contain_text("Petugas menyatakan sudah selesai.")


async def test_an_address_will_do_where_the_phone_does_not_say_its_place(visit: Visit, operator: Staff) -> None:
    citizen = CitizenPhone(await visit(**SMALL_PHONE))
    await citizen.open()
    await citizen.to_place()
    await citizen.page.get_by_role("button", name="Lanjut").click()
    await expect(citizen.page.get_by_role("alert")).to_contain_text("Pilih titik atau tulis alamatnya dulu.")
    await citizen.page.get_by_role("button", name="Pakai lokasi saya").click()
    await expect(citizen.page.get_by_role("alert")).to_contain_text("Lokasi tidak diizinkan.")
    await citizen.write_address("Jl. Raya Mustika Jaya, depan kantor kelurahan")
    await citizen.to_text()
    await citizen.page.get_by_role("button", name="Kirim laporan").click()
    await expect(citizen.page.get_by_role("alert").filter(has_text="Tulis dulu")).to_be_visible()
    await citizen.write("Tumpukan sampah liar di pinggir jalan, bau menyengat")
    await citizen.send()
    await citizen.receipt()
    await citizen.follow()
    incident_id = await citizen.incident_id()

    wall = WallScreen(await visit(**WALL_SCREEN))
    await sign_in(wall.page, operator)
    await wall.open()
    await expect(wall.row(incident_id).get_by_role("heading")).to_have_text(re.compile("Sampah liar.*Mustikajaya"))


async def fits_the_screen(page: Page) -> None:
    """Nothing of the screen is below or beside what the phone shows."""
    await page.wait_for_function("document.fonts.status === 'loaded'")
    size = await page.evaluate("[document.scrollingElement.scrollWidth, document.scrollingElement.scrollHeight]")
    assert size[0] <= 360
    assert size[1] <= 640
