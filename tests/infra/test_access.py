"""Who is asking: sessions, cookies and device keys against a real PostgreSQL, and without one."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import timedelta

import asyncpg
import pytest
from fastapi import Request

from infra.access import COOKIE, Access, DeviceScope, new_token, token_hash
from infra.local.ports import find_free
from infra.postgres import Pool, close_pool, open_pool
from infra.problem import Problem
from schemas.vocabulary import Role


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    opened = await open_pool(database, application="test-access", size=2)
    yield opened
    await close_pool(opened)


@pytest.fixture
async def access(pool: Pool) -> Access:
    return Access(pool, frozenset({"https://wall.bekasi.example"}))


async def a_key(pool: Pool, *scopes: str) -> str:
    key = new_token("pk_")
    await pool.execute(
        "INSERT INTO device_key (id, name, key_hash, scopes) VALUES ($1, 'gateway', $2, $3)",
        key[3:11],
        token_hash(key),
        list(scopes),
    )
    return key


async def a_session(pool: Pool, role: Role = Role.OPERATOR, lasts: timedelta = timedelta(hours=1)) -> str:
    token = new_token("ps_")
    name = "u" + token_hash(token).hex()[:10]
    await pool.execute(
        "INSERT INTO account (username, display_name, role, password_hash, agencies, kecamatan)"
        " VALUES ($1, 'Budi', $2, '-', '{32.75/DISHUB}', '32.75.03')",
        name,
        role,
    )
    await pool.execute("INSERT INTO session VALUES ($1, $2, now(), now() + $3)", token_hash(token), name, lasts)
    return token


def asks(method: str = "POST", **headers: str) -> Request:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "method": method, "headers": [(b"host", b"city.example"), *raw]})


def bearer(token: str) -> Request:
    return asks(authorization=f"Bearer {token}")


async def refusal(access: Access, request: Request) -> int:
    with pytest.raises(Problem) as refused:
        await access.principal(request)
    return refused.value.status


async def test_a_key_is_a_device_with_its_scopes(access: Access, pool: Pool) -> None:
    found = await access.device(
        bearer(await a_key(pool, "reports", "telemetry", "of-a-later-release")), DeviceScope.REPORTS
    )
    assert found.name.startswith("key:")
    assert found.device_scopes == {DeviceScope.REPORTS, DeviceScope.TELEMETRY}
    assert not found.is_staff


async def test_a_key_without_the_scope_is_403_and_none_is_401(access: Access, pool: Pool) -> None:
    for request, status in (
        (bearer(await a_key(pool, "reports")), 403),
        (bearer(await a_session(pool)), 401),
        (asks(), 401),
    ):
        with pytest.raises(Problem) as refused:
            await access.device(request, DeviceScope.TELEMETRY)
        assert refused.value.status == status


async def test_a_session_is_a_person_with_role_and_scope(access: Access, pool: Pool) -> None:
    found = await access.staff(bearer(await a_session(pool, Role.OFFICER)))
    assert found.role is Role.OFFICER
    assert [str(agency) for agency in found.agencies] == ["32.75/DISHUB"]
    assert found.kecamatan == "32.75.03"
    assert not found.by_cookie


@pytest.mark.parametrize(
    "header",
    [
        "Bearer",
        "Bearer ",
        "Basic YTpi",
        "Bearer pk_unknown",
        "Bearer ps_unknown",
        "Bearer a b",
        "Bearer \x00",
        "Bearer é",
    ],
)
async def test_an_unknown_credential_is_401_never_anonymous(access: Access, header: str) -> None:
    assert await refusal(access, asks(authorization=header)) == 401


async def test_ended_sessions_revoked_keys_and_disabled_accounts_are_unknown(access: Access, pool: Pool) -> None:
    ended = await a_session(pool, lasts=timedelta(seconds=-1))
    disabled, revoked = await a_session(pool), await a_key(pool, "reports")
    await pool.execute("UPDATE account SET disabled_at = now()")
    await pool.execute("UPDATE device_key SET revoked_at = now()")
    for token in (ended, disabled, revoked):
        assert await refusal(access, bearer(token)) == 401


async def test_signing_out_is_felt_at_once_where_it_was_done(access: Access, pool: Pool) -> None:
    token = await a_session(pool)
    assert (await access.staff(bearer(token))).is_staff
    await pool.execute("DELETE FROM session WHERE token_hash = $1", token_hash(token))
    access.forget(token)
    assert await refusal(access, bearer(token)) == 401


async def test_nobody_in_particular_needs_no_database(access: Access, pool: Pool) -> None:
    pool.terminate()
    assert await access.principal(asks()) is None


async def test_a_cookie_that_is_no_longer_known_is_nobody_in_particular(access: Access) -> None:
    assert await access.principal(asks("GET", cookie=f"{COOKIE}=ps_old")) is None


@pytest.mark.parametrize(
    ("headers", "known"),
    [
        ({"origin": "https://city.example"}, True),
        ({"origin": "https://wall.bekasi.example"}, True),
        ({"sec_fetch_site": "same-origin"}, True),
        ({"origin": "https://evil.example"}, False),
        ({"origin": "https://city.example.evil"}, False),
        ({"origin": "null"}, False),
        ({"origin": "http://["}, False),
        ({"sec_fetch_site": "cross-site"}, False),
        ({"sec_fetch_site": "same-site"}, False),
        ({}, False),
    ],
)
async def test_a_cookie_writes_only_from_our_own_pages(
    access: Access, pool: Pool, headers: dict[str, str], known: bool
) -> None:
    cookie = f"{COOKIE}={await a_session(pool)}"
    assert (await access.staff(asks("GET", cookie=cookie, **headers))).by_cookie
    if known:
        assert (await access.staff(asks("POST", cookie=cookie, **headers))).by_cookie
    else:
        assert await refusal(access, asks("POST", cookie=cookie, **headers)) == 403


async def test_a_key_that_was_good_stays_good_while_the_database_is_away(
    access: Access, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infra.access.CACHE_S", 0.0)
    key, session = await a_key(pool, "telemetry"), await a_session(pool)
    await access.device(bearer(key), DeviceScope.TELEMETRY)
    await access.staff(bearer(session))
    pool.terminate()
    assert (await access.device(bearer(key), DeviceScope.TELEMETRY)).device_scopes
    assert await refusal(access, bearer(session)) == 503
    assert await refusal(access, bearer(new_token("pk_"))) == 503


async def test_without_a_database_a_credential_is_503_soon() -> None:
    pool = await open_pool(f"postgresql://x@127.0.0.1:{find_free('127.0.0.1')}/x", application="test", size=1)
    assert await refusal(Access(pool), bearer("pk_x")) == 503
    await close_pool(pool)


async def test_before_the_first_migration_it_is_503(database: str) -> None:
    connection = await asyncpg.connect(database)
    await connection.execute("CREATE SCHEMA empty")
    await connection.close()
    pool: Pool = await asyncpg.create_pool(database, min_size=0, max_size=1, server_settings={"search_path": "empty"})
    assert await refusal(Access(pool), bearer("pk_x")) == 503
    await close_pool(pool)


async def test_no_queue_grows_behind_a_busy_database(access: Access, pool: Pool) -> None:
    token = await a_session(pool)
    busy = [await pool.acquire(), await pool.acquire()]
    start = time.monotonic()

    async def look_up(n: int) -> float:
        assert await refusal(access, bearer(f"ps_{n}")) == 503
        return time.monotonic() - start

    seconds = sorted(await asyncio.gather(*(look_up(n) for n in range(150))))
    for connection in busy:
        await pool.release(connection)
    assert seconds[49] < 1.5 < seconds[50], "a hundred wait; who comes on top is told at once"
    assert (await access.staff(bearer(token))).is_staff
