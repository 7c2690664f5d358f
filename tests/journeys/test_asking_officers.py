"""Nobody picks up the phone to find an officer: the roster, the positions and the answers do it."""

from datetime import UTC, datetime, timedelta

from tests.city import City
from tests.people import Citizen, Staff, Wall, until

#: Kabupaten's road works, whom no other journey asks.
AGENCY = "32.16/DBMSDA"
TAMBUN = (-6.2623, 107.0560)
HOLE = "Jalan berlubang besar dan dalam, banyak motor jatuh"


def _at(place: tuple[float, float], north_m: float = 0.0) -> dict[str, float]:
    return {"lat": round(place[0] + north_m / 111_195, 6), "lon": place[1]}


async def test_rules_ask_the_officer_on_shift_and_after_a_no_the_next_one_who_then_goes(
    city: City, citizen: Citizen
) -> None:
    for name, role in (("kab-jalan-1", "officer"), ("kab-jalan-2", "officer"), ("kab-jalan", "dispatcher")):
        city.add_user(name, role, AGENCY)
    city.add_user("kepala-regu", "supervisor")
    async with (
        Staff(city, "kepala-regu", city.staff_password) as lead,
        Staff(city, "kab-jalan", city.staff_password) as dispatcher,
        Staff(city, "kab-jalan-1", city.staff_password) as first,
        Staff(city, "kab-jalan-2", city.staff_password) as second,
    ):
        now = datetime.now(UTC)
        times = f"{now - timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ},{now + timedelta(hours=7):%Y-%m-%dT%H:%M:%SZ}"
        roster = f"officer_id,starts_at,ends_at\nkab-jalan-1,{times}\nkab-jalan-2,{times}\n"
        answer = await dispatcher.http.post(
            "/api/v1/shifts/import", content=roster, headers={"Content-Type": "text/csv"}
        )
        assert answer.json() == {"added": 2, "unchanged": 0}
        line = {"category": "road_damage", "agency": "DBMSDA", "regency": "32.16", "automatic": True}
        try:
            assert (await lead.http.put("/api/v1/staffing", json={"lines": [line]})).status_code == 200
            await first.be_at(*_at(TAMBUN, 100).values())
            await second.be_at(*_at(TAMBUN, 2000).values())
            wall = await Wall.open(dispatcher, "incidents", "officers")
            receipt = await citizen.report(HOLE, **_at(TAMBUN))
            incident = (await citizen.tracked(receipt["tracking_code"]))["incident_id"]
            offer = await first.assignment_for(incident)
        finally:
            await lead.http.put("/api/v1/staffing", json={"lines": []})
        row = await wall.row(incident, lambda row: row["status"] == "assigned")
        assert [one["id"] for one in row["officers"]] == ["kab-jalan-1"]

        assert (await first.act(offer, "decline", reason="Aspal habis")).status_code == 200
        row = await wall.row(incident, lambda row: [one["id"] for one in row["officers"]] == ["kab-jalan-2"])
        mine = await second.assignment_for(incident)
        assert (await second.act(mine, "accept")).status_code == 200
        await wall.row(incident, lambda row: row["status"] == "in_progress")
        await wall.row("kab-jalan-2", lambda row: row["status"] == "busy", channel="officers")
        gone = await first.act(offer, "accept")
        assert gone.status_code == 409

        assert (await second.act(mine, "arrive", **_at(TAMBUN))).status_code == 200
        assert (await second.act(mine, "complete", note="Sudah ditambal", photo_ids=[])).status_code == 200

        async def resolved() -> bool:
            return (await citizen.track(receipt["tracking_code"]))["status"] == "resolved"

        await until(resolved, what="the citizen to read that it is done")
        story = await dispatcher.incident(incident)
        assert [entry["change"] for entry in story["history"]][-6:] == [
            "assigned", "declined", "assigned", "accepted", "arrived", "resolved",
        ]  # fmt: skip
        await wall.close()
