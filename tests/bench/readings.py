"""A topic full of readings: what a sink has to keep."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from infra.kafka import start_producer, stop_quietly
from ingest.headers import headers, rfc3339
from schemas import topics
from schemas.envelope import Headers, new_traceparent
from schemas.telemetry import TrafficObserved

#: Loops of a bigger city than ours.
SENSORS: Final = 480


def readings(count: int) -> Iterator[TrafficObserved]:
    """Counting loops, which know occupancy and flow and no speed: kept and shown, and not judged for jams."""
    start = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=60 * (count // SENSORS + 1))
    for number in range(count):
        turn, sensor = divmod(number, SENSORS)
        yield TrafficObserved(
            sensor_id=f"loop-{sensor:04d}",
            observed_at=start + timedelta(seconds=60 * turn),
            occupancy=round(0.05 + (number * 37 % 800) / 1000, 3),
            flow_per_h=float(120 + number * 53 % 1700),
            travel_time_s=float(20 + number * 29 % 200),
            lat=round(-6.40 + sensor % 24 * 0.011, 6),
            lon=round(106.93 + sensor // 24 * 0.011, 6),
            segment=f"Jalan Ahmad Yani ruas {sensor % 40} – simpang {sensor // 40}",
            direction="arah Summarecon",
        )


def record(reading: TrafficObserved) -> tuple[bytes, bytes, Headers]:
    """Key, value and headers as ingest sends them."""
    key, at = reading.sensor_id.encode(), rfc3339(reading.observed_at)
    envelope = headers(
        topics.TRAFFIC_OBSERVED, f"{reading.sensor_id}/traffic/{at}", key, at, new_traceparent().encode()
    )
    return key, msgspec.json.encode(reading), envelope


async def fill(bootstrap: str, count: int) -> float:
    """Put `count` readings on the topic; their mean size in bytes with key and headers."""
    producer = await start_producer(bootstrap, "bench-readings", request_timeout_ms=60_000)
    size = 0
    try:
        waiting = []
        for reading in readings(count):
            key, value, envelope = record(reading)
            size += len(key) + len(value) + sum(len(name) + len(said) for name, said in envelope)
            waiting.append(await producer.send(topics.TELEMETRY.name, value, key, headers=envelope))
        await asyncio.gather(*waiting)
    finally:
        await stop_quietly(producer)
    return size / count
