"""Deadlines against real PostgreSQL: each fires once, whoever races, dies or lets the clock jump."""

import asyncio
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import msgspec
import pytest

from dispatcher import deadline_store, incident_store, maintenance, policy_store
from dispatcher.clocks import Clocks
from dispatcher.decisions import incident_verbs_hold
from dispatcher.decisions.calendar import OFFICE, FreeDay
from dispatcher.decisions.change import Change
from dispatcher.decisions.incident import Incident, move, new_id
from dispatcher.decisions.policy import DEFAULT_POLICY
from dispatcher.decisions.sla import LADDER, PROMISES, Promise, Span
from infra.postgres import Pool, prepare
from schemas import topics
from schemas.place import AgencyRef
from schemas.vocabulary import AgencyCode, Category, ClockKind, FeedChannel, IncidentStatus, Priority, Regency

S = IncidentStatus
HOUR = timedelta(hours=1)
DISHUB = AgencyRef(regency=Regency.KOTA_BEKASI, agency=AgencyCode.DISHUB)
#: What clocks tell, as far as it is told once.
TOLD = ("due_soon", "overdue", "escalated", "closed", "resumed")


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    """The module's own database, in which nothing is due yet."""
    async with asyncpg.create_pool(database, min_size=2, max_size=12, init=prepare) as opened:
        await opened.execute(
            "DELETE FROM outbox; DELETE FROM deadline; DELETE FROM policy; DELETE FROM incident_history;"
            " DELETE FROM incident_decision; DELETE FROM board_row; DELETE FROM incident"
        )
        yield opened


def incident(status: IncidentStatus = S.ROUTED, *, age: timedelta = timedelta(), **fields: Any) -> Incident:
    """A jam that was reported `age` ago and has stood so since."""
    at = datetime.now(UTC) - age
    ended = status in (S.CLOSED, S.TRANSFERRED)
    given = {
        "id": new_id("INC"),
        "version": 1,
        "category": Category.TRAFFIC_JAM,
        "status": status,
        "priority": Priority.NORMAL,
        "agency": None if status is S.TRIAGE else DISHUB,
        "opened_at": at,
        "updated_at": at,
        "received_at": at,
        "last_report_at": at,
        "confidence": 1.0,
        "resolved_at": at if status in (S.RESOLVED, S.CLOSED) else None,
        "ended_at": at if ended else None,
        **fields,
    }
    return Incident(**given)


async def save(pool: Pool, *changes: Change) -> list[Incident]:
    async with pool.acquire() as connection, connection.transaction():
        return [change.after for change in await incident_store.save(connection, changes)]


async def opened(pool: Pool, *incidents: Incident) -> list[Incident]:
    return await save(pool, *(Change(None, each, ()) for each in incidents))


async def hold(pool: Pool, one: Incident, reason: str, until: timedelta | None = None) -> Incident:
    now = datetime.now(UTC)
    change = incident_verbs_hold.hold(one, reason, (), until=now + until if until else None, actor="tester", now=now)
    return (await save(pool, change))[0]


async def fire_all(clocks: Clocks, most: int = 200) -> int:
    fired = 0
    while count := await clocks.fire_due(most):
        fired += count
    return fired


async def told(pool: Pool, incidents: Sequence[Incident]) -> dict[str, Counter[str]]:
    """How often each clock has said what of each incident: `overdue resolved`, `closed closed` …"""
    rows = await pool.fetch(
        "SELECT incident_id, change, detail FROM incident_history WHERE incident_id = ANY($1) AND change = ANY($2)",
        [one.id for one in incidents],
        list(TOLD),
    )
    found = {one.id: Counter[str]() for one in incidents}
    for row in rows:
        found[row["incident_id"]][f"{row['change']} {row['detail'].get('clock', '')}".strip()] += 1
    return found


#: Everything that a jam which nobody has cared for in a day is told of.
_NEGLECTED = Counter(
    f"{change} {clock}" for clock in ("on_scene", "resolved") for change in ("due_soon", "overdue", "escalated")
)
_UNSEEN = _NEGLECTED + Counter(f"{change} first_look" for change in ("due_soon", "overdue", "escalated"))


