"""What people are told, as they meet it: on their screens, by the mailbox, until somebody has it."""

import asyncio
import email
from datetime import UTC, datetime, timedelta
from email.policy import default as mail_policy
from pathlib import Path
from typing import Any

import httpx
import pytest

from dispatcher import policy_store, report_store
from dispatcher.clocks import Clocks
from dispatcher.decisions.telling import Audience, Manner
from schemas.report import ContactGiven
from schemas.vocabulary import Role
from tests.dispatcher.desk.office import Json, Office, Person
from tests.dispatcher.factories import SUMMARECON
from tests.dispatcher.notifier_process import notifier, tell_everything

PUSH_KEYS = {"p256dh": "B" + "A" * 86, "auth": "A" * 22}
FIREFOX = "https://updates.push.services.mozilla.com/wpush/v2/abc"


@pytest.fixture(autouse=True)
async def first_day(office: Office) -> None:
    """No incidents, nobody on duty, and whoever is told is told at once."""
    await office.forget_everything()
    await office.pool.execute(
        "DELETE FROM notification; DELETE FROM notification_move; DELETE FROM push_subscription; DELETE FROM contact;"
        " DELETE FROM notification_setting; UPDATE account SET disabled_at = now()"
    )
    async with office.pool.acquire() as connection, connection.transaction():
        await policy_store.put(connection, "telling", {one: Manner() for one in Audience}, by="tester")


async def tell(office: Office, database: str, data_dir: Path, **settings: Any) -> None:
    await asyncio.wait_for(tell_everything(office.pool, notifier(office.pool, database, data_dir, **settings)), 60)


async def reported(office: Office) -> Json:
    """A jam, by somebody with an e-mail address."""
    one = await office.incident(place=SUMMARECON)
    contact = ContactGiven(
        report_id=one["report_id"], name="Siti", email="siti@example.id", anonymous=False, given_at=datetime.now(UTC)
    )
    async with office.pool.acquire() as connection:
        await report_store.upsert_contacts(connection, [contact])
    return one


def subjects(data_dir: Path, kind: str) -> list[str]:
    paths = sorted((data_dir / "mailbox").glob(f"{kind}/*/[!.]*"), key=lambda path: path.stat().st_mtime_ns)
    return [email.message_from_bytes(path.read_bytes(), policy=mail_policy)["Subject"] for path in paths]


async def read(person: Person, **parameters: Any) -> list[Json]:
    found: list[Json] = (await person.get("/notifications", **parameters))["items"]
    return found


async def kinds(person: Person, **parameters: Any) -> list[str]:
    return [row["kind"] for row in await read(person, **parameters)]


async def ack(person: Person, row: Json, expect: int = 204) -> None:
    answer = await person.http.post(f"/api/v1/notifications/{row['id']}/acknowledge")
    assert answer.status_code == expect, answer.text


async def test_a_report_goes_its_whole_way_and_everybody_hears_of_it(
    office: Office, database: str, tmp_path: Path
) -> None:
    operator, officer = await office.staff(Role.OPERATOR), await office.officer()
    one = await reported(office)
    await operator.command(one["id"], "assign", officer_id=officer.username)
    await tell(office, database, tmp_path)
    (asked,) = await read(officer)
    assert (asked["kind"], asked["urgent"], asked["acknowledged_at"]) == ("offer", True, None)
    assert asked["subject"].startswith("Tugas baru: Kemacetan")
    (assignment,) = (await officer.get("/assignments"))["items"]
    assert asked["assignment_id"] == assignment["id"]
    await officer.act(assignment, "accept")
    await officer.act(assignment, "arrive")
    photo = await office.staff_photo(officer.username)
    await officer.act(assignment, "complete", note="Lancar lagi", photo_ids=[photo])
    await tell(office, database, tmp_path)
    words = [subject.rpartition(": ")[2] for subject in subjects(tmp_path, "reports")]
    assert words == ["Koordinasi", "Disposisi", "Proses", "Selesai"]
    # the answer to the offer is its acknowledgement
    (answered,) = await read(officer)
    assert answered["acknowledged_by"] == officer.username
    reopened = await office.anyone()
    await reopened.post(f"/reports/{one['code']}/feedback", satisfied=False)
    await operator.command(one["id"], "reject", reason="Sudah kami periksa")
    await tell(office, database, tmp_path)
    words = [subject.rpartition(": ")[2] for subject in subjects(tmp_path, "reports")]
    assert words[4:] == ["Dibuka kembali", "Ditolak"]


