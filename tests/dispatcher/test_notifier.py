"""Notifications on real PostgreSQL, disks and HTTP: one message per move, whoever races, dies or does not answer."""

import asyncio
import email
import os
import sys
from base64 import urlsafe_b64encode
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.policy import default as mail_policy
from pathlib import Path
from typing import Any

import asyncpg
import http_ece
import msgspec
import pytest
import structlog
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dispatcher import incident_store, policy_store, report_store, subscription_store
from dispatcher.decisions.change import Change
from dispatcher.decisions.incident import Incident, move
from dispatcher.decisions.telling import Audience, Manner
from dispatcher.delivery import Delivery
from dispatcher.notifier import Notifier
from dispatcher.notify_settings import NotifySettings
from dispatcher.parcel import Message, Outcome
from dispatcher.report_intake import ReportIntake
from dispatcher.subscription_store import Subscription
from infra.postgres import Pool, prepare
from schemas.gazetteer import gazetteer
from schemas.report import ContactGiven
from schemas.vocabulary import IncidentStatus
from tests.dispatcher.factories import a_message, a_report
from tests.dispatcher.listener import Listener, listening
from tests.dispatcher.notifier_process import notifier, tell_everything

S = IncidentStatus
AT_ONCE = {audience: Manner() for audience in Audience}
TABLES = (
    "notification, notification_move, push_subscription, notification_setting, policy, outbox, deadline, contact,"
    " report_move,"
    " report, incident_history, incident_decision, incident_evidence, board_row, assignment_history, assignment,"
    " offering, incident, officer, account"
)


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    """The module's own database on its first day; whoever is told is told at once."""
    async with asyncpg.create_pool(database, min_size=2, max_size=16, init=prepare) as opened:
        await opened.execute("; ".join(f"DELETE FROM {table.strip()}" for table in TABLES.split(",")))
        await manners(opened, AT_ONCE)
        yield opened


async def manners(pool: Pool, table: Mapping[Audience, Manner]) -> None:
    async with pool.acquire() as connection, connection.transaction():
        await policy_store.put(connection, "telling", dict(table), by="tester")


