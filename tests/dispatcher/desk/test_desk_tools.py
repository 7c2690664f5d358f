"""Standard texts, saved filters, exports and the printed page of an incident."""

import re

import pytest

from schemas.vocabulary import Role
from tests.dispatcher.desk.office import DUMPING, JAM, PASSWORD, Office, Person
from tests.dispatcher.factories import SUMMARECON


@pytest.fixture(scope="module")
async def lead(office: Office) -> Person:
    return await office.staff(Role.SUPERVISOR)


@pytest.fixture(scope="module")
async def operator(office: Office) -> Person:
    return await office.staff(Role.OPERATOR)


# Standard texts ------------------------------------------------------------------------------------------------------


async def test_a_text_is_offered_for_its_verb_category_and_language_or_for_any(operator: Person) -> None:
    for verb, category, language, expected in (
        ("resolve", "illegal_dumping", "id", {"TXT-RESOLVED-ID", "TXT-WASTE-ID"}),
        ("resolve", "flood", "en", {"TXT-RESOLVED-EN"}),
        ("reject", "flood", "id", {"TXT-UNCLEAR-ID", "TXT-NOT-OURS-ID"}),
    ):
        found = await operator.get("/standard-texts", verb=verb, category=category, language=language)
        assert {text["id"] for text in found["items"]} == expected
    for query in ({"verb": "sing"}, {"language": "de"}, {"category": "x"}):
        await operator.get("/standard-texts", 422, **query)


async def test_a_shift_lead_adds_changes_and_removes_texts_and_the_audit_knows(office: Office, lead: Person) -> None:
    made = await lead.post(
        "/standard-texts", 201, name="Cuaca", language="id", body="Menunggu hujan reda.", verb="hold"
    )
    assert made["version"] == 1 and made["category"] is None
    path = f"/api/v1/standard-texts/{made['id']}"
    body = {"name": "Cuaca", "language": "id", "body": "Menunggu cuaca membaik.", "verb": "hold", "version": 1}
    assert (await lead.http.put(path, json=body)).json()["version"] == 2
    stale = await lead.http.put(path, json=body)
    assert stale.status_code == 409 and stale.json()["current_version"] == 2
    assert (await lead.http.put(path + "X", json=body)).status_code == 404
    assert (await lead.http.delete(path)).status_code == 204
    assert (await lead.http.delete(path)).status_code == 404
    told = await office.pool.fetch("SELECT action FROM audit_entry WHERE subject = $1 ORDER BY id", made["id"])
    assert [row["action"] for row in told] == ["standard_text_added", "standard_text_changed", "standard_text_removed"]
    for wrong in ({"verb": "sing"}, {"language": "de"}, {"body": " "}, {"name": "x" * 81}):
        await lead.post("/standard-texts", 422, **{"name": "a", "language": "id", "body": "b", **wrong})


# Saved filters -------------------------------------------------------------------------------------------------------


async def test_filters_are_ones_own_until_a_shift_lead_shares_them(
    office: Office, lead: Person, operator: Person
) -> None:
    wanted = {"status": ["open"], "category": ["flood"], "overdue": True, "bbox": "106.9,-6.4,107.1,-6.1"}
    mine = await operator.post("/saved-filters", 201, name="Banjir terlambat", filter=wanted)
    assert mine["filter"] == wanted and mine["owner"] == operator.username and not mine["shared"]
    shared = await lead.post(
        "/saved-filters", 201, name="Semua macet", filter={"category": ["traffic_jam"]}, shared=True
    )
    await operator.post("/saved-filters", 403, name="Untuk semua", filter={}, shared=True)
    assert [one["id"] for one in (await lead.get("/saved-filters"))["items"]] == [shared["id"]]
    assert {one["id"] for one in (await operator.get("/saved-filters"))["items"]} == {mine["id"], shared["id"]}
    # What it holds are parameters of the list.
    await operator.get("/incidents", **{name: str(value).lower() if value is True else value for name, value in
                                        mine["filter"].items()})  # fmt: skip
    changed = {"name": "Banjir", "filter": {"category": ["flood"], "q": "Jl. Ahmad Yani"}}
    put = await operator.http.put(f"/api/v1/saved-filters/{mine['id']}", json=changed)
    assert put.json()["filter"] == changed["filter"]
    # Nobody changes another's, shared or not.
    for person, theirs in ((operator, shared), (lead, mine)):
        assert (await person.http.put(f"/api/v1/saved-filters/{theirs['id']}", json=changed)).status_code == 404
        assert (await person.http.delete(f"/api/v1/saved-filters/{theirs['id']}")).status_code == 404
    assert (await operator.http.delete(f"/api/v1/saved-filters/{mine['id']}")).status_code == 204