async def test_after_somebody_has_acknowledged_a_breach_nobody_is_told_of_it_again(
    office: Office, database: str, tmp_path: Path
) -> None:
    lead, other = await office.staff(Role.SUPERVISOR), await office.staff(Role.SUPERVISOR)
    head = await office.staff(Role.EXECUTIVE, "32.75/DISHUB")
    dispatcher = await office.staff(Role.DISPATCHER, "32.75/DISHUB")
    one = await office.incident()

    async def at(minutes: int) -> None:
        while await Clocks(office.pool, ahead=timedelta(minutes=minutes)).fire_due():
            pass
        await tell(office, database, tmp_path)

    await at(25)
    assert (await kinds(dispatcher), await kinds(lead)) == (["due_soon"], [])
    await ack(dispatcher, (await read(dispatcher))[0])
    await at(31)
    # a warning is another matter than the breach
    assert (await kinds(dispatcher, unread="true"), await kinds(lead)) == (["overdue"], ["overdue"])
    before = subjects(tmp_path, "staff")
    await ack(lead, (await read(lead))[0])
    for person in (lead, other, dispatcher):
        assert await read(person, unread="true") == []
        taken = (await read(person))[0]
        assert (taken["kind"], taken["acknowledged_by"]) == ("overdue", lead.username)
    await at(46)
    assert await read(head) == []
    assert subjects(tmp_path, "staff") == before
    # another clock of the same incident is another matter
    await at(181)
    assert await kinds(lead, unread="true") == ["overdue"]
    rows = await office.pool.fetch("SELECT DISTINCT state, came_back FROM notification WHERE template = 'escalated'")
    assert [tuple(row) for row in rows] == [("suppressed", "acknowledged")]
    assert {row["incident_id"] for row in await read(lead)} == {one["id"]}


async def test_what_waits_is_not_sent_once_somebody_has_it(office: Office, database: str, tmp_path: Path) -> None:
    async with office.pool.acquire() as connection, connection.transaction():
        table = {**{one: Manner() for one in Audience}, Audience.STAFF: Manner(bundle_s=3600)}
        await policy_store.put(connection, "telling", table, by="tester")
    lead, other = await office.staff(Role.SUPERVISOR), await office.staff(Role.SUPERVISOR)
    await office.incident()
    while await Clocks(office.pool, ahead=timedelta(minutes=31)).fire_due():
        pass
    await tell(office, database, tmp_path)
    assert await kinds(other, unread="true") == ["overdue", "due_soon"]
    for row in await read(lead):
        await ack(lead, row)
    await office.pool.execute("UPDATE notification SET send_after = now() WHERE state = 'waiting'")
    await tell(office, database, tmp_path)
    assert subjects(tmp_path, "staff") == []


async def test_people_see_and_acknowledge_their_own_alone(office: Office, database: str, tmp_path: Path) -> None:
    operator, officer, stranger = (
        await office.staff(Role.OPERATOR),
        await office.officer(),
        await office.officer(),
    )
    one = await office.incident(place=SUMMARECON)
    await operator.command(one["id"], "assign", officer_id=officer.username)
    await tell(office, database, tmp_path)
    (row,) = await read(officer)
    assert await read(stranger) == []
    await ack(stranger, row, 404)
    await ack(stranger, {"id": "NTF-0000000000"}, 404)
    assert (await read(officer))[0]["acknowledged_at"] is None
    await ack(officer, row)
    await ack(officer, row)
    assert await read(officer, unread="true") == []
    assert [one["id"] for one in await read(officer, unread="false")] == [row["id"]]


async def test_the_list_pages_unread_first(office: Office, database: str, tmp_path: Path) -> None:
    lead = await office.staff(Role.SUPERVISOR)
    for _ in range(3):
        await office.incident()
    while await Clocks(office.pool, ahead=timedelta(minutes=31)).fire_due():
        pass
    await tell(office, database, tmp_path)
    whole = await read(lead)
    assert len(whole) == 6
    for row in (whole[0], whole[3]):
        await ack(lead, row)
    whole = await read(lead)
    assert [row["acknowledged_at"] is None for row in whole] == [True] * 4 + [False] * 2
    paged: list[Json] = []
    cursor: dict[str, str] = {}
    while True:
        page = await lead.get("/notifications", limit=1, **cursor)
        paged += page["items"]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert [row["id"] for row in paged] == [row["id"] for row in whole]
    await lead.get("/notifications", 422, cursor="nonsense")
    await lead.get("/notifications", 422, unread="perhaps")


