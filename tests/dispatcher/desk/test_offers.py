"""Officers are asked one after the other until enough have said yes, and nobody after that; when nobody is left,
somebody who leads is told."""

import asyncio
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from dispatcher.clocks import Clocks
from schemas.vocabulary import Role
from tests.dispatcher.desk.office import DUMPING, JAM, Json, Office, Person
from tests.dispatcher.factories import SUMMARECON, north_of

FLOOD = "Banjir setinggi lutut di perumahan, warga butuh bantuan"


@pytest.fixture
async def operator(office: Office) -> Person:
    await office.forget_everything()
    await office.pool.execute("DELETE FROM policy")
    return await office.staff(Role.OPERATOR)


async def line_up(office: Office, count: int, agency: str = "32.75/DISHUB") -> list[Person]:
    """Officers in the order in which they are best: 300 m further each."""
    return [await office.officer(agency, north_of(SUMMARECON, 300 * (n + 1))) for n in range(count)]


async def offers_to(officer: Person) -> list[Json]:
    found: list[Json] = (await officer.get("/assignments", status="offered"))["items"]
    return found


async def asked(officers: Sequence[Person]) -> list[int]:
    """How many open offers each has."""
    return [len(await offers_to(officer)) for officer in officers]


async def time_passes(office: Office) -> int:
    """The answer that has been due the longest is waited for no more; how many deadlines fired."""
    return await Clocks(office.pool, ahead=timedelta(hours=2)).fire_answer()


async def story(operator: Person, incident: Json) -> list[str]:
    return [entry["change"] for entry in (await operator.get(f"/incidents/{incident['id']}"))["history"]]


async def test_who_declines_is_followed_by_the_next_best_until_one_says_yes(office: Office, operator: Person) -> None:
    officers = await line_up(office, 3)
    incident = await office.incident(place=SUMMARECON)
    await operator.command(incident["id"], "assign")
    for n in range(2):
        assert await asked(officers) == [int(n == m) for m in range(3)], "one at a time, the nearest first"
        declined = await officers[n].act((await offers_to(officers[n]))[0], "decline", reason="Jauh")
        assert declined["incident"]["status"] == "assigned"
    accepted = await officers[2].act((await offers_to(officers[2]))[0], "accept")
    assert accepted["incident"]["status"] == "in_progress"
    assert (await story(operator, incident))[-6:] == [
        "assigned", "declined", "assigned", "declined", "assigned", "accepted",
    ]  # fmt: skip
    assert await time_passes(office) == 0, "a yes leaves nothing to wait for"


async def test_who_does_not_answer_in_time_is_followed_by_the_next_best(office: Office, operator: Person) -> None:
    first, second = await line_up(office, 2)
    incident = await office.incident(place=SUMMARECON)
    assigned = await operator.command(incident["id"], "assign")
    due = datetime.fromisoformat(assigned["assignments"][0]["answer_due_at"])
    assert timedelta(0) < due - datetime.now(UTC) <= timedelta(minutes=2), "a jam's officer has two minutes"
    assert await Clocks(office.pool).fire_answer() == 0, "not before"
    late = (await offers_to(first))[0]
    assert await time_passes(office) == 1
    assert await asked([first, second]) == [0, 1]
    found = await operator.get(f"/incidents/{incident['id']}")
    assert [one["status"] for one in found["assignments"]] == ["expired", "offered"]
    assert found["history"][-2]["change"] == "expired" and found["history"][-2]["actor"] == "dispatcher"
    refused = await first.act(late, "accept", 409)
    assert "was not answered in time" in refused["detail"] and refused["legal"] == []


