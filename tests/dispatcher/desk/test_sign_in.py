"""Signing in: a cookie for browsers, a token for programs, no help for who guesses, no command from elsewhere."""

import asyncio
import time
from http.cookies import SimpleCookie
from pathlib import Path

from dispatcher.desk import accounts
from schemas.vocabulary import Role
from tests.dispatcher.desk.office import PASSWORD, Office, Person, open_office


async def sign_in(person: Person, username: str, password: str = PASSWORD, expect: int = 200) -> SimpleCookie:
    answer = await person.http.post("/api/v1/session", json={"username": username, "password": password})
    assert answer.status_code == expect, answer.text
    cookies = SimpleCookie()
    for line in answer.headers.get_list("set-cookie"):
        cookies.load(line)
    return cookies


async def test_a_sign_in_gives_a_cookie_that_scripts_cannot_read_and_a_name_that_they_can(office: Office) -> None:
    name = await office.hire(Role.OPERATOR)
    browser = await office.anyone()
    cookies = await sign_in(browser, name.upper())
    session, readable = cookies["patriot_session"], cookies["patriot_user"]
    assert session["httponly"] and session["samesite"] == "lax" and session["path"] == "/"
    assert int(session["max-age"]) == 12 * 3600 and not session["secure"]
    assert not readable["httponly"] and readable.value == name
    me = await browser.get("/me")
    assert (me["username"], me["role"], me["agencies"]) == (name, "operator", [])
    answer = await browser.http.delete("/api/v1/session", headers={"Origin": "http://desk.test"})
    assert answer.status_code == 204
    await browser.get("/me", 401)


async def test_over_https_the_cookie_never_travels_in_the_clear(office: Office) -> None:
    name = await office.hire(Role.OPERATOR)
    browser = await office.anyone()
    browser.http.base_url = browser.http.base_url.copy_with(scheme="https")
    cookies = await sign_in(browser, name)
    assert cookies["patriot_session"]["secure"] and cookies["patriot_user"]["secure"]


async def test_the_token_works_as_bearer_and_ends_with_the_session(office: Office) -> None:
    name = await office.hire(Role.OFFICER, "32.75/DISHUB")
    program = await office.anyone()
    answer = await program.post("/session", username=name, password=PASSWORD)
    assert answer["user"] == {
        "username": name,
        "display_name": name,
        "role": "officer",
        "agencies": [{"regency": "32.75", "agency": "DISHUB"}],
        "kecamatan": None,
        "kelurahan": None,
        "owes": [],
    }
    program = await office.anyone(Authorization=f"Bearer {answer['token']}")
    await program.be("available")
    assert (await program.http.delete("/api/v1/session")).status_code == 204
    await program.get("/me", 401)
    assert (await office.anyone()).http.cookies == {}
    assert (await (await office.anyone()).http.delete("/api/v1/session")).status_code == 204


async def test_with_the_cookie_a_command_needs_our_own_page(office: Office) -> None:
    name = await office.hire(Role.OFFICER, "32.75/DISHUB")
    browser = await office.anyone()
    await sign_in(browser, name)
    body = {"status": "available", "at": "2026-11-20T08:00:00Z"}

    async def put(**headers: str) -> int:
        return (await browser.http.put("/api/v1/me/presence", json=body, headers=headers)).status_code

    assert await put(Origin="http://desk.test") == 200
    assert await put(**{"Sec-Fetch-Site": "same-origin"}) == 200
    assert await put() == 403
    assert await put(Origin="http://evil.test") == 403
    assert await put(Origin="null") == 403
    assert await put(Origin="http://desk.test.evil.test") == 403
    assert await put(**{"Sec-Fetch-Site": "cross-site"}) == 403
    assert (await browser.http.delete("/api/v1/session")).status_code == 403
    assert (await browser.http.post("/api/v1/feed/ticket")).status_code == 403
    await browser.get("/me")