async def neglected(pool: Pool, count: int) -> tuple[list[Incident], dict[str, Counter[str]]]:
    """Incidents of every kind that are all late, and what must be told of each: once."""
    age = timedelta(days=2)
    routed = [incident(age=age) for _ in range(count)]
    unseen = [incident(S.TRIAGE, age=age) for _ in range(count)]
    resolved = [incident(S.RESOLVED, age=age) for _ in range(count)]
    there = await opened(pool, *routed, *unseen, *resolved)
    expected = {
        **{one.id: _NEGLECTED for one in routed},
        **{one.id: _UNSEEN for one in unseen},
        **{one.id: Counter({"closed closed": 1}) for one in resolved},
    }
    return there, expected


@pytest.mark.parametrize(
    ("status", "leaves_after"),
    [
        (S.ROUTED, None),
        (S.RESOLVED, 24 * HOUR),
        (S.CLOSED, HOUR),
        (S.TRANSFERRED, HOUR),
    ],
)
def test_a_row_leaves_an_hour_after_the_end_and_a_day_after_resolved(
    status: IncidentStatus, leaves_after: timedelta | None
) -> None:
    one = incident(status)
    assert deadline_store.leaves_board_at(one) == (leaves_after and one.opened_at + leaves_after)


async def test_ended_incidents_leave_the_board_once_however_many_clocks_there_are(pool: Pool) -> None:
    ended = await opened(pool, *(incident(S.TRANSFERRED, age=2 * HOUR) for _ in range(12)))
    (at_work,) = await opened(pool, incident())
    fired = await asyncio.gather(*(fire_all(Clocks(pool), 2) for _ in range(3)))
    assert sum(fired) == 12
    rows = await pool.fetch(
        "SELECT aggregateid, count(*) AS times FROM outbox WHERE type = $1 GROUP BY 1", topics.ROW_REMOVED
    )
    assert {row["aggregateid"]: row["times"] for row in rows} == {f"incidents:{each.id}": 1 for each in ended}
    assert await pool.fetchval("SELECT on_board FROM incident WHERE id = $1", at_work.id)
    assert await pool.fetchval("SELECT version FROM incident WHERE id = $1", ended[0].id) == 1


async def test_every_kind_fires_once_while_workers_race(pool: Pool) -> None:
    there, expected = await neglected(pool, 30)
    held = [await hold(pool, one, "waiting_for_staff", timedelta(seconds=0.01)) for one in await new(pool, 10)]
    await asyncio.gather(*(fire_all(Clocks(pool), most) for most in (7, 50, 200)))
    assert await told(pool, there) == expected
    assert await told(pool, held) == {one.id: Counter({"resumed": 1}) for one in held}
    late = await pool.fetch("SELECT kind FROM deadline WHERE fired_at IS NULL AND due_at < now()")
    assert late == []


async def new(pool: Pool, count: int) -> list[Incident]:
    return await opened(pool, *(incident() for _ in range(count)))


async def test_a_worker_that_is_killed_has_told_nothing_twice_and_leaves_nothing_untold(
    pool: Pool, database: str
) -> None:
    there, expected = await neglected(pool, 20)
    for hit in (1, 12, 33):
        assert await _process(database, f"clocks.in_transaction=kill@{hit}") == -9
    racing = [_process(database, f"clocks.in_transaction=kill@{hit}") for hit in (5, 14)]
    assert set(await asyncio.gather(*racing, _process(database))) >= {0}
    assert await _process(database) == 0
    assert await told(pool, there) == expected


async def _process(database: str, failpoints: str = "", ahead_s: float = 0.0) -> int:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.dispatcher.clock_process",
        database,
        str(ahead_s),
        "9",
        env={**os.environ, "PATRIOT_FAILPOINTS": failpoints},
        stderr=asyncio.subprocess.DEVNULL,
    )
    return await asyncio.wait_for(process.wait(), 60)