async def test_when_nobody_is_left_the_shift_lead_is_told_and_then_the_head_of_the_agency(
    office: Office, operator: Person
) -> None:
    (only,) = await line_up(office, 1)
    incident = await office.incident(place=SUMMARECON)
    await operator.command(incident["id"], "assign")
    declined = await only.act((await offers_to(only))[0], "decline", reason="Ban bocor")
    assert declined["incident"]["status"] == "routed"
    found = await operator.get(f"/incidents/{incident['id']}")
    assert found["history"][-1]["change"] == "escalated" and found["history"][-1]["status"] == "routed"
    assert found["history"][-1]["detail"]["tell"] == "shift_lead"
    assert "1 petugas 32.75/DISHUB menolak atau tidak menjawab" in found["decisions"][-1]["because"]
    assert found["decisions"][-1]["outcome"] == "shift_lead"
    state = (await operator.get(f"/incidents/{incident['id']}/recommendations"))["offering"]
    assert state["state"] == "shift_lead"
    assert await time_passes(office) == 1
    found = await operator.get(f"/incidents/{incident['id']}")
    assert [one["outcome"] for one in found["decisions"][-2:]] == ["shift_lead", "agency_head"]
    before = found["version"]
    assert await time_passes(office) == 1, "it is looked again whether somebody has come"
    assert (await operator.get(f"/incidents/{incident['id']}"))["version"] == before, "but told no more than once"
    assert await asked([only]) == [0], "and who has said no is not asked again"


async def test_who_comes_on_duty_is_asked_for_what_was_waiting_for_somebody(office: Office, operator: Person) -> None:
    first, later = await line_up(office, 2)
    await later.be("off_duty")
    incident = await office.incident(place=SUMMARECON)
    await operator.command(incident["id"], "assign")
    await first.act((await offers_to(first))[0], "decline", reason="Ban bocor")
    await later.be("available", lat=SUMMARECON[0], lon=SUMMARECON[1])
    assert await time_passes(office) == 1
    assert await asked([first, later]) == [0, 1]
    await later.act((await offers_to(later))[0], "accept")
    assert await time_passes(office) == 0


async def test_everything_stops_the_moment_someone_accepts(office: Office, operator: Person) -> None:
    officers = await line_up(office, 3)
    incident = await office.incident(place=SUMMARECON)
    for _ in range(3):
        await operator.command(incident["id"], "assign")
    assert await asked(officers) == [1, 1, 1]
    others = [(await offers_to(officer))[0] for officer in officers[1:]]
    accepted = await officers[0].act((await offers_to(officers[0]))[0], "accept")
    assert [one["id"] for one in accepted["incident"]["officers"]] == [officers[0].username]
    assert await asked(officers) == [0, 0, 0]
    for officer, offer in zip(officers[1:], others, strict=True):
        refused = await officer.act(offer, "accept", 409)
        assert "another officer has accepted" in refused["detail"]
    assert await time_passes(office) == 0
    assert (
        await office.pool.fetchval("SELECT count(*) FROM deadline WHERE kind LIKE 'answer%' AND fired_at IS NULL") == 0
    )


async def test_of_two_officers_who_accept_at_once_one_wins(office: Office, operator: Person) -> None:
    for _ in range(5):
        await office.forget_everything()
        officers = await line_up(office, 2)
        incident = await office.incident(place=SUMMARECON)
        for _ in officers:
            await operator.command(incident["id"], "assign")
        offers = [(await offers_to(officer))[0] for officer in officers]
        answers = await asyncio.gather(
            *(
                officer.http.post(f"/api/v1/assignments/{offer['id']}/accept", json={})
                for officer, offer in zip(officers, offers, strict=True)
            )
        )
        assert sorted(answer.status_code for answer in answers) == [200, 409]
        found = await operator.get(f"/incidents/{incident['id']}")
        assert sorted(one["status"] for one in found["assignments"]) == ["accepted", "released"]
        assert [entry["change"] for entry in found["history"]].count("accepted") == 1
        rows = {one["id"]: one["status"] for one in (await operator.get("/officers"))["items"]}
        assert sorted(rows.values()) == ["available", "busy"]


async def test_an_answer_and_the_end_of_its_time_at_once_are_one_of_both(office: Office, operator: Person) -> None:
    for _ in range(5):
        await office.forget_everything()
        first, _ = await line_up(office, 2)
        incident = await office.incident(place=SUMMARECON)
        await operator.command(incident["id"], "assign")
        offer = (await offers_to(first))[0]
        answer, _ = await asyncio.gather(
            first.http.post(f"/api/v1/assignments/{offer['id']}/accept", json={}), time_passes(office)
        )
        found = await operator.get(f"/incidents/{incident['id']}")
        statuses = [one["status"] for one in found["assignments"]]
        assert statuses == (["accepted"] if answer.status_code == 200 else ["expired", "offered"])


