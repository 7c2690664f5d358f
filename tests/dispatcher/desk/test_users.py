"""Accounts by the API: made, changed, ended, opened again; and what people do with their own."""

import asyncio
from typing import Any

import httpx
import pytest

from schemas.vocabulary import Role
from tests.dispatcher.desk.office import PASSWORD, Json, Office, Person

NEW = "kata-sandi-baru"


async def ask(person: Person, method: str, path: str, expect: int = 200, **body: Any) -> Any:
    """Any method with a JSON body."""
    answer = await person.http.request(method, f"/api/v1{path}", json=body or None)
    assert answer.status_code == expect, answer.text
    return answer.json() if answer.content else None


async def signed_in(office: Office, username: str, password: str = PASSWORD, **more: Any) -> tuple[Person, Json]:
    """Somebody who has signed in by the API, and what was answered."""
    opened = await (await office.anyone()).post("/session", username=username, password=password, **more)
    person = await office.anyone(Authorization=f"Bearer {opened['token']}")
    person.username = username
    return person, opened


@pytest.fixture(scope="module")
async def admin(office: Office) -> Person:
    return await office.staff(Role.ADMIN)


async def test_an_account_is_opened_by_a_one_time_token_and_never_by_the_same_again(
    office: Office, admin: Person
) -> None:
    made = await admin.post(
        "/users", 201, username="Dlh-Wati", role="dispatcher", agencies=[{"regency": "32.75", "agency": "DLH"}]
    )
    assert (made["user"]["username"], made["user"]["must_change_password"]) == ("dlh-wati", False)
    anyone = await office.anyone("10.20.0.1")
    await anyone.post("/session", 401, username="dlh-wati", password="-")
    token = made["one_time"]["token"]
    await ask(anyone, "POST", "/password-reset", 422, token=token, new_password="Dlh-Wati")
    await ask(anyone, "POST", "/password-reset", 204, token=token, new_password=NEW)
    await ask(anyone, "POST", "/password-reset", 422, token=token, new_password="noch-eins-bitte")
    wati, _ = await signed_in(office, "dlh-wati", NEW)
    assert (await wati.get("/me"))["agencies"] == [{"regency": "32.75", "agency": "DLH"}]
    await admin.post("/users", 409, username="dlh-wati", role="operator")


async def test_of_two_who_use_a_token_at_once_one_sets_the_password(office: Office, admin: Person) -> None:
    name = await office.hire(Role.OPERATOR)
    token = (await admin.post(f"/users/{name}/password-reset"))["one_time"]["token"]
    people = [await office.anyone(f"10.20.1.{n}") for n in range(4)]
    answers = await asyncio.gather(
        *(
            person.http.post("/api/v1/password-reset", json={"token": token, "new_password": f"{NEW}-{n}"})
            for n, person in enumerate(people)
        )
    )
    assert sorted(answer.status_code for answer in answers) == [204, 422, 422, 422]
    winner = next(n for n, answer in enumerate(answers) if answer.status_code == 204)
    await signed_in(office, name, f"{NEW}-{winner}")


async def test_a_reset_keeps_the_old_password_until_it_is_used_and_then_ends_every_session(
    office: Office, admin: Person
) -> None:
    name = await office.hire(Role.OPERATOR)
    before, _ = await signed_in(office, name)
    first = (await admin.post(f"/users/{name}/password-reset"))["one_time"]["token"]
    second = (await admin.post(f"/users/{name}/password-reset"))["one_time"]["token"]
    await before.get("/me")
    await signed_in(office, name)
    anyone = await office.anyone("10.20.2.1")
    await ask(anyone, "POST", "/password-reset", 422, token=first, new_password=NEW)
    await ask(anyone, "POST", "/password-reset", 204, token=second, new_password=NEW)
    await before.get("/me", 401)
    await (await office.anyone("10.20.2.2")).post("/session", 401, username=name, password=PASSWORD)


async def test_a_token_ends_after_a_day_and_with_its_account(office: Office, admin: Person) -> None:
    late, ended = await office.hire(Role.OPERATOR), await office.hire(Role.OPERATOR)
    tokens = [(await admin.post(f"/users/{name}/password-reset"))["one_time"]["token"] for name in (late, ended)]
    await office.pool.execute("UPDATE password_reset SET expires_at = now() WHERE username = $1", late)
    await ask(admin, "PATCH", f"/users/{ended}", disabled=True)
    for token in tokens:
        await ask(await office.anyone("10.20.3.1"), "POST", "/password-reset", 422, token=token, new_password=NEW)


async def test_a_temporary_password_is_good_for_choosing_another_and_nothing_else(
    office: Office, admin: Person
) -> None:
    made = await admin.post("/users", 201, username="poc-budi", role="operator", password=PASSWORD)
    assert made["one_time"] is None and made["user"]["must_change_password"]
    budi, opened = await signed_in(office, "poc-budi")
    assert opened["user"]["owes"] == ["password"] == (await budi.get("/me"))["owes"]
    refused = await budi.get("/incidents", 403)
    assert refused["type"].endswith("/password-change-required")
    await budi.post("/feed/ticket", 403)
    await ask(budi, "PUT", "/me/password", 422, password="falsch", new_password=NEW)
    await ask(budi, "PUT", "/me/password", 422, password=PASSWORD, new_password=PASSWORD)
    await ask(budi, "PUT", "/me/password", 422, password=PASSWORD, new_password="kurz")
    await ask(budi, "PUT", "/me/password", 204, password=PASSWORD, new_password=NEW)
    await budi.get("/incidents")
    assert (await signed_in(office, "poc-budi", NEW))[1]["user"]["owes"] == []


