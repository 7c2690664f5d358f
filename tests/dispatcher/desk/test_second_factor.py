"""The second factor: set up, asked for, each code once, recovery codes, and roles that need one."""

import asyncio
import time
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pyotp

from dispatcher.desk import totp
from infra.access import derive
from schemas.vocabulary import Role
from tests.dispatcher.desk.office import PASSWORD, Json, Office, Person, open_office
from tests.dispatcher.desk.test_users import ask, signed_in


def code_of(secret: str, steps: int = 0) -> str:
    """What an app shows, so many steps from now."""
    return pyotp.TOTP(secret).at(int(time.time()) + 30 * steps)


async def set_up(office: Office, role: Role = Role.OPERATOR) -> tuple[str, str, list[str]]:
    """An account with a second factor, set up by the code before the present one: name, secret, recovery codes."""
    name = await office.hire(role)
    person, _ = await signed_in(office, name)
    begun = await person.post("/me/totp", password=PASSWORD)
    uri = urlsplit(begun["otpauth_uri"])
    assert uri.scheme == "otpauth" and uri.netloc == "totp" and uri.path.endswith(name)
    assert parse_qs(uri.query)["secret"] == [begun["secret"]]
    await ask(person, "PUT", "/me/totp", 422, code="000000" if code_of(begun["secret"]) != "000000" else "111111")
    confirmed = await ask(person, "PUT", "/me/totp", code=code_of(begun["secret"], -1))
    return name, begun["secret"], confirmed["recovery_codes"]


async def sign_in(person: Person, name: str, expect: int, **more: str) -> Json:
    found: Json = await person.post("/session", expect, username=name, password=PASSWORD, **more)
    return found


async def test_once_confirmed_a_code_is_asked_for_after_the_password(office: Office) -> None:
    name, secret, _ = await set_up(office)
    anyone = await office.anyone("10.30.0.1")
    asked = await sign_in(anyone, name, 401)
    assert asked["type"].endswith("/second-factor")
    wrong = await anyone.post("/session", 401, username=name, password="salah", code=code_of(secret))
    assert wrong["type"].endswith("/wrong-sign-in"), "who has not the password learns nothing of the factor"
    await sign_in(anyone, name, 401, code="abcdef")
    opened = await sign_in(anyone, name, 200, code=code_of(secret))
    assert opened["user"]["owes"] == []


async def test_a_code_opens_one_session_also_when_two_come_at_once(office: Office) -> None:
    name, secret, _ = await set_up(office)
    people = [await office.anyone(f"10.30.1.{n}") for n in range(4)]
    body = {"username": name, "password": PASSWORD, "code": code_of(secret)}
    answers = await asyncio.gather(*(person.http.post("/api/v1/session", json=body) for person in people))
    assert sorted(answer.status_code for answer in answers) == [200, 401, 401, 401]
    refused = await sign_in(people[0], name, 401, code=code_of(secret, -1))
    assert refused["type"].endswith("/wrong-second-factor"), "nor is one of before the last used"


async def test_the_first_code_was_spent_by_confirming_it(office: Office) -> None:
    name, secret, _ = await set_up(office)
    await sign_in(await office.anyone("10.30.2.1"), name, 401, code=code_of(secret, -1))


async def test_each_recovery_code_is_good_once_and_kept_as_a_hash(office: Office) -> None:
    name, _, codes = await set_up(office)
    assert len(set(codes)) == totp.RECOVERY_CODES == 10
    anyone = await office.anyone("10.30.3.1")
    await sign_in(anyone, name, 200, code=codes[0].lower().replace("-", ""))
    await sign_in(anyone, name, 401, code=codes[0])
    await sign_in(anyone, name, 200, code=codes[1])
    kept = await office.pool.fetch("SELECT code_hash FROM recovery_code WHERE username = $1", name)
    assert len(kept) == 8 and all(code.encode() not in row["code_hash"] for row in kept for code in codes)


async def test_the_secret_is_sealed_with_the_citys(office: Office) -> None:
    name, secret, _ = await set_up(office)
    sealed = await office.pool.fetchval("SELECT totp_sealed FROM account WHERE username = $1", name)
    assert secret.encode() not in sealed
    assert totp.unseal(bytes.fromhex("5e" * 32), sealed) == secret
    assert totp.unseal(derive(b"other", "city"), sealed) is None


async def test_wrong_codes_are_throttled_for_who_has_the_password_and_for_nobody_else(
    database: str, tmp_path: Path
) -> None:
    async with open_office(database, tmp_path, second_factors_per_minute=2) as office:
        name, secret, _ = await set_up(office)
        thief, stranger, owner = [await office.anyone(f"10.30.4.{n}") for n in range(3)]
        for _ in range(9):
            await stranger.post("/session", 401, username=name, password="salah", code="123456")
        await sign_in(owner, name, 200, code=code_of(secret))
        statuses = []
        for n in range(4):
            answer = await thief.http.post(
                "/api/v1/session", json={"username": name, "password": PASSWORD, "code": f"00000{n}"}
            )
            statuses.append(answer.status_code)
        assert statuses == [401, 401, 429, 429]


async def test_a_role_that_needs_one_sets_it_up_before_anything_else(database: str, tmp_path: Path) -> None:
    async with open_office(database, tmp_path, totp_required="admin,supervisor") as office:
        name = await office.hire(Role.SUPERVISOR)
        person, opened = await signed_in(office, name)
        assert opened["user"]["owes"] == ["totp"]
        refused = await person.get("/incidents", 403)
        assert refused["type"].endswith("/second-factor-required")
        begun = await person.post("/me/totp", password=PASSWORD)
        await ask(person, "PUT", "/me/totp", code=code_of(begun["secret"]))
        await person.get("/incidents")
        await ask(person, "POST", "/me/totp/remove", 403, password=PASSWORD, code=code_of(begun["secret"], 1))
        operator, opened = await signed_in(office, await office.hire(Role.OPERATOR))
        assert opened["user"]["owes"] == []
        await operator.get("/incidents")


async def test_it_is_removed_with_password_and_code_or_by_an_administrator(office: Office) -> None:
    name, secret, codes = await set_up(office)
    person, _ = await signed_in(office, name, code=codes[0])
    await person.post("/me/totp", 409, password=PASSWORD)
    await ask(person, "POST", "/me/totp/remove", 422, password="salah", code=code_of(secret))
    await ask(person, "POST", "/me/totp/remove", 422, password=PASSWORD, code=codes[0])
    await ask(person, "POST", "/me/totp/remove", 204, password=PASSWORD, code=code_of(secret))
    await signed_in(office, name)
    lost, _, _ = await set_up(office)
    admin = await office.staff(Role.ADMIN)
    assert (await admin.get(f"/users/{lost}"))["has_totp"]
    await ask(admin, "DELETE", f"/users/{lost}/totp", 204)
    await signed_in(office, lost)


async def test_nothing_is_confirmed_that_was_not_begun(office: Office) -> None:
    person, _ = await signed_in(office, await office.hire(Role.OPERATOR))
    await ask(person, "PUT", "/me/totp", 409, code="123456")
