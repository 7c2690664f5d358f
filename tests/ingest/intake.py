"""Ingest as its tests meet it: the service as a process on real Kafka and PostgreSQL, and what it put into Kafka."""

import asyncio
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import asyncpg
import httpx
import pillow_heif
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from PIL import Image

from infra.access import token_hash
from schemas import topics
from schemas.vocabulary import Role

pillow_heif.register_heif_opener(thumbnails=False)

Json = dict[str, Any]

JAM: Final[Json] = {"description": "Macet total di depan stasiun", "lat": -6.236, "lon": 107.0}
BOTH, REPORTS, TELEMETRY, STAFF = "pk_both", "pk_reports", "pk_telemetry", "ps_staff"


async def hand_out_keys(dsn: str) -> None:
    """The device keys and the session that tests use."""
    connection = await asyncpg.connect(dsn)
    for key, scopes in ((BOTH, ["reports", "telemetry"]), (REPORTS, ["reports"]), (TELEMETRY, ["telemetry"])):
        await connection.execute(
            "INSERT INTO device_key (id, name, key_hash, scopes) VALUES ($1, $1, $2, $3) ON CONFLICT DO NOTHING",
            key.removeprefix("pk_"),
            token_hash(key),
            scopes,
        )
    await connection.execute(
        "INSERT INTO account (username, display_name, role, password_hash) VALUES ('cc-dewi', 'Dewi', $1, '-')"
        " ON CONFLICT DO NOTHING",
        Role.AGENT,
    )
    await connection.execute(
        "INSERT INTO session VALUES ($1, 'cc-dewi', now(), now() + interval '1 hour') ON CONFLICT DO NOTHING",
        token_hash(STAFF),
    )
    await connection.close()


@dataclass(frozen=True, slots=True)
class Kept:
    """A record as Kafka has it."""

    topic: str
    partition: int
    key: str
    value: Json
    headers: dict[str, str]


async def kept(bootstrap: str, topic: topics.Topic) -> list[Kept]:
    """Every record of a topic from its beginning to its end now; what is no record of ours is left out: other tests on
    the same Kafka put that in."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    await consumer.start()
    try:
        partitions = [TopicPartition(topic.name, number) for number in range(topic.partitions)]
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        ends = await consumer.end_offsets(partitions)
        found: list[Kept] = []
        while any([await consumer.position(tp) < ends[tp] for tp in partitions]):
            for records in (await consumer.getmany(timeout_ms=200)).values():
                found += [read for record in records if (read := _read(record)) is not None]
        return found
    finally:
        await consumer.stop()


def _read(record: ConsumerRecord) -> Kept | None:
    try:
        value = json.loads(record.value)
        headers = {name: content.decode() for name, content in record.headers}
        key = record.key.decode()
    except (ValueError, TypeError, AttributeError, RecursionError):
        return None
    return Kept(record.topic, record.partition, key, value, headers) if isinstance(value, dict) else None


class Sender:
    """Somebody who sends to ingest."""

    def __init__(self, url: str, token: str | None, bootstrap: str, data_dir: Path) -> None:
        self.http = httpx.AsyncClient(
            base_url=url, headers={"Authorization": f"Bearer {token}"} if token else {}, timeout=30
        )
        self.bootstrap = bootstrap
        self.data_dir = data_dir

    async def post(
        self, body: Mapping[str, Any], *photos: bytes, key: str | None = None, **headers: str
    ) -> httpx.Response:
        """A report as JSON, with photos as a form."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if key is not None:
            sent["Idempotency-Key"] = key
        if not photos:
            return await self.http.post("/api/v1/reports", json=body, headers=sent)
        parts: list[tuple[str, Any]] = [("report", (None, json.dumps(body), "application/json"))]
        parts += [("photo", (f"foto{n}.jpg", photo, "image/jpeg")) for n, photo in enumerate(photos)]
        return await self.http.post("/api/v1/reports", files=parts, headers=sent)

    async def report(self, *photos: bytes, key: str | None = None, **fields: Any) -> Json:
        """A report that must be taken: its receipt."""
        found = await self.post({**JAM, **fields}, *photos, key=key)
        assert found.status_code == 202, found.text
        receipt: Json = found.json()
        return receipt

    async def readings(self, readings: Sequence[object]) -> Json:
        """Readings that must be answered with 202."""
        found = await self.http.post("/api/v1/telemetry", json=readings)
        assert found.status_code == 202, found.text
        receipt: Json = found.json()
        return receipt

    async def records_of(self, report_id: str, topic: topics.Topic = topics.REPORT) -> list[Kept]:
        """What Kafka has of a report."""
        return [each for each in await kept(self.bootstrap, topic) if each.value.get("report_id") == report_id]


def is_refused(found: httpx.Response, *statuses: int) -> Json:
    """The problem, which must have one of these statuses."""
    assert found.status_code in statuses, f"{found.status_code} {found.text}"
    assert found.headers["content-type"] == "application/problem+json"
    problem: Json = found.json()
    assert problem["status"] == found.status_code and problem["title"] and problem["detail"]
    return problem


def a_photo(kind: str = "JPEG", size: tuple[int, int] = (640, 480), **options: Any) -> bytes:
    """A photo with something on it."""
    image = Image.linear_gradient("L").resize(size).convert("RGB")
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def traffic(sensor: str = "sensor-1", at: datetime | None = None, **fields: Any) -> Json:
    """A reading of a road sensor."""
    observed_at = (at or datetime.now(UTC)).isoformat()
    return {"kind": "traffic", "sensor_id": sensor, "observed_at": observed_at, "speed_kmh": 31.5, **fields}


def wifi(node: str = "node-1", at: datetime | None = None, **fields: Any) -> Json:
    """A heartbeat of a wifi node."""
    observed_at = (at or datetime.now(UTC)).isoformat()
    return {"kind": "wifi", "node_id": node, "observed_at": observed_at, "state": "up", "clients": 12, **fields}


async def until(true: Any, patience: float = 30.0) -> None:
    """Wait until the async question is answered with yes."""
    async with asyncio.timeout(patience):
        while not await true():
            await asyncio.sleep(0.1)