async def reported(pool: Pool, count: int = 1, **contact: Any) -> list[Incident]:
    """Jams far from each other, each reported by somebody with an e-mail address."""
    found = []
    intake = ReportIntake(gazetteer())
    for n in range(count):
        place = (-6.20 - (n % 5) * 0.018, 106.965 + (n // 5) * 0.0185 % 0.055)
        report = a_report(place=place, submitted_at=datetime.now(UTC))
        given_contact = ContactGiven(
            report_id=report.report_id,
            given_at=datetime.now(UTC),
            **{"name": "Siti", "email": f"siti{n}@example.id", "phone": None, "anonymous": False, **contact},
        )
        async with pool.acquire() as connection, connection.transaction():
            now = await connection.fetchval("SELECT now()")
            await intake.apply(connection, [a_message(given_contact, now), a_message(report, now)], now)
            incident_id = await connection.fetchval("SELECT incident_id FROM report WHERE id = $1", report.report_id)
            one = await incident_store.select(connection, incident_id)
            assert one is not None
            assert one.status is S.ROUTED
            found.append(one)
    assert len({one.id for one in found}) == count
    return found


async def become(pool: Pool, one: Incident, *ways: tuple[IncidentStatus, str], **detail: str) -> Incident:
    """The incident after these moves, each in a transaction of its own."""
    for status, change in ways:
        async with pool.acquire() as connection, connection.transaction():
            locked = (await incident_store.select_for_update(connection, [one.id]))[one.id]
            now = await connection.fetchval("SELECT now()")
            after, event = move(
                locked, status, change, actor="tester", now=now, note="sudah beres", public=True, detail=detail
            )
            one = (await incident_store.save(connection, [Change(locked, after, (event,))]))[0].after
    return one


ON_ITS_WAY = ((S.ASSIGNED, "assigned"), (S.IN_PROGRESS, "accepted"), (S.RESOLVED, "resolved"))
EXPECTED = Counter(["report_routed", "report_assigned", "report_in_progress", "report_resolved"])


async def tell(pool: Pool, database: str, data_dir: Path, **given: Any) -> None:
    await asyncio.wait_for(tell_everything(pool, notifier(pool, database, data_dir, **given)), 60)


def mails(data_dir: Path, kind: str = "*", name: str = "*") -> list[EmailMessage]:
    """What is in the mailbox, oldest first."""
    paths = sorted((data_dir / "mailbox").glob(f"{kind}/{name}/[!.]*"), key=lambda path: path.stat().st_mtime_ns)
    found = [email.message_from_bytes(path.read_bytes(), policy=mail_policy) for path in paths]
    return [one for one in found if isinstance(one, EmailMessage)]


async def states(pool: Pool, channel: str | None = None) -> Counter[str]:
    rows = await pool.fetch(
        "SELECT state FROM notification WHERE channel <> 'desk' AND ($1::text IS NULL OR channel = $1)", channel
    )
    return Counter(row["state"] for row in rows)


async def hire(pool: Pool, username: str, role: str, *agencies: str) -> None:
    await pool.execute(
        "INSERT INTO account (username, display_name, role, password_hash, agencies) VALUES ($1, $1, $2, '', $3)",
        username,
        role,
        list(agencies),
    )


async def make_due(pool: Pool) -> None:
    """As if the time of all that waits had come."""
    await pool.execute("UPDATE notification SET send_after = now() WHERE state = 'waiting'")


# One message per move -----------------------------------------------------------------------------------------------


async def test_a_reports_whole_way_is_told_move_by_move(pool: Pool, database: str, tmp_path: Path) -> None:
    (one,) = await reported(pool)
    await become(pool, one, *ON_ITS_WAY)
    await tell(pool, database, tmp_path)
    found = mails(tmp_path, "reports")
    assert [mail["Subject"].rpartition(": ")[2] for mail in found] == ["Koordinasi", "Disposisi", "Proses", "Selesai"]
    assert {mail["To"] for mail in found} == {"siti0@example.id"}
    assert "Jawaban: sudah beres" in found[-1].get_content()
    assert "Dinas Perhubungan" in found[0].get_content()
    await tell(pool, database, tmp_path)
    assert len(mails(tmp_path)) == 4


async def test_a_notifier_that_is_killed_anywhere_tells_each_move_once(
    pool: Pool, database: str, tmp_path: Path
) -> None:
    there = await reported(pool, 4)
    for one in there:
        await become(pool, one, *ON_ITS_WAY)
    with listening() as server:
        urls = f"reporter=json://127.0.0.1:{server.port}/{{email}}"
        for point in ("in_transaction=kill@1", "in_transaction=kill@9", "before_send=kill@3", "after_send=kill@2"):
            assert await process(database, tmp_path, f"notifier.{point}", urls) == -9
        racing = [
            process(database, tmp_path, f"notifier.{point}", urls)
            for point in ("after_send=kill@3", "before_send=kill@40")
        ]
        assert set(await asyncio.gather(*racing)) <= {0, -9}
        assert await process(database, tmp_path, "", urls) == 0
    rows = await pool.fetch("SELECT receiver, channel, template, state FROM notification")
    reports = await pool.fetch("SELECT id FROM report")
    for report in reports:
        for channel in ("mailbox", "url.1"):
            mine = [row for row in rows if row["receiver"] == f"report:{report['id']}" and row["channel"] == channel]
            assert Counter(row["template"] for row in mine) == EXPECTED
            assert {row["state"] for row in mine} == {"sent"}
    # a file each, and to whoever looks at the ids a message each, however often it came
    assert len(mails(tmp_path, "reports")) == 16
    assert len(set(server.keys)) == 16
    by_key: dict[str, set[str]] = {}
    for key, said in zip(server.keys, server.said(), strict=True):
        by_key.setdefault(key, set()).add(said["message"])
    assert all(len(texts) == 1 for texts in by_key.values())


async def test_where_no_id_is_taken_a_message_comes_at_most_once(pool: Pool, database: str, tmp_path: Path) -> None:
    there = await reported(pool, 3)
    for one in there:
        await become(pool, one, *ON_ITS_WAY)
    with listening() as server:
        # a chat service that takes no ids
        urls = f"reporter=ntfy://127.0.0.1:{server.port}/kota"
        for point, hit in (("before_send", 1), ("after_send", 2)):
            failpoints = f"notifier.{point}=kill@{hit}"
            assert await process(database, tmp_path, failpoints, urls, PATRIOT_NOTIFY_MAILBOX="false") == -9
        assert await process(database, tmp_path, "", urls, PATRIOT_NOTIFY_MAILBOX="false") == 0
    rows = await pool.fetch("SELECT state, came_back FROM notification WHERE channel = 'url.1'")
    found = Counter(row["state"] for row in rows)
    assert found["sent"] + found["failed"] == 12
    assert {row["came_back"].partition(":")[0] for row in rows if row["state"] == "failed"} == {"outcome unknown"}
    assert found["sent"] <= len(server.came) <= 12
    assert 1 <= found["failed"] <= 12


async def process(database: str, data_dir: Path, failpoints: str, urls: str, **more: str) -> int:
    running = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.dispatcher.notifier_process",
        database,
        str(data_dir),
        env={**os.environ, "PATRIOT_FAILPOINTS": failpoints, "PATRIOT_NOTIFY_URLS": urls, **more},
        stderr=asyncio.subprocess.DEVNULL,
    )
    return await asyncio.wait_for(running.wait(), 90)


async def test_notifiers_that_race_send_each_message_once(pool: Pool, database: str, tmp_path: Path) -> None:
    there = await reported(pool, 6)
    for one in there:
        await become(pool, one, *ON_ITS_WAY)
    with listening() as server:
        urls = f"reporter=json://127.0.0.1:{server.port}/{{email}}"
        several = [notifier(pool, database, tmp_path, notify_urls=urls) for _ in range(3)]
        await asyncio.wait_for(asyncio.gather(*(tell_everything(pool, one) for one in several)), 90)
    assert len(server.keys) == len(set(server.keys)) == 24
    assert await states(pool) == Counter(sent=48)


async def test_a_move_that_is_rolled_back_is_told_to_nobody(pool: Pool, database: str, tmp_path: Path) -> None:
    (one,) = await reported(pool)
    await tell(pool, database, tmp_path)
    async with pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        after, event = move(one, S.REJECTED, "rejected", actor="tester", now=datetime.now(UTC))
        await incident_store.save(connection, [Change(one, after, (event,))])
        await transaction.rollback()
    await tell(pool, database, tmp_path)
    assert len(mails(tmp_path)) == 1


async def test_a_move_that_cannot_be_told_keeps_no_other_waiting(pool: Pool, database: str, tmp_path: Path) -> None:
    bad, good = await reported(pool, 2)
    await become(pool, bad, (S.ROUTED, "overdue"), clock="resolved", tell="nobody_we_know")
    await become(pool, good, (S.ASSIGNED, "assigned"))
    await tell(pool, database, tmp_path)
    assert len(mails(tmp_path, "reports")) == 3
    left = await pool.fetchrow("SELECT try_after > now() + interval '4 min' AS later FROM notification_move")
    assert left["later"]


async def test_every_reporter_of_merged_reports_is_told(pool: Pool, database: str, tmp_path: Path) -> None:
    one, other = await reported(pool, 2)
    await tell(pool, database, tmp_path)
    async with pool.acquire() as connection, connection.transaction():
        await report_store.move(connection, other.id, one.id, datetime.now(UTC))
    await become(pool, one, (S.ASSIGNED, "assigned"))
    await tell(pool, database, tmp_path)
    assigned = [mail["To"] for mail in mails(tmp_path, "reports") if "Disposisi" in mail["Subject"]]
    assert sorted(assigned) == ["siti0@example.id", "siti1@example.id"]


# Quiet, bundled -----------------------------------------------------------------------------------------------------


async def test_moves_within_the_window_become_one_message(pool: Pool, database: str, tmp_path: Path) -> None:
    await manners(pool, {**AT_ONCE, Audience.REPORTER: Manner(bundle_s=120)})
    one, _ = await reported(pool, 2)
    await become(pool, one, *ON_ITS_WAY)
    await tell(pool, database, tmp_path)
    assert mails(tmp_path) == []
    # the first one's time has come, those behind it come along
    await pool.execute(
        "UPDATE notification SET send_after = now() WHERE seq IN (SELECT min(seq) FROM notification GROUP BY receiver)"
    )
    await asyncio.gather(*(tell(pool, database, tmp_path) for _ in range(3)))
    found = {mail["To"]: mail for mail in mails(tmp_path)}
    assert len(mails(tmp_path)) == 2
    assert found["siti0@example.id"]["Subject"] == "4 kabar dari Command Center Bekasi"
    for word in ("Koordinasi", "Disposisi", "Proses", "Selesai"):
        assert f": {word}" in found["siti0@example.id"].get_content()
    assert "Koordinasi" in found["siti1@example.id"]["Subject"]
    assert await states(pool) == Counter(sent=5)


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(st.sampled_from(["a", "b"]), st.booleans(), st.integers(-50, 50)), max_size=12))
def test_bundles_hold_what_waits_for_one_receiver_and_nothing_is_left_or_sent_twice(
    database: str, waiting: list[tuple[str, bool, int]]
) -> None:
    """Whatever waits: (receiver, urgent, minutes until its time)."""
    asyncio.run(_bundles(database, waiting))


