"""The roster, by the API and by file; what it means for who is asked; and what nobody covers."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from schemas.gazetteer import gazetteer
from schemas.vocabulary import Regency, Role
from tests.dispatcher.desk.office import Json, Office, Person
from tests.dispatcher.factories import SUMMARECON, north_of

HOUR = timedelta(hours=1)
NOON = datetime(2026, 12, 1, 5, 0, tzinfo=UTC)


@pytest.fixture
async def lead(office: Office) -> Person:
    await office.forget_everything()
    await office.pool.execute("DELETE FROM policy")
    return await office.staff(Role.SUPERVISOR)


def shift(officer: Person, starts_at: datetime = NOON, hours: float = 8, **fields: Any) -> Json:
    ends_at = starts_at + hours * HOUR
    return {
        "officer_id": officer.username,
        "starts_at": starts_at.isoformat(),
        "ends_at": ends_at.isoformat(),
        **fields,
    }


async def put(person: Person, path: str, body: Json, expect: int = 200) -> Json:
    answer = await person.http.put(f"/api/v1{path}", json=body)
    assert answer.status_code == expect, answer.text
    found: Json = answer.json()
    return found


async def bring(person: Person, text: str, expect: int = 200, media: str = "text/csv") -> Json:
    answer = await person.http.post("/api/v1/shifts/import", content=text.encode(), headers={"Content-Type": media})
    assert answer.status_code == expect, answer.text
    found: Json = answer.json()
    return found


async def test_a_shift_is_put_changed_and_taken_off(office: Office, lead: Person) -> None:
    officer = await office.staff(Role.OFFICER, "32.75/DISHUB")
    made = await lead.post("/shifts", 201, **shift(officer, kecamatan="32.75.03"))
    assert made["put_by"] == lead.username and made["agency"] == "DISHUB" and made["kecamatan"] == "32.75.03"
    moved = await put(lead, f"/shifts/{made['id']}", shift(officer, NOON + HOUR, 4))
    assert moved["id"] == made["id"] and moved["kecamatan"] is None
    assert (await officer.get("/shifts"))["items"] == [moved]
    path = f"/api/v1/shifts/{made['id']}"
    assert (await lead.http.delete(path)).status_code == 204
    assert (await lead.http.delete(path)).status_code == 404
    assert (await officer.get("/shifts"))["items"] == []


async def test_an_officer_works_one_shift_at_a_time(office: Office, lead: Person) -> None:
    officer, colleague = [await office.staff(Role.OFFICER, "32.75/DISHUB") for _ in range(2)]
    first = await lead.post("/shifts", 201, **shift(officer))
    after = await lead.post("/shifts", 201, **shift(officer, NOON + 8 * HOUR))
    refused = await lead.post("/shifts", 409, **shift(officer, NOON + 7 * HOUR))
    assert refused["type"].endswith("/overlapping-shift")
    await lead.post("/shifts", 201, **shift(colleague, NOON + 7 * HOUR))
    await put(lead, f"/shifts/{first['id']}", shift(officer, NOON, 9), 409)
    await put(lead, f"/shifts/{first['id']}", shift(officer, NOON, 7))
    await put(lead, f"/shifts/{after['id']}", shift(officer, NOON + 7 * HOUR))


async def test_what_cannot_be_a_shift_is_refused_with_its_field(office: Office, lead: Person) -> None:
    officer = await office.staff(Role.OFFICER, "32.75/DISHUB")
    for field, body in (
        ("ends_at", shift(officer, hours=25)),
        ("ends_at", shift(officer, hours=0)),
        ("kecamatan", shift(officer, kecamatan="32.16.01")),
        ("starts_at", shift(officer, NOON.replace(year=1950))),
        ("officer_id", {**shift(officer), "officer_id": "nobody"}),
        ("starts_at", {**shift(officer), "starts_at": "2026-12-01T12:00:00"}),
        ("starts_at", {**shift(officer), "starts_at": "0001-01-01T00:00:00+07:00"}),
    ):
        refused = await lead.post("/shifts", 422, **body)
        assert refused["errors"][0]["field"] == field


async def test_a_dispatcher_keeps_the_roster_of_the_own_agency_alone(office: Office, lead: Person) -> None:
    dispatcher = await office.staff(Role.DISPATCHER, "32.75/DISHUB")
    own, other = [await office.staff(Role.OFFICER, agency) for agency in ("32.75/DISHUB", "32.75/DLH")]
    mine = await dispatcher.post("/shifts", 201, **shift(own))
    await dispatcher.post("/shifts", 422, **shift(other))
    theirs = await lead.post("/shifts", 201, **shift(other))
    await put(dispatcher, f"/shifts/{theirs['id']}", shift(own, NOON + 24 * HOUR), 404)
    assert (await dispatcher.http.delete(f"/api/v1/shifts/{theirs['id']}")).status_code == 404
    assert [one["id"] for one in (await dispatcher.get("/shifts"))["items"]] == [mine["id"]]
    assert len((await lead.get("/shifts"))["items"]) == 2
    assert [one["id"] for one in (await own.get("/shifts"))["items"]] == [mine["id"]]
    await own.post("/shifts", 403, **shift(own))
    assert (
        await dispatcher.http.put(f"/api/v1/officers/{other.username}/skills", json={"skills": []})
    ).status_code == 404


async def test_the_roster_is_listed_by_time_in_pages(office: Office, lead: Person) -> None:
    officer = await office.staff(Role.OFFICER, "32.75/DISHUB")
    made = [await lead.post("/shifts", 201, **shift(officer, NOON + 24 * n * HOUR)) for n in (2, 0, 1)]
    expected = [made[1]["id"], made[2]["id"], made[0]["id"]]
    first = await lead.get("/shifts", limit=2)
    second = await lead.get("/shifts", limit=2, cursor=first["next_cursor"])
    assert [one["id"] for one in first["items"] + second["items"]] == expected
    tomorrow = {"from": (NOON + 20 * HOUR).isoformat(), "until": (NOON + 30 * HOUR).isoformat()}
    assert [one["id"] for one in (await lead.get("/shifts", **tomorrow))["items"]] == [made[2]["id"]]
    await lead.get("/shifts", 422, since="2026-12-01T00:00:00Z")


async def test_a_roster_file_is_taken_as_a_whole_and_twice_changes_nothing(office: Office, lead: Person) -> None:
    one, two = [await office.staff(Role.OFFICER, "32.75/DISHUB") for _ in range(2)]
    text = (
        "officer_id,starts_at,ends_at,kecamatan\n"
        f"{one.username},2026-12-01 06:00,2026-12-01 14:00,32.75.03\n"
        f"{two.username},2026-12-01 14:00,2026-12-01 22:00,\n"
    )
    assert await bring(lead, text) == {"added": 2, "unchanged": 0}
    assert await bring(lead, text) == {"added": 0, "unchanged": 2}
    found = (await lead.get("/shifts"))["items"]
    assert [(row["officer_id"], row["starts_at"], row["kecamatan"]) for row in found] == [
        (one.username, "2026-11-30T23:00:00Z", "32.75.03"),
        (two.username, "2026-12-01T07:00:00Z", None),
    ]


async def test_a_roster_file_with_mistakes_changes_nothing_and_names_their_lines(office: Office, lead: Person) -> None:
    dispatcher = await office.staff(Role.DISPATCHER, "32.75/DISHUB")
    own, other = [await office.staff(Role.OFFICER, agency) for agency in ("32.75/DISHUB", "32.75/DLH")]
    await lead.post("/shifts", 201, **shift(own, NOON))
    header = "officer_id,starts_at,ends_at,kecamatan\n"
    refused = await bring(
        dispatcher,
        header
        + f"{own.username},2026-12-02 06:00,2026-12-02 14:00,\n"
        + f"{other.username},2026-12-02 06:00,2026-12-02 14:00,\n"
        + f"{own.username},2026-12-01 06:00,2026-12-01 14:00,\n"
        + f"{own.username},2026-12-05 06:00,2026-12-07 06:00,\n",
        422,
    )
    assert [error["field"] for error in refused["errors"]] == ["3.officer_id", "4.starts_at", "5.ends_at"]
    assert refused["detail"].startswith("Line 3: ")
    refused = await bring(dispatcher, header + f"{own.username},besok,lusa,\n", 422)
    assert refused["errors"][0]["field"] == "2.starts_at" and "besok" not in refused["detail"]
    assert len((await lead.get("/shifts"))["items"]) == 1
    await bring(dispatcher, header, 415, media="application/json")
    await bring(await office.staff(Role.OPERATOR), header, 403)


async def test_who_is_on_shift_is_recommended_before_who_is_nearer_and_is_not(office: Office, lead: Person) -> None:
    near, far = [await office.officer(place=north_of(SUMMARECON, metres)) for metres in (200, 3000)]
    incident = await office.incident(place=SUMMARECON)
    found = await lead.get(f"/incidents/{incident['id']}/recommendations")
    assert [one["officer_id"] for one in found["items"]] == [near.username, far.username]
    assert [one["on_shift"] for one in found["items"]] == [None, None], "no roster is kept"
    assert found["shortfalls"] == [] and found["reach_minutes"] == 30 and found["offering"] is None
    now = datetime.now(UTC)
    await lead.post("/shifts", 201, **shift(far, now - HOUR))
    found = await lead.get(f"/incidents/{incident['id']}/recommendations")
    assert [(one["officer_id"], one["on_shift"], one["fit"]) for one in found["items"]] == [
        (far.username, True, True),
        (near.username, False, False),
    ]
    assert "di luar jadwal dinas" in found["items"][1]["because"]
    assigned = await lead.command(incident["id"], "assign")
    assert assigned["officers"][0]["id"] == far.username
    found = await lead.get(f"/incidents/{incident['id']}/recommendations")
    assert {one["cause"] for one in found["shortfalls"]} == {"on_this_incident", "not_on_shift"}
    assert found["offering"]["state"] == "asking"


async def test_when_the_roster_has_nobody_now_it_is_said(office: Office, lead: Person) -> None:
    officer = await office.officer(place=SUMMARECON)
    await lead.post("/shifts", 201, **shift(officer, datetime.now(UTC) + HOUR))
    incident = await office.incident(place=SUMMARECON)
    found = await lead.get(f"/incidents/{incident['id']}/recommendations", limit=1)
    assert [one["cause"] for one in found["shortfalls"]] == ["nobody_on_shift", "not_on_shift"]
    assert [one["officer_id"] for one in found["items"]] == [officer.username], "who is available can still be asked"


async def test_work_of_today_and_rest_are_told_with_the_recommendation(office: Office, lead: Person) -> None:
    worker, rested = [await office.officer(place=north_of(SUMMARECON, metres)) for metres in (200, 1200)]
    first = await office.incident(place=SUMMARECON)
    await lead.command(first["id"], "assign", officer_id=worker.username)
    (offer,) = (await worker.get("/assignments", status="offered"))["items"]
    await worker.act(offer, "accept")
    await worker.act(offer, "arrive", lat=SUMMARECON[0], lon=SUMMARECON[1])
    await worker.act(offer, "complete", note="Selesai")
    second = await office.incident(place=north_of(SUMMARECON, 1000))
    found = await lead.get(f"/incidents/{second['id']}/recommendations")
    assert [one["officer_id"] for one in found["items"]] == [rested.username, worker.username]
    tired = found["items"][1]
    assert tired["accepted_today"] == 1 and not tired["fit"]
    assert "baru selesai 0 menit lalu" in tired["because"] and "1 tugas hari ini" in tired["because"]


async def test_recommendations_are_for_those_who_assign_and_only_in_their_scope(office: Office, lead: Person) -> None:
    incident = await office.incident(place=SUMMARECON)
    path = f"/incidents/{incident['id']}/recommendations"
    found = await lead.get(path)
    assert [one["cause"] for one in found["shortfalls"]] == ["no_officers"]
    assert "tidak punya petugas" in found["shortfalls"][0]["because"]
    await (await office.staff(Role.DISPATCHER, "32.75/DISHUB")).get(path)
    await (await office.staff(Role.DISPATCHER, "32.75/DLH")).get(path, 404)
    await (await office.staff(Role.OFFICER, "32.75/DISHUB")).get(path, 403)
    await (await office.staff(Role.EXECUTIVE)).get(path, 403)
    await lead.get("/incidents/INC-0000000000/recommendations", 404)


async def test_coverage_names_the_gaps_and_who_should_move(office: Office, lead: Person) -> None:
    kota = [area for area in gazetteer().kecamatan if area.regency is Regency.KOTA_BEKASI]
    north = max(kota, key=lambda area: area.lat)
    officers = [await office.officer(place=(north.lat, north.lon)) for _ in range(2)]
    resting = await office.officer(place=(kota[0].lat, kota[0].lon))
    await resting.be("on_break")
    await office.staff(Role.OFFICER, "32.16/DLH")
    found = await lead.get("/coverage", reach_minutes=15)
    by_agency = {(one["regency"], one["agency"]): one for one in found["items"]}
    assert by_agency.keys() == {("32.75", "DISHUB"), ("32.16", "DLH")}
    dishub = by_agency["32.75", "DISHUB"]
    assert dishub["free_officers"] == 2 and len(dishub["kecamatan"]) == 12
    covered = {one["code"]: one for one in dishub["kecamatan"]}
    assert covered[north.code]["covered"] and covered[north.code]["nearest"][0]["minutes"] < 1
    assert dishub["gaps"] == [code for code, one in covered.items() if not one["covered"]]
    (move,) = dishub["moves"]
    assert move["officer_id"] in {one.username for one in officers} and move["to"] in dishub["gaps"]
    kabupaten = by_agency["32.16", "DLH"]
    assert len(kabupaten["gaps"]) == 23 and kabupaten["moves"] == []
    only = await lead.get("/coverage", agency="DLH")
    assert [one["agency"] for one in only["items"]] == ["DLH"] and only["items"][0]["reach_minutes"] == 30
    dispatcher = await office.staff(Role.DISPATCHER, "32.75/DISHUB")
    assert [one["agency"] for one in (await dispatcher.get("/coverage"))["items"]] == ["DISHUB"]
    for wrong in ("0", "1441", "15.5", "x"):
        await lead.get("/coverage", 422, reach_minutes=wrong)
    await officers[0].get("/coverage", 403)


async def test_the_staffing_table_is_read_by_those_who_assign_and_put_by_those_who_lead(
    office: Office, lead: Person
) -> None:
    operator = await office.staff(Role.OPERATOR)
    assert (await operator.get("/staffing"))["lines"] == []
    line = {"category": "flood", "agency": "BPBD", "officers": 2, "skills": ["perahu"]}
    kept = (await put(lead, "/staffing", {"lines": [line]}))["lines"][0]
    assert kept == {**line, "regency": None, "automatic": False}
    assert (await operator.get("/staffing"))["lines"] == [kept]
    for wrong in ({"officers": 0}, {"officers": 11}, {"skills": ["Perahu Karet"]}, {"agency": "DINAS"}, {"auto": True}):
        await put(lead, "/staffing", {"lines": [wrong]}, 422)
    answer: httpx.Response = await operator.http.put("/api/v1/staffing", json={"lines": []})
    assert answer.status_code == 403
