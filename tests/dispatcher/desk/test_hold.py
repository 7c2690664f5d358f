"""On hold: for a reason, until somebody says so or its time has come, and the promise waits where the reason allows."""

from datetime import UTC, datetime, timedelta

import pytest

from dispatcher.clocks import Clocks
from schemas.vocabulary import Role
from tests.dispatcher.desk.office import DUMPING, Office, Person
from tests.dispatcher.factories import SUMMARECON


@pytest.fixture
async def operator(office: Office) -> Person:
    await office.forget_everything()
    return await office.staff(Role.OPERATOR)


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


async def test_a_hold_frees_the_officers_and_the_citizen_reads_why(office: Office, operator: Person) -> None:
    officer = await office.officer("32.75/DLH")
    incident = await office.incident(DUMPING, SUMMARECON)
    await operator.command(incident["id"], "assign")
    [offer] = (await officer.get("/assignments"))["items"]
    await officer.act(offer, "accept")
    held = await operator.command(incident["id"], "hold", reason="Cuaca tidak memungkinkan")
    assert held["status"] == "on_hold" and held["officers"] == []
    assert [one["status"] for one in held["assignments"]] == ["released"]
    [pause] = held["pauses"]
    assert (pause["reason"], pause["stops_clock"], pause["until"]) == ("bad_weather", True, None)
    [me] = (await operator.get("/officers"))["items"]
    assert me["status"] == "available"
    tracked = await (await office.anyone()).get(f"/reports/{incident['code']}")
    assert (tracked["status_label"], tracked["history"][-1]["note"]) == ("Ditunda", "Cuaca tidak memungkinkan")
    resumed = await operator.command(incident["id"], "resume")
    assert resumed["status"] == "routed" and resumed["pauses"][0]["until"]
    why = [one for one in resumed["decisions"] if one["judgement"] == "hold"]
    assert [one["outcome"] for one in why] == ["bad_weather"] and "waktu berhenti" in why[0]["because"]


async def test_free_words_stop_no_clock_and_are_for_staff(office: Office, operator: Person) -> None:
    incident = await office.incident(DUMPING, SUMMARECON)
    held = await operator.command(incident["id"], "hold", reason="Pak RT sedang pergi")
    assert (held["pauses"][0]["reason"], held["pauses"][0]["stops_clock"]) == ("other", False)
    assert held["history"][-1]["note"] == "Pak RT sedang pergi"
    tracked = await (await office.anyone()).get(f"/reports/{incident['code']}")
    assert tracked["status"] == "on_hold" and "Pak RT" not in str(tracked)


async def test_the_due_time_waits_as_long_as_the_reason_lets_it(office: Office, operator: Person) -> None:
    for reason, waits in (("waiting_for_reporter", True), ("waiting_for_staff", False)):
        incident = await office.incident()
        await office.pool.execute(
            "UPDATE incident SET opened_at = opened_at - interval '1 hour' WHERE id = $1", incident["id"]
        )
        await operator.command(incident["id"], "hold", reason=reason)
        await office.pool.execute(
            "UPDATE incident SET pauses = jsonb_set(pauses, '{0,since}', to_jsonb($2::text)) WHERE id = $1",
            incident["id"],
            (datetime.now(UTC) - timedelta(minutes=30)).isoformat(),
        )
        after = await operator.command(incident["id"], "resume")
        [pause] = after["pauses"]
        waited = moment(pause["until"]) - moment(pause["since"])
        assert waited > timedelta(minutes=29)
        promised = timedelta(hours=3) + (waited if waits else timedelta())
        assert moment(after["due_at"]) - moment(after["opened_at"]) == promised


async def test_it_goes_on_by_itself_when_its_time_has_come(office: Office, operator: Person) -> None:
    incident = await office.incident(DUMPING, SUMMARECON)
    until = datetime.now(UTC) + timedelta(hours=2)
    held = await operator.command(incident["id"], "hold", reason="unsafe", until=until.isoformat())
    assert moment(held["hold_ends_at"]) == until
    await office.pool.execute(
        "UPDATE incident SET pauses = jsonb_set(pauses, '{0,planned_until}', to_jsonb($2::text)) WHERE id = $1",
        incident["id"],
        (datetime.now(UTC) - timedelta(seconds=1)).isoformat(),
    )
    await office.pool.execute(
        "UPDATE deadline SET due_at = now() - interval '1 s', rungs = ARRAY[now() - interval '1 s']"
        " WHERE incident_id = $1 AND kind = 'hold_ends'",
        incident["id"],
    )
    clocks = Clocks(office.pool)
    while await clocks.fire_due():
        pass
    found = await operator.get(f"/incidents/{incident['id']}")
    assert found["status"] == "routed" and found["hold_ends_at"] is None
    assert (found["history"][-1]["change"], found["history"][-1]["actor"]) == ("resumed", "dispatcher")


async def test_a_hold_that_would_have_ended_already_is_422(office: Office, operator: Person) -> None:
    incident = await office.incident(DUMPING, SUMMARECON)
    past = (datetime.now(UTC) - timedelta(minutes=1)).isoformat()
    refused = await operator.command(incident["id"], "hold", 422, reason="unsafe", until=past)
    assert [error["field"] for error in refused["errors"]] == ["until"]
    for body in ({}, {"reason": " "}, {"reason": "unsafe", "until": "2027-01-01T00:00:00"}):
        await operator.command(incident["id"], "hold", 422, **body)


async def test_a_report_joins_what_is_on_hold(office: Office, operator: Person) -> None:
    incident = await office.incident(DUMPING, SUMMARECON)
    await operator.command(incident["id"], "hold", reason="waiting_for_equipment")
    assert (await office.incident(DUMPING, SUMMARECON))["id"] == incident["id"]
    assert (await operator.get(f"/incidents/{incident['id']}"))["report_count"] == 2


async def test_the_reasons_are_there_for_screens(operator: Person) -> None:
    reasons = {one["code"]: one for one in (await operator.get("/hold-reasons"))["items"]}
    assert reasons["waiting_for_reporter"]["stops_clock"] and not reasons["waiting_for_staff"]["stops_clock"]
    assert all(one["name_id"] and one["name_en"] for one in reasons.values())