async def test_workers_that_look_at_once_ask_one_next_officer(office: Office, operator: Person) -> None:
    officers = await line_up(office, 4)
    incident = await office.incident(place=SUMMARECON)
    await operator.command(incident["id"], "assign")
    # The clock runs just as far ahead as the first offer lasts, so that the next one is not due yet.
    await office.pool.execute("UPDATE deadline SET due_at = now() - interval '1 minute' WHERE kind LIKE 'answer%'")
    fired = await asyncio.gather(*(Clocks(office.pool).fire_answer() for _ in range(4)))
    assert sum(fired) == 1
    assert await asked(officers) == [0, 1, 0, 0]
    found = await operator.get(f"/incidents/{incident['id']}")
    assert [one["status"] for one in found["assignments"]] == ["expired", "offered"]


async def test_what_is_handed_back_goes_to_the_next_best(office: Office, operator: Person) -> None:
    first, second = await line_up(office, 2)
    incident = await office.incident(place=SUMMARECON)
    await operator.command(incident["id"], "assign")
    mine = (await offers_to(first))[0]
    await first.act(mine, "accept")
    await first.act(mine, "depart")
    back = await first.act(mine, "decline", reason="Motor mogok")
    assert back["incident"]["status"] == "assigned"
    assert await asked([first, second]) == [0, 1]
    rows = {one["id"]: one["status"] for one in (await operator.get("/officers"))["items"]}
    assert rows[first.username] == "available"


async def test_whom_a_person_has_named_is_not_replaced_by_rules(office: Office, operator: Person) -> None:
    first, second = await line_up(office, 2)
    incident = await office.incident(place=SUMMARECON)
    await operator.command(incident["id"], "assign", officer_id=second.username)
    back = await second.act((await offers_to(second))[0], "decline", reason="Sakit")
    assert back["incident"]["status"] == "routed"
    assert await asked([first, second]) == [0, 0]
    assert (await story(operator, incident))[-1] == "escalated"
    await operator.command(incident["id"], "assign", officers=1, officer_id=first.username, expect=422)


async def test_an_officer_named_beside_another_stays_wanted_when_that_one_accepts(
    office: Office, operator: Person
) -> None:
    first, second = await line_up(office, 2)
    incident = await office.incident(place=SUMMARECON)
    for one in (first, second):
        await operator.command(incident["id"], "assign", officer_id=one.username)
    for one in (first, second):
        accepted = await one.act((await offers_to(one))[0], "accept")
    assert len(accepted["incident"]["officers"]) == 2


async def test_two_go_where_two_are_wanted_and_a_third_is_asked_for_one_who_declines(
    office: Office, operator: Person
) -> None:
    officers = await line_up(office, 4)
    incident = await office.incident(place=SUMMARECON)
    assigned = await operator.command(incident["id"], "assign", officers=2)
    assert {one["id"] for one in assigned["officers"]} == {one.username for one in officers[:2]}
    await officers[0].act((await offers_to(officers[0]))[0], "accept")
    assert await asked(officers) == [0, 1, 0, 0], "the second is still wanted"
    await officers[1].act((await offers_to(officers[1]))[0], "decline", reason="Jauh")
    assert await asked(officers) == [0, 0, 1, 0]
    done = await officers[2].act((await offers_to(officers[2]))[0], "accept")
    assert len(done["incident"]["officers"]) == 2
    for one in (officers[0], officers[2]):
        (mine,) = (await one.get("/assignments", status="accepted"))["items"]
        await one.act(mine, "arrive")
        done = await one.act(mine, "complete", note="Selesai")
    assert done["incident"]["status"] == "resolved"
    assert await asked(officers) == [0, 0, 0, 0]
    assert await office.pool.fetchval("SELECT count(*) FROM offering") == 0


async def test_what_two_are_wanted_for_is_told_to_the_shift_lead_while_there_is_only_one(
    office: Office, operator: Person
) -> None:
    (only,) = await line_up(office, 1)
    incident = await office.incident(place=SUMMARECON)
    assigned = await operator.command(incident["id"], "assign", officers=2)
    assert assigned["status"] == "assigned" and assigned["history"][-1]["change"] == "escalated"
    accepted = await only.act((await offers_to(only))[0], "accept")
    assert accepted["incident"]["status"] == "in_progress"


