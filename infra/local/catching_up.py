"""After a restore: what was brought back and is not taken in yet is not deleted, however old it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

import msgspec
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import for_code

from infra.kafka import start_admin, stop_admin_quietly
from infra.local.record import write_whole
from infra.postgres import Connection, connect
from infra.topics_admin import topic_config
from schemas import topics

#: Per topic, and there per partition: the offset behind what was brought back.
Ends = dict[str, dict[int, int]]

_FOR_EVER: Final = {"retention.ms": "-1"}
_NAME: Final = "catching-up.json"


async def begin(data_dir: Path, kafka: str, ends: Ends) -> None:
    """Give topics their own settings; those of `ends` keep everything until `finish`. Raises `KafkaError`."""
    write_whole(data_dir / _NAME, msgspec.json.encode(ends))
    await _set(kafka, (topic for topic in topics.ALL if topic is not topics.FEED and topic.name not in ends), {})
    await _set(kafka, (topic for topic in topics.ALL if topic.name in ends), _FOR_EVER)


async def finish(data_dir: Path, kafka: str, dsn: str) -> bool:
    """Give the topics their own retention once all is taken in, and answer whether it is.

    Raises `KafkaError` and what `infra.postgres.ANY_FAILURE` names.
    """
    note = data_dir / _NAME
    if not note.exists():
        return True
    ends = msgspec.json.decode(note.read_bytes(), type=Ends)
    connection = await connect(dsn, application="patriot-catching-up")
    try:
        if not await _all_taken_in(connection, ends):
            return False
    finally:
        await connection.close(timeout=5)
    await _set(kafka, (topic for topic in topics.ALL if topic.name in ends), {})
    note.unlink(missing_ok=True)
    return True


async def _all_taken_in(connection: Connection, ends: Ends) -> bool:
    rows = await connection.fetch(
        "SELECT topic, partition, min(next_offset) AS read_to FROM consumer_offset WHERE topic = ANY($1)"
        " GROUP BY topic, partition",
        list(ends),
    )
    read_to = {(row["topic"], row["partition"]): row["read_to"] for row in rows}
    return all(
        read_to.get((topic, partition), 0) >= end
        for topic, partitions in ends.items()
        for partition, end in partitions.items()
    )


async def _set(kafka: str, those: Iterable[topics.Topic], instead: Mapping[str, str]) -> None:
    """Their own settings, but for `instead`."""
    admin = await start_admin(kafka, "patriot-restore", request_timeout_ms=15_000)
    try:
        for topic in those:
            wanted = ConfigResource(ConfigResourceType.TOPIC, topic.name, topic_config(topic, None) | dict(instead))
            for answer in await admin.alter_configs([wanted]):
                for code, message, *_ in answer.resources:
                    if code:
                        raise for_code(code)(message)
    finally:
        await stop_admin_quietly(admin)
