"""Promises and calendars from a screen: an administrator changes them, everybody sees them."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dispatcher.clocks import Clocks
from schemas.vocabulary import Role
from tests.dispatcher.desk.office import DUMPING, Office, Person


@pytest.fixture
async def admin(office: Office) -> Person:
    await office.forget_everything()
    await office.pool.execute("DELETE FROM policy")
    return await office.staff(Role.ADMIN)


async def put(person: Person, path: str, expect: int = 200, **body: Any) -> Any:
    answer = await person.http.put(f"/api/v1{path}", json=body)
    assert answer.status_code == expect, answer.text
    return answer.json()


async def test_what_is_promised_can_be_read_by_everybody_and_put_by_an_administrator(
    office: Office, admin: Person
) -> None:
    operator = await office.staff(Role.OPERATOR)
    read = await operator.get("/clocks")
    assert read["version"] == 0
    assert {"clock": "accept", "within": {"minutes": 2}, "category": "traffic_jam"} in read["promises"]
    urgent = {"clock": "resolved", "category": "illegal_dumping", "within": {"minutes": 90}}
    assert await put(operator, "/clocks", 403, version=0, promises=[urgent])
    live = await put(admin, "/clocks", version=0, promises=[urgent, *read["promises"]], why="Adipura")
    assert (live["version"], live["promises"][0]) == (1, urgent)
    assert await operator.get("/clocks") == live
    stale = await put(admin, "/clocks", 409, version=0, promises=[urgent])
    assert (stale["type"].rpartition("/")[2], stale["current_version"]) == ("stale-version", 1)


async def test_an_incident_shows_its_clocks_and_follows_what_is_promised_anew(office: Office, admin: Person) -> None:
    incident = await office.incident(DUMPING)
    shown = await admin.get(f"/incidents/{incident['id']}")
    clocks = {clock["clock"]: clock for clock in shown["clocks"]}
    assert {name: clock["state"] for name, clock in clocks.items()} == {
        "first_look": "met",
        "on_scene": "running",
        "resolved": "running",
    }
    assert clocks["resolved"]["due_at"] == shown["due_at"]
    assert clocks["on_scene"]["warns_at"] < clocks["on_scene"]["due_at"]
    promises = (await admin.get("/clocks"))["promises"]
    hour = {"clock": "resolved", "within": {"minutes": 60}}
    await put(admin, "/clocks", version=0, promises=[hour, *promises])
    assert await Clocks(office.pool).sweep() == 1
    after = await admin.get(f"/incidents/{incident['id']}")
    opened = datetime.fromisoformat(shown["opened_at"])
    assert datetime.fromisoformat(after["due_at"]) == opened + timedelta(hours=1)
    assert after["history"][-1]["change"] == "rescheduled"


async def test_an_offer_that_is_not_answered_expires_once_while_workers_race(office: Office, admin: Person) -> None:
    incident = await office.incident()
    await office.officer()
    await admin.command(incident["id"], "assign")
    await office.pool.execute("UPDATE deadline SET due_at = now() - interval '1 s' WHERE kind LIKE 'answer/ASG%'")
    fired = await asyncio.gather(*(Clocks(office.pool).fire_answer() for _ in range(4)))
    assert sum(fired) == 1
    shown = await admin.get(f"/incidents/{incident['id']}")
    assert [one["status"] for one in shown["assignments"]] == ["expired"]
    assert [entry["change"] for entry in shown["history"]].count("expired") == 1


async def test_a_calendar_that_is_promised_by_is_not_taken_away(office: Office, admin: Person) -> None:
    read = await admin.get("/calendars")
    assert read["version"] == 0
    office_hours = read["calendars"]["office"]
    assert {"day": "2026-12-24", "name": "Natal", "kind": "joint_leave"} in office_hours["free_days"]
    day_and_night = {"weekdays": [1, 2, 3, 4, 5, 6, 7], "opens": "00:00", "closes": "24:00"}
    live = await put(admin, "/calendars", version=0, calendars={"office": office_hours, "posko": day_and_night})
    assert live["calendars"]["posko"] == day_and_night
    promises = (await admin.get("/clocks"))["promises"]
    by_posko = {"clock": "resolved", "within": {"working_days": 1}, "calendar": "posko"}
    await put(admin, "/clocks", version=0, promises=[by_posko, *promises])
    await put(admin, "/calendars", 422, version=live["version"], calendars={"office": office_hours})
    await put(admin, "/clocks", 422, version=2, promises=[{**by_posko, "calendar": "libur"}])


@pytest.mark.parametrize(
    "wrong",
    [
        {"promises": []},
        {"promises": [{"clock": "resolved"}]},
        {"promises": [{"clock": "resolved", "within": {"minutes": 5, "working_days": 5}}]},
        {"promises": [{"clock": "resolved", "within": {"minutes": 5}, "categry": "flood"}]},
        {"promises": [{"clock": "resolved", "within": {"minutes": 5}, "ladder": [{"at": 0, "tell": ["shift_lead"]}]}]},
        {"version": -1},
        {"more": 1},
    ],
)
async def test_a_promise_that_cannot_be_is_refused(admin: Person, wrong: dict[str, Any]) -> None:
    body = {"version": 0, "promises": [{"clock": "resolved", "within": {"minutes": 5}}], **wrong}
    await put(admin, "/clocks", 422, **body)
    assert (await admin.get("/clocks"))["version"] == 0


async def test_how_often_clocks_were_kept_is_told_within_ones_scope(office: Office, admin: Person) -> None:
    late = await office.incident(DUMPING)
    await office.pool.execute("UPDATE incident SET due_at = now() - interval '1 hour' WHERE id = $1", late["id"])
    found = await admin.get("/on-time")
    (resolved,) = [one for one in found["items"] if one["clock"] == "resolved"]
    assert resolved == {
        "clock": "resolved",
        "category": "illegal_dumping",
        "in_time": 0,
        "late": 0,
        "overdue": 1,
        "share": 0.0,
    }
    assert datetime.fromisoformat(found["since"]) < datetime.now(UTC) - timedelta(days=6)
    dishub = await office.staff(Role.DISPATCHER, "32.75/DISHUB")
    assert (await dishub.get("/on-time"))["items"] == []
    await admin.get("/on-time", 422, days=0)
