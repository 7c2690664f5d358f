"""Names of agencies and categories as the city edits them: by admins, without losing each other's words."""

import asyncio
from typing import Any

import pytest

from schemas.vocabulary import Role
from tests.dispatcher.desk.office import DUMPING, Json, Office, Person
from tests.dispatcher.factories import SUMMARECON


@pytest.fixture(autouse=True)
async def first_day(office: Office) -> None:
    """Nothing that a new report could join."""
    await office.forget_everything()


@pytest.fixture
async def admin(office: Office) -> Person:
    return await office.staff(Role.ADMIN)


async def put(person: Person, path: str, expect: int = 200, **body: Any) -> Json:
    answer = await person.http.put(f"/api/v1{path}", json=body)
    assert answer.status_code == expect, answer.text
    found: Json = answer.json()
    return found


async def entry(person: Person, path: str, code: str, regency: str | None = None) -> Json:
    items = (await person.get(path))["items"]
    return next(one for one in items if one["code"] == code and one.get("regency") == regency)


async def test_an_agency_is_named_anew_and_everybody_reads_it(office: Office, admin: Person) -> None:
    before = await entry(admin, "/agencies", "DLH", "32.16")
    edited = await put(
        admin, "/agencies/32.16/DLH", version=before["version"], name="Dinas LH Kabupaten Bekasi", phone="021-89970000"
    )
    assert edited["version"] == before["version"] + 1
    executive = await office.staff(Role.EXECUTIVE)
    assert await entry(executive, "/agencies", "DLH", "32.16") == edited
    # the other government's stays as it was
    assert (await entry(executive, "/agencies", "DLH", "32.75"))["version"] == 0


async def test_citizens_and_staff_read_the_name_that_the_city_gives(office: Office, admin: Person) -> None:
    before = await entry(admin, "/agencies", "DISHUB", "32.75")
    incident = await office.incident()
    await put(admin, "/agencies/32.75/DISHUB", version=before["version"], name="Dishub Kota Patriot")
    told = await (await office.anyone()).get(f"/reports/{incident['code']}")
    assert told["agency"] == {"code": "DISHUB", "name": "Dishub Kota Patriot"}
    assert told["history"][-1]["agency"]["name"] == "Dishub Kota Patriot"
    custody = (await admin.get(f"/incidents/{incident['id']}"))["custody"]
    assert custody[-1]["name"] == "Dishub Kota Patriot"


async def test_nothing_new_goes_to_an_agency_that_was_closed(office: Office, admin: Person) -> None:
    before = await entry(admin, "/agencies", "DLH", "32.75")
    closed = await put(admin, "/agencies/32.75/DLH", version=before["version"], name=before["name"], active=False)
    incident = await admin.get(f"/incidents/{(await office.incident(DUMPING))['id']}")
    assert (incident["status"], incident["agency"]) == ("triage", None)
    [why] = [one["because"] for one in incident["decisions"] if one["judgement"] == "route"]
    assert "32.75/DLH tidak aktif" in why
    await put(admin, "/agencies/32.75/DLH", version=closed["version"], name=before["name"])
    open_again = await admin.get(f"/incidents/{(await office.incident(DUMPING))['id']}")
    assert (open_again["status"], open_again["agency"]) == ("routed", "DLH")


async def test_a_category_has_names_subcategories_and_a_least_priority(office: Office, admin: Person) -> None:
    before = await entry(admin, "/categories", "illegal_dumping")
    assert {one["code"] for one in before["subcategories"]} >= {"burning", "uncollected_waste", "waste_in_river"}
    await put(
        admin,
        "/categories/illegal_dumping",
        version=before["version"],
        name_id="Sampah",
        name_en="Waste",
        priority="high",
        subcategories=[{"code": "dump", "name_id": "Tumpukan", "name_en": "Heap", "active": False}],
    )
    after = await entry(admin, "/categories", "illegal_dumping")
    assert (after["name_id"], after["subcategories"][0]["active"]) == ("Sampah", False)
    incident = await admin.get(f"/incidents/{(await office.incident(DUMPING, SUMMARECON))['id']}")
    assert incident["priority"] == "high"


async def test_of_two_admins_at_once_one_is_told_to_read_again(office: Office, admin: Person) -> None:
    other = await office.staff(Role.ADMIN)
    version = (await entry(admin, "/categories", "flood"))["version"]
    answers = await asyncio.gather(
        *(
            person.http.put("/api/v1/categories/flood", json={"version": version, "name_id": name, "name_en": "Flood"})
            for person, name in ((admin, "Banjir A"), (other, "Banjir B"))
        )
    )
    assert sorted(answer.status_code for answer in answers) == [200, 409]
    [refused] = [answer.json() for answer in answers if answer.status_code == 409]
    assert refused["current_version"] == version + 1
    [kept] = [answer.json() for answer in answers if answer.status_code == 200]
    assert await entry(admin, "/categories", "flood") == kept


@pytest.mark.parametrize(
    ("path", "body", "expect"),
    [
        ("/categories/other", {"active": False}, 422),
        ("/categories/flood", {"code": "banjir"}, 422),
        ("/categories/flood", {"name_id": " "}, 422),
        ("/categories/flood", {"priority": "urgent"}, 422),
        ("/categories/flood", {"subcategories": [{"code": "A b", "name_id": "x", "name_en": "x"}]}, 422),
        ("/categories/flood", {"subcategories": [{"code": "a", "name_id": "x", "name_en": "x"}] * 2}, 422),
        ("/categories/banjir", {}, 404),
        ("/agencies/32.75/PLN", {"name": "PLN"}, 404),
        ("/agencies/32.99/DLH", {"name": "DLH"}, 404),
        ("/agencies/DLH", {"name": "DLH"}, 404),
        ("/agencies/PLN", {"name": "x" * 101}, 422),
    ],
)
async def test_what_cannot_be_is_refused(admin: Person, path: str, body: Json, expect: int) -> None:
    names = {} if path.startswith("/agencies") else {"name_id": "Nama", "name_en": "Name"}
    await put(admin, path, expect, **{"version": 0, **names, **body})
