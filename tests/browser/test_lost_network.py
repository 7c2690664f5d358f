"""A report that cannot be sent: what was typed stays, what happened is said, and it is counted once."""

from typing import Final

from playwright.async_api import Page, Request, Route, expect

from tests.browser.conftest import Visit
from tests.browser.visitors import SMALL_PHONE, CitizenPhone, standing_at
from tests.browser.watch import Watch
from tests.people import Staff, photo_jpeg

JATIRASA: Final = (-6.3105, 106.9713)
TEXT: Final = "Banjir setinggi lutut, jalan tidak bisa dilewati"


async def test_a_report_is_kept_and_sent_once_whatever_the_network_does(
    visit: Visit, watch: Watch, operator: Staff
) -> None:
    watch.expect(r"^(failed|console): .*(ERR_INTERNET_DISCONNECTED|ERR_CONNECTION_RESET)")
    page = await visit(**SMALL_PHONE, **standing_at(*JATIRASA))
    keys = _keys_of_reports(page)
    citizen = CitizenPhone(page)
    await citizen.open()
    await citizen.add_photo(photo_jpeg(colour=(60, 90, 160)))
    await citizen.to_place()
    await citizen.use_location()
    await citizen.to_text()
    await citizen.write(TEXT)

    await page.context.set_offline(True)
    await citizen.send()
    said = page.get_by_role("alert").filter(has_text="sambungan terputus")
    await expect(said).to_be_visible()
    await expect(said).to_contain_text("tidak akan tercatat dua kali")
    await expect(page.get_by_label("Satu kalimat sudah cukup")).to_have_value(TEXT)
    await page.context.set_offline(False)

    async def lose_the_answer(route: Route) -> None:
        await route.fetch()
        await route.abort("connectionreset")

    await page.route("**/api/v1/reports", lose_the_answer, times=1)
    await page.get_by_role("button", name="Kirim ulang").click()
    await expect(page.get_by_role("button", name="Kirim ulang")).to_be_enabled()
    await expect(said).to_be_visible()

    await page.get_by_role("button", name="Kirim ulang").click()
    await citizen.receipt()
    await citizen.follow()
    incident = await operator.incident(await citizen.incident_id())
    assert len(keys) == 3
    assert len(set(keys)) == 1
    assert incident["report_count"] == 1


def _keys_of_reports(page: Page) -> list[str | None]:
    keys: list[str | None] = []

    def sent(request: Request) -> None:
        if request.method == "POST" and request.url.endswith("/api/v1/reports"):
            keys.append(request.headers.get("idempotency-key"))

    page.on("request", sent)
    return keys
