"""Who reports is told how it goes, in the running city, move by move, without asking."""

import email
from collections.abc import AsyncIterator
from email.policy import default as mail_policy

import pytest

from tests.city import City
from tests.people import Citizen, Staff, until

#: Where no other journey reports anything.
JATIASIH = (-6.3090, 106.9650)
AT_ONCE = {"bundle_s": 0, "quiet": None}


@pytest.fixture
async def supervisor(city: City) -> AsyncIterator[Staff]:
    """A shift lead of a city that tells at once; as it was before, afterwards."""
    city.add_user("lead-telling", "supervisor")
    async with Staff(city, "lead-telling", city.staff_password) as opened:
        before = (await opened.http.get("/api/v1/notification-manners")).json()
        table = dict.fromkeys(("staff", "officer", "reporter"), AT_ONCE)
        answer = await opened.http.put("/api/v1/notification-manners", json=table)
        assert answer.status_code == 200, answer.text
        yield opened
        await opened.http.put("/api/v1/notification-manners", json=before)


async def test_a_citizen_with_an_address_is_told_of_each_move(city: City, citizen: Citizen, supervisor: Staff) -> None:
    receipt = await citizen.report(
        "Macet total, kendaraan tidak bergerak",
        lat=JATIASIH[0],
        lon=JATIASIH[1],
        reporter={"name": "Siti", "email": "siti@example.id"},
    )
    incident_id = (await citizen.tracked(receipt["tracking_code"]))["incident_id"]
    folder = city.data_dir / "mailbox" / "reports" / receipt["report_id"]

    async def told(count: int) -> list[str]:
        paths = sorted(folder.glob("[!.]*"), key=lambda path: path.stat().st_mtime_ns)
        mails = [email.message_from_bytes(path.read_bytes(), policy=mail_policy) for path in paths]
        return [str(mail["Subject"]) for mail in mails] if len(mails) >= count else []

    code = receipt["tracking_code"]
    assert await until(lambda: told(1), what="the first message") == [f"Laporan {code}: Koordinasi"]
    await supervisor.command(incident_id, "resolve", note="Sudah lancar")
    assert (await until(lambda: told(2), what="the second"))[-1] == f"Laporan {code}: Selesai"
    await supervisor.command(incident_id, "close")
    assert (await citizen.http.get(f"/api/v1/reports/{code}")).json()["status"] == "closed"
    assert len(await told(0)) == 2
