"""Reports against the real PostgreSQL: one event is one incident, whoever decides and however often it is told."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from dispatcher.effects import Message
from dispatcher.report_intake import ReportIntake
from schemas.gazetteer import gazetteer
from schemas.report import ContactGiven, Photo
from schemas.vocabulary import ReportChannel
from tests.dispatcher.factories import (
    BANTARGEBANG,
    CIKARANG,
    MINUTE,
    MONAS,
    NOW,
    SUMMARECON,
    a_message,
    a_report,
    north_of,
)


async def apply(pool: asyncpg.Pool, messages: Sequence[Message], intake: ReportIntake | None = None) -> None:
    """One batch in one transaction, as the consumer does it."""
    async with pool.acquire() as connection, connection.transaction():
        now = await connection.fetchval("SELECT now()")
        await (intake or ReportIntake(gazetteer())).apply(connection, messages, now)


async def incidents(pool: asyncpg.Pool) -> list[dict[str, Any]]:
    return [dict(row) for row in await pool.fetch("SELECT * FROM incident ORDER BY opened_at, id")]


@pytest.fixture(autouse=True)
async def empty(connections: asyncpg.Pool) -> None:
    await connections.execute("TRUNCATE incident, outbox, contact CASCADE")


async def test_a_jam_becomes_a_routed_incident_with_its_reasons_and_goes_out(connections: asyncpg.Pool) -> None:
    photo = Photo(id="r-1", sha256="0" * 64, content_type="image/jpeg", width=10, height=10)
    report = a_report(place=SUMMARECON, photos=(photo,))
    await apply(connections, [a_message(report)])
    (incident,) = await incidents(connections)
    assert (incident["category"], incident["status"]) == ("traffic_jam", "routed")
    assert (incident["regency"], incident["agency"]) == ("32.75", "DISHUB")
    assert (incident["report_count"], incident["sources"], incident["evidence"]) == (1, ["app"], 0.6)
    assert incident["photo_url"] == "/api/v1/photos/r-1"
    assert incident["title"].startswith("Kemacetan · ")
    assert incident["due_at"] - incident["opened_at"] == timedelta(hours=3)
    history = await connections.fetch("SELECT version, change, status FROM incident_history ORDER BY version")
    assert [tuple(row) for row in history] == [(1, "opened", "new"), (2, "routed", "routed")]
    reasons = await connections.fetch("SELECT judgement, because FROM incident_decision ORDER BY id")
    assert [row["judgement"] for row in reasons] == ["classify", "locate", "correlate", "prioritise", "route", "clock"]
    assert all(row["because"] for row in reasons)
    out = await connections.fetch("SELECT aggregatetype, aggregateid FROM outbox ORDER BY seq")
    assert [row["aggregatetype"] for row in out] == ["bekasi.incident.v1", "bekasi.incident.v1", "bekasi.feed.v1"]
    assert out[-1]["aggregateid"] == f"incidents:{incident['id']}"
    stored = await connections.fetchrow("SELECT * FROM report")
    assert (stored["id"], stored["incident_id"]) == (report.report_id, incident["id"])
    assert (stored["kecamatan"], stored["received_at"]) == (incident["kecamatan"], NOW)


async def test_two_workers_at_once_with_the_same_jam_make_one_incident(connections: asyncpg.Pool) -> None:
    for attempt in range(30):
        place = (-6.26, 106.95 + attempt * 0.01)
        await asyncio.gather(
            apply(connections, [a_message(a_report(place=place))]),
            apply(connections, [a_message(a_report("Macet parah, tidak bergerak", place=north_of(place, 200)))]),
        )
    found = await incidents(connections)
    assert [incident["report_count"] for incident in found] == [2] * 30
    assert await connections.fetchval("SELECT count(*) FROM report") == 60


@pytest.mark.parametrize("arrivals", [(0, 25, 50), (50, 25, 0), (25, 50, 0)], ids=str)
async def test_a_partition_that_is_behind_tells_of_the_same_jam(
    connections: asyncpg.Pool, arrivals: tuple[int, ...]
) -> None:
    for minute in arrivals:
        await apply(connections, [a_message(a_report(place=SUMMARECON), NOW + minute * MINUTE)])
    assert [incident["report_count"] for incident in await incidents(connections)] == [3]


async def test_workers_with_large_crossing_batches_do_not_embrace(connections: asyncpg.Pool) -> None:
    places = [(-6.20 - n * 0.004, 106.98 + (n % 7) * 0.004) for n in range(40)]

    async def worker(step: int) -> None:
        for _ in range(3):
            await apply(connections, [a_message(a_report(place=place)) for place in places[::step]])

    await asyncio.wait_for(asyncio.gather(worker(1), worker(-1), worker(1)), 60)
    found = await incidents(connections)
    assert len(found) == len(places)
    assert {incident["report_count"] for incident in found} == {9}


async def test_the_reports_of_one_batch_meet_each_other(connections: asyncpg.Pool) -> None:
    batch = [a_message(a_report(place=north_of(SUMMARECON, metres))) for metres in (0, 50, 100)]
    await apply(connections, batch)
    (incident,) = await incidents(connections)
    assert (incident["report_count"], incident["version"]) == (3, 4)
    assert incident["priority"] == "high"
    assert incident["evidence"] == pytest.approx(0.4 * 3 + 0.3)
    history = await connections.fetch("SELECT change FROM incident_history ORDER BY version")
    assert [row["change"] for row in history] == ["opened", "routed", "report_joined", "report_joined"]


async def test_a_report_that_comes_again_has_no_second_effect(connections: asyncpg.Pool) -> None:
    message = a_message(a_report(place=SUMMARECON))
    await apply(connections, [message, message])
    await apply(connections, [message])
    (incident,) = await incidents(connections)
    assert (incident["report_count"], incident["version"]) == (1, 2)


async def test_one_template_at_two_junctions_is_two_incidents(connections: asyncpg.Pool) -> None:
    await apply(connections, [a_message(a_report("Macet total di Simpang Bojong, mohon petugas", place=SUMMARECON))])
    other = a_report("Macet total di Simpang Melati, mohon petugas", place=north_of(SUMMARECON, 60))
    await apply(connections, [a_message(other)])
    assert [incident["report_count"] for incident in await incidents(connections)] == [1, 1]


async def test_a_report_outside_bekasi_is_transferred_and_never_dropped(connections: asyncpg.Pool) -> None:
    await apply(connections, [a_message(a_report(place=MONAS))])
    (incident,) = await incidents(connections)
    assert (incident["status"], incident["transferred_to"], incident["agency"]) == ("transferred", "OTHER_GOV", None)
    assert incident["ended_at"] is not None
    note = await connections.fetchrow("SELECT note, public FROM incident_history WHERE version = 2")
    assert note["public"]
    assert "Jakarta" in note["note"]


async def test_an_unclear_report_waits_for_a_person(connections: asyncpg.Pool) -> None:
    await apply(connections, [a_message(a_report("Tolong dibantu ya pak", place=SUMMARECON))])
    (incident,) = await incidents(connections)
    assert (incident["status"], incident["category"], incident["agency"]) == ("triage", "other", None)


async def test_what_waits_for_a_person_swallows_nobody(connections: asyncpg.Pool) -> None:
    for text in ("Tolong dibantu ya pak", "Kapan ada bantuan sembako", "Macet total, mohon petugas"):
        await apply(connections, [a_message(a_report(text, place=SUMMARECON))])
    assert [incident["report_count"] for incident in await incidents(connections)] == [1, 1, 1]


async def test_a_report_without_any_place_is_kept_for_a_person(connections: asyncpg.Pool) -> None:
    await apply(connections, [a_message(a_report("Macet total", address="depan rumah saya"))])
    (incident,) = await incidents(connections)
    assert (incident["status"], incident["cell"], incident["kecamatan"]) == ("triage", None, None)


async def test_a_jam_that_has_run_three_hours_is_followed_by_a_linked_one(connections: asyncpg.Pool) -> None:
    for minutes in range(0, 200, 20):
        await apply(connections, [a_message(a_report(place=SUMMARECON), NOW + minutes * MINUTE)])
    first, second = await incidents(connections)
    assert (first["report_count"], second["report_count"]) == (9, 1)
    assert second["predecessor"] == first["id"]


async def test_a_jam_half_an_hour_later_is_another_one(connections: asyncpg.Pool) -> None:
    for minutes in (0, 29, 60):
        await apply(connections, [a_message(a_report(place=SUMMARECON), NOW + minutes * MINUTE)])
    assert [incident["report_count"] for incident in await incidents(connections)] == [2, 1]


async def test_dumping_groups_within_sixty_metres_and_three_days(connections: asyncpg.Pool) -> None:
    text = "Tumpukan sampah liar di pinggir jalan, bau busuk"
    hour = 60 * MINUTE
    for metres, hours in ((0, 0), (50, 71), (70, 72)):
        report = a_report(text, place=north_of(BANTARGEBANG, metres))
        await apply(connections, [a_message(report, NOW + hours * hour)])
    assert [(i["report_count"], i["agency"]) for i in await incidents(connections)] == [(2, "DLH"), (1, "DLH")]


async def test_an_emergency_is_critical(connections: asyncpg.Pool) -> None:
    await apply(connections, [a_message(a_report("Kecelakaan truk terguling, ada korban luka parah", place=CIKARANG))])
    (incident,) = await incidents(connections)
    assert incident["priority"] == "critical"
    assert incident["regency"] == "32.16"


async def test_an_operators_word_confirms_a_jam(connections: asyncpg.Pool) -> None:
    await apply(connections, [a_message(a_report(place=SUMMARECON, channel=ReportChannel.POC, submitted_by="rina"))])
    (incident,) = await incidents(connections)
    assert (incident["evidence"], incident["priority"], incident["sources"]) == (1.0, "high", ["poc"])


async def test_contacts_are_kept_apart_and_the_newest_stays(connections: asyncpg.Pool) -> None:
    report = a_report(place=SUMMARECON)
    older = ContactGiven(report_id=report.report_id, given_at=NOW, name="Bu Siti", phone="0812345678")
    newer = ContactGiven(report_id=report.report_id, given_at=NOW + MINUTE, name="Siti", phone="0812345678")
    await apply(connections, [a_message(newer), a_message(report), a_message(older)])
    await apply(connections, [a_message(older)])
    assert [row["name"] for row in await connections.fetch("SELECT name FROM contact")] == ["Siti"]
