"""Chapter: the operators' list with its filters, over a million incidents, against a bare indexed select."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import asyncpg
import httpx

from infra.local.stack import Stack
from infra.migrate import migrate
from tests.bench.machine import Noise
from tests.bench.playback import sign_in
from tests.bench.rounds import rotated
from tests.bench.row import Goal, Row, Section, percentile
from tests.faults.process import Service

TITLE: Final = "List"
_INCIDENTS: Final = 1_000_000
_ASKED: Final = 30
_PAGE: Final = 50
_AT_ONCE: Final = 100_000
_GOAL: Final = 3.0

# Nine in ten are closed; two years, eight categories, four agencies of two governments, twelve kecamatan.
_FILL: Final = """
INSERT INTO incident (id, version, category, title, status, priority, regency, agency, kecamatan, kelurahan, lat, lon,
                      place_precision, opened_at, updated_at, received_at, last_report_at, due_at, ended_at,
                      report_count, sources, confidence, evidence, policy_version)
SELECT 'bench-' || n, 3,
       (ARRAY['traffic_jam', 'illegal_dumping', 'road_damage', 'flood', 'street_light', 'public_wifi', 'crowding',
              'other'])[1 + n % 8],
       'Sampah liar · Jalan Ahmad Yani nomor ' || n,
       CASE WHEN n % 10 = 0 THEN (ARRAY['triage', 'routed', 'assigned', 'in_progress'])[1 + n / 10 % 4]
            ELSE 'closed' END,
       (ARRAY['low', 'normal', 'high', 'critical'])[1 + n / 7 % 4],
       (ARRAY['32.75', '32.16'])[1 + n % 2], (ARRAY['DISHUB', 'DLH', 'DBMSDA', 'SATPOL_PP'])[1 + n / 3 % 4],
       '32.75.' || lpad((1 + n % 12)::text, 2, '0'), NULL,
       -6.40 + 0.33 * (n * 0.6180339887 - floor(n * 0.6180339887)),
       106.93 + 0.21 * (n * 0.7548776662 - floor(n * 0.7548776662)),
       'exact', at, at, at, at, at + interval '4 days', CASE WHEN n % 10 <> 0 THEN at END,
       1, ARRAY['app'], 0.9, 1.0, 0
  FROM (SELECT n, now() - make_interval(secs => (n * 7919::bigint % 63072000)::float8) AS at
          FROM generate_series($1::bigint, $2::bigint) AS s (n)) AS spread
"""
#: What is asked of the desk, by its name on the page.
_FILTERS: Final = {
    "the newest": {},
    "an agency's": {"regency": "32.75", "agency": "DLH"},
    "open ones": {"status": "open"},
    "open ones of an agency": {"status": "open", "regency": "32.16", "agency": "DISHUB"},
    "of a kecamatan and category": {"kecamatan": "32.75.03", "category": "illegal_dumping"},
    "in a box": {"bbox": "106.98,-6.26,107.02,-6.22", "status": "open"},
    "overdue": {"overdue": "true"},
    "critical ones": {"priority": "critical", "status": "open"},
}
#: The same page of rows by the index alone, on a connection that is open, in a form that needs no more work.
_BARE: Final = (
    "SELECT id, version, category, title, status, priority, regency, agency, kecamatan, lat, lon, opened_at, updated_at"
    f" FROM incident WHERE regency = '32.75' AND agency = 'DLH' ORDER BY updated_at DESC, id DESC LIMIT {_PAGE}"
)


@dataclass(frozen=True)
class Measured:
    """Seconds of each answer."""

    seconds: Sequence[float]


async def run(folder: Path, rounds: int, noise: Noise, incidents: int = _INCIDENTS, asked: int = _ASKED) -> Section:
    """The chapter: bare select and each filter take turns."""
    found: dict[str, list[Measured]] = {}
    async with Stack(folder / "list", kafka=False) as stack:
        await migrate(stack.postgres.dsn)
        await _fill(stack.postgres.dsn, incidents)
        token = await sign_in(stack.postgres.dsn)
        environment = {"PATRIOT_POSTGRES_DSN": stack.postgres.dsn, "PATRIOT_DATA_DIR": str(folder)}
        with Service("desk", folder, "PATRIOT_PORT", environment) as desk:
            await asyncio.to_thread(desk.start)
            for _, name in rotated(["", *_FILTERS], rounds):
                noise.listen()
                one = await (_bare(stack.postgres.dsn, asked) if not name else _desk(desk.url, token, name, asked))
                found.setdefault(name, []).append(one)
    return _section(found, incidents, asked)


def _section(found: dict[str, list[Measured]], incidents: int, asked: int) -> Section:
    section = Section(TITLE)
    section.settings = [
        f"{incidents:,} incidents of two years, one in ten open; pages of {_PAGE}, {asked} of each filter a round, one "
        "after the other, by HTTP from `patriot desk` as an operator, until the whole answer is there",
        "bare: the rows of one agency by their index, with asyncpg on an open connection: no HTTP, no session, no "
        "scope, no JSON",
    ]
    bare = tuple(percentile(one.seconds, 0.95) * 1000 for one in found[""])
    section.rows = [Row("bare indexed select, p95", "ms", bare)]
    worst = [0.0] * len(bare)
    for name in _FILTERS:
        p95 = tuple(percentile(one.seconds, 0.95) * 1000 for one in found[name])
        worst = [max(pair) for pair in zip(worst, p95, strict=True)]
        section.rows.append(Row(f"{name}, p95", "ms", p95))
    against = tuple(a / b for a, b in zip(worst, bare, strict=True))
    section.rows.append(Row("the slowest filter against bare, p95", "×", against, "", Goal("most", _GOAL)))
    return section


async def _bare(dsn: str, asked: int) -> Measured:
    database = await asyncpg.connect(dsn)
    seconds = []
    for _ in range(asked):
        start = time.perf_counter()
        rows = await database.fetch(_BARE)
        seconds.append(time.perf_counter() - start)
        assert rows
    await database.close()
    return Measured(seconds)


async def _desk(url: str, token: str, name: str, asked: int) -> Measured:
    seconds = []
    async with httpx.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=30) as http:
        for _ in range(asked):
            start = time.perf_counter()
            answer = await http.get("/api/v1/incidents", params={**_FILTERS[name], "limit": _PAGE})
            answer.raise_for_status()
            seconds.append(time.perf_counter() - start)
    return Measured(seconds)


async def _fill(dsn: str, incidents: int) -> None:
    database = await asyncpg.connect(dsn)
    for first in range(0, incidents, _AT_ONCE):
        await database.execute(_FILL, first, min(first + _AT_ONCE, incidents) - 1)
    await database.execute("VACUUM ANALYZE incident")
    await database.execute("CHECKPOINT")
    await database.close()
