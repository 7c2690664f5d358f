"""A week of reports, officers, clocks and two governments: every report is answered, and every count is the same."""

import os
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random
from statistics import mean
from typing import Any

import asyncpg
import msgspec
import pytest

from dispatcher.desk.app import room
from dispatcher.desk.settings import DeskSettings
from infra.http import build_app
from infra.migrate import migrate
from infra.postgres import Pool, close_pool, open_pool
from schemas import topics
from tests.week import clock
from tests.week.people import Staff, hire
from tests.week.world import World

SECRET = "5e" * 32
DAYS = 7
#: All 10,000 take a quarter of an hour: `make soak`. Presence alone takes half a minute, each report 0.1 s more.
REPORTS = 10_000 if os.environ.get("PATRIOT_SIMULATION") == "long" else 300
#: After the last report; the slowest promise is five working days.
LONGEST = timedelta(days=14)
SEED = 20_261_123

#: The fixture is the week.
pytestmark = pytest.mark.timeout(3600 if REPORTS > 5_000 else 900)


@dataclass(frozen=True)
class Week:
    """What was, once it is over."""

    pool: Pool
    staff: Staff
    world: World


@pytest.fixture(scope="module")
async def week(postgres_server: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Week]:
    """Monday to Sunday, and what was still to do."""
    dsn, folder, rng = await clock.make(postgres_server, "test_week"), tmp_path_factory.mktemp("week"), Random(SEED)
    await migrate(dsn)
    settings = DeskSettings(secret=SECRET, postgres_dsn=dsn, data_dir=folder)
    app = build_app([room(settings)])
    pool = await open_pool(dsn, application="week", size=4)
    try:
        async with app.router.lifespan_context(app):
            staff = await hire(app, pool, rng)
            world = World(pool, staff, bytes.fromhex(SECRET), folder, rng, _next_monday())
            await world.run(REPORTS, DAYS, LONGEST)
            yield Week(pool, staff, world)
    finally:
        await close_pool(pool)
        admin = await asyncpg.connect(postgres_server)
        await admin.execute("DROP DATABASE test_week WITH (FORCE)")
        await admin.close()


def _next_monday() -> datetime:
    """Six o'clock in Jakarta."""
    today = datetime.now(UTC).replace(hour=23, minute=0, second=0, microsecond=0)
    return today + timedelta(days=(6 - today.weekday()) % 7 + 7)


async def test_every_report_ends_in_an_answer(week: Week) -> None:
    assert len(week.world.codes) == REPORTS
    found = Counter[str]()
    for code in week.world.codes.values():
        tracked = await week.staff.citizen.get(f"/reports/{code}")
        assert tracked["incident_id"] and tracked["history"], tracked
        found[tracked["status"]] += 1
    assert set(found) <= {"resolved", "closed", "rejected", "transferred"}, found
    assert found["resolved"] + found["closed"] > REPORTS * 0.8, found
    for done in ("accept", "decline", "complete", "hold", "transfer", "reroute", "triage", "reject", "reopened"):
        assert week.world.done[done], f"nobody did {done}: {week.world.done}"
    refusals = Counter(why[:40] for one in week.staff.officers.values() for why in one.refusals)
    assert refusals.total() < week.world.done["accept"] * 0.1, refusals