async def _bundles(database: str, waiting: list[tuple[str, bool, int]]) -> None:
    connection = await asyncpg.connect(database)
    await connection.execute("DELETE FROM notification; DELETE FROM account")
    await connection.execute(
        "INSERT INTO account (username, display_name, role, password_hash) VALUES ('a','a','operator',''),"
        " ('b','b','operator','')"
    )
    await connection.executemany(
        "INSERT INTO notification (id, move, incident_id, receiver, channel, template, fields, urgent, alone, state,"
        " send_after, give_up_at) VALUES ($1, $1, 'INC-1', 'user:' || $2, 'recorder', 'co_agency',"
        """ '{"incident": "INC-1", "category": "flood", "status": "routed"}', $3, $3, 'waiting', $4,"""
        " now() + interval '1 day')",
        [
            (f"NTF-{n}/1", name, urgent, datetime.now(UTC) + timedelta(minutes=minutes))
            for n, (name, urgent, minutes) in enumerate(waiting)
        ],
    )
    recorder = Recorder()
    async with asyncpg.create_pool(database, min_size=1, max_size=6, init=prepare) as pool:
        several = [Delivery(pool, recorder) for _ in range(3)]
        while sum(await asyncio.gather(*(one.deliver() for one in several))):
            pass
        for one in several:
            one.close()
    rows = await connection.fetch(
        "SELECT id, receiver, urgent, state, send_after <= now() AS due, bundle FROM notification"
    )
    await connection.close()
    for name in ("user:a", "user:b"):
        mine = [row for row in rows if row["receiver"] == name]
        calm = [row for row in mine if not row["urgent"]]
        assert {row["state"] for row in calm} <= ({"sent"} if any(row["due"] for row in calm) else {"waiting"})
        assert len({row["bundle"] for row in calm}) <= 1
        for row in mine:
            if row["urgent"]:
                assert (row["state"], row["bundle"]) == (("sent", row["id"]) if row["due"] else ("waiting", None))
    assert sorted(recorder.ids) == sorted({row["bundle"] for row in rows if row["bundle"]})


