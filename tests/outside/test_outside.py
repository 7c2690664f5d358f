"""The four services against a Kafka and a PostgreSQL that ask who comes, each with no more rights than it needs."""

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import httpx
import pytest
from aiokafka.errors import KafkaError

from dispatcher import feed_topic
from dispatcher.desk.app import room
from dispatcher.desk.settings import DeskSettings
from dispatcher.maintenance import Maintenance
from infra.http import build_app
from infra.kafka import start_producer, stop_quietly
from infra.kafka_access import KafkaAccess, KafkaRefuses
from infra.kafka_raw_batch import read_raw_batch
from infra.local.stack import Stack
from infra.migrate import migrate
from infra.postgres import close_pool, connect, open_pool
from infra.postgres_roles import grant
from schemas import topics
from tests.city import start_city, stop_city
from tests.faults.process import Service
from tests.outside.secured import PASSWORD, Certificates, make_certificates, secure, serve_tls
from tests.people import Gateway, until

USERS = ("ingest", "dispatcher", "feed", "operator", "admin")
pytestmark = pytest.mark.timeout(300)


@dataclass(frozen=True)
class Outside:
    """Where they are."""

    folder: Path
    certificates: Certificates
    kafka_port: int
    postgres_port: int
    #: Of the owner, without TLS.
    owner_dsn: str

    def kafka(self, user: str, **other: str) -> dict[str, str]:
        """What a program is told to come as `user`."""
        told = {
            "bootstrap": f"127.0.0.1:{self.kafka_port}",
            "security_protocol": "SASL_SSL",
            "user": user,
            "password": PASSWORD,
            "ca_file": str(self.certificates.ca),
        } | other
        return {f"PATRIOT_KAFKA_{name.upper()}": value for name, value in told.items()}

    def access(self, user: str) -> KafkaAccess:
        """The same for a client in this process."""
        where = f"127.0.0.1:{self.kafka_port}"
        return KafkaAccess(where, "SASL_SSL", user=user, password=PASSWORD, ca_file=self.certificates.ca)

    def dsn(self, login: str, *, password: str = PASSWORD, ca: Path | None = None) -> str:
        """A login of PostgreSQL's, by TLS."""
        trust = f"sslmode=verify-full&sslrootcert={ca or self.certificates.ca}"
        return f"postgresql://{login}:{password}@127.0.0.1:{self.postgres_port}/patriot?{trust}"

    def patriot(self, *arguments: str, user: str = "admin", **more: str) -> subprocess.CompletedProcess[str]:
        """A command of ours, run as that user of Kafka's."""
        return subprocess.run(
            [sys.executable, "-m", "infra.local.cli", *arguments],
            env={**os.environ, **self.kafka(user), **more},
            input=PASSWORD,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )


@pytest.fixture(scope="module")
async def outside(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Outside]:
    """Kafka with users and rights made by our commands, PostgreSQL with our roles and a login in each."""
    folder = tmp_path_factory.mktemp("outside")
    certificates = make_certificates(folder)
    stack = Stack(folder / "data")
    port = secure(stack, certificates, USERS)
    async with AsyncExitStack() as opened:
        await opened.enter_async_context(stack)
        await migrate(stack.postgres.dsn)
        owner = await connect(stack.postgres.dsn, application="test")
        for _ in range(2):
            roles = await grant(owner)
        for role in roles:
            await owner.execute(
                f"CREATE ROLE {role.removeprefix('patriot_')} LOGIN PASSWORD '{PASSWORD}' IN ROLE {role}"
            )
        await owner.close()
        target = int(stack.postgres.dsn.rpartition(":")[2].partition("/")[0])
        front, front_port = await serve_tls(certificates, target)
        opened.callback(front.close)
        found = Outside(folder, certificates, port, front_port, stack.postgres.dsn)
        for arguments in (["kafka", "acls", "--apply"], ["kafka", "topics"]):
            done = await asyncio.to_thread(found.patriot, *arguments)
            assert done.returncode == 0, done.stderr
        yield found


def service(outside: Outside, name: str, port_variable: str = "PATRIOT_PORT", **more: str) -> Service:
    """One of the four, with its own user and login."""
    kafka: Mapping[str, str] = {} if name == "desk" else outside.kafka(name)
    database = {} if name == "feed" else {"PATRIOT_POSTGRES_DSN": outside.dsn(name)}
    data = {"PATRIOT_DATA_DIR": str(outside.folder / "objects")}
    return Service(name, outside.folder, port_variable, {**kafka, **database, **data, **more})


