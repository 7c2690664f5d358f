"""What a city shows for itself: an audit that an inspector checks, a citizen who is forgotten, a board of the past."""

import asyncio
import json
from datetime import UTC, datetime
from subprocess import CompletedProcess

from tests.city import City
from tests.people import Citizen, Staff, Wall, photo_jpeg, until

TAMBUN = (-6.2637, 107.0531)
PEKAYON = (-6.2587, 106.9799)
BANTARGEBANG = (-6.3290, 106.9871)


def _at(place: tuple[float, float]) -> dict[str, float]:
    return {"lat": place[0], "lon": place[1]}


async def typed(city: City, *arguments: str) -> CompletedProcess[str]:
    """A command on the running city, found by its data directory."""
    return await asyncio.to_thread(city.patriot, *arguments, "--data-dir", str(city.data_dir))


async def is_whole(city: City) -> None:
    """All that was told is chained, and nothing is found."""

    async def verified() -> bool:
        done = await typed(city, "audit", "verify")
        assert done.returncode == 0, done.stdout + done.stderr
        return " 0 waiting" in done.stderr

    await until(verified, what="the sealer has come to the newest entry")


async def test_what_was_decided_is_signed_and_an_inspector_finds_it_whole_with_the_public_key_alone(
    city: City, citizen: Citizen, operator: Staff
) -> None:
    receipt = await citizen.report("Macet total, kendaraan tidak bergerak", **_at(TAMBUN))
    incident_id = (await citizen.tracked(receipt["tracking_code"]))["incident_id"]
    await operator.command(incident_id, "note", text="Menunggu derek")
    await operator.command(incident_id, "resolve", note="Lancar kembali")
    printed = await operator.http.get(f"/api/v1/incidents/{incident_id}/print")
    assert printed.status_code == 200 and "Menunggu derek" not in printed.text
    await is_whole(city)
    listed = (await typed(city, "audit", "list", "--subject", incident_id)).stdout.splitlines()
    assert [line.split("\t")[2:4] for line in listed][-2:] == [
        ["poc-rina", "incident_noted"],
        ["poc-rina", "incident_resolved"],
    ]
    key = (await typed(city, "audit", "key")).stdout.strip()
    checked = await typed(city, "audit", "verify", "--public-key", key)
    assert checked.returncode == 0 and "the chain is whole" in checked.stdout
    forged = await typed(city, "audit", "verify", "--public-key", "00" * 32)
    assert forged.returncode == 1


async def test_a_citizen_is_given_all_and_forgotten_and_the_incident_stays(
    city: City, citizen: Citizen, operator: Staff
) -> None:
    reporter = {"name": "Siti Rahasia", "phone": "0812-7777-3275", "consent": "2026-11"}
    receipt = await citizen.report(
        "Ada tumpukan sampah liar di depan rumah saya", photo_jpeg(), reporter=reporter, **_at(PEKAYON)
    )
    code = receipt["tracking_code"]
    tracked = await citizen.tracked(code)
    (photo,) = tracked["photos"]
    given = json.loads((await typed(city, "privacy", "export", "--code", code)).stdout)
    assert given["contact"]["name"] == "Siti Rahasia" and given["consent"] == "2026-11"
    erased = await typed(city, "privacy", "erase", "--phone", "+62 812 7777 3275", "--words", "--photos", "--yes")
    assert erased.returncode == 0, erased.stderr
    after = await citizen.track(code)
    assert after["incident_id"] == tracked["incident_id"] and after["photos"] == []
    assert (await citizen.http.get(photo)).status_code == 404
    detail = await operator.incident(tracked["incident_id"])
    assert "rumah saya" not in json.dumps(detail) and detail["report_count"] == 1 and detail["photo_url"] is None
    assert (await typed(city, "privacy", "export", "--phone", "081277773275")).returncode == 1
    await is_whole(city)


async def test_the_board_of_a_moment_has_the_rows_that_the_wall_showed(citizen: Citizen, operator: Staff) -> None:
    wall = await Wall.open(operator, "incidents")
    receipt = await citizen.report("Ada tumpukan sampah liar di pinggir jalan, bau sekali", **_at(BANTARGEBANG))
    incident_id = (await citizen.tracked(receipt["tracking_code"]))["incident_id"]
    shown = await wall.row(incident_id, lambda row: row["status"] == "routed")
    moment = datetime.now(UTC)
    await operator.command(incident_id, "resolve", note="Sudah diangkut")
    await wall.row(incident_id, lambda row: row["status"] == "resolved")
    for at, status in ((moment, "routed"), (datetime.now(UTC), "resolved")):
        answer = await operator.http.get("/api/v1/board", params={"at": at.isoformat()})
        assert answer.status_code == 200, answer.text
        rows = {row["id"]: row for row in answer.json()["items"]}
        assert rows[incident_id]["status"] == status
        if status == "routed":
            assert rows[incident_id] == shown
    await wall.close()