class Recorder:
    """A channel of the test's own that keeps what it was given."""

    name = "recorder"
    takes_ids = False
    at_once = 2

    def __init__(self) -> None:
        self.ids: list[str] = []

    def send(self, message: Message) -> Outcome:
        self.ids.append(message.id)
        return Outcome(True, "kept")


async def test_in_quiet_hours_only_what_is_urgent_goes_out(pool: Pool, database: str, tmp_path: Path) -> None:
    now = datetime.now(UTC) + timedelta(hours=7)
    quiet = {"since": f"{now - timedelta(hours=1):%H:%M}", "until": f"{now + timedelta(hours=1):%H:%M}"}
    hushed = msgspec.convert({"quiet": quiet}, Manner)
    await manners(pool, dict.fromkeys(Audience, hushed))
    await hire(pool, "lead", "supervisor")
    (one,) = await reported(pool)
    await become(pool, one, (S.ROUTED, "due_soon"), clock="resolved", tell="shift_lead")
    await become(pool, one, (S.ROUTED, "escalated"), to="shift_lead")
    await tell(pool, database, tmp_path)
    assert [mail["Subject"].partition(":")[0] for mail in mails(tmp_path)] == ["Tidak ada petugas"]
    later = await pool.fetch("SELECT send_after FROM notification WHERE state = 'waiting'")
    assert len(later) == 2
    assert {f"{row['send_after'] + timedelta(hours=7):%H:%M}" for row in later} == {quiet["until"]}


