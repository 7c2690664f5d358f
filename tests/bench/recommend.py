"""Chapter: whom to send, among very many officers: what one recommendation costs, the reading of its rows included.

The officers and their roster are rows put into PostgreSQL; the recommendation is the desk's own, through
the role that row-level security binds.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

import asyncpg
import psutil

from dispatcher import choosing
from dispatcher.decisions.recommend import Recommendation, Task, recommend
from dispatcher.desk import reach
from dispatcher.desk.database import Database
from infra.access import Principal
from infra.local.stack import Stack
from infra.migrate import migrate
from infra.postgres import close_pool, open_pool
from infra.postgres_roles import grant
from schemas.place import AgencyRef
from schemas.vocabulary import Role
from tests.bench.machine import Noise, cpu_s
from tests.bench.row import Goal, Row, Section

TITLE: Final = "Recommendations"
OFFICERS: Final = 2_000
_AGENCY: Final = AgencyRef.parse("32.75/DISHUB")
_TASK: Final = Task(
    str(_AGENCY), -6.2253, 107.0010, "32.75.03", reach=timedelta(minutes=30), skills=frozenset({"derek"})
)
_GOAL_MS: Final = 20.0
_LISTED: Final = 10

_FILL: Final = """
INSERT INTO account (username, display_name, role, password_hash, agencies)
SELECT 'bench-' || n, 'Petugas ' || n, 'officer', '', ARRAY['32.75/DISHUB']
  FROM generate_series(1, {officers}) AS s (n);
INSERT INTO officer (username, name, regency, agency, status, lat, lon, position_at, skills, open_offers, accepted_on,
                     accepted_count, work_ended_at)
SELECT 'bench-' || n, 'Petugas ' || n, '32.75', 'DISHUB', 'available',
       -6.40 + 0.25 * (n * 0.6180339887 - floor(n * 0.6180339887)),
       106.90 + 0.15 * (n * 0.7548776662 - floor(n * 0.7548776662)),
       now() - make_interval(secs => n % 1500), ARRAY['derek'], (n % 4 = 0)::int,
       (now() AT TIME ZONE 'Asia/Jakarta')::date, n % 5, now() - make_interval(mins => n % 90)
  FROM generate_series(1, {officers}) AS s (n);
INSERT INTO shift (id, officer, starts_at, ends_at, kecamatan, put_by)
SELECT 'SHF-' || n || '-' || day, 'bench-' || n, date_trunc('day', now()) + make_interval(days => day),
       date_trunc('day', now()) + make_interval(days => day + 1), NULL, 'bench'
  FROM generate_series(1, {officers}) AS s (n), generate_series(-15, 15) AS d (day);
ANALYZE
"""


@dataclass(frozen=True)
class Measured:
    """What one recommendation took, in seconds: CPU of ours, CPU of PostgreSQL, and by the clock."""

    ours: float
    postgres: float
    clock: float


async def run(folder: Path, rounds: int, noise: Noise, officers: int = OFFICERS, repeats: int = 100) -> Section:
    """The chapter."""
    section = Section(TITLE)
    people = {
        "shift lead": Principal(name="lead", role=Role.SUPERVISOR),
        "agency dispatcher": Principal(name="dispatcher", role=Role.DISPATCHER, agencies=(_AGENCY,)),
    }
    found: dict[str, list[Measured]] = {who: [] for who in people}
    async with Stack(folder / "recommend") as stack:
        await fill(stack.postgres.dsn, officers)
        pool = await open_pool(stack.postgres.dsn, application="bench", size=1, role=reach.DATABASE_ROLE)
        assert stack.postgres.child is not None
        server = psutil.Process(stack.postgres.child.pid)
        for number in range(rounds):
            noise.listen()
            for who in list(people)[:: 1 if number % 2 == 0 else -1]:
                database = Database(pool).acting(reach.of_principal(people[who]))
                await measure(database, server, 3)
                found[who].append(await measure(database, server, repeats))
        await close_pool(pool)
    section.settings = [
        f"{officers:,} available officers of one agency, each with a position, work of today and a month of shifts; "
        f"the {_LISTED} best with their reasons",
        f"mean of {repeats} in turn on one connection, as the desk does it: a snapshot, the rows of all officers under "
        "row-level security, and the ranking",
    ]
    for who, those in found.items():
        section.rows += [
            Row(f"{who}: our CPU", "ms", _ms(one.ours for one in those)),
            Row(f"{who}: PostgreSQL's CPU", "ms", _ms(one.postgres for one in those)),
            Row(
                f"{who}: CPU of both",
                "ms",
                _ms(one.ours + one.postgres for one in those),
                "",
                Goal("most", _GOAL_MS),
            ),
            Row(f"{who}: by the clock", "ms", _ms(one.clock for one in those)),
        ]
    return section


def _ms(seconds: Iterable[float]) -> tuple[float, ...]:
    return tuple(one * 1000 for one in seconds)


async def fill(dsn: str, officers: int) -> None:
    """A database with so many officers and their work."""
    await migrate(dsn)
    connection = await asyncpg.connect(dsn)
    try:
        await grant(connection)
        for statement in _FILL.format(officers=officers).split(";"):
            await connection.execute(statement, timeout=300)
    finally:
        await connection.close()


async def recommendation(database: Database) -> Recommendation:
    """Whom to send to one of the incidents."""
    async with database.snapshot() as connection:
        now = await connection.fetchval("SELECT clock_timestamp()")
        candidates = await choosing.candidates(connection, _AGENCY, now, (), skills=_TASK.skills)
        found = recommend(candidates, _TASK, most=_LISTED)
        await choosing.select_listed(connection, [choice.username for choice in found.ranked])
    return found


async def measure(database: Database, server: psutil.Process, repeats: int) -> Measured:
    """The mean of so many."""
    pids = [server.pid, *(child.pid for child in server.children(recursive=True))]
    postgres, ours, clock = cpu_s(pids), time.process_time(), time.perf_counter()
    for _ in range(repeats):
        found = await recommendation(database)
        if len(found.ranked) != _LISTED:
            raise RuntimeError(f"{len(found.ranked)} officers were recommended instead of {_LISTED}")
    return Measured(
        (time.process_time() - ours) / repeats,
        (cpu_s(pids) - postgres) / repeats,
        (time.perf_counter() - clock) / repeats,
    )