async def test_rules_ask_as_soon_as_it_is_the_agencys_where_the_city_wants_that(
    office: Office, operator: Person
) -> None:
    lead = await office.staff(Role.SUPERVISOR)
    lines = [{"category": "traffic_jam", "regency": "32.75", "automatic": True}]
    answer = await lead.http.put("/api/v1/staffing", json={"lines": lines, "why": "Jam sibuk"})
    assert answer.status_code == 200 and (await lead.get("/staffing"))["lines"] == answer.json()["lines"]
    first, second = await line_up(office, 2)
    cleaner = await office.officer("32.75/DLH")
    jam = await office.incident(JAM, SUMMARECON)
    await office.incident(DUMPING, north_of(SUMMARECON, 900))
    assert await time_passes(office) == 1
    assert await asked([first, second, cleaner]) == [1, 0, 0], "dumping waits for a person"
    found = await operator.get(f"/incidents/{jam['id']}")
    assert found["status"] == "assigned" and found["history"][-1]["actor"] == "dispatcher"
    for one in (first, second):
        await one.act((await offers_to(one))[0], "decline", reason="Jauh")
    assert (await story(operator, jam))[-1] == "escalated"


async def test_where_rules_ask_and_nobody_is_there_the_shift_lead_is_told(office: Office, operator: Person) -> None:
    lead = await office.staff(Role.SUPERVISOR)
    await lead.http.put("/api/v1/staffing", json={"lines": [{"automatic": True}]})
    jam = await office.incident(JAM, SUMMARECON)
    assert await time_passes(office) == 1
    found = await operator.get(f"/incidents/{jam['id']}")
    assert found["history"][-1]["change"] == "escalated"
    assert found["decisions"][-1]["because"] == ["32.75/DISHUB tidak punya petugas"]


async def test_only_who_has_the_skill_is_asked(office: Office, operator: Person) -> None:
    lead = await office.staff(Role.SUPERVISOR)
    near, far = await line_up(office, 2)
    await lead.http.put("/api/v1/staffing", json={"lines": [{"category": "traffic_jam", "skills": ["derek"]}]})
    incident = await office.incident(place=SUMMARECON)
    refused = await operator.command(incident["id"], "assign", 409)
    assert "2 of 32.75/DISHUB without the skill it needs" in refused["detail"]
    answer = await lead.http.put(f"/api/v1/officers/{far.username}/skills", json={"skills": ["derek", "listrik"]})
    assert answer.json()["skills"] == ["derek", "listrik"]
    await operator.command(incident["id"], "assign")
    assert await asked([near, far]) == [0, 1]
    await near.http.put("/api/v1/me/presence", json={"status": "available", "at": datetime.now(UTC).isoformat()})
    rows = {one["id"]: one for one in (await operator.get("/officers"))["items"]}
    assert rows[far.username]["skills"] == ["derek", "listrik"] and rows[near.username]["skills"] == []
    assert 0 <= rows[far.username]["position_age_s"] < 60


async def test_an_incident_that_goes_to_another_agency_is_asked_around_no_more(
    office: Office, operator: Person
) -> None:
    first, second = await line_up(office, 2)
    incident = await office.incident(place=SUMMARECON)
    await operator.command(incident["id"], "assign")
    await operator.command(incident["id"], "reroute", agency="SATPOL_PP", reason="Kerumunan, bukan macet")
    assert await asked([first, second]) == [0, 0]
    assert await time_passes(office) == 0
    assert await office.pool.fetchval("SELECT count(*) FROM offering") == 0


async def test_what_was_queued_for_ten_minutes_without_signal_arrives_in_its_order(
    office: Office, operator: Person
) -> None:
    officer = await office.officer("32.75/DLH")
    incident = await office.incident(DUMPING, SUMMARECON)
    await operator.command(incident["id"], "assign")
    offer = (await offers_to(officer))[0]
    offered_at = datetime.now(UTC) - timedelta(minutes=11)
    await office.pool.execute("UPDATE assignment SET offered_at = $1", offered_at)
    times = [offered_at + timedelta(minutes=m) for m in (1, 2, 8, 10)]
    queue = [("accept", {}), ("depart", {}), ("arrive", {}), ("complete", {"note": "Sudah diangkut"})]
    for (verb, body), at in zip(queue, times, strict=True):
        await officer.act(offer, verb, key=f"antre-{verb}", at=at.isoformat(), **body)
    found = await operator.get(f"/incidents/{incident['id']}")
    assert found["status"] == "resolved"
    told = [datetime.fromisoformat(entry["device_at"]) for entry in found["history"][-4:]]
    assert told == times
    again = await officer.act(offer, "complete", key="antre-complete", at=times[-1].isoformat(), note="Sudah diangkut")
    assert again["status"] == "completed", "the same queue sent twice is answered the same"