async def test_a_filter_that_the_list_would_refuse_is_refused(operator: Person) -> None:
    for wrong in (
        {"status": ["opn"]},
        {"kecamatan": ["1"]},
        {"bbox": "1,2"},
        {"limit": 5},
        {"overdue": "yes"},
        {"q": ""},
    ):
        await operator.post("/saved-filters", 422, name="x", filter=wrong)


async def test_nobody_hoards_filters(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dispatcher.desk.saved_filters.MOST", 2)
    person = await office.staff(Role.AGENT)
    for status in (201, 201, 422):
        await person.post("/saved-filters", status, name="x", filter={})


# Exports -------------------------------------------------------------------------------------------------------------


async def test_what_leaves_for_other_programs_is_told_to_the_audit(office: Office, operator: Person) -> None:
    await office.incident(place=SUMMARECON)
    before = await office.pool.fetchval("SELECT coalesce(max(id), 0) FROM audit_entry")
    await operator.get("/incidents")
    await operator.http.get("/api/v1/incidents?format=csv&limit=1")
    await operator.http.get("/api/v1/incidents", headers={"Accept": "application/geo+json"})
    told = await office.pool.fetch(
        "SELECT actor, detail ->> 'format' AS format FROM audit_entry WHERE id > $1 AND action = 'incidents_exported'"
        " ORDER BY id",
        before,
    )
    assert [tuple(row) for row in told] == [(operator.username, "csv"), (operator.username, "geojson")]


async def test_signing_in_and_out_is_told_to_the_audit(office: Office) -> None:
    username = await office.hire(Role.OPERATOR)
    person = await office.anyone()
    opened = await person.post("/session", username=username, password=PASSWORD)
    await person.http.delete("/api/v1/session", headers={"Authorization": f"Bearer {opened['token']}"})
    await person.post("/session", 401, username=username, password="something else")
    told = await office.pool.fetch("SELECT action FROM audit_entry WHERE actor = $1 ORDER BY id", username)
    assert [row["action"] for row in told] == ["signed_in", "signed_out"]


# On paper ------------------------------------------------------------------------------------------------------------


async def test_a_printed_incident_has_no_people_unless_asked_for(office: Office, operator: Person) -> None:
    incident = await office.incident(f"{DUMPING} <script>alert(1)</script>")
    await operator.command(incident["id"], "note", text="Rumah Pak Budi & istri, 0812-1111")
    page = await operator.http.get(f"/api/v1/incidents/{incident['id']}/print")
    assert page.status_code == 200 and page.headers["content-type"] == "text/html; charset=utf-8"
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "script" not in policy and "unsafe" not in policy
    assert incident["id"] in page.text and "Sampah liar" in page.text and "Tanpa data pribadi." in page.text
    for personal in ("Budi", "0812", "bau sekali", incident["code"]):
        assert personal not in page.text
    asked = await operator.http.get(f"/api/v1/incidents/{incident['id']}/print?personal=true&lang=en")
    assert "bau sekali &lt;script&gt;alert(1)&lt;/script&gt;" in asked.text and incident["code"] in asked.text
    assert "Pak Budi &amp; istri" in asked.text and '<html lang="en">' in asked.text
    for text in (page.text, asked.text):
        assert not re.search(r"<script|<img|<link|javascript:| on\w+=|src=|href=", text)
    told = await office.pool.fetch(
        "SELECT actor, action, personal FROM audit_entry WHERE subject = $1 ORDER BY id", f"incident:{incident['id']}"
    )
    assert [tuple(row) for row in told] == [
        (operator.username, "incident_printed", False),
        (operator.username, "incident_printed", True),
    ]


async def test_who_reads_without_personal_data_prints_without(office: Office) -> None:
    incident = await office.incident(JAM)
    director = await office.staff(Role.EXECUTIVE)
    assert (await director.http.get(f"/api/v1/incidents/{incident['id']}/print")).status_code == 200
    await director.get(f"/incidents/{incident['id']}/print", 403, personal="true")
    kabupaten = await office.staff(Role.DISPATCHER, "32.16/DISHUB")
    await kabupaten.get(f"/incidents/{incident['id']}/print", 404)
