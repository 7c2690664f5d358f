"""The ceiling of a sink: getmany, typed decode, COPY into a stage, INSERT ON CONFLICT and offsets in one transaction.

No envelope, no checks, no fence, no dead letters, nothing for a wall. Arguments: bootstrap, DSN, topic, batch size.
"""

import asyncio
import sys
from datetime import UTC, datetime

import asyncpg
import msgspec
from aiokafka import AIOKafkaConsumer


class Reading(msgspec.Struct):
    """The columns."""

    sensor_id: str
    observed_at: datetime
    speed_kmh: float | None = None
    occupancy: float | None = None
    flow_per_h: float | None = None
    travel_time_s: float | None = None


COLUMNS = ("sensor_id", "observed_at", "received_at", "speed_kmh", "occupancy", "flow_per_h", "travel_time_s")


async def main(bootstrap: str, dsn: str, topic: str, most: int) -> None:
    """Until killed."""
    decode = msgspec.json.Decoder(Reading).decode
    database = await asyncpg.connect(dsn)
    await database.execute("CREATE TEMP TABLE stage (LIKE traffic_reading)")
    await database.execute("CREATE TABLE ceiling_offset (partition int PRIMARY KEY, next_offset bigint NOT NULL)")
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=bootstrap,
        group_id=dsn.rpartition("/")[2],
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_poll_records=most,
    )
    await consumer.start()
    while True:
        batches = await consumer.getmany(timeout_ms=500)
        if not batches:
            continue
        rows = []
        for records in batches.values():
            for record in records:
                reading = decode(record.value)
                rows.append(
                    (
                        reading.sensor_id,
                        reading.observed_at,
                        datetime.fromtimestamp(record.timestamp / 1000, UTC),
                        reading.speed_kmh,
                        reading.occupancy,
                        reading.flow_per_h,
                        reading.travel_time_s,
                    )
                )
        async with database.transaction():
            await database.copy_records_to_table("stage", records=rows, columns=COLUMNS)
            await database.execute("INSERT INTO traffic_reading SELECT * FROM stage ON CONFLICT DO NOTHING")
            await database.execute("TRUNCATE stage")
            await database.executemany(
                "INSERT INTO ceiling_offset VALUES ($1, $2)"
                " ON CONFLICT (partition) DO UPDATE SET next_offset = excluded.next_offset",
                [(tp.partition, records[-1].offset + 1) for tp, records in batches.items()],
            )


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])))
