"""One fault under load: calm, strike, heal, recover, drain, verdict. A row of what came of it.

To add a fault, write an async function and put it into a list that `matrix.py` collects:

    async def cut(field: Field, rng: Random) -> None:       # strikes, and has healed when it comes back
        field.postgres_proxy.cut()
        await asyncio.sleep(3)

    FAULTS = [Fault("connections cut", goal_s=2, strike=cut, ground=Ground.PROXIED)]

`strike` is called a second after the load has begun, and the load goes on until the city has recovered. What it
returns is since when recovery counts (`asyncio.get_running_loop().time()`): for a kill the moment of the kill. None:
since it came back. It need not start again what it has killed, though it may: `field.whole()` does so before recovery
is waited for. What it may use of the field is in `field.Field`; the load itself is `field.load`, `rng` that of the
seed. What else it finds wrong it adds to `field.load.surprises`.
"""

import asyncio
import os
import platform
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from random import Random
from typing import Final

import asyncpg
import httpx
import msgspec

from tests.faults import checker, ledger
from tests.faults.checker import Verdict
from tests.faults.field import PATIENCE_S, Field
from tests.faults.ledger import Outcome
from tests.faults.load import Load, Sent, word
from tests.faults.onlookers import Manner, Onlooker, snapshot
from tests.faults.reading import Reading

_CALM_S: Final = 1.0
#: The city has recovered when this many reports, the first sent after the fault, are on the wall.
_THROUGH: Final = 10
_CHANNELS: Final = ("incidents",)
_EXAMPLES: Final = 5


class Ground(StrEnum):
    """Which field a fault needs."""

    #: Services reach Kafka and PostgreSQL themselves.
    DIRECT = "direct"
    #: Through `field.kafka_proxy` and `field.postgres_proxy`.
    PROXIED = "proxied"
    #: `patriot up` itself.
    CITY = "city"
    #: `three_brokers.FieldOfThree`.
    THREE_BROKERS = "three brokers"


Strike = Callable[[Field, Random], Awaitable[float | None]]


@dataclass(frozen=True)
class Fault:
    """What is done to the city, and in how many seconds it should be itself again (a goal, not a promise)."""

    name: str
    goal_s: float
    strike: Strike
    ground: Ground = Ground.DIRECT


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one fault."""

    fault: str
    seed: int
    at: datetime
    machine: str
    #: Load average of the last minute: what else the machine does, ours included.
    load: float
    goal_s: float
    #: Since the end of the fault (a kill: since the kill) until the first ten reports sent afterwards were on the wall
    #: and on their tracking pages.
    recovered_s: float
    #: Until everything acknowledged had its effect and nothing waited in the outbox.
    drained_s: float
    reports: int
    readings: int
    ok: int
    refused: int
    unknown: int
    lost: int
    ghosts: int
    doubled: int
    gaps: int
    reordered: int
    #: Answers that nobody should get, and what else was wrong.
    surprises: int
    #: Some of the findings, in words.
    findings: list[str]

    @property
    def clean(self) -> bool:
        return not (self.lost or self.ghosts or self.doubled or self.gaps or self.reordered or self.surprises)

    def __str__(self) -> str:
        found = "clean" if self.clean else "NOT CLEAN: " + "; ".join(self.findings)
        return (
            f"{self.fault}: {found} ({self.ok} ok, {self.refused} refused, {self.unknown} unknown;"
            f" recovered {self.recovered_s:.1f} s of {self.goal_s:g}, drained {self.drained_s:.1f} s)"
        )


async def run(field: Field, fault: Fault, seed: int) -> Row:
    """Let the fault strike the field under load, and judge. Raises AssertionError when the city does not come back."""
    mark = word(seed) + word(time.time_ns() // 10_000_000 % 26**4)
    load = field.load = Load(field, mark, Random(f"{seed} {fault.name} load"))
    onlookers = [
        Onlooker(manner, [field.feed_url], field.ticket, _CHANNELS, chance=Random(f"{seed} {manner}"))
        for manner in Manner
    ]
    try:
        async with AsyncExitStack() as opened:
            reading = await opened.enter_async_context(Reading(field.dsn, field.bootstrap))
            before, letters = await reading.versions(), await reading.last_letter()
            for onlooker in onlookers:
                await opened.enter_async_context(onlooker)
            load.begin()
            await asyncio.sleep(_CALM_S)
            since = await fault.strike(field, Random(f"{seed} {fault.name}")) or asyncio.get_running_loop().time()
            await field.whole()
            recovered_s = await _recovered(field, reading, onlookers[0], since)
            await load.end(PATIENCE_S)
            await _drained(load, reading, before, letters)
            drained_s = asyncio.get_running_loop().time() - since
            verdict = await _judge(field, reading, onlookers, before, letters)
    finally:
        await load.close()
    return _row(fault, seed, load, recovered_s, drained_s, verdict)


async def _recovered(field: Field, reading: Reading, onlooker: Onlooker, since: float) -> float:
    """Seconds until what was sent first after `since` had gone all the way."""
    loop, load = asyncio.get_running_loop(), field.load
    deadline = loop.time() + PATIENCE_S
    incidents: dict[str, str] = {}
    shown = 0
    first: list[Sent] | None = None
    while first is None or shown < len(first):
        await asyncio.sleep(0.05)
        assert loop.time() < deadline, (
            f"not recovered in {PATIENCE_S:.0f} s: {len(first or ())} acknowledged, {len(incidents)} stored,"
            f" {shown} shown\n{field.trouble()}"
        )
        if (first := load.first_after(since, _THROUGH)) is None:
            continue
        try:
            incidents = await reading.incidents_of([one.report_id for one in first])
        except (OSError, TimeoutError, asyncpg.PostgresError):
            continue
        rows = onlooker.told.rows.get("incidents", {})
        shown = sum(incidents.get(one.report_id) in rows for one in first)
    async with httpx.AsyncClient(base_url=field.desk_url, timeout=5, verify=False) as http:
        while not await _is_tracked(http, first[0].tracking_code):
            await asyncio.sleep(0.1)
            assert loop.time() < deadline, f"the desk did not recover:\n{field.trouble()}"
    return loop.time() - since


async def _is_tracked(http: httpx.AsyncClient, code: str) -> bool:
    try:
        answer = await http.get(f"/api/v1/reports/{code}")
    except httpx.HTTPError:
        return False
    return answer.status_code == 200 and answer.json()["incident_id"] is not None


async def _drained(load: Load, reading: Reading, before: dict[str, int], letters: int) -> None:
    """Wait until everything acknowledged has its effect; what never comes is the verdict's to name."""
    deadline = asyncio.get_running_loop().time() + PATIENCE_S
    entries = ledger.read(load.ledger.path)
    reports = {identity for entry in entries if entry.wish.kind == "report" for identity in entry.identities}
    readings = {each for entry in entries if entry.acknowledged for each in entry.wish.readings}
    poison = {identity for entry in entries if entry.wish.kind == "poison" for identity in entry.identities}
    while asyncio.get_running_loop().time() < deadline:
        found = await reading.stored(load.mark, before, letters)
        if (
            reports <= {id_ for _, id_, _ in found.reports}
            and reports <= found.contacts
            and readings <= found.readings
            and poison <= set(found.set_aside)
            and found.outbox == 0
        ):
            return
        await asyncio.sleep(0.2)


