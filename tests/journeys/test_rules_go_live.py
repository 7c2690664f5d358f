"""Rules that a shift lead makes live, in the running city: the next report goes by them, and nothing was restarted."""

from collections.abc import AsyncIterator

import pytest

from tests.city import City
from tests.people import Gateway, Staff

#: Where no other journey reports anything.
MUSTIKAJAYA = (-6.3010, 107.0230)
#: Words that no other test says.
WORDS = "pawai obor"


@pytest.fixture
async def supervisor(city: City) -> AsyncIterator[Staff]:
    city.add_user("lead-rules", "supervisor")
    async with Staff(city, "lead-rules", city.staff_password) as opened:
        yield opened


async def post(person: Staff, path: str, **body: object) -> dict[str, object]:
    answer = await person.http.post(f"/api/v1{path}", json=body)
    assert answer.status_code in (200, 201), answer.text
    found: dict[str, object] = answer.json()
    return found


async def whose(gateway: Gateway, north_m: float) -> str | None:
    where = {"lat": round(MUSTIKAJAYA[0] + north_m / 111_195, 6), "lon": MUSTIKAJAYA[1]}
    receipt = await gateway.report(f"Macet total karena {WORDS}, kendaraan tidak bergerak", **where)
    agency = (await gateway.tracked(receipt["tracking_code"]))["agency"]
    return agency["code"] if agency else None


async def test_rules_that_go_live_decide_the_next_report_without_a_restart(gateway: Gateway, supervisor: Staff) -> None:
    assert await whose(gateway, 0) == "DISHUB"
    live = (await supervisor.http.get("/api/v1/rules")).json()
    kept = [{name: value for name, value in rule.items() if name != "number"} for rule in live["items"]]
    parade = {"name": "Pawai ke Satpol PP", "when": {"words": [WORDS]}, "agency": "SATPOL_PP"}
    draft = await post(supervisor, "/rules/drafts", rules=[parade, *kept])
    tried = await post(supervisor, f"/rules/drafts/{draft['id']}/try?days=1")
    assert tried["changed"] == 1
    applied = await post(supervisor, f"/rules/drafts/{draft['id']}/apply", version=live["version"])
    try:
        assert await whose(gateway, 600) == "SATPOL_PP"
    finally:
        await post(supervisor, f"/rules/versions/{live['version']}/apply", version=applied["version"])
    assert await whose(gateway, 1200) == "DISHUB"
