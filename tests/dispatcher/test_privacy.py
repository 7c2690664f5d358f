"""`patriot privacy`, retention and consent: a person's data is given out, erased, forgotten; the audit stays whole."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import asyncpg
import pytest
from click.testing import CliRunner, Result

from dispatcher import audit_store, dead_letter_store, privacy_cli, report_store, subscription_store
from dispatcher.audit_signature import Signer
from dispatcher.audit_verify import Verification
from dispatcher.dead_letter_store import Letter
from dispatcher.desk import photo_retention
from dispatcher.desk.database import Database
from dispatcher.desk.reach import DATABASE_ROLE, HOUSEKEEPING
from dispatcher.maintenance import Maintenance
from dispatcher.report_intake import ReportIntake
from dispatcher.report_store import ERASED_WORDS
from dispatcher.retention import Retention
from dispatcher.sealer import Sealer
from dispatcher.subscription_store import Subscription
from infra import tracking_code
from infra.objects import Objects
from infra.photos import Photos, photo_id
from infra.postgres import Pool, close_pool, open_pool
from schemas import topics
from schemas.gazetteer import gazetteer
from schemas.report import ContactGiven, Photo
from tests.dispatcher.factories import SUMMARECON, a_message, a_report, north_of

SECRET: Final = bytes.fromhex("5e" * 32)
SIGNER: Final = Signer(SECRET)
WORDS: Final = "Macet total di depan rumah saya, Pak Budi"
_TABLES: Final = (
    "audit_entry, audit_head, erasure, feedback, incident_history, incident_decision, incident_evidence, report,"
    " contact, deadline, offering, incident, outbox, board_row, board_stay, dead_letter"
)
Typed = Callable[..., Awaitable[Result]]


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    opened = await open_pool(database, application="test", size=4)
    await opened.execute("; ".join(f"DELETE FROM {table.strip()}" for table in _TABLES.split(",")))
    yield opened
    await close_pool(opened)


@pytest.fixture
async def objects(tmp_path: Path) -> AsyncIterator[Objects]:
    opened = Objects(tmp_path / "objects")
    yield opened
    opened.close()


@pytest.fixture
def patriot_privacy(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Typed:
    """Run `patriot privacy …`."""
    monkeypatch.setenv("PATRIOT_SECRET", SECRET.hex())

    async def typed(*arguments: str) -> Result:
        where = ["--postgres-dsn", database]
        if arguments[0] in ("export", "erase"):
            where += ["--data-dir", str(tmp_path)]
        return await asyncio.to_thread(CliRunner().invoke, privacy_cli.command, [*arguments, *where])

    return typed


async def apply(pool: Pool, *values: Any) -> None:
    async with pool.acquire() as connection, connection.transaction():
        now = await connection.fetchval("SELECT now()")
        await ReportIntake(gazetteer()).apply(connection, [a_message(value, now) for value in values], now)


async def reported(pool: Pool, objects: Objects, phone: str = "+62 812-0000-1111", **fields: Any) -> dict[str, str]:
    """A report with a photo and a contact; its ids."""
    code = tracking_code.new(SECRET)
    report = a_report(WORDS, tracking_code=code, **{"place": SUMMARECON, "consent": "2026-11", **fields})
    photo = Photo(id=photo_id(report.report_id, 1), sha256="0" * 64, content_type="image/jpeg", width=1, height=1)
    report = type(report)(**{**{name: getattr(report, name) for name in report.__struct_fields__}, "photos": (photo,)})
    await Photos(objects).keep(report.report_id, 1, b"full", b"thumb")
    contact = ContactGiven(
        report_id=report.report_id, given_at=datetime.now(UTC), name="Budi", phone=phone, email="Budi@contoh.id"
    )
    await apply(pool, contact, report)
    incident = await pool.fetchval("SELECT incident_id FROM report WHERE id = $1", report.report_id)
    return {"report": report.report_id, "code": code, "incident": incident}


async def findings(pool: Pool) -> list[Any]:
    await Sealer(pool, SIGNER).seal()
    async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        return [one async for one in Verification(connection, SIGNER.public_key).findings()]


async def looked(pool: Pool, report_id: str) -> None:
    async with pool.acquire() as connection:
        await audit_store.record(
            connection, actor="rina", action="contact_seen", subject=f"report:{report_id}", personal=True
        )


@pytest.mark.parametrize("by", ["code", "phone", "email"])
async def test_a_person_gets_all_that_is_kept_of_them_and_who_looked(
    pool: Pool, objects: Objects, patriot_privacy: Typed, by: str
) -> None:
    one = await reported(pool, objects)
    await reported(pool, objects, phone="0811999", place=north_of(SUMMARECON, 3000))
    await pool.execute("UPDATE contact SET email = 'lain@contoh.id' WHERE phone = '0811999'")
    await looked(pool, one["report"])
    given = {"code": one["code"].lower(), "phone": "0812 0000 1111", "email": "budi@CONTOH.id"}[by]
    done = await patriot_privacy("export", f"--{by}", given)
    assert done.exit_code == 0, done.output
    (line,) = done.stdout.splitlines()
    held = json.loads(line)
    assert (held["report_id"], held["description"], held["consent"]) == (one["report"], WORDS, "2026-11")
    assert held["contact"]["name"] == "Budi" and held["photos"] == [photo_id(one["report"], 1)]
    assert [(look["actor"], look["action"]) for look in held["looks"]] == [("rina", "contact_seen")]
    again = json.loads((await patriot_privacy("export", f"--{by}", given)).stdout)
    assert again["looks"][-1]["action"] == "personal_data_exported" and again["looks"][-1]["actor"].startswith("shell:")
    assert await findings(pool) == []


async def test_erasing_takes_the_contact_and_on_request_words_and_photos_and_keeps_incident_and_chain(
    pool: Pool, objects: Objects, patriot_privacy: Typed
) -> None:
    one, other = await reported(pool, objects), await reported(pool, objects, phone="0811999")
    assert one["incident"] == other["incident"], "two reporters of one jam"
    await pool.execute(
        "INSERT INTO feedback (report_id, incident_id, satisfied, comment, resolved_at, at)"
        " VALUES ($1, $2, false, 'Kata saya: Budi', now(), now())",
        one["report"],
        one["incident"],
    )
    async with pool.acquire() as connection:
        for code in (one["code"], other["code"]):
            address = Subscription(f"https://push.example/{code}", "p", "a")
            await subscription_store.subscribe(connection, subscription_store.of_code(code), address)
    assert await findings(pool) == []
    done = await patriot_privacy("erase", "--phone", "081200001111", "--words", "--photos", "--yes")
    assert done.exit_code == 0, done.output
    assert "1 reports: 1 contacts, 2 files of photos erased" in done.stdout
    row = await pool.fetchrow("SELECT * FROM report WHERE id = $1", one["report"])
    assert (row["description"], row["address"], row["photos"], row["consent"]) == (ERASED_WORDS, None, [], "2026-11")
    kept = await pool.fetchrow("SELECT * FROM report WHERE id = $1", other["report"])
    assert kept["description"] == WORDS and len(kept["photos"]) == 1
    assert [r["report_id"] for r in await pool.fetch("SELECT report_id FROM contact")] == [other["report"]]
    assert await pool.fetchval("SELECT comment IS NULL AND NOT satisfied FROM feedback")
    assert await Photos(objects).read(photo_id(one["report"], 1)) is None
    assert await Photos(objects).read(photo_id(other["report"], 1)) is not None
    incident = await pool.fetchrow("SELECT status, report_count, photo_url FROM incident")
    assert incident["report_count"] == 2 and incident["photo_url"] is None
    history = await pool.fetchval("SELECT change FROM incident_history ORDER BY version DESC LIMIT 1")
    assert history == "erased"
    assert await findings(pool) == []
    reached = await pool.fetch("SELECT receiver FROM push_subscription")
    assert [row["receiver"] for row in reached] == [f"code:{other['code']}"]
    # Nothing of it stays in the audit, nor anywhere else in the database.
    for table in ("audit_entry", "report", "contact", "feedback", "incident_history", "outbox"):
        dump = await pool.fetchval(
            f"SELECT coalesce(string_agg(t::text, ' '), '') FROM {table} t WHERE t::text LIKE '%0000-1111%'"
        )
        assert dump == "", table
    assert (await patriot_privacy("erase", "--phone", "081200001111", "--yes")).exit_code == 1


async def test_without_words_and_photos_only_who_it_was_is_erased(
    pool: Pool, objects: Objects, patriot_privacy: Typed
) -> None:
    one = await reported(pool, objects)
    assert (await patriot_privacy("erase", "--code", one["code"])).exit_code == 1, "nobody has said yes"
    assert await pool.fetchval("SELECT count(*) FROM contact") == 1
    assert (await patriot_privacy("erase", "--code", one["code"], "--yes")).exit_code == 0
    assert await pool.fetchval("SELECT count(*) FROM contact") == 0
    assert await pool.fetchval("SELECT description FROM report") == WORDS
    assert await Photos(objects).read(photo_id(one["report"], 1)) is not None
    assert await findings(pool) == []


async def test_what_was_erased_does_not_come_back_and_does_not_wait_among_dead_letters(
    pool: Pool, objects: Objects, patriot_privacy: Typed
) -> None:
    one = await reported(pool, objects)
    async with pool.acquire() as connection:
        for n, topic in enumerate((topics.CONTACT.name, topics.REPORT.name, topics.REPORT.name)):
            subject = one["report"] if n < 2 else "another"
            headers = (("ce_subject", subject.encode()),)
            letter = Letter(topic, "t", 0, n, subject.encode(), b"{}", headers, "schema", "x")
            await dead_letter_store.add(connection, [letter])
    assert (await patriot_privacy("erase", "--code", one["code"], "--words", "--yes")).exit_code == 0
    states = await pool.fetch('SELECT state, value FROM dead_letter ORDER BY "offset"')
    assert [row["state"] for row in states] == ["dropped", "dropped", "new"] and states[0]["value"] is None
    again = ContactGiven(report_id=one["report"], given_at=datetime.now(UTC), name="Budi", phone="081200001111")
    await apply(pool, again)
    assert await pool.fetchval("SELECT count(*) FROM contact") == 0


async def test_the_list_for_a_breach_notice_names_whose_data_were_there_and_who_looked(
    pool: Pool, objects: Objects, patriot_privacy: Typed
) -> None:
    one = await reported(pool, objects)
    gone = await reported(pool, objects, phone="0811999", place=north_of(SUMMARECON, 3000))
    await looked(pool, one["report"])
    began = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    await patriot_privacy("erase", "--code", gone["code"], "--yes")
    done = await patriot_privacy("report", "--since", began)
    assert done.exit_code == 0, done.output
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    affected = {line["affected"]["report_id"]: line["affected"] for line in lines if "affected" in line}
    assert affected[one["report"]]["kept"] == ["name", "phone", "email"]
    assert affected[gone["report"]]["contact"] is None
    looks = [(line["look"]["actor"], line["look"]["subject"]) for line in lines if "look" in line]
    assert ("rina", f"report:{one['report']}") in looks and "3 × 24" in done.stderr
    # Before anything was kept, and after it was erased, nobody is affected.
    early = (datetime.now(UTC) - timedelta(days=9)).isoformat()
    none = await patriot_privacy("report", "--since", early, "--until", began)
    assert none.stdout == ""
    assert await findings(pool) == []


async def test_wrong_use_ends_with_2_and_unknown_people_with_1(pool: Pool, patriot_privacy: Typed) -> None:
    assert (await patriot_privacy("export")).exit_code == 2
    assert (await patriot_privacy("export", "--phone", "0812", "--email", "a@b.c")).exit_code == 2
    assert (await patriot_privacy("export", "--phone", "12")).exit_code == 2
    assert (await patriot_privacy("export", "--phone", "0812999999")).exit_code == 1
    assert (await patriot_privacy("export", "--code", "7Q2M-9XKD-0AVT-3HRE-W5PN")).exit_code == 1
    assert (await patriot_privacy("erase-note", "INC-0", "1")).exit_code == 1


# Retention ----------------------------------------------------------------------------------------------------------


async def test_contacts_and_words_are_forgotten_once_their_time_is_over(pool: Pool, objects: Objects) -> None:
    old, older, open_ = [
        await reported(pool, objects, place=north_of(SUMMARECON, 3000 * n), phone=f"08{n}") for n in range(1, 4)
    ]
    for each, days in ((old, 31), (older, 101)):
        await pool.execute(
            "UPDATE incident SET status = 'closed', ended_at = now() - make_interval(days => $2) WHERE id = $1",
            each["incident"],
            days,
        )
    await apply(pool, ContactGiven(report_id="never-came", given_at=datetime.now(UTC) - timedelta(days=31), name="x"))
    await Maintenance(pool, readings_days=30, retention=Retention(30, 100, 730)).maintain()
    assert [row["report_id"] for row in await pool.fetch("SELECT report_id FROM contact")] == [open_["report"]]
    words = {row["id"]: row["description"] for row in await pool.fetch("SELECT id, description FROM report")}
    assert words == {old["report"]: WORDS, older["report"]: ERASED_WORDS, open_["report"]: WORDS}
    told = await pool.fetch("SELECT subject, detail FROM audit_entry WHERE action = 'expired' ORDER BY id")
    assert [tuple(row) for row in told] == [("contacts", {"rows": 3}), ("words", {"rows": 1})]
    await Maintenance(pool, readings_days=30, retention=Retention(30, 100, 730)).maintain()
    assert await pool.fetchval("SELECT count(*) FROM audit_entry WHERE action = 'expired'") == 2
    assert await findings(pool) == []


async def test_photos_are_forgotten_by_the_desk_with_its_own_rights(
    pool: Pool, objects: Objects, database: str
) -> None:
    old, open_ = [await reported(pool, objects, place=north_of(SUMMARECON, 3000 * n)) for n in range(2)]
    await pool.execute("UPDATE incident SET ended_at = now() - interval '31 days' WHERE id = $1", old["incident"])
    desk = await open_pool(database, application="test", size=1, role=DATABASE_ROLE)
    own = Database(desk).acting(HOUSEKEEPING)
    assert await photo_retention.sweep(own, Photos(objects), 30, datetime.now(UTC)) == 1
    assert await photo_retention.sweep(own, Photos(objects), 30, datetime.now(UTC)) == 0
    await close_pool(desk)
    assert await Photos(objects).read(photo_id(old["report"], 1)) is None
    assert await Photos(objects).read(photo_id(open_["report"], 1)) is not None
    photos = {row["id"]: len(row["photos"]) for row in await pool.fetch("SELECT id, photos FROM report")}
    assert photos == {old["report"]: 0, open_["report"]: 1}


async def test_the_desk_cannot_erase_contacts_or_words(database: str) -> None:
    desk = await open_pool(database, application="test", size=1, role=DATABASE_ROLE)
    for sql in ("DELETE FROM contact", "UPDATE report SET description = 'x'", "SELECT * FROM erasure"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await desk.execute(sql)
    await close_pool(desk)


async def test_consent_is_kept_with_the_report_and_outlives_the_contact(pool: Pool, objects: Objects) -> None:
    one = await reported(pool, objects)
    none = await reported(pool, objects, consent=None, place=north_of(SUMMARECON, 3000))
    async with pool.acquire() as connection, connection.transaction():
        await report_store.erase(connection, [one["report"], none["report"]], words=True)
    rows = {row["id"]: row["consent"] for row in await pool.fetch("SELECT id, consent FROM report")}
    assert rows == {one["report"]: "2026-11", none["report"]: None}
