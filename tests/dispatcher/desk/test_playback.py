"""The board at any past moment is, row for row, what the feed had been sent by then."""

from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import msgspec
import pytest

from dispatcher import incident_store, playback_store
from dispatcher.clocks import Clocks
from infra.postgres import Pool
from schemas import topics
from schemas.vocabulary import Role
from tests.dispatcher.desk.office import DUMPING, Json, Office, Person
from tests.dispatcher.factories import BANTARGEBANG, CIKARANG, SUMMARECON


@pytest.fixture
async def operator(office: Office) -> Person:
    await office.forget_everything()
    await office.pool.execute("DELETE FROM board_row; DELETE FROM board_stay")
    return await office.staff(Role.OPERATOR)


async def sent(pool: Pool) -> list[asyncpg.Record]:
    """Every row of an incident that went to the feed, in its order, with when it was put out."""
    return await pool.fetch(
        "SELECT aggregateid AS key, payload, created_at FROM outbox WHERE aggregatetype = $1"
        " AND aggregateid LIKE 'incidents:%' ORDER BY seq",
        topics.FEED.name,
    )


def shown(records: list[asyncpg.Record]) -> dict[str, Json]:
    """The board after these records, as a node projects it."""
    rows: dict[str, Json] = {}
    for record in records:
        incident_id = record["key"].partition(":")[2]
        rows.pop(incident_id, None)
        if record["payload"] is not None:
            rows[incident_id] = msgspec.json.decode(record["payload"])
    return rows


async def board(person: Person, at: datetime | None = None, **query: Any) -> dict[str, Json]:
    """What the desk shows of that moment."""
    asked = {"at": at.isoformat()} if at else {}
    answer = await person.get("/board", **asked, **query)
    return {row["id"]: row for row in answer["items"]}


async def a_shift(office: Office, operator: Person) -> list[Json]:
    """Reports, commands and an end: rows come, change and leave."""
    jam = await office.incident(place=SUMMARECON)
    waste = await office.incident(DUMPING, BANTARGEBANG)
    await office.incident("Macet parah di sini juga", place=SUMMARECON)
    elsewhere = await office.incident(place=CIKARANG)
    await operator.command(jam["id"], "note", text="Petugas sudah di lokasi")
    await operator.command(jam["id"], "resolve", note="Lancar kembali")
    await operator.command(jam["id"], "close")
    await operator.command(waste["id"], "hold", reason="bad_weather")
    clocks = Clocks(office.pool, ahead=timedelta(hours=2))
    while await clocks.fire_due():
        pass
    return [jam, waste, elsewhere]


async def test_every_moment_is_what_the_feed_was_sent(office: Office, operator: Person) -> None:
    jam, waste, _ = await a_shift(office, operator)
    records = await sent(office.pool)
    assert len(records) >= 9 and records[-1]["payload"] is None, "a row has left the board"
    ends = [n for n in range(len(records)) if n + 1 == len(records) or _apart(records[n], records[n + 1])]
    assert len(ends) >= 6
    for n in ends:
        # As soon as all of its transaction is put out.
        moment = records[n]["created_at"]
        assert await board(operator, moment) == shown(records[: n + 1]), f"after record {n}"
    assert await board(operator) == shown(records)
    assert jam["id"] not in await board(operator) and waste["id"] in await board(operator)
    assert await board(operator, records[0]["created_at"] - timedelta(seconds=1)) == {}


def _apart(one: asyncpg.Record, other: asyncpg.Record) -> bool:
    """Whether two records are of different transactions: within one they are some microseconds apart."""
    return bool(other["created_at"] - one["created_at"] > timedelta(milliseconds=2))


async def test_a_scope_sees_then_what_it_saw_then(office: Office, operator: Person) -> None:
    jam, waste, elsewhere = await a_shift(office, operator)
    kota = await office.staff(Role.DISPATCHER, "32.75/DISHUB")
    before = await office.pool.fetchval("SELECT max(at) FROM board_row WHERE incident_id = $1", elsewhere["id"])
    then = await board(kota, before)
    assert jam["id"] in then and waste["id"] not in then and elsewhere["id"] not in then
    # It moves to the other government: who sees it now is not who saw it then.
    there = await office.incident(place=SUMMARECON)
    moment = datetime.now(UTC)
    await operator.command(there["id"], "triage", lat=CIKARANG[0], lon=CIKARANG[1])
    assert there["id"] in await board(kota, moment) and there["id"] not in await board(kota)
    director = await office.staff(Role.EXECUTIVE)
    assert all(row["officers"] == [] and row["photo_url"] is None for row in (await board(director, before)).values())
    assert set(await board(director, before)) == set(await board(operator, before))


async def test_a_moment_that_has_not_come_or_is_no_time_is_refused(operator: Person) -> None:
    ahead = (datetime.now(UTC) + timedelta(minutes=5)).isoformat()
    for query in ({"at": ahead}, {"at": "yesterday"}, {"at": "2026-11-22T07:00:00"}, {"when": ahead}):
        answer = await operator.get("/board", 422, **query)
        assert answer["errors"]


async def test_what_an_older_release_put_on_the_board_is_known_from_then_on(office: Office, operator: Person) -> None:
    incident = await office.incident(place=SUMMARECON)
    gone = await office.incident(DUMPING, BANTARGEBANG)
    await office.pool.execute("DELETE FROM board_row WHERE incident_id = $1", incident["id"])
    await office.pool.execute("DELETE FROM board_stay WHERE incident_id = $1", incident["id"])
    await office.pool.execute("UPDATE incident SET on_board = false WHERE id = $1", gone["id"])
    for unknown in (1, 0):
        async with office.pool.acquire() as connection, connection.transaction(isolation="repeatable_read"):
            found = await playback_store.end_and_find(connection, 10)
            assert len(found) == unknown
            await playback_store.keep(connection, await incident_store.select_board(connection, found))
    assert set(await board(operator)) == {incident["id"]}


async def test_old_moments_are_forgotten_and_later_ones_stay_whole(office: Office, operator: Person) -> None:
    await a_shift(office, operator)
    records = await sent(office.pool)
    moments = [records[n]["created_at"] for n in (3, 5, len(records) - 1)]
    before = [await board(operator, moment) for moment in moments]
    async with office.pool.acquire() as connection:
        while await playback_store.sweep(connection, moments[1], 2):
            pass
    assert [await board(operator, moment) for moment in moments[1:]] == before[1:]
    left = await office.pool.fetchval("SELECT count(*) FROM board_row")
    async with office.pool.acquire() as connection:
        while await playback_store.sweep(connection, datetime.now(UTC), 2):
            pass
    assert 0 < await office.pool.fetchval("SELECT count(*) FROM board_row") < left
    assert await board(operator) == before[-1]


async def test_a_rolled_back_change_was_never_on_the_board(office: Office, operator: Person) -> None:
    incident = await office.incident(place=SUMMARECON)
    refused = await operator.command(incident["id"], "resume", 409)
    assert refused["legal"]
    await operator.post(f"/incidents/{incident['id']}/note", 409, version=99, text="x")
    assert len(await sent(office.pool)) == await office.pool.fetchval("SELECT count(*) FROM board_row")