async def test_a_report_goes_all_the_way_with_the_rights_that_each_service_has(outside: Outside) -> None:
    services = [
        service(outside, "ingest"),
        service(outside, "desk"),
        service(outside, "dispatcher", "PATRIOT_DISPATCHER_PORT"),
        service(outside, "feed", "PATRIOT_FEED_PORT"),
    ]
    ingest, desk, _, feed = services
    added = await asyncio.to_thread(
        outside.patriot,
        "user", "add", "rina", "--role", "operator", "--password-stdin",
        PATRIOT_POSTGRES_DSN=outside.owner_dsn,
    )  # fmt: skip
    assert added.returncode == 0, added.stderr
    with services[0], services[1], services[2], services[3]:
        await asyncio.gather(*(asyncio.to_thread(one.start, patience=120) for one in services))
        async with httpx.AsyncClient() as http:
            sent = await http.post(
                f"{ingest.url}/api/v1/reports",
                json={"description": "Jalan berlubang besar, bahaya", "lat": -6.2383, "lon": 106.9756},
            )
            assert sent.status_code == 202, sent.text
            code = sent.json()["tracking_code"]

            async def known() -> str | None:
                answer = await http.get(f"{desk.url}/api/v1/reports/{code}")
                return answer.json()["incident_id"] if answer.status_code == 200 else None

            incident = await until(known, 60)

            async def shown() -> bool:
                rows = (await feed_topic.shown(outside.access("feed"))).rows
                metrics = (await http.get(f"{feed.url}/metrics")).text
                return f"incidents:{incident}" in rows and 'patriot_feed_rows{channel="incidents"} 1.0' in metrics

            await until(shown, 30)
            session = await http.post(f"{desk.url}/api/v1/session", json={"username": "rina", "password": PASSWORD})
            assert session.status_code == 200, session.text
            bearer = {"Authorization": f"Bearer {session.json()['token']}"}
            whole = (await http.get(f"{desk.url}/api/v1/incidents/{incident}", headers=bearer)).json()
            noted = await http.post(
                f"{desk.url}/api/v1/incidents/{incident}/note",
                json={"version": whole["version"], "text": "Sudah dilihat", "public": False},
                headers=bearer,
            )
            assert noted.status_code == 200, noted.text
            for what in ("agencies", "categories", "kecamatan", "officers", "sensors", "wifi-nodes", "incidents"):
                answer = await http.get(f"{desk.url}/api/v1/{what}", headers=bearer)
                assert answer.status_code == 200, (what, answer.text)
            # staff sends reports with its session: ingest looks that up
            sent = await http.post(
                f"{ingest.url}/api/v1/reports",
                json={"description": "Lampu jalan mati", "lat": -6.25, "lon": 107.0},
                headers=bearer,
            )
            assert sent.status_code == 202, sent.text
            unknown = await http.post(f"{ingest.url}/api/v1/reports", json={}, headers={"Authorization": "Bearer x"})
            assert unknown.status_code == 401, unknown.text


@pytest.mark.parametrize(
    ("user", "topic"),
    [("ingest", topics.REPORT), ("ingest", topics.FEED), ("feed", topics.CONTACT), ("feed", topics.REPORT)],
    ids=lambda one: getattr(one, "name", one),
)
async def test_what_a_service_need_not_read_it_cannot(outside: Outside, user: str, topic: topics.Topic) -> None:
    await read_raw_batch(outside.access("dispatcher"), topic.name, 0, 0)  # it is there, and somebody may
    with pytest.raises(KafkaError):
        await read_raw_batch(outside.access(user), topic.name, 0, 0)


@pytest.mark.parametrize(
    ("user", "topic"),
    [("feed", topics.FEED), ("feed", topics.REPORT), ("ingest", topics.FEED), ("ingest", topics.INCIDENT)],
    ids=lambda one: getattr(one, "name", one),
)
async def test_what_a_service_need_not_write_it_cannot(outside: Outside, user: str, topic: topics.Topic) -> None:
    with pytest.raises(KafkaError):
        producer = await start_producer(outside.access(user), "test")
        try:
            async with asyncio.timeout(20):
                await producer.send_and_wait(topic.name, b"{}", b"key")
        finally:
            await stop_quietly(producer)


@pytest.mark.parametrize("user", ["ingest", "feed"])
async def test_nobody_else_can_pass_for_the_relay(outside: Outside, user: str) -> None:
    with pytest.raises(KafkaError):
        await asyncio.wait_for(start_producer(outside.access(user), "test", transactional_id="relay-0"), 20)