async def test_wrong_names_and_wrong_passwords_are_answered_alike(office: Office) -> None:
    name = await office.hire(Role.OPERATOR)
    ended = await office.hire(Role.OPERATOR)
    async with office.pool.acquire() as connection:
        await accounts.disable(connection, ended)
    somebody = await office.anyone("10.9.8.7")
    answers = [
        await somebody.post("/session", 401, username=username, password=password)
        for username, password in (
            (name, "salah"), ("tidak-ada", PASSWORD), (ended, PASSWORD), ("a\x00b", PASSWORD), ("' OR 1=1 --", "x"),
        )
    ]  # fmt: skip
    assert all(answer == answers[0] for answer in answers)

    async def seconds(username: str) -> float:
        start = time.perf_counter()
        await somebody.post("/session", 401, username=username, password="salah")
        return time.perf_counter() - start

    assert await seconds("tidak-ada") > 0.005, "a name that does not exist costs a hash too"


async def test_guessing_is_throttled_per_name_and_address_and_locks_nobody_out(database: str, tmp_path: Path) -> None:
    async with open_office(database, tmp_path, sign_ins_per_minute=3, sign_ins_per_address_per_minute=6) as office:
        name = await office.hire(Role.OPERATOR)
        guesser, owner = await office.anyone("10.1.1.1"), await office.anyone("10.2.2.2")

        async def guess(username: str) -> int:
            answer = await guesser.http.post("/api/v1/session", json={"username": username, "password": "salah"})
            assert answer.status_code != 429 or int(answer.headers["retry-after"]) >= 1
            return answer.status_code

        found = await asyncio.gather(*(guess(name) for _ in range(8)))
        assert sorted(found) == [401] * 3 + [429] * 5, "many at once don't slip through"
        await sign_in(guesser, name, expect=429)
        await sign_in(owner, name)
        found = [await guess(f"nobody-{n}") for n in range(4)]
        assert found[0] == 401, "others behind the same address may still sign in"
        assert found[-1] == 429, "but not name after name without end"


async def test_right_sign_ins_are_not_counted(office: Office) -> None:
    name = await office.hire(Role.OPERATOR)
    person = await office.anyone("10.3.3.3")
    for _ in range(12):
        await sign_in(person, name)


async def test_a_session_ends_after_12_hours_and_with_its_account(office: Office) -> None:
    person = await office.staff(Role.OPERATOR)
    hours = await office.pool.fetchval(
        "SELECT extract(epoch FROM expires_at - created_at) / 3600 FROM session WHERE username = $1", person.username
    )
    assert float(hours) == 12
    await office.pool.execute("UPDATE session SET expires_at = now() WHERE username = $1", person.username)
    await person.get("/me", 401)
    other = await office.staff(Role.OPERATOR)
    async with office.pool.acquire() as connection:
        await accounts.disable(connection, other.username)
    await other.get("/me", 401)


async def test_passwords_are_argon2id_and_tokens_are_kept_as_hashes(office: Office) -> None:
    person = await office.staff(Role.OPERATOR)
    stored = await office.pool.fetchval("SELECT password_hash FROM account WHERE username = $1", person.username)
    assert stored.startswith("$argon2id$") and PASSWORD not in stored
    token = person.http.headers["authorization"].removeprefix("Bearer ")
    hashes = await office.pool.fetch("SELECT token_hash FROM session WHERE username = $1", person.username)
    assert all(token.encode() not in row["token_hash"] for row in hashes)


async def test_forwarded_addresses_count_only_from_our_own_proxies(database: str, tmp_path: Path) -> None:
    async with open_office(database, tmp_path, trusted_proxies="10.0.0.0/8", sign_ins_per_minute=1) as office:

        async def guess(peer: str, forwarded: str, expect: int) -> None:
            somebody = await office.anyone(peer, **{"X-Forwarded-For": forwarded})
            await sign_in(somebody, "nobody", "salah", expect)

        await guess("10.0.0.1", "198.51.100.1", 401)
        await guess("10.0.0.1", "198.51.100.2", 401)
        await guess("203.0.113.9", "198.51.100.3", 401)
        await guess("203.0.113.9", "198.51.100.4", 429)