async def test_a_clock_that_jumps_ahead_and_back_tells_everything_once(pool: Pool) -> None:
    there = await new(pool, 5)
    assert await fire_all(Clocks(pool)) == 0
    ahead = Clocks(pool, ahead=timedelta(days=2))
    await fire_all(ahead)
    assert await told(pool, there) == {one.id: _NEGLECTED for one in there}
    assert await fire_all(Clocks(pool)) + await fire_all(ahead) == 0
    assert await fire_all(Clocks(pool, ahead=timedelta(days=3))) == 0
    noted, event = move(await reload(pool, there[0]), S.ROUTED, "noted", actor="tester", now=datetime.now(UTC))
    await save(pool, Change(await reload(pool, there[0]), noted, (event,)))
    assert await fire_all(ahead) == 0


async def reload(pool: Pool, one: Incident) -> Incident:
    found = await incident_store.select(pool, one.id)  # type: ignore[arg-type]
    assert found is not None
    return found


async def test_a_ladder_is_climbed_rung_by_rung(pool: Pool) -> None:
    (one,) = await new(pool, 1)
    told_by_then = []
    for minutes in (10, 25, 31, 46, 150, 181, 271):
        await fire_all(Clocks(pool, ahead=timedelta(minutes=minutes)))
        told_by_then.append(sum((await told(pool, [one]))[one.id].values()))
    assert told_by_then == [0, 1, 2, 3, 4, 5, 6]


async def test_what_stands_still_tells_nothing_and_goes_on_where_it_was(pool: Pool) -> None:
    there = await opened(pool, *(incident(age=timedelta(minutes=26)) for _ in range(2)))
    await fire_all(Clocks(pool))
    assert all(found == Counter({"due_soon on_scene": 1}) for found in (await told(pool, there)).values())
    held = await hold(pool, await reload(pool, there[0]), "unsafe")
    await fire_all(Clocks(pool, ahead=timedelta(minutes=5)))
    assert (await told(pool, there))[held.id] == Counter({"due_soon on_scene": 1})
    assert (await told(pool, there))[there[1].id] == Counter({"due_soon on_scene": 1, "overdue on_scene": 1})
    row = await pool.fetchrow(
        "SELECT payload FROM outbox WHERE aggregateid = $1 ORDER BY seq DESC", f"{FeedChannel.INCIDENTS}:{held.id}"
    )
    assert msgspec.json.decode(row["payload"])["due_at"] is None
    resumed = incident_verbs_hold.resume(held, actor="tester", now=datetime.now(UTC) + timedelta(minutes=30))
    await save(pool, resumed)
    await fire_all(Clocks(pool, ahead=timedelta(minutes=20)))
    assert (await told(pool, there))[held.id] == Counter({"due_soon on_scene": 1, "resumed": 1})
    await fire_all(Clocks(pool, ahead=timedelta(minutes=36)))
    assert (await told(pool, there))[held.id] == Counter({"due_soon on_scene": 1, "overdue on_scene": 1, "resumed": 1})


async def test_work_that_goes_on_stops_the_deadline_and_an_end_sets_it_anew(pool: Pool) -> None:
    (first,) = await opened(pool, incident(S.RESOLVED))
    again = msgspec.structs.replace(first, version=2, status=S.ROUTED)
    closed = msgspec.structs.replace(first, version=3, status=S.CLOSED, ended_at=first.resolved_at)
    dues = [await leaves_at(pool, first)]
    for before, after in ((first, again), (again, closed)):
        await save(pool, Change(before, after, ()))
        dues.append(await leaves_at(pool, first))
    assert first.resolved_at is not None
    assert dues == [first.resolved_at + 24 * HOUR, None, first.resolved_at + HOUR]


async def leaves_at(pool: Pool, one: Incident) -> datetime | None:
    found: datetime | None = await pool.fetchval(
        "SELECT due_at FROM deadline WHERE incident_id = $1 AND kind = 'leave_board' AND fired_at IS NULL", one.id
    )
    return found


