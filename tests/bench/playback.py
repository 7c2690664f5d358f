"""Chapter: how long it takes to show the board as it was at any moment of a long history."""

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import asyncpg
import httpx
import msgspec

from dispatcher.desk import accounts, sessions
from infra.local.stack import Stack
from infra.migrate import migrate
from infra.postgres import connect
from schemas.vocabulary import Role
from tests.bench.machine import Noise
from tests.bench.row import Goal, Row, Section, percentile
from tests.faults.process import Service

TITLE: Final = "Playback"
_INCIDENTS: Final = 100_000
_GOAL_MS: Final = 500.0
_DAYS: Final = 60
_MOMENTS: Final = 40
#: Rows that one incident had while it was on the board.
_VERSIONS: Final = 6
_AT_ONCE: Final = 20_000

# Evenly over 60 days: half of them on the board for 2 h, four in ten for a day, one in ten for ten days.
_STAYS: Final = """
INSERT INTO board_stay (incident_id, during)
SELECT 'bench-' || n, tstzrange(began, CASE WHEN ends < now() THEN ends END)
  FROM (SELECT n, began, began + CASE WHEN n % 10 = 0 THEN interval '10 days' WHEN n % 10 < 5 THEN interval '1 day'
                                      ELSE interval '2 hours' END AS ends
          FROM (SELECT n, now() - make_interval(secs => $3::float8 * (1 - n / $4::float8)) AS began
                  FROM generate_series($1::bigint, $2::bigint) AS s (n)) AS of_all) AS stays
"""
_ROWS: Final = """
INSERT INTO board_row (incident_id, at, agencies, kecamatan, kelurahan, row)
SELECT incident_id, lower(during) + (coalesce(upper(during), now()) - lower(during)) * (v / $3::float8),
       ARRAY['32.75/DLH'], '32.75.04', NULL,
       convert_to(replace(replace($4, 'ID', incident_id), '"version":0', '"version":' || v + 1), 'UTF8')
  FROM board_stay CROSS JOIN generate_series(0, $3::int - 1) AS s (v)
 WHERE substr(incident_id, 7)::bigint BETWEEN $1 AND $2
"""
_ROW: Final = (
    '{"id":"ID","version":0,"category":"illegal_dumping","title":"Sampah liar · Jalan Ahmad Yani, Bekasi Selatan",'
    '"status":"in_progress","priority":"normal","agency":"DLH","regency":"32.75","kecamatan":"32.75.04",'
    '"kelurahan":"32.75.04.1002","lat":-6.24321,"lon":106.99123,"address":"Jalan Ahmad Yani, Bekasi Selatan",'
    '"opened_at":"2026-11-20T08:00:00Z","updated_at":"2026-11-20T09:12:31.123456Z",'
    '"received_at":"2026-11-20T08:00:00.123Z","due_at":"2026-11-24T10:00:00Z","report_count":3,'
    '"sources":["app","call_center"],"confidence":0.93,"officers":[{"id":"dlh-sari","name":"Sari Wulandari",'
    '"status":"en_route"}],"photo_url":"/api/v1/photos/0123456789abcdef0123456789abcdef-1"}'
)


class _Board(msgspec.Struct):
    """What is looked at of an answer."""

    at: datetime
    items: list[msgspec.Raw]


@dataclass(frozen=True)
class Measured:
    """One round: seconds of each answer, and how many rows it held."""

    seconds: Sequence[float]
    rows: Sequence[int]


async def run(folder: Path, rounds: int, noise: Noise, incidents: int = _INCIDENTS, moments: int = _MOMENTS) -> Section:
    """The chapter: one history, of which each round asks for other moments."""
    section, found = Section(TITLE), []
    async with Stack(folder / "playback", kafka=False) as stack:
        await migrate(stack.postgres.dsn)
        await _fill(stack.postgres.dsn, incidents)
        token = await sign_in(stack.postgres.dsn)
        environment = {"PATRIOT_POSTGRES_DSN": stack.postgres.dsn, "PATRIOT_DATA_DIR": str(folder)}
        with Service("desk", folder, "PATRIOT_PORT", environment) as desk:
            await asyncio.to_thread(desk.start)
            for number in range(rounds):
                noise.listen()
                found.append(await measure(desk.url, token, moments, random.Random(number)))
    section.settings = [
        f"{incidents:,} incidents over {_DAYS} days, each with {_VERSIONS} rows that went to the board: half of them "
        "on it for two hours, four in ten for a day, one in ten for ten days; put into PostgreSQL directly",
        f"{moments} random moments of it a round, asked of one `patriot desk` by HTTP, one after the other, until the "
        "whole answer is there; the first and the last moment among them",
    ]
    section.rows = [
        Row("a moment, p50", "ms", tuple(percentile(one.seconds, 0.5) * 1000 for one in found)),
        Row(
            "a moment, the slowest",
            "ms",
            tuple(max(one.seconds) * 1000 for one in found),
            "any moment of the history",
            Goal("most", _GOAL_MS),
        ),
        Row("rows of a moment, p50", "", tuple(float(percentile(one.rows, 0.5)) for one in found)),
        Row("rows of a moment, the most", "", tuple(float(max(one.rows)) for one in found)),
    ]
    return section


async def measure(url: str, token: str, moments: int, chance: random.Random) -> Measured:
    """Ask for so many moments."""
    seconds, rows = [], []
    shares = [0.001, 0.999, *(chance.random() for _ in range(moments - 2))]
    async with httpx.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=30) as http:
        now = msgspec.json.decode((await http.get("/api/v1/board")).content, type=_Board).at
        for share in shares:
            at = now - timedelta(days=_DAYS) * share
            start = time.perf_counter()
            answer = await http.get("/api/v1/board", params={"at": at.isoformat()})
            answer.raise_for_status()
            seconds.append(time.perf_counter() - start)
            rows.append(len(msgspec.json.decode(answer.content, type=_Board).items))
    return Measured(seconds, rows)


async def _fill(dsn: str, incidents: int) -> None:
    database = await asyncpg.connect(dsn)
    for first in range(0, incidents, _AT_ONCE):
        last = min(first + _AT_ONCE, incidents) - 1
        await database.execute(_STAYS, first, last, _DAYS * 86_400.0, incidents)
        await database.execute(_ROWS, first, last, _VERSIONS, _ROW)
    for table in ("board_stay", "board_row"):
        await database.execute(f"VACUUM ANALYZE {table}")
    await database.execute("CHECKPOINT")
    await database.close()


async def sign_in(dsn: str) -> str:
    """An operator's token."""
    database = await connect(dsn, application="bench")
    await accounts.add(database, accounts.account("bench", Role.OPERATOR), "kata-sandi-ujian")
    token = await sessions.open_session(database, "bench")
    await database.close()
    return token
