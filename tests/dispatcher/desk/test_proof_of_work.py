"""Completions held against their incident: what is doubtful is flagged for the shift lead, and never refused."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from schemas.vocabulary import Role
from tests.dispatcher.desk.office import DUMPING, JAM, Json, Office, Person
from tests.dispatcher.factories import SUMMARECON, north_of


@pytest.fixture
async def operator(office: Office) -> Person:
    await office.forget_everything()
    return await office.staff(Role.OPERATOR)


@pytest.fixture
async def supervisor(office: Office) -> Person:
    return await office.staff(Role.SUPERVISOR)


async def at_work(office: Office, operator: Person, text: str = DUMPING, agency: str = "32.75/DLH") -> tuple[Any, ...]:
    """An incident, its officer on the scene, and the assignment."""
    officer = await office.officer(agency)
    incident = await office.incident(text, SUMMARECON)
    await operator.command(incident["id"], "assign")
    [offer] = (await officer.get("/assignments", status="offered"))["items"]
    await officer.act(offer, "accept")
    await officer.act(offer, "arrive")
    return incident, officer, offer


def proof_of(found: Json) -> Json:
    return [one for one in found["decisions"] if one["judgement"] == "proof"][-1]


async def test_photo_place_and_time_are_proof(office: Office, operator: Person) -> None:
    incident, officer, offer = await at_work(office, operator)
    photo = await office.staff_photo(officer.username)
    here = {"lat": SUMMARECON[0], "lon": SUMMARECON[1], "at": datetime.now(UTC).isoformat()}
    done = await officer.act(offer, "complete", note="Sudah diangkut", photo_ids=[photo], **here)
    assert done["status"] == "completed"
    found = await operator.get(f"/incidents/{incident['id']}")
    assert found["status"] == "resolved" and found["flags"] == []
    assert proof_of(found)["outcome"] == "ok" and "1 foto" in proof_of(found)["because"]


async def test_what_is_doubtful_is_taken_and_flagged_to_the_shift_lead(
    office: Office, operator: Person, supervisor: Person
) -> None:
    incident, officer, offer = await at_work(office, operator)
    far = north_of(SUMMARECON, 4_000)
    late = (datetime.now(UTC) - timedelta(hours=3)).isoformat()
    done = await officer.act(offer, "complete", note="Beres", photo_ids=[], lat=far[0], lon=far[1], at=late)
    assert done["status"] == "completed"
    found = await operator.get(f"/incidents/{incident['id']}")
    assert found["status"] == "resolved" and found["flags"] == ["no_photo", "far_away", "time_off"]
    why = proof_of(found)
    assert why["outcome"] == "no_photo,far_away,time_off" and any("4000 m" in one for one in why["because"])
    clean = await office.incident(JAM, north_of(SUMMARECON, 2_000))
    await operator.command(clean["id"], "resolve", note="Lancar")
    for flag, expected in (("far_away", [incident["id"]]), ("no_place", []), ("no_place,no_photo", [incident["id"]])):
        assert [row["id"] for row in (await supervisor.get("/incidents", flag=flag))["items"]] == expected
    assert len((await supervisor.get("/incidents"))["items"]) == 2
    await supervisor.get("/incidents", 422, flag="nonsense")
    again = await supervisor.command(incident["id"], "reopen", reason="Tidak ada bukti")
    assert again["flags"] == [] and proof_of(again)["outcome"] == why["outcome"]


async def test_a_citizens_own_photo_is_no_proof(office: Office, operator: Person) -> None:
    incident = await office.incident(DUMPING, SUMMARECON)
    resolved = await operator.command(incident["id"], "resolve", note="Beres")
    assert resolved["flags"] == ["no_photo"]
    assert proof_of(resolved)["because"] == ["tanpa foto, padahal diminta"]


async def test_a_photo_from_before_the_assignment_is_flagged(office: Office, operator: Person) -> None:
    incident, officer, offer = await at_work(office, operator)
    old = await office.staff_photo(officer.username, timedelta(hours=5))
    here = {"lat": SUMMARECON[0], "lon": SUMMARECON[1], "at": datetime.now(UTC).isoformat()}
    await officer.act(offer, "complete", note="Beres", photo_ids=[old], **here)
    assert (await operator.get(f"/incidents/{incident['id']}"))["flags"] == ["old_photo"]


async def test_the_desk_resolves_a_jam_by_telephone_without_any_flag(office: Office, operator: Person) -> None:
    incident = await office.incident(JAM, SUMMARECON)
    assert (await operator.command(incident["id"], "resolve", note="Sudah lancar"))["flags"] == []