async def test_one_that_fails_keeps_no_other_waiting(pool: Pool) -> None:
    there, expected = await neglected(pool, 3)
    await pool.execute(
        "INSERT INTO deadline (incident_id, kind, due_at) VALUES ($1, 'no_such_kind', now() - interval '9 days')",
        there[0].id,
    )
    clocks = Clocks(pool)
    while await clocks.fire_due():
        pass
    assert await told(pool, there) == expected
    postponed = await pool.fetchrow(
        "SELECT due_at > now() AS later, fired_at FROM deadline WHERE kind = 'no_such_kind'"
    )
    assert (postponed["later"], postponed["fired_at"]) == (True, None)


async def test_who_commands_an_incident_is_not_waited_for(pool: Pool) -> None:
    there, expected = await neglected(pool, 2)
    clocks = Clocks(pool)
    async with pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await incident_store.select_for_update(connection, [there[0].id])
        await asyncio.wait_for(fire_all(clocks), 10)
        found = await told(pool, there)
        assert found.pop(there[0].id) == Counter()
        assert found == {key: value for key, value in expected.items() if key != there[0].id}
        await transaction.rollback()
    await fire_all(clocks)
    assert await told(pool, there) == expected


# What the city decides anew -----------------------------------------------------------------------------------------


async def put(pool: Pool, part: str, value: object) -> int:
    async with pool.acquire() as connection, connection.transaction():
        return await policy_store.put(connection, part, value, by="tester")


async def sweep(clocks: Clocks, most: int = 200) -> int:
    swept = 0
    while count := await clocks.sweep(most):
        swept += count
    return swept


async def changes_of(pool: Pool, one: Incident) -> list[str]:
    rows = await pool.fetch("SELECT change FROM incident_history WHERE incident_id = $1 ORDER BY version", one.id)
    return [row["change"] for row in rows]


async def test_a_holiday_that_is_decreed_moves_what_is_open(pool: Pool, database: str) -> None:
    roads = await opened(pool, *(incident(category=Category.ROAD_DAMAGE) for _ in range(25)))
    (jam,) = await new(pool, 1)
    today = datetime.now(UTC).date()
    decreed = tuple(FreeDay(day=today + timedelta(days=n), name="libur") for n in range(12))
    free = {day.day for day in decreed}
    office = msgspec.structs.replace(
        OFFICE, free_days=(*(day for day in OFFICE.free_days if day.day not in free), *decreed)
    )
    version = await put(pool, "calendars", {"office": office})
    # Killed in the middle it goes on where it was.
    assert await _process(database, "clocks.in_transaction=kill@12") == -9
    assert await _process(database) == 0
    policy = msgspec.structs.replace(DEFAULT_POLICY, calendars={"office": office}, times_version=version)
    for one in roads:
        due_at = policy.due(one.opened_at, ClockKind.RESOLVED, one.category, one.priority, one.agency)
        now = await reload(pool, one)
        assert (now.due_at, now.policy_version) == (due_at, version)
        assert await changes_of(pool, one) == ["rescheduled"]
        rungs = await pool.fetchval(
            "SELECT rungs FROM deadline WHERE incident_id = $1 AND kind = 'resolved' AND fired_at IS NULL", one.id
        )
        assert rungs[1] == due_at
    assert await changes_of(pool, jam) == []
    assert (await reload(pool, jam)).policy_version == version
    assert await sweep(Clocks(pool)) == 0


async def test_what_was_saved_by_the_older_policy_meanwhile_is_found_too(pool: Pool) -> None:
    (early,) = await new(pool, 1)
    version = await put(pool, "promises", (_hour(), *PROMISES))
    async with pool.acquire() as connection, connection.transaction():
        # as a batch does that has read the policy before
        (late,) = await incident_store.save(connection, [Change(None, incident(), ())], DEFAULT_POLICY)
    assert late.after.policy_version == 0
    assert await sweep(Clocks(pool), 1) == 2
    for one in (early, late.after):
        now = await reload(pool, one)
        assert (now.due_at, now.policy_version) == (one.opened_at + HOUR, version)