async def test_what_was_queued_for_an_offer_that_has_ended_is_refused_with_the_reason(
    office: Office, operator: Person
) -> None:
    first, second = await line_up(office, 2)
    incident = await office.incident(place=SUMMARECON)
    await operator.command(incident["id"], "assign")
    offer = (await offers_to(first))[0]
    await time_passes(office)
    for verb in ("accept", "arrive"):
        refused = await first.act(offer, verb, 409, key=f"antre-{verb}", at=offer["offered_at"])
        assert refused["detail"].startswith("This was not answered in time at ")
        assert refused["legal"] == []
    await second.act((await offers_to(second))[0], "accept")


async def test_a_week_of_whims_leaves_everything_in_order(office: Office, operator: Person) -> None:
    """Officers answer as they please, clocks fire, operators ask again; whatever happens the tables agree."""
    whims = random.Random(20261120)
    officers = await line_up(office, 5)
    incidents = [await office.incident(place=north_of(SUMMARECON, 1500 * n)) for n in range(3)]
    verbs = ["accept", "accept", "decline", "depart", "arrive", "complete"]
    bodies: dict[str, Json] = {"decline": {"reason": "Jauh"}, "complete": {"note": "Selesai"}}
    for _ in range(120):
        match whims.randrange(6):
            case 0:
                incident = whims.choice(incidents)
                version = (await operator.get(f"/incidents/{incident['id']}"))["version"]
                body = {"version": version, **({"officers": 2} if whims.random() < 0.3 else {})}
                answer = await operator.http.post(f"/api/v1/incidents/{incident['id']}/assign", json=body)
                assert answer.status_code in (200, 409), answer.text
            case 1:
                await time_passes(office)
            case _:
                officer, verb = whims.choice(officers), whims.choice(verbs)
                items = (await officer.get("/assignments"))["items"]
                if items:
                    path = f"/api/v1/assignments/{items[0]['id']}/{verb}"
                    answer = await officer.http.post(path, json=bodies.get(verb, {}))
                    assert answer.status_code in (200, 409), answer.text
        await _in_order(office)


async def _in_order(office: Office) -> None:
    wrong = await office.pool.fetch(
        """
        SELECT i.id, i.status FROM incident i
          LEFT JOIN LATERAL (
            SELECT count(*) FILTER (WHERE status = 'offered') AS asked,
                   count(*) FILTER (WHERE status IN ('accepted', 'en_route', 'on_scene')) AS working
              FROM assignment a WHERE a.incident_id = i.id) AS team ON true
         WHERE i.status <> CASE WHEN working > 0 THEN 'in_progress' WHEN asked > 0 THEN 'assigned'
                                WHEN i.status = 'resolved' THEN 'resolved' ELSE 'routed' END
        """
    )
    assert wrong == []
    busy = await office.pool.fetch(
        """
        SELECT username FROM officer o WHERE (status = 'busy') <> EXISTS (
          SELECT FROM assignment WHERE officer = o.username AND status IN ('accepted', 'en_route', 'on_scene'))
        """
    )
    assert busy == []
    waiting = await office.pool.fetch(
        "SELECT kind FROM deadline WHERE kind LIKE 'answer/ASG-%' AND fired_at IS NULL EXCEPT"
        " SELECT 'answer/' || id FROM assignment WHERE status = 'offered'"
    )
    assert waiting == [], "no deadline is left of an offer that was answered"
    unwatched = await office.pool.fetch(
        "SELECT 'answer/' || id FROM assignment WHERE status = 'offered' EXCEPT"
        " SELECT kind FROM deadline WHERE fired_at IS NULL"
    )
    assert unwatched == [], "no offer is open without an end"
    too_many = await office.pool.fetch(
        """
        SELECT f.incident_id FROM offering f WHERE f.state = 'answered' AND EXISTS (
          SELECT FROM assignment a WHERE a.incident_id = f.incident_id AND a.status = 'offered' AND NOT a.named)
        """
    )
    assert too_many == [], "nobody is asked after enough have said yes"