@pytest.mark.parametrize(
    ("login", "statement"),
    [
        ("ingest", "SELECT * FROM report"),
        ("ingest", "SELECT password_hash FROM account"),
        ("ingest", "SELECT * FROM contact"),
        ("ingest", "INSERT INTO device_key (id, name, key_hash, scopes) VALUES ('x', 'x', '', '{}')"),
        ("ingest", "DELETE FROM session"),
        ("dispatcher", "SELECT password_hash FROM account"),
        ("dispatcher", "SELECT token_hash FROM session"),
        ("dispatcher", "UPDATE account SET role = 'admin'"),
        ("dispatcher", "DELETE FROM incident_history"),
        ("dispatcher", "DROP TABLE seen_event"),
        ("dispatcher", "SELECT drop_day('report', current_date - 100)"),
        ("dispatcher", "SELECT drop_day('traffic_reading', current_date)"),
        ("desk", "DELETE FROM incident_history"),
        ("desk", "SELECT * FROM outbox"),
        ("desk", "INSERT INTO report SELECT * FROM report"),
        ("desk", "CREATE TABLE mine (n int)"),
    ],
)
async def test_what_a_login_need_not_do_it_cannot(outside: Outside, login: str, statement: str) -> None:
    connection = await asyncpg.connect(outside.dsn(login))
    try:
        with pytest.raises((asyncpg.InsufficientPrivilegeError, asyncpg.RaiseError)):
            await connection.execute(statement)
    finally:
        await connection.close()


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT id FROM incident",
        "SELECT description FROM report",
        "SELECT phone FROM contact",
        "SELECT name FROM officer",
        "UPDATE incident SET status = 'closed' RETURNING id",
        "UPDATE account SET role = 'admin' RETURNING username",
    ],
)
async def test_a_login_of_the_desks_that_does_not_say_who_asks_sees_and_changes_nothing(
    outside: Outside, statement: str
) -> None:
    owner = await connect(outside.owner_dsn, application="test")
    assert await owner.fetchval("SELECT count(*) FROM incident") > 0
    await owner.close()
    connection = await asyncpg.connect(outside.dsn("desk"))
    try:
        assert await connection.fetch(statement) == []
    finally:
        await connection.close()


async def test_the_dispatchers_login_may_keep_the_database_in_shape(outside: Outside) -> None:
    owner = await connect(outside.owner_dsn, application="test")
    await owner.execute(
        "INSERT INTO account (username, display_name, password_hash, role) VALUES ('sweep', '', 'x', 'operator');"
        "INSERT INTO session (token_hash, username, expires_at) VALUES ('\\x01', 'sweep', now() - interval '1 day');"
        "INSERT INTO command_receipt (endpoint, caller, key, digest, status, body, at)"
        " VALUES ('sweep', 'a', 'old', '', 200, '', now() - interval '8 days');"
        'INSERT INTO dead_letter (topic, topic_id, partition, "offset", headers, error_class, error_message, at)'
        " VALUES ('bekasi.contact.v1', '', 0, 0, '[]', 'x', 'x', now() - interval '8 days');"
        "SELECT make_daily_partitions('wifi_reading', current_date - 40, current_date - 39)"
    )
    pool = await open_pool(outside.dsn("dispatcher"), application="test", size=1)
    try:
        await Maintenance(pool, readings_days=30).maintain()
    finally:
        await close_pool(pool)
    left = await owner.fetchrow(
        "SELECT (SELECT count(*) FROM session WHERE username = 'sweep') AS sessions,"
        " (SELECT count(*) FROM command_receipt WHERE endpoint = 'sweep') AS receipts,"
        " (SELECT count(*) FROM dead_letter WHERE topic = 'bekasi.contact.v1') AS contacts,"
        " (SELECT count(*) FROM pg_inherits WHERE inhparent = 'wifi_reading'::regclass"
        "   AND inhrelid::regclass::text = to_char(current_date - 40, '\"wifi_reading_\"YYYYMMDD')) AS old_days"
    )
    await owner.close()
    assert dict(left) == {"sessions": 0, "receipts": 0, "contacts": 0, "old_days": 0}


async def test_without_tls_nobody_is_let_in(outside: Outside) -> None:
    plain = outside.dsn("ingest").partition("?")[0] + "?sslmode=disable"
    with pytest.raises((OSError, asyncpg.PostgresError)):
        await asyncpg.connect(plain, timeout=5)