async def test_a_new_password_ends_the_other_sessions(office: Office) -> None:
    name = await office.hire(Role.OPERATOR)
    one, _ = await signed_in(office, name)
    other, _ = await signed_in(office, name)
    await other.get("/me")
    await ask(one, "PUT", "/me/password", 204, password=PASSWORD, new_password=NEW)
    await one.get("/me")
    await other.get("/me", 401)


async def test_sessions_are_listed_and_ended_by_who_has_them(office: Office) -> None:
    name = await office.hire(Role.OPERATOR)
    one, _ = await signed_in(office, name)
    other, _ = await signed_in(office, name)
    stranger = await office.staff(Role.OPERATOR)
    listed = (await one.get("/me/sessions"))["items"]
    assert [session["current"] for session in listed] == [False, True]
    assert all(session["address"] == "127.0.0.1" for session in listed)
    assert listed[0]["user_agent"].startswith("python-httpx")
    foreign = (await stranger.get("/me/sessions"))["items"][0]["id"]
    await ask(one, "DELETE", f"/me/sessions/{foreign}", 404)
    await ask(one, "DELETE", f"/me/sessions/{listed[0]['id']}", 204)
    await other.get("/me", 401)
    third, _ = await signed_in(office, name)
    await ask(one, "DELETE", "/me/sessions", 204)
    await third.get("/me", 401)
    await one.get("/me")
    await stranger.get("/me")


async def test_a_change_of_role_or_scope_ends_the_sessions_and_a_new_name_does_not(
    office: Office, admin: Person
) -> None:
    person = await office.staff(Role.DISPATCHER, "32.75/DLH")
    await person.get("/me")
    await ask(admin, "PATCH", f"/users/{person.username}", display_name="Ibu Wati")
    await person.get("/me")
    changed = await ask(admin, "PATCH", f"/users/{person.username}", agencies=[{"regency": "32.16", "agency": "DLH"}])
    assert changed["agencies"] == [{"regency": "32.16", "agency": "DLH"}]
    await person.get("/me", 401)
    again, opened = await signed_in(office, person.username)
    assert opened["user"]["agencies"] == changed["agencies"]
    await ask(admin, "PATCH", f"/users/{person.username}", disabled=True)
    await again.get("/me", 401)
    await (await office.anyone("10.20.4.1")).post("/session", 401, username=person.username, password=PASSWORD)
    await ask(admin, "PATCH", f"/users/{person.username}", disabled=False)
    await signed_in(office, person.username)
    third, _ = await signed_in(office, person.username)
    await ask(admin, "DELETE", f"/users/{person.username}/sessions", 204)
    await third.get("/me", 401)


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"role": "officer"}, 422),
        ({"role": "area_head"}, 422),
        ({"role": "area_head", "kecamatan": "99.99.99"}, 422),
        ({"kelurahan": "32.75.03.1001", "kecamatan": "32.75.01"}, 422),
        ({"kelurahan": "32.75.03.9999"}, 422),
        ({"role": "admin", "agencies": [{"regency": "32.75", "agency": "DLH"}]}, 422),
        ({"role": "king"}, 422),
        ({"agencies": [{"regency": "32.99", "agency": "DLH"}]}, 422),
        ({"password": "x"}, 422),
        ({"disabled": "yes"}, 422),
    ],
)
async def test_what_makes_no_sense_is_refused_and_changes_nothing(
    office: Office, admin: Person, change: Json, status: int
) -> None:
    name = await office.hire(Role.OPERATOR)
    before = await admin.get(f"/users/{name}")
    await ask(admin, "PATCH", f"/users/{name}", status, **change)
    assert await admin.get(f"/users/{name}") == before


async def test_an_area_follows_from_its_kelurahan(office: Office, admin: Person) -> None:
    name = await office.hire(Role.OPERATOR)
    lurah = await ask(admin, "PATCH", f"/users/{name}", role="area_head", kelurahan="32.75.03.1001")
    assert (lurah["kecamatan"], lurah["kelurahan"]) == ("32.75.03", "32.75.03.1001")
    camat = await ask(admin, "PATCH", f"/users/{name}", kecamatan="32.75.01")
    assert (camat["kecamatan"], camat["kelurahan"]) == ("32.75.01", None)


