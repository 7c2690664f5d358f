"""Two at once on one incident: exactly one wins, the other reads what is true now; nobody waits for ever."""

import asyncio
from typing import Any

import pytest

from schemas.vocabulary import Role
from tests.dispatcher.desk.office import JAM, Json, Office, Person
from tests.dispatcher.factories import SUMMARECON, north_of


@pytest.fixture
async def two(office: Office) -> tuple[Person, Person]:
    await office.forget_everything()
    return await office.staff(Role.OPERATOR), await office.staff(Role.SUPERVISOR)


RIVALS: list[tuple[tuple[str, Json], tuple[str, Json]]] = [
    (("resolve", {"note": "Beres"}), ("reject", {"reason": "Bukan"})),
    (("hold", {"reason": "unsafe"}), ("assign", {})),
    (("reroute", {"agency": "DLH", "reason": "x"}), ("transfer", {"to": "PLN", "reason": "x"})),
    (("hold", {"reason": "unsafe"}), ("hold", {"reason": "bad_weather"})),
]


@pytest.mark.parametrize("rivals", RIVALS, ids=lambda pair: f"{pair[0][0]}-{pair[1][0]}")
async def test_of_two_verbs_at_once_one_is_done(office: Office, two: tuple[Person, Person], rivals: Any) -> None:
    await office.officer()
    incident = await office.incident(JAM, SUMMARECON)
    version = (await two[0].get(f"/incidents/{incident['id']}"))["version"]
    answers = await asyncio.gather(
        *(
            person.http.post(f"/api/v1/incidents/{incident['id']}/{verb}", json={"version": version, **body})
            for person, (verb, body) in zip(two * 3, list(rivals) * 3, strict=True)
        )
    )
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 5
    now = await two[0].get(f"/incidents/{incident['id']}")
    for answer in answers:
        if answer.status_code == 409:
            assert answer.json()["current_version"] == now["version"] and answer.json()["legal"] == now["legal"]


async def test_two_incidents_merged_into_each_other_at_once_make_no_circle(
    office: Office, two: tuple[Person, Person]
) -> None:
    for _ in range(5):
        await office.forget_everything()
        a = await office.incident(JAM, SUMMARECON)
        b = await office.incident(JAM, north_of(SUMMARECON, 600))
        versions = {one["id"]: (await two[0].get(f"/incidents/{one['id']}"))["version"] for one in (a, b)}
        answers = await asyncio.gather(
            *(
                person.http.post(
                    f"/api/v1/incidents/{one['id']}/merge",
                    json={"version": versions[one["id"]], "into": other["id"], "reason": "Sama"},
                )
                for person, one, other in ((two[0], a, b), (two[1], b, a))
            )
        )
        assert sorted(answer.status_code for answer in answers) == [200, 409]
        rows = (await two[0].get("/incidents"))["items"]
        assert sorted(row["report_count"] for row in rows) == [0, 2]


async def test_reports_that_arrive_while_it_is_merged_are_in_one_incident_each(
    office: Office, two: tuple[Person, Person]
) -> None:
    a = await office.incident(JAM, SUMMARECON)
    b = await office.incident(JAM, north_of(SUMMARECON, 600))
    arriving = [office.incident(JAM, north_of(SUMMARECON, 590 + n)) for n in range(6)]
    merging = two[0].command(b["id"], "merge", into=a["id"], reason="Sama")
    done = await asyncio.gather(*arriving[:3], merging, *arriving[3:], return_exceptions=True)
    assert not [one for one in done if isinstance(one, BaseException) and "409" not in str(one)]
    rows = {row["id"]: row for row in (await two[0].get("/incidents"))["items"]}
    assert sum(row["report_count"] for row in rows.values()) == 8
    stored = await office.pool.fetch("SELECT incident_id, count(*) AS count FROM report GROUP BY incident_id")
    assert {row["incident_id"]: row["count"] for row in stored} == {
        key: row["report_count"] for key, row in rows.items() if row["report_count"]
    }


async def test_an_officer_who_completes_while_the_desk_rejects_is_told(
    office: Office, two: tuple[Person, Person]
) -> None:
    officer = await office.officer()
    incident = await office.incident(JAM, SUMMARECON)
    await two[0].command(incident["id"], "assign")
    [offer] = (await officer.get("/assignments"))["items"]
    await officer.act(offer, "accept")
    await officer.act(offer, "arrive")
    version = (await two[0].get(f"/incidents/{incident['id']}"))["version"]
    completed, rejected = await asyncio.gather(
        officer.http.post(f"/api/v1/assignments/{offer['id']}/complete", json={"note": "Beres"}),
        two[0].http.post(f"/api/v1/incidents/{incident['id']}/reject", json={"version": version, "reason": "Bukan"}),
    )
    assert sorted((completed.status_code, rejected.status_code)) == [200, 409]
    found = await two[0].get(f"/incidents/{incident['id']}")
    assert found["status"] == ("resolved" if completed.status_code == 200 else "rejected")
    [me] = [row for row in (await two[0].get("/officers"))["items"] if row["id"] == officer.username]
    assert me["status"] == "available"
