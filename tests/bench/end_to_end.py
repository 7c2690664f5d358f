"""Chapter: from a citizen's report to its frame at a wall, at a steady rate, whatever the answers take (open loop).

The steps between are told by the stamps that records carry anyway, all of one machine's clock: the broker's time of the
report, the time of its outbox row, the relay's time of the feed's record, and the arrival at a connected wall.
"""

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas import topics
from tests.bench import histogram
from tests.bench.city import running
from tests.bench.histogram import Look
from tests.bench.load import Connection, open_loop
from tests.bench.machine import Noise
from tests.bench.places import place, report
from tests.bench.rounds import rotated
from tests.bench.row import Goal, Row, Section, percentile
from tests.city import City
from tests.people import Staff, Wall

TITLE: Final = "End to end"
#: What the feed joins into one frame (command_center_ui/feed.py).
_TICK_MS: Final = 50.0
#: How long we wait for what is still under way.
_PATIENCE_S: Final = 120.0
_CONNECTIONS: Final = 64

Place = tuple[float, float]


@dataclass(frozen=True)
class Rate:
    """Reports a second, for how long."""

    per_s: int
    seconds: float


RATES: Final = (Rate(20, 10), Rate(200, 6), Rate(1000, 5))


@dataclass
class Journey:
    """One run: when (seconds since 1970) each report was where; and the services' own histograms."""

    due: dict[Place, float] = field(default_factory=dict)
    accepted: dict[Place, float] = field(default_factory=dict)
    appended: dict[Place, float] = field(default_factory=dict)
    written: dict[Place, float] = field(default_factory=dict)
    relayed: dict[Place, float] = field(default_factory=dict)
    seen: dict[Place, float] = field(default_factory=dict)
    ack: Look = field(default_factory=lambda: Look({}, 0.0))
    commit: Look = field(default_factory=lambda: Look({}, 0.0))
    #: Reports that were not on the wall when the last one had been handed in.
    backlog: int = 0

    def between(self, start: Mapping[Place, float], end: Mapping[Place, float]) -> list[float]:
        """Seconds from one to the other, of each report that has both."""
        return [end[where] - at for where, at in start.items() if where in end]


async def travel(city: City, staff: Staff, rate: Rate, first: int) -> Journey:
    """Hand reports in, at places of their own from the `first` on, and watch them arrive."""
    journey = Journey()
    web, dispatcher = str(city.base_url), str(city.services["dispatcher"]["url"])
    ack = await histogram.look(web, "patriot_ingest_kafka_ack_seconds", topic=topics.REPORT.name)
    commit = await histogram.look(dispatcher, "patriot_dispatcher_batch_seconds", consumer="reports")
    wall = await Wall.open(staff, "incidents")
    take = wall._publish

    def watch(channel: str, publication: dict[str, Any]) -> None:
        row = publication.get("data")
        if isinstance(row, dict):
            journey.seen.setdefault((row["lat"], row["lon"]), time.time())
        take(channel, publication)

    wall._publish = watch  # type: ignore[method-assign]
    free = asyncio.Queue[Connection]()
    for _ in range(_CONNECTIONS):
        free.put_nowait(await Connection(city.base_url, city.device_api_key).open())
    feed_from = await _end_of_feed(city)
    start = time.time()

    async def act(n: int) -> None:
        where = place(first + n)
        journey.due[where] = start + n / rate.per_s
        connection = await free.get()
        try:
            status = await connection.post(b"/api/v1/reports", report(first + n))
        finally:
            free.put_nowait(connection)
        if status != 202:
            raise RuntimeError(f"a report was answered {status}")
        journey.accepted[where] = time.time()

    await open_loop(rate.per_s, rate.seconds, act)
    journey.backlog = len(journey.due) - len(journey.seen.keys() & journey.due.keys())
    deadline = time.monotonic() + _PATIENCE_S
    while journey.due.keys() - journey.seen.keys() and time.monotonic() < deadline:
        await asyncio.sleep(0.05)
    await wall.close()
    for connection in list(free._queue):  # type: ignore[attr-defined]
        connection.close()
    journey.ack = (await histogram.look(web, "patriot_ingest_kafka_ack_seconds", topic=topics.REPORT.name)).since(ack)
    journey.commit = (await histogram.look(dispatcher, "patriot_dispatcher_batch_seconds", consumer="reports")).since(
        commit
    )
    await _read_stamps(city, journey, feed_from)
    if lost := journey.accepted.keys() - journey.written.keys():
        raise RuntimeError(f"{len(lost)} of {len(journey.accepted)} accepted reports are in no record of the feed")
    return journey


async def _end_of_feed(city: City) -> int:
    partition = TopicPartition(topics.FEED.name, 0)
    consumer = AIOKafkaConsumer(bootstrap_servers=city.kafka_bootstrap)
    await consumer.start()
    try:
        return int((await consumer.end_offsets([partition]))[partition])
    finally:
        await consumer.stop()


