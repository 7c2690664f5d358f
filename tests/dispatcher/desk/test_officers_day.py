"""An officer's day: asked, on the way, there, done; and what the incident, the board and the citizen learn of it."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from schemas.vocabulary import Role
from tests.dispatcher.desk.office import DUMPING, Json, Office, Person, elsewhere
from tests.dispatcher.factories import SUMMARECON, north_of


@pytest.fixture
async def operator(office: Office) -> Person:
    await office.forget_everything()
    return await office.staff(Role.OPERATOR)


async def offered_to(officer: Person) -> Json:
    items = (await officer.get("/assignments", status="offered"))["items"]
    assert len(items) == 1
    found: Json = items[0]
    return found


async def test_an_officer_accepts_arrives_and_completes(office: Office, operator: Person) -> None:
    officer = await office.officer()
    incident = await office.incident(place=SUMMARECON)
    assigned = await operator.command(incident["id"], "assign")
    assert assigned["status"] == "assigned"
    assert assigned["officers"] == [{"id": officer.username, "name": officer.username, "status": "offered"}]
    assert [decision["outcome"] for decision in assigned["decisions"] if decision["judgement"] == "assign"] == [
        officer.username
    ]

    offer = await offered_to(officer)
    assert offer["legal"] == ["accept", "decline"]
    assert offer["incident"]["id"] == incident["id"]
    assert (await officer.act(offer, "accept"))["incident"]["status"] == "in_progress"
    assert (await officer.act(offer, "depart"))["status"] == "en_route"
    there = north_of(SUMMARECON, 40)
    arrived = await officer.act(offer, "arrive", lat=there[0], lon=there[1], at=datetime.now(UTC).isoformat())
    assert arrived["on_scene_at"] is not None
    [on_board] = [one for one in (await operator.get("/officers"))["items"] if one["id"] == officer.username]
    assert on_board["status"] == "busy" and on_board["assignment_id"] == offer["id"]
    assert (on_board["lat"], on_board["lon"]) == there
    done = await officer.act(offer, "complete", note="Kendaraan mogok sudah dipinggirkan", photo_ids=[])
    assert done["status"] == "completed" and done["incident"]["status"] == "resolved"

    story = await operator.get(f"/incidents/{incident['id']}")
    assert story["status"] == "resolved"
    assert [entry["change"] for entry in story["history"]][-5:] == [
        "assigned", "accepted", "departed", "arrived", "resolved",
    ]  # fmt: skip
    assert [entry["version"] for entry in story["history"]] == list(range(1, story["version"] + 1))
    assert story["assignments"][0]["note"] == "Kendaraan mogok sudah dipinggirkan"
    assert (await officer.be("available"))["status"] == "available"
    assert (await operator.command(incident["id"], "close"))["status"] == "closed"


async def test_setting_out_may_be_left_out_but_not_arriving(office: Office, operator: Person) -> None:
    officer = await office.officer()
    await operator.command((await office.incident(place=SUMMARECON))["id"], "assign")
    offer = await offered_to(officer)
    await officer.act(offer, "accept")
    refused = await officer.act(offer, "complete", 409, note="Selesai")
    assert refused["legal"] == ["decline", "depart", "arrive"] and refused["current_version"] == 2
    await officer.act(offer, "arrive")
    await officer.act(offer, "complete", note="Selesai")


async def test_a_declined_incident_is_the_agencys_again(office: Office, operator: Person) -> None:
    officer = await office.officer()
    incident = await office.incident(place=SUMMARECON)
    await operator.command(incident["id"], "assign")
    declined = await officer.act(await offered_to(officer), "decline", reason="Ban motor bocor")
    assert declined["incident"]["status"] == "routed" and declined["incident"]["officers"] == []
    again = await operator.command(incident["id"], "assign")
    assert again["status"] == "assigned", "who has declined may be asked once more when nobody else is there"


async def test_handing_back_what_was_accepted_frees_the_officer(office: Office, operator: Person) -> None:
    officer = await office.officer()
    incident = await office.incident(place=SUMMARECON)
    await operator.command(incident["id"], "assign")
    offer = await offered_to(officer)
    await officer.act(offer, "accept")
    assert (await officer.act(offer, "decline", reason="Dipanggil ke tempat lain"))["incident"]["status"] == "routed"
    [row] = (await officer.get("/officers"))["items"][:1]
    assert row["status"] == "available" and row["assignment_id"] is None


async def test_the_nearest_available_officer_of_the_agency_is_asked(office: Office, operator: Person) -> None:
    far = await office.officer(place=north_of(SUMMARECON, 4000))
    near = await office.officer(place=north_of(SUMMARECON, 300))
    nearest_of_dlh = await office.officer("32.75/DLH", place=SUMMARECON)
    nearest_of_kabupaten = await office.officer("32.16/DISHUB", place=SUMMARECON)
    at_home = await office.officer(place=SUMMARECON)
    await at_home.be("off_duty")
    incident = await office.incident(place=SUMMARECON)
    assigned = await operator.command(incident["id"], "assign")
    assert [one["id"] for one in assigned["officers"]] == [near.username]
    assert "km dari lokasi" in assigned["decisions"][-1]["because"][0]
    assigned = await operator.command(incident["id"], "assign")
    assert [one["id"] for one in assigned["officers"]] == [near.username, far.username]
    refused = await operator.command(incident["id"], "assign", 409)
    assert refused["type"].endswith("/nobody-available")
    assert "2 of 32.75/DISHUB on this incident already; 1 of 32.75/DISHUB off duty" in refused["detail"]
    for stranger in (nearest_of_dlh, nearest_of_kabupaten):
        await operator.command(incident["id"], "assign", 422, officer_id=stranger.username)
    await operator.command(incident["id"], "assign", 422, officer_id="nobody")
    await operator.command(incident["id"], "assign", 409, officer_id=at_home.username)


async def test_an_officer_of_a_co_agency_can_be_named(office: Office, operator: Person) -> None:
    helper = await office.officer("32.75/BPBD")
    incident = await office.incident("Banjir setinggi lutut di perumahan, warga butuh bantuan", SUMMARECON)
    await helper.get(f"/incidents/{incident['id']}")
    refused = await operator.command(incident["id"], "assign", 409)
    assert "32.75/DBMSDA has no officers" in refused["detail"]
    assigned = await operator.command(incident["id"], "assign", officer_id=helper.username)
    assert assigned["assignments"][0]["agency"] == "BPBD"


async def test_the_incident_is_resolved_when_the_last_active_one_completes(office: Office, operator: Person) -> None:
    first, second = await office.officer(), await office.officer()
    incident = await office.incident(place=SUMMARECON)
    for officer in (first, second):
        await operator.command(incident["id"], "assign", officer_id=officer.username)
    offers = {officer: await offered_to(officer) for officer in (first, second)}
    for officer, offer in offers.items():
        await officer.act(offer, "accept")
        await officer.act(offer, "arrive")
    halfway = await first.act(offers[first], "complete", note="Bagian saya selesai")
    assert halfway["incident"]["status"] == "in_progress"
    done = await second.act(offers[second], "complete", note="Semua selesai")
    assert done["incident"]["status"] == "resolved"
    assert [one["status"] for one in done["incident"]["officers"]] == ["completed", "completed"]


async def test_resolving_by_an_operator_releases_who_is_on_it(office: Office, operator: Person) -> None:
    officer = await office.officer()
    incident = await office.incident(place=SUMMARECON)
    await operator.command(incident["id"], "assign")
    offer = await offered_to(officer)
    await officer.act(offer, "accept")
    resolved = await operator.command(incident["id"], "resolve", note="Arus sudah lancar kembali")
    assert resolved["assignments"][0]["status"] == "released" and resolved["officers"] == []
    assert (await officer.be("off_duty"))["status"] == "off_duty"
    assert (await officer.act(offer, "arrive", 409))["legal"] == []


async def test_a_key_makes_a_repeat_harmless(office: Office, operator: Person) -> None:
    officer = await office.officer()
    await operator.command((await office.incident(place=SUMMARECON))["id"], "assign")
    offer = await offered_to(officer)
    at = datetime.now(UTC).isoformat()
    first = await officer.act(offer, "accept", key="terima-1", at=at)
    assert await officer.act(offer, "accept", key="terima-1", at=at) == first
    other = await officer.act(offer, "accept", 409, key="terima-1", lat=-6.2, lon=107.0, at=at)
    assert other["type"].endswith("/idempotency-key")
    await officer.act(offer, "accept", 409, key="terima-2", at=at)
    await officer.act(offer, "accept", 422, key="x" * 201, at=at)
    assert (await officer.get("/assignments"))["items"][0]["version"] == 2


async def test_of_the_same_command_at_the_same_moment_one_takes_effect(office: Office, operator: Person) -> None:
    officer = await office.officer()
    incident = await office.incident(place=SUMMARECON)
    await operator.command(incident["id"], "assign")
    offer = await offered_to(officer)
    at = datetime.now(UTC).isoformat()
    answers = await asyncio.gather(*(officer.act(offer, "accept", key="sama", at=at) for _ in range(5)))
    assert all(answer == answers[0] for answer in answers)
    history = (await operator.get(f"/incidents/{incident['id']}"))["history"]
    assert [entry["change"] for entry in history].count("accepted") == 1


async def test_the_phones_clock_is_kept_beside_and_clamped(office: Office, operator: Person) -> None:
    officer = await office.officer()
    incident = await office.incident(place=SUMMARECON)
    await operator.command(incident["id"], "assign")
    offer = await offered_to(officer)
    await officer.act(offer, "accept", at="0001-01-01T00:00:00+07:00")
    await officer.act(offer, "arrive", at=(datetime.now(UTC) + timedelta(days=3650)).isoformat())
    await officer.act(offer, "complete", note="ok", at="9999-12-31T23:59:59-12:00")
    story = await operator.get(f"/incidents/{incident['id']}")
    for entry in story["history"][-3:]:
        assert offer["offered_at"] <= entry["device_at"] <= entry["at"]


async def test_the_position_of_a_phone_never_runs_backwards_and_is_forgotten_off_duty(office: Office) -> None:
    officer = await office.officer(place=None)
    now = datetime.now(UTC)
    here, there = SUMMARECON, north_of(SUMMARECON, 900)
    await officer.be("available", now, lat=here[0], lon=here[1], accuracy_m=8)
    late = await officer.be("available", now - timedelta(minutes=5), lat=there[0], lon=there[1])
    assert (late["lat"], late["lon"]) == here
    ahead = await officer.be("available", now + timedelta(hours=2), lat=there[0], lon=there[1])
    assert (ahead["lat"], ahead["lon"]) == there and ahead["position_at"] < (now + timedelta(minutes=5)).isoformat()
    home = await officer.be("off_duty", lat=there[0], lon=there[1])
    assert (home["lat"], home["lon"], home["position_at"]) == (None, None, None)


async def test_who_is_at_work_stays_busy_and_cannot_leave(office: Office, operator: Person) -> None:
    officer = await office.officer()
    await operator.command((await office.incident(place=SUMMARECON))["id"], "assign")
    await officer.act(await offered_to(officer), "accept")
    assert (await officer.be("available"))["status"] == "busy"
    await officer.be("off_duty", expect=409)
    await officer.be("on_break", expect=409)


async def test_officers_see_their_own_assignments_and_agencies_theirs(office: Office, operator: Person) -> None:
    dishub, colleague, dlh = await office.officer(), await office.officer(), await office.officer("32.75/DLH")
    await operator.command((await office.incident(place=SUMMARECON))["id"], "assign", officer_id=dishub.username)
    await operator.command((await office.incident(DUMPING, elsewhere()))["id"], "assign")
    dispatcher = await office.staff(Role.DISPATCHER, "32.75/DLH")
    own = await offered_to(dishub)
    assert (await colleague.get("/assignments"))["items"] == []
    assert [one["officer"] for one in (await dispatcher.get("/assignments"))["items"]] == [dlh.username]
    assert len((await operator.get("/assignments"))["items"]) == 2
    assert [one["id"] for one in (await dispatcher.get("/officers"))["items"]] == [dlh.username]
    await colleague.act(own, "accept", 404)
    await operator.act(own, "accept", 403)


async def test_two_operators_ask_two_officers_and_never_one_twice(office: Office, operator: Person) -> None:
    officers = [await office.officer(place=north_of(SUMMARECON, 100 * n)) for n in range(3)]
    incidents = [await office.incident(place=north_of(SUMMARECON, 2000 * n)) for n in range(3)]
    await asyncio.gather(*(operator.command(incident["id"], "assign") for incident in incidents))
    asked = [len((await officer.get("/assignments"))["items"]) for officer in officers]
    assert asked == [1, 1, 1]


async def test_each_change_of_an_officer_is_a_row_for_the_board_and_an_event(office: Office, operator: Person) -> None:
    officer = await office.officer()
    incident = await office.incident(place=SUMMARECON)
    await office.pool.execute("TRUNCATE outbox")
    await operator.command(incident["id"], "assign")
    await officer.act(await offered_to(officer), "accept")
    rows = await office.pool.fetch("SELECT aggregatetype, aggregateid, payload, headers FROM outbox ORDER BY seq")
    board = [row for row in rows if row["aggregateid"] == f"officers:{officer.username}"]
    assert [b'"status":"busy"' in row["payload"] for row in board] == [False, True]
    assert all(row["headers"]["x-tags"] == '{"agency":"32.75/DISHUB"}' for row in board)
    events = [row for row in rows if row["aggregatetype"] == "bekasi.assignment.v1"]
    assert [b'"change":"offered"' in row["payload"] for row in events] == [True, False]
    assert {row["aggregateid"] for row in events} == {incident["id"]}
    assert f"incidents:{incident['id']}" in {row["aggregateid"] for row in rows}


async def test_a_verb_that_needs_no_word_needs_no_body(office: Office, operator: Person) -> None:
    officer = await office.officer()
    incident = await office.incident(place=SUMMARECON)
    await operator.command(incident["id"], "assign", officer_id=officer.username)
    (offer,) = (await officer.get("/assignments", status="offered"))["items"]
    path = f"/api/v1/assignments/{offer['id']}"
    for verb in ("decline", "complete"):
        assert (await officer.http.post(f"{path}/{verb}")).status_code == 415
    key = {"Idempotency-Key": "tanpa-isi"}
    first = await officer.http.post(f"{path}/accept", headers=key)
    assert (first.status_code, first.json()["status"]) == (200, "accepted")
    again = await officer.http.post(f"{path}/accept", headers=key, json={})
    assert (again.status_code, again.json()) == (200, first.json()), "no body and an empty object say the same"
    for verb, status in (("depart", "en_route"), ("arrive", "on_scene")):
        answer = await officer.http.post(f"{path}/{verb}", headers={"Content-Type": "text/plain"})
        assert (answer.status_code, answer.json()["status"]) == (200, status)