# Told no more -------------------------------------------------------------------------------------------------------


async def test_what_is_settled_by_morning_is_not_told(pool: Pool, database: str, tmp_path: Path) -> None:
    await manners(pool, {**AT_ONCE, Audience.STAFF: Manner(bundle_s=600)})
    await hire(pool, "lead", "supervisor")
    (one,) = await reported(pool)
    await become(pool, one, (S.ROUTED, "overdue"), clock="resolved", tell="shift_lead")
    await tell(pool, database, tmp_path)
    await become(pool, one, (S.RESOLVED, "resolved"))
    await make_due(pool)
    await tell(pool, database, tmp_path)
    assert mails(tmp_path, "staff") == []
    row = await pool.fetchrow(
        "SELECT state, came_back FROM notification WHERE receiver = 'user:lead' AND channel <> 'desk'"
    )
    assert tuple(row) == ("suppressed", "settled")


async def test_whose_contact_is_erased_is_not_told_and_leaves_no_mail(
    pool: Pool, database: str, tmp_path: Path
) -> None:
    erased, kept = await reported(pool, 2)
    await tell(pool, database, tmp_path)
    await manners(pool, {**AT_ONCE, Audience.REPORTER: Manner(bundle_s=600)})
    await become(pool, erased, (S.ASSIGNED, "assigned"))
    await tell(pool, database, tmp_path)
    report_id = await pool.fetchval("SELECT id FROM report WHERE incident_id = $1", erased.id)
    async with pool.acquire() as connection, connection.transaction():
        await report_store.erase(connection, [report_id], words=False)
    await make_due(pool)
    await tell(pool, database, tmp_path)
    assert await states(pool) == Counter(sent=2, suppressed=1)
    await notifier(pool, database, tmp_path).sweep()
    assert [mail["To"] for mail in mails(tmp_path)] == ["siti1@example.id"]
    assert kept.id != erased.id


async def test_who_gave_no_contact_costs_nothing(pool: Pool, database: str, tmp_path: Path) -> None:
    await reported(pool, 1, email=None)
    await tell(pool, database, tmp_path)
    assert await pool.fetchval("SELECT count(*) FROM notification") == 0


async def test_what_is_old_is_forgotten(pool: Pool, database: str, tmp_path: Path) -> None:
    await reported(pool, 2)
    await tell(pool, database, tmp_path)
    await pool.execute(
        "UPDATE notification SET created_at = now() - interval '91 days'"
        " WHERE receiver = (SELECT min(receiver) FROM notification)"
    )
    old = next((tmp_path / "mailbox").glob("*/*/*"))
    os.utime(old, (1, 1))
    await notifier(pool, database, tmp_path).sweep()
    assert await pool.fetchval("SELECT count(*) FROM notification") == 1
    assert len(mails(tmp_path)) == 1


async def test_what_was_to_go_a_way_that_is_gone_is_given_up(pool: Pool, database: str, tmp_path: Path) -> None:
    await reported(pool)
    await notifier(pool, database, tmp_path, notify_urls="reporter=json://127.0.0.1:9/{email}").teller.tell()
    await pool.execute("UPDATE notification SET send_after = now() + interval '1 hour' WHERE channel = 'url.1'")
    await tell(pool, database, tmp_path)
    assert await states(pool) == Counter(sent=1, waiting=1)
    await pool.execute("UPDATE notification SET give_up_at = now() - interval '2 hours'")
    await notifier(pool, database, tmp_path).sweep()
    assert await states(pool) == Counter(sent=1, failed=1)


# Trying again -------------------------------------------------------------------------------------------------------


async def test_what_fails_is_tried_again_under_its_id_and_given_up_in_the_end(
    pool: Pool, database: str, tmp_path: Path
) -> None:
    await reported(pool)
    with listening() as server:
        urls = f"reporter=json://127.0.0.1:{server.port}/{{email}}"
        server.answers = [(500, {}), (429, {}), (503, {})]
        pauses = []
        for _ in range(4):
            await tell(pool, database, tmp_path, notify_urls=urls)
            row = await pool.fetchrow(
                "SELECT state, came_back, extract(epoch FROM send_after - now())::float8 AS wait FROM notification"
                " WHERE channel = 'url.1'"
            )
            pauses.append((row["state"], row["came_back"], round(row["wait"] / 15) * 15))
            await make_due(pool)
    assert pauses[:3] == [
        ("waiting", "HTTP 500", 15),
        ("waiting", "HTTP 429", 60),
        ("waiting", "HTTP 503", 60),
    ]
    assert pauses[3][:2] == ("sent", "accepted")
    assert len(server.keys) == 4
    assert len(set(server.keys)) == 1


