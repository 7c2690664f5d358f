"""A city's worth of acknowledged events straight into Kafka, and the verdict on what the dispatcher made of them."""

import asyncio
import random
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from infra.postgres import Pool
from schemas import topics
from schemas.envelope import Envelope, new_traceparent, write
from schemas.incident import IncidentChanged, IncidentRow
from schemas.report import ContactGiven, ReportSubmitted
from schemas.telemetry import TrafficObserved
from schemas.vocabulary import ReportChannel
from schemas.wire import encode

#: Some places far from each other: many reports meet at each.
_PLACES = [(-6.2253 - 0.011 * n, 106.985 + 0.004 * n) for n in range(8)]
_TEXTS = ["Macet total, kendaraan tidak bergerak", "Tumpukan sampah liar sudah bau", "Jalan berlubang besar, bahaya"]


@dataclass
class Load:
    """What Kafka has acknowledged."""

    producer: AIOKafkaProducer
    reports: list[str] = field(default_factory=list)
    readings: list[tuple[str, datetime]] = field(default_factory=list)
    _started: datetime = field(default_factory=lambda: datetime.now(UTC) - timedelta(hours=1))
    _marked: str = field(default_factory=lambda: uuid.uuid4().hex[:6])

    async def some(self, count: int = 20) -> None:
        """Send that many reports with their contacts and as many readings; some events twice, as a retry would."""
        sent = []
        new: list[str] = []
        for number in range(count):
            report = _report()
            new.append(report.report_id)
            contact = ContactGiven(report_id=report.report_id, given_at=report.submitted_at, name="Siti")
            key = f"cell-{_PLACES.index((report.lat or 0, report.lon or 0))}"
            sent.append(await self._send(topics.CONTACT.name, topics.CONTACT_GIVEN, report.report_id, contact, report))
            sent.append(await self._send(topics.REPORT.name, topics.REPORT_SUBMITTED, key, report, report))
            if number % 5 == 0:
                sent.append(await self._send(topics.REPORT.name, topics.REPORT_SUBMITTED, key, report, report))
            reading = self._reading()
            self.readings.append((reading.sensor_id, reading.observed_at))
            sent.append(
                await self._send(topics.TELEMETRY.name, topics.TRAFFIC_OBSERVED, reading.sensor_id, reading, None)
            )
        await asyncio.gather(*sent)
        self.reports += new

    async def for_seconds(self, seconds: float) -> None:
        """Keep on sending for that long, some hundred events a second."""
        until = asyncio.get_running_loop().time() + seconds
        while asyncio.get_running_loop().time() < until:
            await self.some()
            await asyncio.sleep(0.1)

    async def _send(
        self, topic: str, kind: str, key: str, value: msgspec.Struct, about: ReportSubmitted | None
    ) -> "asyncio.Future[object]":
        identity = f"{kind}-{about.report_id}" if about else str(uuid.uuid4())
        time = about.submitted_at if about else datetime.now(UTC)
        headers = write(Envelope(identity, kind, "/test", key, time, new_traceparent()))
        future: asyncio.Future[object] = await self.producer.send(topic, encode(value), key.encode(), headers=headers)
        return future

    def _reading(self) -> TrafficObserved:
        number = len(self.readings)
        return TrafficObserved(
            sensor_id=f"sensor-{self._marked}-{number % 6}",
            observed_at=self._started + timedelta(seconds=number),
            speed_kmh=float(20 + number % 30),
            lat=-6.24,
            lon=107.0,
        )


def _report() -> ReportSubmitted:
    lat, lon = random.choice(_PLACES)
    return ReportSubmitted(
        report_id=uuid.uuid4().hex,
        tracking_code=uuid.uuid4().hex[:20],
        description=random.choice(_TEXTS),
        channel=ReportChannel.APP,
        submitted_at=datetime.now(UTC),
        lat=lat,
        lon=lon,
    )


async def all_taken_in(pool: Pool, load: Load) -> bool:
    """Whether everything has had an effect and the outbox has sent what came of it."""
    reports = await pool.fetchval("SELECT count(*) FROM report WHERE id = ANY($1)", load.reports)
    readings = await pool.fetchval(
        "SELECT count(*) FROM traffic_reading WHERE sensor_id = ANY($1)", [sensor for sensor, _ in load.readings]
    )
    contacts = await pool.fetchval("SELECT count(*) FROM contact WHERE report_id = ANY($1)", load.reports)
    waiting = await pool.fetchval("SELECT count(*) FROM outbox WHERE aggregatetype = $1", topics.INCIDENT.name)
    taken_in = reports == contacts == len(load.reports) and readings == len(load.readings)
    return bool(taken_in and not waiting)