async def test_api_database_and_feed_count_the_same(week: Week) -> None:
    rows: list[Any] = []
    cursor: dict[str, str] = {}
    while True:
        page = await week.staff.supervisor.get("/incidents", limit=500, **cursor)
        rows += page["items"]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    by_api = {row["id"]: (row["version"], row["status"], row["report_count"]) for row in rows}
    kept = await week.pool.fetch("SELECT id, version, status, report_count, on_board FROM incident")
    assert by_api == {row["id"]: (row["version"], row["status"], row["report_count"]) for row in kept}
    assert await week.pool.fetchval("SELECT count(*) FROM report") == REPORTS
    assert sum(count for _, status, count in by_api.values() if status != "merged") == REPORTS

    # the feed is what its compacted topic leaves: the last row of each key, in the order in which they go out
    board: dict[str, tuple[int, str, int]] = {}
    sent = await week.pool.fetch(
        "SELECT aggregateid, payload FROM outbox WHERE aggregatetype = $1 AND starts_with(aggregateid, 'incidents:')"
        " ORDER BY seq",
        topics.FEED.name,
    )
    for record in sent:
        key = record["aggregateid"].removeprefix("incidents:")
        if record["payload"] is None:
            board.pop(key)
        else:
            row = msgspec.json.decode(record["payload"])
            board[key] = (row["version"], row["status"], row["report_count"])
    assert board == {row["id"]: by_api[row["id"]] for row in kept if row["on_board"]}

    # each entry of a history is told to other programs once
    told = await week.pool.fetch("SELECT payload FROM outbox WHERE aggregatetype = $1", topics.INCIDENT.name)
    events = Counter(
        (one["incident_id"], one["version"]) for row in told if (one := msgspec.json.decode(row["payload"]))
    )
    history = await week.pool.fetch("SELECT incident_id, version FROM incident_history")
    assert events == Counter((row["incident_id"], row["version"]) for row in history)


async def test_every_escalation_and_due_notice_comes_exactly_once(week: Week) -> None:
    notices = await week.pool.fetch(
        "SELECT incident_id, change, detail FROM incident_history WHERE change IN ('due_soon', 'overdue', 'escalated')"
    )
    assert len(notices) > 10
    twice = [
        key
        for key, times in Counter(
            (row["incident_id"], row["change"], row["detail"].get("clock"), row["detail"].get("due_at"))
            for row in notices
        ).items()
        if times > 1
    ]
    assert not twice, twice
    now = await week.pool.fetchval("SELECT now()")
    assert not await week.pool.fetchval("SELECT count(*) FROM deadline WHERE fired_at IS NULL AND due_at < $1", now)
    # and none is missing: what was resolved late has been called overdue
    silent = await week.pool.fetch(
        "SELECT id FROM incident i WHERE resolved_at > due_at AND status IN ('resolved', 'closed') AND NOT EXISTS ("
        " SELECT FROM incident_history h WHERE h.incident_id = i.id AND h.change = 'overdue'"
        "    AND h.detail->>'clock' = 'resolved')"
    )
    assert not silent, silent
    late = "SELECT count(*) FROM assignment WHERE status = 'offered' AND answer_due_at < $1"
    assert not await week.pool.fetchval(late, now)


async def test_load_and_rest_are_shared_fairly(week: Week) -> None:
    rows = await week.pool.fetch(
        "SELECT officer, accepted_at, coalesce(completed_at, updated_at) AS ended_at, offered_at FROM assignment"
        " WHERE accepted_at IS NOT NULL ORDER BY officer, accepted_at"
    )
    work: dict[str, list[asyncpg.Record]] = {}
    for row in rows:
        work.setdefault(row["officer"], []).append(row)
    # nobody is asked who is at work
    for officer, jobs in work.items():
        for before, after in pairwise(jobs):
            asked_at = after["offered_at"]
            assert not before["accepted_at"] < asked_at < before["ended_at"], f"{officer} was asked at {asked_at}"
    crews: dict[tuple[str, int], list[int]] = {}
    for one in week.staff.officers.values():
        crews.setdefault((one.agency, one.crew), []).append(len(work.get(one.username, ())))
    for crew, loads in crews.items():
        if len(loads) > 1 and mean(loads) >= 5:
            assert max(loads) <= 2 * mean(loads) and min(loads) >= mean(loads) / 2, f"{crew}: {loads}"
    # nobody is asked within 15 minutes of the end of work while it can be helped; where two share a crew it can, mostly
    asked = sum(len(jobs) - 1 for jobs in work.values())
    at_once = sum(
        after["offered_at"] - before["ended_at"] < timedelta(minutes=15)
        for jobs in work.values()
        for before, after in pairwise(jobs)
    )
    assert at_once <= asked * 0.25, f"{at_once} of {asked}"
