"""The audit on a real PostgreSQL: whole while nobody touches it, and told where when somebody does."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Final

import asyncpg
import pytest
from click.testing import CliRunner, Result

from dispatcher import audit_cli, audit_store, incident_store, privacy
from dispatcher.audit_signature import Signer
from dispatcher.audit_verify import Finding, Verification
from dispatcher.decisions.audit_chain import GENESIS, Head, link
from dispatcher.decisions.change import Change
from dispatcher.decisions.incident import move
from dispatcher.maintenance import Maintenance
from dispatcher.report_intake import ReportIntake
from dispatcher.report_store import ERASED_WORDS
from dispatcher.retention import Retention
from dispatcher.sealer import Sealer
from infra.postgres import Pool, close_pool, open_pool
from schemas.gazetteer import gazetteer
from tests.dispatcher.factories import BANTARGEBANG, CIKARANG, SUMMARECON, a_message, a_report

SECRET: Final = bytes.fromhex("5e" * 32)
SIGNER: Final = Signer(SECRET)
_TABLES: Final = (
    "audit_entry, audit_head, erasure, incident_history, incident_decision, incident_evidence, report, contact,"
    " deadline, offering, incident, outbox, board_row, board_stay"
)


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    opened = await open_pool(database, application="test", size=8)
    await opened.execute("; ".join(f"DELETE FROM {table.strip()}" for table in _TABLES.split(",")))
    yield opened
    await close_pool(opened)


@pytest.fixture
def sealer(pool: Pool) -> Sealer:
    return Sealer(pool, SIGNER)


async def report(pool: Pool, *texts: str, place: tuple[float, float] = SUMMARECON) -> str:
    """Reports that come in one batch; the id of the newest incident."""
    async with pool.acquire() as connection, connection.transaction():
        now = await connection.fetchval("SELECT now()")
        messages = [a_message(a_report(text, place=place), now) for text in texts]
        await ReportIntake(gazetteer()).apply(connection, messages, now)
        found: str = await connection.fetchval("SELECT id FROM incident ORDER BY opened_at DESC, id LIMIT 1")
        return found


async def note(pool: Pool, incident_id: str, text: str) -> int:
    """A note of a person; the version it has."""
    async with pool.acquire() as connection, connection.transaction():
        incident = (await incident_store.select_for_update(connection, [incident_id]))[incident_id]
        now = await connection.fetchval("SELECT clock_timestamp()")
        after, event = move(incident, incident.status, "noted", actor="rina", now=now, note=text)
        await incident_store.save(connection, [Change(incident, after, (event,))])
        return after.version


async def a_day(pool: Pool, sealer: Sealer) -> str:
    """Some entries, all chained: reports, a note, what staff did; the id of an incident."""
    incident_id = await report(pool, "Macet total, kendaraan tidak bergerak", "Macet parah sekali di sini")
    await report(pool, "Ada tumpukan sampah liar di pinggir jalan", place=BANTARGEBANG)
    await note(pool, incident_id, "Pelapor Pak Budi, 0812-0000-1111, minta ditelepon")
    async with pool.acquire() as connection:
        for n in range(5):
            await audit_store.record(
                connection, actor="sari", action="contact_read", subject=f"report:{n}", personal=True, detail={"n": n}
            )
    assert await sealer.seal() > 0
    return incident_id


async def verify(pool: Pool, key: bytes | None = SIGNER.public_key, *ends: tuple[int, bytes]) -> list[Finding]:
    async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        return [finding async for finding in Verification(connection, key, ends).findings()]


async def end_of(pool: Pool) -> Head:
    async with pool.acquire() as connection:
        head = await audit_store.select_end(connection)
    assert head is not None
    return head


async def test_what_was_decided_and_looked_at_is_chained_and_whole(pool: Pool, sealer: Sealer) -> None:
    incident_id = await a_day(pool, sealer)
    assert await verify(pool) == []
    entries = await pool.fetch("SELECT seq, actor, action, subject FROM audit_entry ORDER BY seq")
    assert [row["seq"] for row in entries] == list(range(1, 9))
    assert tuple(entries[0])[1:3] == ("dispatcher", "incident_report_joined")
    assert tuple(entries[2])[1:] == ("rina", "incident_noted", incident_id)
    # Nothing of what people said is in it.
    said = await pool.fetchval("SELECT string_agg(audit_entry::text, ' ') FROM audit_entry")
    assert "Budi" not in said and "0812" not in said and "Macet" not in said
    # More is chained behind it.
    await report(pool, "Lampu PJU mati di jalan ini, gelap", place=CIKARANG)
    assert await sealer.seal() == 1 and await sealer.seal() == 0
    assert await verify(pool) == []


#: What somebody does to the database, and where it is found. `{incident}` is the incident with the note.
TAMPERED: Final = (
    ("UPDATE audit_entry SET actor = 'sarj' WHERE seq = 5", "entry 5", "altered"),
    ("UPDATE audit_entry SET detail = jsonb_set(detail, '{{n}}', '9') WHERE seq = 6", "entry 6", "altered"),
    ("UPDATE audit_entry SET at = at + interval '1 microsecond' WHERE seq = 4", "entry 4", "altered"),
    ("UPDATE audit_entry SET personal = NOT personal WHERE seq = 4", "entry 4", "altered"),
    ("UPDATE audit_entry SET hash = set_byte(hash, 7, get_byte(hash, 7) # 1) WHERE seq = 3", "entry 3", "altered"),
    ("DELETE FROM audit_entry WHERE seq = 5", "entry 5", "gone"),
    ("DELETE FROM audit_entry WHERE seq BETWEEN 4 AND 6", "entries 4 to 6", "gone"),
    ("DELETE FROM audit_entry WHERE seq > 6", "entries 7 to 8", "lost its tail"),
    ("UPDATE audit_head SET hash = set_byte(hash, 0, get_byte(hash, 0) # 1)", "head of", "not the city's"),
    ("UPDATE audit_head SET signature = NULL", "head of", "not signed"),
    ("DELETE FROM audit_head", "entries 1 to 8", "behind the newest head"),
    (
        "UPDATE incident_history SET actor = 'x' WHERE incident_id = '{incident}' AND version = 1",
        "{incident}",
        "as they",
    ),
    ("UPDATE incident_history SET note = note || ' ' WHERE note IS NOT NULL", "{incident}", "not as they were"),
    ("UPDATE incident_history SET note = NULL, note_key = NULL WHERE note IS NOT NULL", "{incident}", "not as they"),
    ("UPDATE incident_history SET at = at - interval '1 hour' WHERE version = 2", "{incident}", "not as they were"),
    ("DELETE FROM incident_history WHERE incident_id = '{incident}' AND version = 2", "{incident}", "gone"),
    ("UPDATE incident_decision SET because = '{{}}' WHERE judgement = 'route'", "{incident}", "not as they were"),
    ("UPDATE incident_decision SET score = 0.1 WHERE judgement = 'classify'", "{incident}", "not as they were"),
    (
        "INSERT INTO incident_history (incident_id, version, change, status, actor, at)"
        " VALUES ('{incident}', 90, 'noted', 'routed', 'x', now())",
        "{incident}, version 90",
        "in no entry",
    ),
    (
        "INSERT INTO incident_decision (incident_id, judgement, outcome, because, at)"
        " VALUES ('{incident}', 'route', 'x', '{{}}', now())",
        "{incident}, decision",
        "in no entry",
    ),
)


@pytest.mark.parametrize(("sql", "where", "what"), TAMPERED, ids=[sql[:60] for sql, _, _ in TAMPERED])
async def test_what_was_touched_is_named_with_its_place(
    pool: Pool, sealer: Sealer, sql: str, where: str, what: str
) -> None:
    incident_id = await a_day(pool, sealer)
    done = await pool.execute(sql.format(incident=incident_id))
    assert not done.endswith(" 0"), "the test has touched nothing"
    found = await verify(pool)
    where = where.format(incident=incident_id)
    assert any(one.where.startswith(where) and what in one.what for one in found), found


@pytest.mark.parametrize("columns", ["seq", "seq, hash", "actor, action, subject, detail, at"])
async def test_a_swapped_pair_is_found_at_both_places(pool: Pool, sealer: Sealer, columns: str) -> None:
    await a_day(pool, sealer)
    # In two steps, for places are unique.
    names = [name.strip() for name in columns.split(",")]
    a, b = await pool.fetch("SELECT * FROM audit_entry WHERE seq IN (5, 6) ORDER BY seq")
    await pool.execute("UPDATE audit_entry SET seq = NULL WHERE id = ANY($1)", [a["id"], b["id"]])
    for to, like in ((a, b), (b, a)):
        values = {**to, **{name: like[name] for name in names}}
        await pool.execute(
            "UPDATE audit_entry SET seq = $2, hash = $3, actor = $4, action = $5, subject = $6, detail = $7, at = $8"
            " WHERE id = $1",
            to["id"],
            *(values[name] for name in ("seq", "hash", "actor", "action", "subject", "detail", "at")),
        )
    places = {one.where.split(" (")[0] for one in await verify(pool)}
    assert {"entry 5", "entry 6"} <= places


async def test_one_flipped_byte_is_one_finding_and_what_follows_is_not_blamed(pool: Pool, sealer: Sealer) -> None:
    await a_day(pool, sealer)
    for sql in (
        "UPDATE audit_entry SET subject = 'report:7' WHERE seq = 4",
        "UPDATE audit_entry SET hash = set_byte(hash, 31, get_byte(hash, 31) # 128) WHERE seq = 6",
    ):
        await pool.execute(sql)
    assert [one.where.split(" (")[0] for one in await verify(pool)] == ["entry 4", "entry 6"]


async def test_a_tail_that_was_cut_off_stays_a_gap_when_the_sealer_goes_on(pool: Pool, sealer: Sealer) -> None:
    await a_day(pool, sealer)
    await pool.execute("DELETE FROM audit_entry WHERE seq > 6")
    await report(pool, "Lampu PJU mati di jalan ini, gelap", place=CIKARANG)
    await sealer.seal()
    assert [(one.where, one.what) for one in await verify(pool)] == [("entries 7 to 8", "gone")]


async def test_a_tail_that_was_cut_off_with_its_head_is_seen_by_the_history_it_told_of(
    pool: Pool, sealer: Sealer
) -> None:
    await a_day(pool, sealer)
    before = await end_of(pool)
    incident_id = await report(pool, "Lampu PJU mati di jalan ini, gelap", place=CIKARANG)
    await sealer.seal()
    after = await end_of(pool)
    await pool.execute("DELETE FROM audit_entry WHERE seq > $1", before.seq)
    await pool.execute("UPDATE audit_head SET seq = $1, hash = $2, at = $3, signature = $4",
                       before.seq, before.hash, before.at, before.signature)  # fmt: skip
    found = await verify(pool)
    assert {one.where.split(",")[0] for one in found} == {incident_id}
    assert all(one.what.startswith("in no entry") for one in found)
    # And by whoever has kept where the chain ended.
    found = await verify(pool, SIGNER.public_key, (after.seq, after.hash))
    assert any("lost its tail" in one.what for one in found)


async def test_a_chain_made_anew_without_the_secret_is_not_signed_by_the_city(pool: Pool, sealer: Sealer) -> None:
    await a_day(pool, sealer)
    await pool.execute("DELETE FROM audit_entry WHERE action = 'contact_read'")
    hash_ = GENESIS
    async with pool.acquire() as connection:
        rest = await audit_store.select_sealed(connection, 0, 100)
    for seq, one in enumerate(rest, start=1):
        hash_ = link(hash_, seq, one.entry)
        await pool.execute("UPDATE audit_entry SET seq = $2, hash = $3 WHERE id = $1", one.entry.id, seq, hash_)
    await pool.execute("UPDATE audit_head SET seq = $1, hash = $2", len(rest), hash_)
    assert [one.what for one in await verify(pool)] == ["has a signature that is not the city's"]
    assert await verify(pool, None) == [], "without the key nobody could tell"
    assert [one.what for one in await verify(pool, Signer(b"another").public_key)] != []


async def test_an_entry_whose_transaction_commits_late_is_chained_late_and_once(pool: Pool, sealer: Sealer) -> None:
    late = await pool.acquire()
    slow = late.transaction()
    await slow.start()
    await audit_store.record(late, actor="slow", action="contact_read", subject="report:1")
    async with pool.acquire() as connection:
        await audit_store.record(connection, actor="quick", action="contact_read", subject="report:2")
    assert await sealer.seal() == 1
    assert await sealer.seal() == 0
    await slow.commit()
    await pool.release(late)
    assert await sealer.seal() == 1
    rows = await pool.fetch("SELECT seq, actor FROM audit_entry ORDER BY id")
    assert [tuple(row) for row in rows] == [(2, "slow"), (1, "quick")]
    assert await verify(pool) == []


async def test_what_was_rolled_back_is_in_no_chain(pool: Pool, sealer: Sealer) -> None:
    with pytest.raises(ZeroDivisionError):
        async with pool.acquire() as connection, connection.transaction():
            await audit_store.record(connection, actor="x", action="contact_read", subject="report:1")
            raise ZeroDivisionError
    assert await sealer.seal() == 0
    assert await verify(pool) == []


async def test_many_sealers_and_writers_at_once_leave_one_chain_without_gap_or_double(pool: Pool) -> None:
    done = asyncio.Event()

    async def write(writer: int) -> None:
        for n in range(40):
            async with pool.acquire() as connection, connection.transaction():
                await audit_store.record(
                    connection, actor=f"writer-{writer}", action="noted", subject=str(n), detail={"n": n}
                )
                await asyncio.sleep(0.001 * (n % 3))

    async def seal() -> int:
        sealed, one = 0, Sealer(pool, SIGNER)
        while not done.is_set():
            sealed += await one.seal()
            await asyncio.sleep(0)
        return sealed + await one.seal()

    sealing = [asyncio.create_task(seal()) for _ in range(3)]
    await asyncio.gather(*(write(n) for n in range(4)))
    done.set()
    assert sum(await asyncio.gather(*sealing)) == 160
    places = [row["seq"] for row in await pool.fetch("SELECT seq FROM audit_entry ORDER BY seq")]
    assert places == list(range(1, 161))
    assert await verify(pool) == []


async def test_a_note_is_erased_and_the_chain_stays_whole(pool: Pool, sealer: Sealer) -> None:
    incident_id = await a_day(pool, sealer)
    version = await pool.fetchval("SELECT version FROM incident_history WHERE note IS NOT NULL")
    async with pool.acquire() as connection, connection.transaction():
        assert await privacy.erase_note(connection, incident_id, version, "shell:test")
        assert not await privacy.erase_note(connection, incident_id, version, "shell:test")
    await sealer.seal()
    assert await verify(pool) == []
    row = await pool.fetchrow("SELECT note, note_key FROM incident_history WHERE version = $1 AND incident_id = $2",
                              version, incident_id)  # fmt: skip
    assert tuple(row) == (None, None)
    # Another text in its place is no erasure.
    await pool.execute("UPDATE incident_history SET note = 'x', note_key = '\\x00' WHERE version = $1", version)
    assert any(one.where.startswith(incident_id) for one in await verify(pool))


async def test_the_hours_before_keep_their_ends(pool: Pool, sealer: Sealer) -> None:
    await a_day(pool, sealer)
    # An hour ago, as if it had been then; what it says is signed anew for that.
    head = await end_of(pool)
    async with pool.acquire() as connection:
        earlier = SIGNER.signed(
            Head(hour=head.hour - timedelta(hours=1), seq=head.seq, hash=head.hash, at=datetime.now(UTC))
        )
        await connection.execute("DELETE FROM audit_head")
        assert await audit_store.put_head(connection, earlier)
        assert not await audit_store.put_head(connection, earlier)
    await report(pool, "Lampu PJU mati di jalan ini, gelap", place=CIKARANG)
    await sealer.seal()
    heads = await pool.fetch("SELECT seq FROM audit_head ORDER BY hour")
    assert [row["seq"] for row in heads] == [8, 9]
    assert await verify(pool) == []


# At the prompt ------------------------------------------------------------------------------------------------------

Typed = Callable[..., Awaitable[Result]]


@pytest.fixture
def patriot_audit(database: str, monkeypatch: pytest.MonkeyPatch) -> Typed:
    """Run `patriot audit …`."""
    monkeypatch.setenv("PATRIOT_SECRET", SECRET.hex())

    async def typed(*arguments: str) -> Result:
        where = [] if arguments[0] == "key" else ["--postgres-dsn", database]
        return await asyncio.to_thread(CliRunner().invoke, audit_cli.command, [*arguments, *where])

    return typed


async def test_verify_ends_with_0_or_with_1_and_the_places(pool: Pool, sealer: Sealer, patriot_audit: Typed) -> None:
    await a_day(pool, sealer)
    good = await patriot_audit("verify")
    assert (good.exit_code, good.stdout.strip()) == (0, "the chain is whole")
    assert "8 entries, 1 heads, 0 waiting" in good.stderr
    end = next(line for line in good.stderr.splitlines() if line.startswith("end ")).removeprefix("end ")
    assert (await patriot_audit("verify", "--end", end)).exit_code == 0
    public = (await patriot_audit("key")).stdout.strip()
    assert (await patriot_audit("verify", "--public-key", public)).exit_code == 0
    assert (await patriot_audit("verify", "--public-key", "ab")).exit_code == 2
    await pool.execute("UPDATE audit_entry SET action = 'x' WHERE seq = 4")
    bad = await patriot_audit("verify")
    assert bad.exit_code == 1 and bad.stdout.startswith("entry 4 ") and "1 places" in bad.stderr


async def test_list_and_export_show_entries_and_looks(pool: Pool, sealer: Sealer, patriot_audit: Typed) -> None:
    incident_id = await a_day(pool, sealer)
    listed = (await patriot_audit("list", "--subject", incident_id)).stdout.splitlines()
    assert [line.split("\t")[3] for line in listed] == ["incident_report_joined", "incident_noted"] or [
        line.split("\t")[3] for line in listed
    ] == ["incident_noted"]
    assert len((await patriot_audit("list", "--personal")).stdout.splitlines()) == 5
    exported = await patriot_audit("export")
    lines = exported.stdout.splitlines()
    assert exported.exit_code == 0 and len(lines) == 9 + 1 and '"head"' in lines[-1]
    assert (await pool.fetchrow("SELECT action FROM audit_entry ORDER BY id DESC LIMIT 1"))[
        "action"
    ] == "audit_exported"
    assert (await patriot_audit("list", "--since", "yesterday")).exit_code == 2


async def test_the_desk_tells_the_audit_and_cannot_read_or_change_it(pool: Pool, database: str) -> None:
    desk = await open_pool(database, application="test", size=1, role="patriot_desk")
    async with desk.acquire() as connection:
        await audit_store.record(connection, actor="rina", action="signed_in", subject="rina")
    for sql in ("SELECT * FROM audit_entry", "UPDATE audit_entry SET actor = 'x'", "DELETE FROM audit_entry"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await desk.execute(sql)
    await close_pool(desk)


async def test_the_dispatcher_tells_seals_and_forgets_with_its_own_rights(pool: Pool, database: str) -> None:
    engine = await open_pool(database, application="test", size=2, role="patriot_dispatcher")
    incident_id = await report(engine, "Macet total, kendaraan tidak bergerak")
    await note(engine, incident_id, "Menunggu derek")
    assert await Sealer(engine, SIGNER).seal() == 2
    await pool.execute("UPDATE incident SET status = 'closed', ended_at = now() - interval '40 days', on_board = false")
    await pool.execute("UPDATE board_row SET at = at - interval '40 days'")
    for _ in range(2):
        await Maintenance(engine, readings_days=30, retention=Retention(30, 30, 30)).maintain()
    assert await pool.fetchval("SELECT description FROM report") == ERASED_WORDS
    assert not await pool.fetchval("SELECT upper_inf(during) FROM board_stay"), "it is not on the board any more"
    await Sealer(engine, SIGNER).seal()
    assert await verify(pool) == []
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await engine.execute("UPDATE audit_entry SET actor = 'x'")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await engine.execute("DELETE FROM audit_entry")
    await close_pool(engine)