async def _judge(
    field: Field, reading: Reading, onlookers: list[Onlooker], before: dict[str, int], letters: int
) -> Verdict:
    load = field.load
    topics = await reading.topics(load.mark)
    found = await asyncio.gather(*(onlooker.findings(field.feed_url) for onlooker in onlookers))
    for one in found:
        load.surprises.extend(f"{one.manner}: {sentence}" for sentence in one.broken)
    fresh = await snapshot(field.feed_url, field.ticket, _CHANNELS)
    return checker.judge(
        ledger.read(load.ledger.path),
        await reading.stored(load.mark, before, letters),
        topics,
        [checker.Seen(one.manner, [*one.gaps, *one.stale], one.reordered) for one in found],
        {key: row["version"] for key, row in fresh["incidents"].items()},
    )


def _row(fault: Fault, seed: int, load: Load, recovered_s: float, drained_s: float, verdict: Verdict) -> Row:
    entries = ledger.read(load.ledger.path)
    outcomes = [outcome for entry in entries for outcome in entry.outcomes]
    findings = [
        f"{kind}: {what}"
        for kind, found in (
            ("lost", verdict.lost),
            ("ghost", verdict.ghosts),
            ("doubled", verdict.doubled),
            ("gap", verdict.gaps),
            ("reordered", verdict.reordered),
            ("surprise", load.surprises),
        )
        for what in found[:_EXAMPLES]
    ]
    return Row(
        fault=fault.name,
        seed=seed,
        at=datetime.now(UTC),
        machine=f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}",
        load=round(os.getloadavg()[0], 1),
        goal_s=fault.goal_s,
        recovered_s=round(recovered_s, 2),
        drained_s=round(drained_s, 2),
        reports=sum(1 for entry in entries if entry.wish.kind == "report"),
        readings=sum(len(entry.wish.readings) for entry in entries),
        ok=outcomes.count(Outcome.OK),
        refused=outcomes.count(Outcome.REFUSED),
        unknown=outcomes.count(Outcome.UNKNOWN),
        lost=len(verdict.lost),
        ghosts=len(verdict.ghosts),
        doubled=len(verdict.doubled),
        gaps=len(verdict.gaps),
        reordered=len(verdict.reordered),
        surprises=len(load.surprises),
        findings=findings,
    )


def write(rows: Path, row: Row) -> None:
    """Keep a row."""
    with rows.open("ab") as file:
        file.write(msgspec.json.encode(row) + b"\n")
