"""Records as other programs may write them: straight into Kafka, each in the ledger of the load that goes on."""

import asyncio
import json
import secrets
import uuid
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Final

from aiokafka import AIOKafkaProducer

from tests.faults.ledger import Outcome, Wish
from tests.faults.load import Load, place, text

REPORT: Final = "bekasi.report.v1"
CONTACT: Final = "bekasi.contact.v1"
TELEMETRY: Final = "bekasi.telemetry.v1"

Headers = list[tuple[str, bytes]]


@dataclass(frozen=True)
class Record:
    """One record to send."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers


@dataclass(frozen=True)
class Event:
    """A wish and the records that are to fulfil it."""

    wish: Wish
    #: Of a report.
    identity: str | None
    records: tuple[Record, ...]


def headers(event_id: str, kind: str, time: datetime) -> Headers:
    """The envelope of contract section 5."""
    said = {
        "ce_specversion": "1.0",
        "ce_id": event_id,
        "ce_type": kind,
        "ce_source": "/tests/faults",
        "ce_subject": event_id,
        "ce_time": time.isoformat().replace("+00:00", "Z"),
        "ce_dataschema": f"https://bekasi.id/schemas/{kind}.json",
        "content-type": "application/json",
        "traceparent": f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01",
    }
    return [(name, value.encode()) for name, value in said.items()]


def report(load: Load, more: dict[str, Any] | None = None, *, event: str | None = None, at: int | None = None) -> Event:
    """A report and its contact; `more` fields in each; `event` meets others at the place number `at`."""
    wish = Wish(load.new_key(), "report", event=event)
    identity, now = uuid.uuid4().hex, datetime.now(UTC)
    lat, lon = place(next(load.field.places) if at is None else at)
    submitted = {
        "report_id": identity,
        "tracking_code": secrets.token_hex(10),
        "description": text(wish.key),
        "channel": "app",
        "submitted_at": now.isoformat(),
        "lat": lat,
        "lon": lon,
        **(more or {}),
    }
    given = {"report_id": identity, "given_at": now.isoformat(), "name": "Siti", **(more or {})}
    key = identity.encode()
    return Event(
        wish,
        identity,
        (
            Record(CONTACT, key, encode(given), headers(f"{identity}.contact", "id.bekasi.contact.given.v1", now)),
            Record(REPORT, key, encode(submitted), headers(identity, "id.bekasi.report.submitted.v1", now)),
        ),
    )


def reading(load: Load, number: int, more: dict[str, Any] | None = None) -> Event:
    """A reading of a sensor that nobody else uses."""
    at = datetime.now(UTC) - timedelta(hours=2) + timedelta(seconds=number)
    sensor = f"{load.mark}-kafka-{number % 4}"
    wish = Wish(load.new_key(), "readings", readings=((sensor, at),))
    value = {"kind": "traffic", "sensor_id": sensor, "observed_at": at.isoformat(), "speed_kmh": 31.5, **(more or {})}
    kind = "id.bekasi.telemetry.traffic-observed.v1"
    return Event(wish, None, (Record(TELEMETRY, sensor.encode(), encode(value), headers(uuid.uuid4().hex, kind, at)),))


def encode(value: object) -> bytes:
    return json.dumps(value).encode()


async def send(load: Load, events: Iterable[Event], rng: Random, *, copies: int = 1, shuffled: bool = False) -> None:
    """Send every record `copies` times, in any order if `shuffled`, over some seconds; then each wish is fulfilled."""
    events = list(events)
    for event in events:
        load.ledger.before(event.wish)
    records = [record for _ in range(copies) for event in events for record in event.records]
    if shuffled:
        rng.shuffle(records)
    async with _producing(load.field.bootstrap) as producer:
        for number, record in enumerate(records):
            await producer.send_and_wait(record.topic, record.value, record.key, headers=record.headers)
            if number % 20 == 0:
                await asyncio.sleep(0.05)
    for event in events:
        load.ledger.after(event.wish, Outcome.OK, event.identity)


async def poison(load: Load, records: Iterable[Record], pause: float) -> None:
    """Send what can have no effect; each is expected among the dead letters by its place."""
    async with _producing(load.field.bootstrap) as producer:
        for record in records:
            wish = Wish(load.new_key(), "poison")
            load.ledger.before(wish)
            if record.value is None and record.key is None:
                record = replace(record, key=b"-")  # aiokafka has no word for neither
            sent = await producer.send_and_wait(record.topic, record.value, record.key, headers=record.headers)
            load.ledger.after(wish, Outcome.OK, f"{sent.topic}/{sent.partition}/{sent.offset}")
            await asyncio.sleep(pause)


@asynccontextmanager
async def _producing(bootstrap: str) -> AsyncIterator[AIOKafkaProducer]:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", linger_ms=2)
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()
