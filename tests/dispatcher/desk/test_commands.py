"""What operators do to incidents: verbs with the version that was read, judged again by the city's rules."""

import asyncio

import pytest

from dispatcher.decisions.incident import VERBS
from schemas.vocabulary import IncidentStatus, Role
from tests.dispatcher.desk.office import DUMPING, JAM, Office, Person
from tests.dispatcher.factories import CIKARANG, MONAS, SUMMARECON, north_of


@pytest.fixture
async def operator(office: Office) -> Person:
    await office.forget_everything()
    return await office.staff(Role.OPERATOR)


async def test_triage_routes_by_the_same_rules_as_a_report(office: Office, operator: Person) -> None:
    incident = await office.incident("Tolong ya pak", SUMMARECON)
    assert (await operator.get(f"/incidents/{incident['id']}"))["status"] == "triage"
    triaged = await operator.command(incident["id"], "triage", category="illegal_dumping")
    assert (triaged["status"], triaged["agency"], triaged["regency"]) == ("routed", "DLH", "32.75")
    assert triaged["title"].startswith("Sampah liar") and triaged["confidence"] == 1.0
    said = {decision["judgement"]: decision for decision in triaged["decisions"][-3:]}
    assert said["classify"]["because"] == [f"menurut {operator.username}"]
    assert said["route"]["outcome"] == "32.75/DLH" and said["route"]["because"][0].startswith("aturan 2")
    assert triaged["history"][-1]["actor"] == operator.username


async def test_a_new_place_moves_the_incident_to_the_other_government(office: Office, operator: Person) -> None:
    incident = await office.incident(place=SUMMARECON)
    moved = await operator.command(incident["id"], "triage", lat=CIKARANG[0], lon=CIKARANG[1])
    assert (moved["agency"], moved["regency"]) == ("DISHUB", "32.16")
    assert moved["kecamatan"].startswith("32.16.") and (moved["lat"], moved["lon"]) == CIKARANG
    kota = await office.staff(Role.DISPATCHER, "32.75/DISHUB")
    await kota.get(f"/incidents/{incident['id']}", 404)


async def test_a_place_said_better_keeps_its_name(office: Office, operator: Person) -> None:
    incident = await office.incident(place=SUMMARECON)
    before = await operator.get(f"/incidents/{incident['id']}")
    there = north_of(SUMMARECON, 80)
    after = await operator.command(incident["id"], "triage", lat=there[0], lon=there[1], priority="critical")
    assert after["address"] == before["address"] and after["priority"] == "critical"
    assert "prioritise" in {decision["judgement"] for decision in after["decisions"][-4:]}


async def test_outside_bekasi_it_is_handed_over_and_the_citizen_is_told(office: Office, operator: Person) -> None:
    incident = await office.incident(place=SUMMARECON)
    gone = await operator.command(incident["id"], "triage", lat=MONAS[0], lon=MONAS[1])
    assert gone["status"] == "transferred" and gone["agency"] is None and gone["due_at"] is None
    tracked = await (await office.anyone()).get(f"/reports/{incident['code']}")
    assert tracked["status"] == "transferred" and "diteruskan" in tracked["history"][-1]["note"]


async def test_what_cannot_be_routed_says_what_is_missing(office: Office, operator: Person) -> None:
    incident = await office.incident("Ada masalah di sana", address="dekat rumah")
    for body, field in (({}, "category"), ({"category": "traffic_jam"}, None), ({"category": "traffic_jam"}, "lat")):
        answer = await operator.command(incident["id"], "triage", 422 if field else 200, **body)
        if field:
            assert [error["field"] for error in answer["errors"]] == [field]
        else:
            assert answer["status"] == "triage"
    for body in ({"lat": -6.2}, {"lon": 107.0}):
        await operator.command(incident["id"], "triage", 422, **body)


async def test_a_stale_version_is_409_with_what_is_true_now(office: Office, operator: Person) -> None:
    incident = await office.incident(place=SUMMARECON)
    version = (await operator.get(f"/incidents/{incident['id']}"))["version"]
    await operator.post(f"/incidents/{incident['id']}/note", version=version, text="Satu")
    refused = await operator.post(f"/incidents/{incident['id']}/note", 409, version=version, text="Dua")
    assert refused["current_version"] == version + 1
    assert refused["legal"] == [verb for verb, statuses in VERBS.items() if IncidentStatus.ROUTED in statuses]
    assert refused["type"].endswith("/stale-version")