def _hour() -> Promise:
    return Promise(clock=ClockKind.RESOLVED, within=Span(minutes=60), ladder=LADDER)


async def test_a_promise_that_is_broken_by_being_shortened_is_told_at_once_and_once(pool: Pool) -> None:
    (one,) = await opened(pool, incident(age=timedelta(minutes=70), on_scene_at=datetime.now(UTC)))
    await fire_all(Clocks(pool))
    assert await told(pool, [one]) == {one.id: Counter()}
    await put(pool, "promises", (_hour(), *PROMISES))
    await sweep(Clocks(pool))
    await fire_all(Clocks(pool))
    assert (await told(pool, [one]))[one.id] == Counter({"due_soon resolved": 1, "overdue resolved": 1})
    await put(pool, "promises", PROMISES)
    await sweep(Clocks(pool))
    await fire_all(Clocks(pool))
    assert sum((await told(pool, [one]))[one.id].values()) == 2
    # What was told of the shorter promise is told again of the longer one, when its own time comes.
    await fire_all(Clocks(pool, ahead=timedelta(minutes=111)))
    assert (await told(pool, [one]))[one.id] == Counter({"due_soon resolved": 2, "overdue resolved": 2})


async def test_rules_that_go_live_move_no_due_time(pool: Pool) -> None:
    (one,) = await new(pool, 1)
    await put(pool, "staffing", ())
    assert await sweep(Clocks(pool)) == 0
    assert (await reload(pool, one)).policy_version == 0


async def test_what_an_older_release_has_saved_gets_its_clocks_without_a_word(pool: Pool) -> None:
    (one,) = await new(pool, 1)
    await pool.execute("DELETE FROM deadline")
    await pool.execute(
        "UPDATE incident SET policy_version = -1, on_scene_due_at = NULL, looked_at = NULL WHERE id = $1", one.id
    )
    assert await sweep(Clocks(pool)) == 1
    now = await reload(pool, one)
    assert (now.on_scene_due_at, now.looked_at, now.version) == (one.on_scene_due_at, None, one.version)
    kinds = await pool.fetch("SELECT kind FROM deadline WHERE fired_at IS NULL ORDER BY kind")
    assert [row["kind"] for row in kinds] == ["on_scene", "resolved"]
    assert await changes_of(pool, one) == []


async def test_a_batch_of_incidents_has_its_deadlines_in_one_statement(pool: Pool) -> None:
    statements: list[str] = []
    async with pool.acquire() as connection, connection.transaction():
        connection.add_query_logger(lambda record: statements.append(record.query))
        changes = [Change(None, incident(S.TRIAGE), ()) for _ in range(50)]
        await incident_store.save(connection, [replace(change) for change in changes], DEFAULT_POLICY)
    assert sum("deadline" in statement for statement in statements) == 1


async def test_what_was_told_long_ago_is_not_told_again_while_it_is_open(pool: Pool) -> None:
    there, expected = await neglected(pool, 1)
    await fire_all(Clocks(pool))
    await pool.execute("UPDATE deadline SET fired_at = now() - interval '40 days'")
    async with pool.acquire() as connection:
        await maintenance.sweep(connection)
    await put(pool, "promises", PROMISES)
    await sweep(Clocks(pool))
    await fire_all(Clocks(pool))
    assert await told(pool, there) == expected
    await pool.execute("UPDATE incident SET ended_at = now() - interval '40 days' WHERE status = 'closed'")
    await pool.execute("UPDATE deadline SET fired_at = now() - interval '40 days'")
    async with pool.acquire() as connection:
        await maintenance.sweep(connection)
    left = await pool.fetch("SELECT DISTINCT i.status FROM deadline d JOIN incident i ON i.id = d.incident_id")
    assert {row["status"] for row in left} == {"routed", "triage"}