async def test_what_is_no_news_any_more_is_given_up(pool: Pool, database: str, tmp_path: Path) -> None:
    await reported(pool)
    await notifier(pool, database, tmp_path).teller.tell()
    await pool.execute("UPDATE notification SET give_up_at = now() - interval '1 s'")
    await tell(pool, database, tmp_path)
    assert await states(pool) == Counter(failed=1)
    assert mails(tmp_path) == []


async def test_a_channel_that_hangs_keeps_no_other_waiting(pool: Pool, database: str, tmp_path: Path) -> None:
    await reported(pool, 3)
    with listening() as server:
        server.answering.clear()
        one = notifier(
            pool, database, tmp_path, notify_urls=f"reporter=json://127.0.0.1:{server.port}/{{email}}?rto=20"
        )
        stop = asyncio.Event()
        running = asyncio.create_task(one.run(stop))
        async with asyncio.timeout(15):
            while len(mails(tmp_path)) < 3 or len(server.came) < 3:
                await asyncio.sleep(0.05)
        assert await states(pool, "url.1") == Counter(sending=3)
        server.answering.set()
        stop.set()
        await asyncio.wait_for(running, 30)
    assert await states(pool) == Counter(sent=6)


async def test_a_full_disk_is_waited_out(pool: Pool, database: str, tmp_path: Path) -> None:
    await reported(pool)
    (tmp_path / "mailbox").write_text("not a directory")
    await tell(pool, database, tmp_path)
    assert await states(pool) == Counter(waiting=1)
    (tmp_path / "mailbox").unlink()
    await make_due(pool)
    await tell(pool, database, tmp_path)
    assert await states(pool) == Counter(sent=1)


async def test_addresses_and_secrets_stay_out_of_the_log(pool: Pool, database: str, tmp_path: Path) -> None:
    await reported(pool)
    with structlog.testing.capture_logs() as logs:
        urls = "reporter=jsons://user:geheim@127.0.0.1:9/{email} reporter=json://127.0.0.1:9/{email}"
        await tell(pool, database, tmp_path, notify_urls=urls)
        await pool.execute("UPDATE notification SET give_up_at = now(), send_after = now() WHERE state = 'waiting'")
        await tell(pool, database, tmp_path, notify_urls=urls)
    assert await states(pool) == Counter(sent=1, failed=2)
    said = f"{logs} {[tuple(row) for row in await pool.fetch('SELECT came_back FROM notification')]}"
    assert "geheim" not in said
    assert "@example.id" not in said


@pytest.mark.parametrize("urls", ["reporter=nonsense", "json://x/{password}", "json://x/{email"])
def test_a_setting_that_cannot_be_used_is_refused_without_being_repeated(urls: str) -> None:
    with pytest.raises(ValueError, match="PATRIOT_NOTIFY_URLS: number 1") as refused:
        NotifySettings(secret="5e" * 32, notify_urls=urls)  # type: ignore[arg-type]
    assert urls not in str(refused.value)


async def test_what_all_of_an_audience_read_at_one_place_goes_there_once(
    pool: Pool, database: str, tmp_path: Path
) -> None:
    for name in ("lead", "lead2", "lead3"):
        await hire(pool, name, "supervisor")
    (one,) = await reported(pool)
    await become(pool, one, (S.ROUTED, "overdue"), clock="resolved", tell="shift_lead")
    with listening() as server:
        await tell(pool, database, tmp_path, notify_urls=f"staff=json://127.0.0.1:{server.port}/grup")
    assert len(server.came) == 1
    assert server.said()[0]["title"].startswith("Terlambat: Kemacetan")
    assert len(mails(tmp_path, "staff")) == 3


# Web push -----------------------------------------------------------------------------------------------------------