async def _read_stamps(city: City, journey: Journey, feed_from: int) -> None:
    """The stamps that records and rows carry."""
    database = await asyncpg.connect(city.postgres_dsn)
    for row in await database.fetch("SELECT lat, lon, received_at FROM report WHERE lat IS NOT NULL"):
        where = (row["lat"], row["lon"])
        if where in journey.due:
            journey.appended[where] = row["received_at"].timestamp()
    await database.close()
    partition = TopicPartition(topics.FEED.name, 0)
    consumer = AIOKafkaConsumer(bootstrap_servers=city.kafka_bootstrap, isolation_level="read_committed")
    consumer.assign([partition])
    await consumer.start()
    try:
        consumer.seek(partition, feed_from)
        end = (await consumer.end_offsets([partition]))[partition]
        while await consumer.position(partition) < end:
            for records in (await consumer.getmany(timeout_ms=500)).values():
                for record in records:
                    if record.value is None or not record.key.startswith(b"incidents:"):
                        continue
                    row, headers = json.loads(record.value), dict(record.headers)
                    where = (row["lat"], row["lon"])
                    if where in journey.due and where not in journey.written:
                        journey.written[where] = _seconds(headers["ce_time"].decode())
                        journey.relayed[where] = record.timestamp / 1000
    finally:
        await consumer.stop()


def _seconds(rfc3339: str) -> float:
    return datetime.fromisoformat(rfc3339).timestamp()


async def run(folder: Path, rounds: int, noise: Noise, rates: tuple[Rate, ...] = RATES) -> Section:
    """The chapter, on a city of its own."""
    section = Section(TITLE)
    found: dict[Rate, list[Journey]] = {}
    with running(folder / "end-to-end") as city:
        async with Staff(city, city.admin_username, city.admin_password) as staff:
            first = 0
            await travel(
                city, staff, Rate(50, 1), first
            )  # what is warm afterwards was warm in a city that has run a day
            first += 50
            for _, rate in rotated(rates, rounds):
                noise.listen()
                found.setdefault(rate, []).append(await travel(city, staff, rate, first))
                first += int(rate.per_s * rate.seconds)
    section.settings = [
        "`patriot up` with default settings, one wall on `incidents`, reports without key and photo, each its own "
        "incident; load generator, wall and all services on the same cores",
        f"goal: p50 at most 3 × (p50 of Kafka's acknowledgement + p50 of the dispatcher's transaction, by the "
        f"services' own histograms in the same run) + the feed's tick of {_TICK_MS:.0f} ms",
    ]
    for rate in rates:
        section.rows += _rows(rate, found[rate])
    return section


def _rows(rate: Rate, journeys: list[Journey]) -> list[Row]:
    name = f"{rate.per_s:,}/s"

    def row(what: str, share: float, values: list[list[float]], goal: Goal | None = None) -> Row:
        figures = tuple(percentile(one, share) * 1000 for one in values)
        return Row(f"{name}: {what}, p{share * 100:.0f}", "ms", figures, "", goal)

    whole_journeys = [one.between(one.accepted, one.seen) for one in journeys]
    bound = tuple(3 * (one.ack.percentile(0.5) + one.commit.percentile(0.5)) * 1000 + _TICK_MS for one in journeys)
    limit = sorted(bound)[len(bound) // 2]
    kept = tuple(
        len(whole) / (max(one.seen[where] for where in one.due if where in one.seen) - min(one.due.values()))
        for one, whole in zip(journeys, whole_journeys, strict=True)
    )
    rows = [
        row("accepted → frame", 0.5, whole_journeys, Goal("most", limit)),
        row("accepted → frame", 0.99, whole_journeys),
        row("due → frame", 0.99, [one.between(one.due, one.seen) for one in journeys]),
        Row(f"{name}: 3 × (ack + commit) + tick", "ms", bound, "the goal of the same run"),
        Row(f"{name}: Kafka's acknowledgement, p50", "ms", tuple(one.ack.percentile(0.5) * 1000 for one in journeys)),
        Row(f"{name}: transaction, p50", "ms", tuple(one.commit.percentile(0.5) * 1000 for one in journeys)),
        row("in Kafka → outbox row", 0.5, [one.between(one.appended, one.written) for one in journeys]),
        row("outbox row → relay", 0.5, [one.between(one.written, one.relayed) for one in journeys]),
        row("relay → wall", 0.5, [one.between(one.relayed, one.seen) for one in journeys]),
        Row(f"{name}: rate from the first report to the last frame", "reports/s", kept),
    ]
    if any(one.backlog > rate.per_s for one in journeys):
        rows.append(
            Row(
                f"{name}: not yet on the wall when the last was handed in",
                "reports",
                tuple(one.backlog for one in journeys),
            )
        )
    return rows