async def judge(pool: Pool, bootstrap: str, load: Load) -> None:
    """Nothing lost, nothing doubled, every incident's events in order, the board's last word that of the database."""
    lost = set(load.reports) - {row["id"] for row in await pool.fetch("SELECT id FROM report")}
    assert not lost, f"{len(lost)} of {len(load.reports)} acknowledged reports had no effect"
    readings = await pool.fetch(
        "SELECT sensor_id, observed_at FROM traffic_reading WHERE sensor_id = ANY($1)",
        sorted({sensor for sensor, _ in load.readings}),
    )
    assert sorted(map(tuple, readings)) == sorted(load.readings)
    doubled = await pool.fetch(
        "SELECT i.id, i.report_count, count(r.id) AS reports,"
        " (SELECT count(*) FROM incident_history h WHERE h.incident_id = i.id"
        "   AND h.change IN ('opened', 'report_joined')) AS told"
        " FROM incident i JOIN report r ON r.incident_id = i.id GROUP BY i.id HAVING i.report_count <> count(r.id)"
        " OR count(r.id) <> (SELECT count(*) FROM incident_history h WHERE h.incident_id = i.id"
        "   AND h.change IN ('opened', 'report_joined'))"
    )
    assert not doubled, f"effects that do not match their reports: {doubled}"
    ours = {
        row["incident_id"]: row["version"]
        for row in await pool.fetch(
            "SELECT DISTINCT i.id AS incident_id, i.version FROM incident i JOIN report r ON r.incident_id = i.id"
            " WHERE r.id = ANY($1)",
            load.reports,
        )
    }
    await _judge_events(pool, bootstrap, ours)
    await _judge_board(bootstrap, ours)


async def _judge_events(pool: Pool, bootstrap: str, ours: dict[str, int]) -> None:
    told: dict[str, list[int]] = {}
    seen: set[str] = set()
    for headers, _, value in await _read(bootstrap, topics.INCIDENT):
        event = msgspec.json.decode(value or b"", type=IncidentChanged)
        if event.incident_id in ours and headers["ce_id"] not in seen:
            seen.add(headers["ce_id"])
            told.setdefault(event.incident_id, []).append(event.version)
    history: dict[str, list[int]] = {}
    for row in await pool.fetch(
        "SELECT incident_id, version FROM incident_history WHERE incident_id = ANY($1) ORDER BY 1, 2", list(ours)
    ):
        history.setdefault(row["incident_id"], []).append(row["version"])
    assert told == history


async def _judge_board(bootstrap: str, ours: dict[str, int]) -> None:
    highest: dict[str, int] = {}
    newest: dict[str, tuple[int, bytes | None]] = {}
    versions: dict[str, list[int]] = {}
    for headers, key, value in await _read(bootstrap, topics.FEED):
        seq = int(headers["x-seq"])
        newest[key] = (seq, value)
        if seq > highest.get(key, 0):  # a node drops what it has seen
            highest[key] = seq
            if key.startswith("incidents:") and value is not None and key.partition(":")[2] in ours:
                versions.setdefault(key, []).append(msgspec.json.decode(value, type=IncidentRow).version)
    assert all(shown == sorted(shown) for shown in versions.values())
    assert {key.partition(":")[2]: shown[-1] for key, shown in versions.items()} == ours
    # compaction keeps the last record of a key: that has to be the newest
    assert all(seq == highest[key] for key, (seq, _) in newest.items())


async def _read(bootstrap: str, topic: topics.Topic) -> list[tuple[dict[str, str], str, bytes | None]]:
    client = AIOKafkaConsumer(bootstrap_servers=bootstrap, isolation_level="read_committed", enable_auto_commit=False)
    partitions = [TopicPartition(topic.name, number) for number in range(topic.partitions)]
    client.assign(partitions)
    await client.start()
    try:
        await client.seek_to_beginning(*partitions)
        ends = await client.end_offsets(partitions)
        found = []
        while any([await client.position(tp) < ends[tp] for tp in partitions]):
            for records in (await client.getmany(timeout_ms=200)).values():
                for record in records:
                    headers = {name: (value or b"").decode() for name, value in record.headers}
                    found.append((headers, (record.key or b"").decode(), record.value))
        return found
    finally:
        await client.stop()