class Browser:
    """A browser that has subscribed, and can read what it is sent."""

    def __init__(self, server: Listener, path: str = "/push") -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._auth = os.urandom(16)
        self.endpoint = f"http://127.0.0.1:{server.port}{path}"

    @property
    def subscription(self) -> Subscription:
        point = self._key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return Subscription(self.endpoint, _base64(point), _base64(self._auth))

    def read(self, body: bytes) -> Any:
        plain = http_ece.decrypt(body, private_key=self._key, auth_secret=self._auth, version="aes128gcm")
        return msgspec.json.decode(plain)


def _base64(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


async def subscribe(pool: Pool, one: Incident, browser: Browser) -> None:
    code = await pool.fetchval("SELECT tracking_code FROM report WHERE incident_id = $1", one.id)
    async with pool.acquire() as connection:
        await subscription_store.subscribe(connection, f"code:{code}", browser.subscription)
        await subscription_store.put_language(connection, f"code:{code}", "en")


async def test_a_browser_is_told_in_its_language_and_dropped_when_it_is_gone(
    pool: Pool, database: str, tmp_path: Path
) -> None:
    (one,) = await reported(pool, 1, email=None)
    with listening() as server:
        browser = Browser(server)
        await subscribe(pool, one, browser)
        push = {"push_services": "127.0.0.1"}
        server.answers = [(429, {"Retry-After": "1234"})]
        await tell(pool, database, tmp_path, **push)
        wait = await pool.fetchval("SELECT extract(epoch FROM send_after - now())::float8 FROM notification")
        assert 1200 < wait <= 1234
        await make_due(pool)
        await tell(pool, database, tmp_path, **push)
        assert await states(pool) == Counter(sent=1)
        first, second = server.came
        assert first[1]["topic"] == second[1]["topic"]
        assert second[1]["authorization"].startswith("vapid t=")
        read = browser.read(second[2])
        assert read["body"].startswith("Your report (Traffic jam) was passed on to Dinas Perhubungan")
        assert read["tag"] == read["id"]
        server.answers = [(410, {})]
        await become(pool, one, (S.ASSIGNED, "assigned"))
        await tell(pool, database, tmp_path, **push)
        assert await pool.fetchval("SELECT count(*) FROM push_subscription") == 0
        await become(pool, one, (S.IN_PROGRESS, "accepted"))
        await tell(pool, database, tmp_path, **push)
    assert len(server.came) == 3
    assert await states(pool) == Counter(sent=1, failed=1)


async def test_a_push_service_that_redirects_is_not_followed(pool: Pool, database: str, tmp_path: Path) -> None:
    (one,) = await reported(pool, 1, email=None)
    with listening() as inside, listening() as server:
        await subscribe(pool, one, Browser(server))
        server.answers = [(307, {"Location": f"http://127.0.0.1:{inside.port}/"})]
        await tell(pool, database, tmp_path, push_services="127.0.0.1")
        assert inside.came == []
    assert (await states(pool))["sent"] == 0


async def test_in_training_nobody_outside_is_told(pool: Pool, database: str, tmp_path: Path) -> None:
    (one,) = await reported(pool)
    with listening() as server:
        await subscribe(pool, one, Browser(server))
        urls = f"reporter=json://127.0.0.1:{server.port}/{{email}} json://127.0.0.1:{server.port}/grup"
        await tell(pool, database, tmp_path, notify_urls=urls, push_services="127.0.0.1", training=True)
        assert server.came == []
    assert len(mails(tmp_path, "reports")) == 1


async def test_the_notifier_works_with_the_rights_of_its_role_alone(pool: Pool, database: str, tmp_path: Path) -> None:
    await hire(pool, "lead", "supervisor")
    (one,) = await reported(pool)
    await become(pool, one, (S.ROUTED, "overdue"), clock="resolved", tell="shift_lead")

    async def narrow(connection: Any) -> None:
        await prepare(connection)
        await connection.execute("SET ROLE patriot_dispatcher")

    await pool.execute("GRANT patriot_dispatcher TO CURRENT_USER WITH INHERIT FALSE, SET TRUE")
    async with asyncpg.create_pool(database, min_size=1, max_size=6, init=narrow, reset=_nothing) as confined:
        working: Notifier = notifier(confined, database, tmp_path)
        await asyncio.wait_for(tell_everything(confined, working), 60)
        await working.sweep()
    assert len(mails(tmp_path)) == 2


async def _nothing(_: Any) -> None:
    """Connections stay in their role."""