async def test_everybody_is_told_in_their_own_language(office: Office, database: str, tmp_path: Path) -> None:
    lead = await office.staff(Role.SUPERVISOR)
    citizen = await office.anyone()
    one = await reported(office)
    for path, person in (
        ("/me/notification-settings", lead),
        (f"/reports/{one['code']}/notification-settings", citizen),
    ):
        answer = await person.http.put(f"/api/v1{path}", json={"language": "en"})
        assert (answer.status_code, answer.json()) == (200, {"language": "en"})
        assert (await person.http.put(f"/api/v1{path}", json={"language": "nl"})).status_code == 422
    while await Clocks(office.pool, ahead=timedelta(minutes=31)).fire_due():
        pass
    await tell(office, database, tmp_path)
    assert subjects(tmp_path, "reports")[0].endswith("Coordination")
    assert (await read(lead))[0]["subject"].startswith("Overdue: Traffic jam")
    assert (await read(lead, lang="id"))[0]["subject"].startswith("Terlambat: Kemacetan")


async def test_browsers_subscribe_for_a_person_or_a_report_and_for_nobody_else(office: Office) -> None:
    lead, other = await office.staff(Role.SUPERVISOR), await office.staff(Role.SUPERVISOR)
    citizen = await office.anyone()
    code = (await office.incident())["code"]
    key = (await citizen.get("/push-key"))["public_key"]
    assert len(key) == 87
    body = {"endpoint": FIREFOX, "keys": PUSH_KEYS, "expirationTime": None}
    for person, path in ((lead, "/me/push-subscriptions"), (citizen, f"/reports/{code}/push-subscriptions")):
        first = await person.post(path, 201, **body)
        assert await person.post(path, 201, **body) == first
        for wrong in (
            "http://127.0.0.1:5432/x",
            "https://intern.bekasi.example/x",
            "https://fcm.googleapis.com.evil/x",
        ):
            await person.post(path, 422, **{**body, "endpoint": wrong})
    subscribed = await office.pool.fetch("SELECT receiver FROM push_subscription ORDER BY receiver")
    assert [row["receiver"] for row in subscribed] == [f"code:{code}", f"user:{lead.username}"]
    await citizen.post("/reports/NOT-A-CODE/push-subscriptions", 404, **body)
    # somebody else's is not theirs to end
    assert (await end(other, "/me/push-subscriptions")).status_code == 204
    assert await office.pool.fetchval("SELECT count(*) FROM push_subscription") == 2
    assert (await end(lead, "/me/push-subscriptions")).status_code == 204
    assert (await end(citizen, f"/reports/{code}/push-subscriptions")).status_code == 204
    assert await office.pool.fetchval("SELECT count(*) FROM push_subscription") == 0


async def end(person: Person, path: str) -> httpx.Response:
    return await person.http.request("DELETE", f"/api/v1{path}", json={"endpoint": FIREFOX})


async def test_ten_browsers_are_kept(office: Office) -> None:
    lead = await office.staff(Role.SUPERVISOR)
    for n in range(12):
        await lead.post("/me/push-subscriptions", 201, endpoint=f"{FIREFOX}{n}", keys=PUSH_KEYS)
    kept = await office.pool.fetch("SELECT endpoint FROM push_subscription")
    assert {row["endpoint"] for row in kept} == {f"{FIREFOX}{n}" for n in range(2, 12)}


async def test_quiet_hours_are_put_by_who_leads(office: Office) -> None:
    lead = await office.staff(Role.SUPERVISOR)
    table = await lead.get("/notification-manners")
    assert table["staff"] == {"quiet": None, "bundle_s": 0, "give_up_h": 24}
    quiet = {"quiet": {"since": "20:00", "until": "07:00"}, "bundle_s": 300}
    put = await lead.http.put("/api/v1/notification-manners", json={**table, "reporter": quiet, "why": "Ramadan"})
    assert put.status_code == 200, put.text
    assert (await lead.get("/notification-manners"))["reporter"] == {**quiet, "give_up_h": 24}
    wrong = {**quiet, "quiet": {"since": "25:00", "until": "07:00"}}
    assert (await lead.http.put("/api/v1/notification-manners", json={**table, "reporter": wrong})).status_code == 422