@pytest.mark.parametrize(
    ("other", "says"),
    [
        ({"password": "salah"}, "does not let user ingest in: wrong user or password (SCRAM-SHA-512)"),
        ({"ca_file": "stranger"}, "shows a certificate that cannot be believed"),
    ],
)
async def test_a_service_that_is_not_let_in_says_why(outside: Outside, other: dict[str, str], says: str) -> None:
    if other.get("ca_file"):
        other = {"ca_file": str(outside.certificates.stranger)}
    wrong = outside.kafka("ingest", **other)
    done = await asyncio.to_thread(outside.patriot, "kafka", "topics", **wrong)
    assert done.returncode == 1
    assert says in done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    assert PASSWORD not in done.stderr
    ingest = service(outside, "ingest", **wrong)
    with ingest:
        starting = threading.Thread(target=_start_in_vain, args=(ingest,))
        starting.start()

        async def missing() -> str | None:
            async with httpx.AsyncClient() as http:
                try:
                    answer = await http.get(f"{ingest.url}/readyz")
                except httpx.HTTPError:
                    return None
                return str(answer.json().get("missing", {}).get("kafka"))

        await until(lambda: _says(missing, says), 60)
        ingest.kill()
        starting.join()


async def test_a_mechanism_that_is_not_offered_is_named(outside: Outside) -> None:
    wrong = outside.kafka("ingest", sasl_mechanism="PLAIN")
    done = await asyncio.to_thread(outside.patriot, "kafka", "topics", **wrong)
    assert done.returncode == 1
    assert "does not offer PLAIN" in done.stderr


async def _says(missing: object, says: str) -> bool:
    found = await missing()  # type: ignore[operator]
    return bool(found and says in found)


def _start_in_vain(service: Service) -> None:
    try:
        service.start(patience=100)
    except AssertionError:
        pass


async def test_the_refusal_reaches_whoever_starts_a_client(outside: Outside) -> None:
    with pytest.raises(KafkaRefuses, match="wrong user or password"):
        await start_producer(outside.access("nobody"), "test")


@pytest.mark.parametrize(
    ("password", "trusted", "says"),
    [
        ("salah", True, "does not let us in: wrong user or password"),
        (PASSWORD, False, "shows a certificate that cannot be believed"),
    ],
)
async def test_a_desk_that_the_database_does_not_let_in_says_why(
    outside: Outside, password: str, trusted: bool, says: str
) -> None:
    dsn = outside.dsn("desk", password=password, ca=None if trusted else outside.certificates.stranger)
    app = build_app([room(DeskSettings(postgres_dsn=dsn, secret="5a" * 32, data_dir=outside.folder / "none"))])
    async with app.router.lifespan_context(app), httpx.AsyncClient(transport=httpx.ASGITransport(app)) as http:
        answer = await http.get("http://desk/readyz")
        assert answer.status_code == 503
        assert says in answer.json()["missing"]["postgres"]
        assert (
            await http.get("http://desk/api/v1/categories", headers={"Authorization": "Bearer x"})
        ).status_code == 503


async def test_the_doctor_looks_at_what_is_outside(outside: Outside) -> None:
    """As the operator may: the test's broker keeps one copy and flushes nothing, and its owner is a superuser."""
    arguments = ["doctor", "--kafka-bootstrap", f"127.0.0.1:{outside.kafka_port}", "--data-dir", str(outside.folder)]
    owner = outside.dsn("patriot").replace(PASSWORD, outside.owner_dsn.split(":")[2].partition("@")[0])
    done = await asyncio.to_thread(outside.patriot, *arguments, "--postgres-dsn", owner, user="operator")
    lines = {line[5:17].strip(): line for line in done.stdout.splitlines()}
    for name, state in {
        "Kafka": "ok", "topics": "ok", "Kafka TLS": "ok", "copies": "ok", "leaders": "ok", "flush": "warn",
        "auto topics": "ok", "Kafka clock": "ok", "PostgreSQL": "ok", "SQL TLS": "ok", "SQL role": "warn",
    }.items():  # fmt: skip
        assert lines[name].startswith(state), done.stdout


async def test_up_brings_everything_up_against_servers_outside(outside: Outside) -> None:
    folder = outside.folder / "up"
    folder.mkdir()
    owner = outside.dsn("patriot").replace(PASSWORD, outside.owner_dsn.split(":")[2].partition("@")[0])
    kafka = outside.kafka("admin")
    options = ["--kafka-bootstrap", kafka.pop("PATRIOT_KAFKA_BOOTSTRAP"), "--postgres-dsn", owner]
    command = [sys.executable, "-m", "infra.local.cli"]
    city = await asyncio.to_thread(start_city, folder, command, {**os.environ, **kafka}, *options)
    try:
        assert {"kafka", "postgres"}.isdisjoint(city.services)
        async with Gateway(city) as gateway:
            assert (await gateway.report("Banjir setinggi lutut", lat=-6.24, lon=107.0))["report_id"]
        refused = await asyncio.to_thread(
            outside.patriot, "backup", str(folder / "b"), "--data-dir", str(city.data_dir)
        )
        assert refused.returncode == 1
        assert "save it with its own tools" in refused.stderr
    finally:
        await asyncio.to_thread(stop_city, city)