async def test_of_two_operators_at_once_one_is_told_to_read_again(office: Office, operator: Person) -> None:
    incident = await office.incident(place=SUMMARECON)
    other = await office.staff(Role.OPERATOR)
    version = (await operator.get(f"/incidents/{incident['id']}"))["version"]
    answers = await asyncio.gather(
        *(
            person.http.post(f"/api/v1/incidents/{incident['id']}/note", json={"version": version, "text": "Halo"})
            for person in (operator, other) * 5
        )
    )
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 9


async def test_an_illegal_verb_is_409_and_names_the_legal_ones(office: Office, operator: Person) -> None:
    incident = await office.incident(place=SUMMARECON)
    refused = await operator.command(incident["id"], "close", 409)
    assert refused["type"].endswith("/illegal-move") and "close" not in refused["legal"]
    await operator.command(incident["id"], "resolve", note="Lancar")
    assert (await operator.command(incident["id"], "assign", 409))["legal"] == ["split", "note", "close", "reopen"]
    await operator.command(incident["id"], "close")
    for verb, body in (("triage", {}), ("assign", {}), ("resolve", {"note": "x"}), ("close", {})):
        assert (await operator.command(incident["id"], verb, 409, **body))["legal"] == ["note", "reopen"]
    assert (await operator.command(incident["id"], "note", text="Terima kasih"))["status"] == "closed"


async def test_resolve_takes_photos_of_this_incident_only(office: Office, operator: Person) -> None:
    incident = await office.incident(place=SUMMARECON)
    refused = await operator.command(incident["id"], "resolve", 422, note="ok", photo_ids=["a" * 32 + "-1"])
    assert refused["errors"][0]["field"] == "photo_ids"


@pytest.mark.parametrize("verb", ["erase", "ASSIGN", "unassign"])
async def test_a_verb_that_is_not_there_is_404(office: Office, operator: Person, verb: str) -> None:
    incident = await office.incident(place=SUMMARECON)
    answer = await operator.http.post(f"/api/v1/incidents/{incident['id']}/{verb}", json={"version": 1})
    assert answer.status_code == 404 and answer.headers["content-type"] == "application/problem+json"


async def test_the_wrong_method_is_405_as_a_problem(office: Office, operator: Person) -> None:
    answer = await operator.http.patch("/api/v1/incidents", json={})
    assert answer.status_code == 405 and answer.headers["content-type"] == "application/problem+json"


async def test_a_change_goes_out_to_the_board_and_as_an_event_with_its_trace(office: Office, operator: Person) -> None:
    incident = await office.incident(DUMPING, SUMMARECON)
    await office.pool.execute("DELETE FROM outbox")
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    operator.http.headers["traceparent"] = trace
    await operator.command(incident["id"], "note", text="Rahasia antar petugas", public=False)
    rows = await office.pool.fetch("SELECT aggregatetype, aggregateid, payload, traceparent FROM outbox ORDER BY seq")
    assert [row["aggregatetype"] for row in rows] == ["bekasi.incident.v1", "bekasi.feed.v1"]
    assert {row["traceparent"].split("-")[1] for row in rows} == {trace.split("-")[1]}
    assert all(b"Rahasia" not in row["payload"] for row in rows)


async def test_an_incident_tells_its_whole_story(office: Office, operator: Person) -> None:
    first = await office.incident(JAM, SUMMARECON)
    second = await office.incident("Macet parah, mobil tidak bergerak dari tadi", north_of(SUMMARECON, 60))
    assert first["id"] == second["id"]
    story = await operator.get(f"/incidents/{first['id']}")
    assert story["report_count"] == len(story["reports"]) == 2
    assert {report["tracking_code"] for report in story["reports"]} == {first["code"], second["code"]}
    assert {"classify", "locate", "correlate", "route"} <= {one["judgement"] for one in story["decisions"]}
    assert len(story["evidence"]) == 2 and story["assignments"] == []
    assert story["legal"] == [verb for verb, statuses in VERBS.items() if IncidentStatus.ROUTED in statuses]
