"""SIGTERM of dispatcher and desk under load: what was begun is done, what was held is given back, the end is 0."""

import asyncio
import signal
import uuid
from pathlib import Path

import asyncpg
import httpx
import pytest
from aiokafka.admin import AIOKafkaAdminClient

from infra.access import token_hash
from infra.local.stack import Stack
from infra.postgres import Pool
from schemas import topics
from tests.dispatcher.bench import producing, until
from tests.faults.city_load import Load, all_taken_in, judge
from tests.faults.process import Service

pytestmark = pytest.mark.timeout(400)
_PATIENCE_S = 90.0
#: Batches 8 s, HTTP 10 s at most; the rest is for a busy machine.
_END_S = 40.0
#: The longest there is: what is given back by then was not given up by waiting for its end.
_SESSION_MS = 60_000


def service(stack: Stack, name: str, folder: Path, port: str) -> Service:
    folder.mkdir()
    environment = {
        "PATRIOT_KAFKA_BOOTSTRAP": stack.kafka.bootstrap,
        "PATRIOT_POSTGRES_DSN": stack.postgres.dsn,
        "PATRIOT_DATA_DIR": str(folder),
        "PATRIOT_SESSION_TIMEOUT_MS": str(_SESSION_MS),
        "PATRIOT_MAX_BATCH": "40",
    }
    return Service(name, folder, port, environment)


async def end(service: Service) -> None:
    """SIGTERM; it must end by itself, in time and with 0."""
    assert service.process is not None
    service.process.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(service.process.wait, _END_S) == 0, service.tail()
    assert "Traceback" not in service.tail(), service.tail()


async def members(stack: Stack) -> int:
    """How many are in the dispatcher's group."""
    admin = AIOKafkaAdminClient(bootstrap_servers=stack.kafka.bootstrap)
    await admin.start()
    try:
        [answer] = await admin.describe_consumer_groups([topics.DISPATCHER_GROUP])
        [group] = answer.groups
        return len(group[5])
    finally:
        await admin.close()


async def test_a_dispatcher_gives_its_partitions_and_its_relay_back_at_once(
    stack: Stack, pool: Pool, tmp_path: Path
) -> None:
    first = service(stack, "dispatcher", tmp_path / "a", "PATRIOT_DISPATCHER_PORT")
    second = service(stack, "dispatcher", tmp_path / "b", "PATRIOT_DISPATCHER_PORT")
    async with producing(stack.kafka.bootstrap) as producer:
        load = Load(producer)
        await load.some()
        with first, second:
            await asyncio.to_thread(first.start, "", _PATIENCE_S)
            loading = asyncio.create_task(load.for_seconds(8))
            await until(lambda: _has_begun(pool, load), _PATIENCE_S)
            await end(first)
            assert await members(stack) == 0, "it has left the group"
            assert await _locks(pool) == 0, "nobody holds the relay's lock"
            await asyncio.to_thread(second.start, "", _PATIENCE_S)
            await loading
            await until(lambda: all_taken_in(pool, load), _PATIENCE_S)
            await end(second)
        await judge(pool, stack.kafka.bootstrap, load)


async def _has_begun(pool: Pool, load: Load) -> bool:
    return bool(await pool.fetchval("SELECT count(*) > 20 FROM report WHERE id = ANY($1)", load.reports))


async def _locks(pool: Pool) -> int:
    """Advisory locks of dispatchers and relays."""
    found: int = await pool.fetchval(
        "SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid)"
        " WHERE l.locktype = 'advisory' AND a.application_name LIKE 'patriot%'"
    )
    return found


async def test_a_desk_finishes_what_staff_have_asked_and_keeps_what_it_confirmed(
    stack: Stack, pool: Pool, tmp_path: Path
) -> None:
    token, incident = f"ps_{uuid.uuid4().hex}", f"INC-{uuid.uuid4().hex[:8].upper()}"
    await _an_incident(stack.postgres.dsn, token, incident)
    confirmed: list[str] = []
    unanswered: list[str] = []
    with service(stack, "desk", tmp_path / "desk", "PATRIOT_PORT") as desk:
        await asyncio.to_thread(desk.start, "", _PATIENCE_S)

        async def operator(number: int) -> None:
            headers = {"Authorization": f"Bearer {token}"}
            async with httpx.AsyncClient(base_url=f"{desk.url}/api/v1", headers=headers, timeout=30) as http:
                for count in range(100_000):
                    note = f"{incident} {number} {count}"
                    try:
                        version = (await http.get(f"/incidents/{incident}")).json()["version"]
                        answer = await http.post(
                            f"/incidents/{incident}/note", json={"version": version, "text": note, "public": False}
                        )
                    except httpx.ConnectError:
                        return
                    except httpx.HTTPError:
                        unanswered.append(note)
                        continue
                    assert answer.status_code in (200, 409, 503), answer.text
                    if answer.status_code == 200:
                        confirmed.append(note)

        operators = [asyncio.create_task(operator(number)) for number in range(6)]
        await until(lambda: _some(confirmed), _PATIENCE_S)
        await end(desk)
        await asyncio.wait_for(asyncio.gather(*operators), _PATIENCE_S)
    kept = [
        row["note"] for row in await pool.fetch("SELECT note FROM incident_history WHERE incident_id = $1", incident)
    ]
    written = [note for note in kept if note is not None and note.startswith(incident)]
    assert sorted(written) == sorted(confirmed), "all that was written was confirmed, and once"
    assert not set(unanswered) & set(written)


async def _some(confirmed: list[str]) -> bool:
    return len(confirmed) > 10


async def _an_incident(dsn: str, token: str, incident: str) -> None:
    connection = await asyncpg.connect(dsn)
    await connection.execute(
        "INSERT INTO account (username, display_name, role, password_hash)"
        " VALUES ('poc-drain', 'Rina', 'operator', '-') ON CONFLICT DO NOTHING"
    )
    await connection.execute(
        "INSERT INTO session VALUES ($1, 'poc-drain', now(), now() + interval '1 hour')", token_hash(token)
    )
    await connection.execute(
        "INSERT INTO incident (id, version, category, title, status, priority, place_precision, opened_at, updated_at,"
        " received_at, last_report_at, confidence)"
        " VALUES ($1, 1, 'traffic_jam', 'Macet', 'triage', 'normal', 'none', now(), now(), now(), now(), 1)",
        incident,
    )
    await connection.close()
