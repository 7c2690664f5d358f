"""The same sink on FastStream, as its documentation would have it, acknowledging after the handler.

Arguments: bootstrap, DSN, topic, `batch-pydantic`, `batch-msgspec` or `message-pydantic`.
"""

import asyncio
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import asyncpg
import msgspec
from fast_depends.msgspec import MsgSpecSerializer
from fast_depends.pydantic import PydanticSerializer
from faststream import AckPolicy, FastStream
from faststream.kafka import KafkaBroker
from pydantic import BaseModel

MOST = 2000
INSERT = """
INSERT INTO traffic_reading (sensor_id, observed_at, received_at, speed_kmh, occupancy, flow_per_h, travel_time_s)
SELECT * FROM unnest($1::text[], $2::timestamptz[], $3::timestamptz[], $4::float8[], $5::float8[], $6::float8[],
                     $7::float8[]) ON CONFLICT DO NOTHING
"""


class PydanticReading(BaseModel):
    """The columns."""

    sensor_id: str
    observed_at: datetime
    speed_kmh: float | None = None
    occupancy: float | None = None
    flow_per_h: float | None = None
    travel_time_s: float | None = None


class MsgspecReading(msgspec.Struct):
    """The columns."""

    sensor_id: str
    observed_at: datetime
    speed_kmh: float | None = None
    occupancy: float | None = None
    flow_per_h: float | None = None
    travel_time_s: float | None = None


async def main(bootstrap: str, dsn: str, topic: str, way: str) -> None:
    """Until killed."""
    pool = await asyncpg.create_pool(dsn, min_size=1, max_size=2)
    msgspec_ = way.endswith("msgspec")
    broker = KafkaBroker(bootstrap, serializer=MsgSpecSerializer() if msgspec_ else PydanticSerializer())
    told: dict[str, Any] = {
        "group_id": dsn.rpartition("/")[2],
        "auto_offset_reset": "earliest",
        "ack_policy": AckPolicy.ACK,
    }

    async def insert(readings: Sequence[PydanticReading | MsgspecReading]) -> None:
        now = datetime.now(UTC)
        await pool.execute(
            INSERT,
            [reading.sensor_id for reading in readings],
            [reading.observed_at for reading in readings],
            [now] * len(readings),
            [reading.speed_kmh for reading in readings],
            [reading.occupancy for reading in readings],
            [reading.flow_per_h for reading in readings],
            [reading.travel_time_s for reading in readings],
        )

    match way:
        case "batch-pydantic":

            @broker.subscriber(topic, batch=True, max_records=MOST, **told)
            async def take_batch(readings: list[PydanticReading]) -> None:
                await insert(readings)

        case "batch-msgspec":

            @broker.subscriber(topic, batch=True, max_records=MOST, **told)
            async def take_structs(readings: list[MsgspecReading]) -> None:
                await insert(readings)

        case "message-pydantic":

            @broker.subscriber(topic, **told)
            async def take_one(reading: PydanticReading) -> None:
                await insert([reading])

        case _:
            raise SystemExit(f"no such way: {way}")
    await FastStream(broker).run()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:5]))
