"""What a citizen says of the answer: a no within 14 days reopens, the same twice counts once, guessing is throttled."""

import asyncio

import pytest

from infra import tracking_code
from schemas.vocabulary import Role
from tests.dispatcher.desk.office import JAM, SECRET, Json, Office, Person
from tests.dispatcher.factories import SUMMARECON


@pytest.fixture
async def operator(office: Office) -> Person:
    await office.forget_everything()
    return await office.staff(Role.OPERATOR)


@pytest.fixture
async def resolved(office: Office, operator: Person) -> Json:
    incident = await office.incident(JAM, SUMMARECON)
    await operator.command(incident["id"], "resolve", note="Sudah lancar")
    return incident


async def days_pass(office: Office, incident: Json, days: int) -> None:
    await office.pool.execute(
        "UPDATE incident SET resolved_at = resolved_at - make_interval(days => $2) WHERE id = $1", incident["id"], days
    )


async def test_a_no_reopens_and_everybody_sees_it(office: Office, operator: Person, resolved: Json) -> None:
    citizen = await office.anyone()
    assert (await citizen.get(f"/reports/{resolved['code']}"))["can_reopen"]
    path = f"/reports/{resolved['code']}/feedback"
    answer = await citizen.post(path, satisfied=False, comment="Masih macet, saya di sini")
    assert (answer["status"], answer["status_label"], answer["can_reopen"]) == ("routed", "Dibuka kembali", False)
    assert answer["history"][-1]["note"] == "Pelapor belum puas dengan hasilnya"
    english = await citizen.http.get(f"/api/v1/reports/{resolved['code']}?lang=en")
    assert english.json()["status_label"] == "Reopened"
    found = await operator.get(f"/incidents/{resolved['id']}")
    assert found["status"] == "routed" and found["reopened_at"] and found["due_at"]
    assert [(one["satisfied"], one["comment"]) for one in found["feedback"]] == [(False, "Masih macet, saya di sini")]
    assert "Masih macet" not in str(found["history"])
    executive = await office.staff(Role.EXECUTIVE)
    assert (await executive.get(f"/incidents/{resolved['id']}"))["feedback"][0]["comment"] is None
    again = await citizen.post(path, satisfied=False, comment="Masih macet, saya di sini")
    assert again == answer, "a phone without signal says it twice"
    await citizen.post(path, 409, satisfied=True)


async def test_a_closed_one_is_reopened_too_until_14_days_have_passed(
    office: Office, operator: Person, resolved: Json
) -> None:
    await operator.command(resolved["id"], "close")
    citizen, path = await office.anyone(), f"/reports/{resolved['code']}/feedback"
    await days_pass(office, resolved, 15)
    assert not (await citizen.get(f"/reports/{resolved['code']}"))["can_reopen"]
    refused = await citizen.post(path, 409, satisfied=False)
    assert "14 days" in refused["detail"]
    await days_pass(office, resolved, -2)
    assert (await citizen.post(path, satisfied=False))["status"] == "routed"


async def test_a_yes_is_kept_and_closes_what_only_one_has_reported(
    office: Office, operator: Person, resolved: Json
) -> None:
    citizen = await office.anyone()
    answer = await citizen.post(f"/reports/{resolved['code']}/feedback", satisfied=True)
    assert (answer["status"], answer["satisfied"], answer["can_reopen"]) == ("closed", True, True)
    changes = [entry["change"] for entry in (await operator.get(f"/incidents/{resolved['id']}"))["history"]]
    assert changes[-2:] == ["confirmed", "closed"]
    assert (await citizen.post(f"/reports/{resolved['code']}/feedback", satisfied=False))["status"] == "routed"


async def test_a_yes_of_one_among_several_leaves_it_to_the_others(office: Office, operator: Person) -> None:
    first = await office.incident(JAM, SUMMARECON)
    second = await office.incident(JAM, SUMMARECON)
    await operator.command(first["id"], "resolve", note="Lancar")
    citizen = await office.anyone()
    assert (await citizen.post(f"/reports/{first['code']}/feedback", satisfied=True))["status"] == "resolved"
    other = await citizen.get(f"/reports/{second['code']}")
    assert other["satisfied"] is None and other["can_reopen"]
    assert (await citizen.post(f"/reports/{second['code']}/feedback", satisfied=False))["status"] == "routed"


async def test_a_merged_reporter_may_say_no_to_the_answer(office: Office, operator: Person, resolved: Json) -> None:
    other = await office.incident(JAM, SUMMARECON)
    assert other["id"] != resolved["id"]
    await operator.command(other["id"], "merge", into=resolved["id"], reason="Sama, sudah beres")
    citizen = await office.anyone()
    assert (await citizen.get(f"/reports/{other['code']}"))["can_reopen"]
    assert (await citizen.post(f"/reports/{other['code']}/feedback", satisfied=False))["status"] == "routed"
    assert (await operator.get(f"/incidents/{resolved['id']}"))["status"] == "routed"


async def test_before_there_is_an_answer_there_is_nothing_to_judge(office: Office, operator: Person) -> None:
    incident = await office.incident(JAM, SUMMARECON)
    citizen = await office.anyone()
    refused = await citizen.post(f"/reports/{incident['code']}/feedback", 409, satisfied=False)
    assert refused["type"].endswith("/illegal-move")
    unread = tracking_code.new(bytes.fromhex(SECRET))
    await citizen.post(f"/reports/{unread}/feedback", 409, satisfied=True)
    for body in ({}, {"satisfied": "no"}, {"satisfied": None}, {"satisfied": True, "more": 1}, {"comment": "x"}):
        await citizen.post(f"/reports/{incident['code']}/feedback", 422, **body)


async def test_guessing_codes_is_throttled_here_too(office: Office) -> None:
    guesser = await office.anyone("10.66.1.1")
    answers = [
        (await guesser.http.post(f"/api/v1/reports/AAAA-{n:04d}/feedback", json={"satisfied": False})).status_code
        for n in range(25)
    ]
    assert answers == [404] * 20 + [429] * 5


async def test_ten_at_once_reopen_once(office: Office, operator: Person, resolved: Json) -> None:
    citizen = await office.anyone()
    answers = await asyncio.gather(
        *(
            citizen.http.post(f"/api/v1/reports/{resolved['code']}/feedback", json={"satisfied": False})
            for _ in range(10)
        )
    )
    assert [answer.status_code for answer in answers] == [200] * 10
    found = await operator.get(f"/incidents/{resolved['id']}")
    assert [entry["change"] for entry in found["history"]].count("reopened") == len(found["feedback"]) == 1