async def test_the_last_administrator_stays_whoever_is_quicker(database: str, office: Office, admin: Person) -> None:
    for row in await office.pool.fetch("SELECT username FROM account WHERE role = 'admin'"):
        if row["username"] != admin.username:
            await ask(admin, "PATCH", f"/users/{row['username']}", disabled=True)
    await ask(admin, "PATCH", f"/users/{admin.username}", 409, disabled=True)
    await ask(admin, "PATCH", f"/users/{admin.username}", 409, role="operator")
    other = await office.staff(Role.ADMIN)

    async def end(who: Person, whom: str) -> httpx.Response:
        return await who.http.patch(f"/api/v1/users/{whom}", json={"disabled": True})

    answers = await asyncio.gather(end(admin, other.username), end(other, admin.username))
    assert min(answer.status_code for answer in answers) == 200
    left = await office.pool.fetch("SELECT username FROM account WHERE role = 'admin' AND disabled_at IS NULL")
    assert len(left) == 1
    await office.pool.execute("UPDATE account SET disabled_at = NULL WHERE username = $1", admin.username)
    await office.pool.execute("UPDATE account SET disabled_at = now() WHERE username = $1", other.username)


async def test_an_officer_moves_to_another_agency_when_nothing_is_in_hand(office: Office, admin: Person) -> None:
    officer = await office.officer("32.75/DISHUB")
    operator = await office.staff(Role.OPERATOR)
    incident = await office.incident()
    await operator.command(incident["id"], "assign", officer_id=officer.username)
    [assignment] = (await officer.get("/assignments"))["items"]
    await officer.act(assignment, "accept")
    other = [{"regency": "32.75", "agency": "DLH"}]
    await ask(admin, "PATCH", f"/users/{officer.username}", 409, agencies=other)
    await ask(admin, "PATCH", f"/users/{officer.username}", 409, role="operator")
    await officer.act(assignment, "arrive")
    await officer.act(assignment, "complete", note="Selesai")
    await ask(admin, "PATCH", f"/users/{officer.username}", agencies=other)
    listed = {row["id"]: row for row in (await operator.get("/officers", limit=500))["items"]}
    assert (listed[officer.username]["agency"], listed[officer.username]["status"]) == ("DLH", "off_duty")
    await ask(admin, "PATCH", f"/users/{officer.username}", role="operator", agencies=[])
    await ask(admin, "PATCH", f"/users/{officer.username}", role="officer", agencies=other)
    back, _ = await signed_in(office, officer.username)
    assert (await back.be("available"))["agency"] == "DLH"


async def test_accounts_are_listed_and_found(office: Office, admin: Person) -> None:
    name = await office.hire(Role.AREA_HEAD, kecamatan="32.75.03", name="camat-bekasi-utara")
    everybody = [row["username"] for row in (await admin.get("/users", limit=500))["items"]]
    assert everybody == sorted(everybody) and name in everybody
    for filters in ({"role": "area_head"}, {"q": "BEKASI-utara"}, {"disabled": "false", "role": "area_head,executive"}):
        assert name in [row["username"] for row in (await admin.get("/users", limit=500, **filters))["items"]]
    assert (await admin.get("/users", q="camat-bekasi", disabled="true"))["items"] == []
    page = await admin.get("/users", limit=2)
    following = await admin.get("/users", limit=2, cursor=page["next_cursor"])
    assert [row["username"] for row in page["items"] + following["items"]] == everybody[:4]
    await admin.get("/users", 422, agency="DLH")
    await admin.get("/users/nobody-at-all", 404)
    await ask(admin, "PATCH", "/users/nobody-at-all", 404, disabled=True)


async def test_nothing_that_is_shown_or_kept_gives_a_password_away(office: Office, admin: Person) -> None:
    made = await admin.post("/users", 201, username="rahasia-1", role="operator")
    token = made["one_time"]["token"]
    stored = await office.pool.fetch("SELECT token_hash FROM password_reset WHERE username = 'rahasia-1'")
    assert all(token.encode() not in row["token_hash"] for row in stored)
    assert "hash" not in str(await admin.get("/users/rahasia-1"))
    told = await office.pool.fetch("SELECT action, actor FROM audit_entry WHERE subject = 'account:rahasia-1'")
    assert [(row["action"], row["actor"]) for row in told] == [("account_added", admin.username)]


async def test_device_keys_are_made_listed_and_revoked(office: Office, admin: Person) -> None:
    made = await admin.post("/device-keys", 201, name="gerbang WhatsApp", scopes=["reports"])
    key, row = made["key"], made["device_key"]
    assert key.startswith("pk_") and row["scopes"] == ["reports"] and row["revoked_at"] is None
    assert key not in str(await admin.get("/device-keys"))
    device = await office.anyone(Authorization=f"Bearer {key}")
    await device.post("/feed/ticket")
    await ask(admin, "DELETE", f"/device-keys/{row['id']}", 204)
    await ask(admin, "DELETE", f"/device-keys/{row['id']}", 204)
    await ask(admin, "DELETE", "/device-keys/0000", 404)
    await device.post("/feed/ticket", 401)
    [listed] = [one for one in (await admin.get("/device-keys", limit=500))["items"] if one["id"] == row["id"]]
    assert listed["revoked_at"] is not None
    await admin.post("/device-keys", 422, name="x", scopes=[])
    await admin.post("/device-keys", 422, name="x", scopes=["everything"])
    await admin.post("/device-keys", 422, name=" ", scopes=["reports"])
