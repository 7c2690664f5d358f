"""`patriot dlq` as an operator types it: list, show, replay, drop, resume."""

import asyncio
import json

import pytest
from aiokafka import AIOKafkaProducer
from click.testing import CliRunner, Result

from dispatcher.consumer import Consumer
from dispatcher.dlq import command
from dispatcher.relay import Relay
from infra.kafka import KAFKA_BATCH_BYTES, start_producer, stop_quietly
from infra.local.stack import Stack
from infra.postgres import Pool
from schemas import topics
from schemas.envelope import Headers
from tests.dispatcher.bench import (
    Counted,
    consuming,
    effects_of,
    headers,
    letters_of,
    make_topic,
    options,
    producing,
    read_all,
    report,
    until,
    until_effects,
)
from tests.dispatcher.test_relay import is_empty, relaying

pytestmark = pytest.mark.usefixtures("empty_outbox")


async def patriot_dlq(stack: Stack, *arguments: str) -> Result:
    """Run `patriot dlq …`."""
    return await asyncio.to_thread(CliRunner().invoke, command, [*arguments, "--postgres-dsn", stack.postgres.dsn])


async def set_aside(
    stack: Stack, pool: Pool, topic: str, *messages: tuple[bytes | None, bytes | None, Headers]
) -> list[int]:
    """Have a consumer set messages aside (or what lies in the topic already), and answer their ids."""
    async with producing(stack.kafka.bootstrap) as producer:
        for key, value, head in messages:
            await producer.send_and_wait(topic, value, key, headers=head)
    async with consuming(Consumer(Counted(topic, [topic]), pool, options(stack.kafka.bootstrap))):

        async def all_there() -> bool:
            return len(await letters_of(pool, topic)) >= max(len(messages), 1)

        await until(all_there)
    return [row["id"] for row in await pool.fetch("SELECT id FROM dead_letter WHERE topic = $1 ORDER BY id", topic)]


async def test_list_and_show_tell_where_it_came_from_why_and_every_byte(stack: Stack, pool: Pool, name: str) -> None:
    await make_topic(stack.kafka.bootstrap, name, partitions=1)
    await make_topic(stack.kafka.bootstrap, topics.dead_letters_of(name), partitions=1)
    text, binary = await set_aside(
        stack, pool, name, (b"k", b"{\x1b[31m", headers("e-1")), (None, b"\xff\x00\x01", headers("e-2"))
    )
    table = await patriot_dlq(stack, "list", "--topic", name)
    assert table.exit_code == 0
    assert f"{name}/0/1" in table.output
    lines = [
        json.loads(line) for line in (await patriot_dlq(stack, "list", "--topic", name, "--json")).stdout.splitlines()
    ]
    assert [(line["id"], line["offset"], line["reason"], line["bytes"]) for line in lines] == [
        (binary, 1, "not_json", 3),
        (text, 0, "not_json", 6),
    ]
    shown = (await patriot_dlq(stack, "show", str(text))).output
    assert "{\\u001b[31m" in shown
    assert "ce_id: e-1" in shown
    assert "ff 00 01" in (await patriot_dlq(stack, "show", str(binary))).output
    assert (await patriot_dlq(stack, "show", str(binary), "--raw")).stdout_bytes == b"\xff\x00\x01"
    assert (await patriot_dlq(stack, "show", "999999999")).exit_code == 1
    assert (await patriot_dlq(stack, "show", "x")).exit_code == 2


async def test_a_copy_goes_to_the_dead_letters_topic_and_a_replay_to_the_source(
    stack: Stack, pool: Pool, name: str
) -> None:
    bootstrap = stack.kafka.bootstrap
    await make_topic(bootstrap, name, partitions=1)
    await make_topic(bootstrap, topics.dead_letters_of(name), partitions=1)
    head = headers("e-3")
    (letter,) = await set_aside(stack, pool, name, (b"\xff", b"not json", head))
    async with relaying(Relay(0, postgres_dsn=stack.postgres.dsn, kafka=bootstrap)):
        await until(lambda: is_empty(pool))
        (copy,) = await read_all(bootstrap, topics.dead_letters_of(name))
        assert (copy.key, copy.value, list(copy.headers[: len(head)])) == (b"\xff", b"not json", head)
        assert dict(copy.headers[len(head) :]).keys() == {
            "x-error-class",
            "x-error-message",
            "x-source-partition",
            "x-source-offset",
        }
        assert dict(copy.headers)["x-source-offset"] == b"0"
        replayed = await patriot_dlq(stack, "replay", str(letter))
        assert replayed.exit_code == 0, replayed.output
        await until(lambda: is_empty(pool))
    original, again = await read_all(bootstrap, name)
    assert (again.key, again.value, again.headers) == (original.key, original.value, original.headers)
    assert (await patriot_dlq(stack, "list", "--topic", name)).output == "nothing\n"


async def test_a_replayed_message_has_its_effect_once_the_mistake_is_mended(
    stack: Stack, pool: Pool, name: str
) -> None:
    bootstrap = stack.kafka.bootstrap
    await make_topic(bootstrap, name, partitions=1)
    await make_topic(bootstrap, topics.dead_letters_of(name), partitions=1)
    await set_aside(stack, pool, name, (b"k", report("poison"), headers("e-4-" + name)))

    mended = Counted(name, [name], mended=True)
    async with (
        relaying(Relay(0, postgres_dsn=stack.postgres.dsn, kafka=bootstrap)),
        consuming(Consumer(mended, pool, options(bootstrap))),
    ):
        assert (await patriot_dlq(stack, "replay", "--all", "--topic", name)).exit_code == 0
        await until_effects(pool, name, 1)
        (letter,) = await pool.fetch("SELECT id FROM dead_letter WHERE topic = $1", name)
        assert (await patriot_dlq(stack, "replay", str(letter["id"]))).exit_code == 0  # once more, by mistake
        await until(lambda: is_empty(pool))
        await until(lambda: _read_to(pool, name, 3))
    assert len(await effects_of(pool, name)) == 1


async def test_the_largest_record_that_kafka_takes_has_a_copy_and_is_replayed(
    stack: Stack, pool: Pool, name: str
) -> None:
    bootstrap = stack.kafka.bootstrap
    await make_topic(bootstrap, name, partitions=1)
    await make_topic(bootstrap, topics.dead_letters_of(name), 1, **{"max.message.bytes": str(topics.DEAD_LETTER_BYTES)})
    stranger = await start_producer(bootstrap, "stranger", max_record_bytes=KAFKA_BATCH_BYTES)
    head = headers()
    room = KAFKA_BATCH_BYTES - 61 - 21 - sum(len(n) + len(v) + 10 for n, v in head)
    largest = b"\xff" * room
    await stranger.send_and_wait(name, largest, headers=head)
    await stop_quietly(stranger)
    (letter,) = await set_aside(stack, pool, name)
    async with relaying(Relay(0, postgres_dsn=stack.postgres.dsn, kafka=bootstrap)):
        assert (await patriot_dlq(stack, "replay", str(letter))).exit_code == 0
        await until(lambda: is_empty(pool))
    (copy,) = await read_all(bootstrap, topics.dead_letters_of(name))
    first, again = await read_all(bootstrap, name)
    assert copy.value == first.value == again.value == largest


async def test_what_came_compressed_and_is_too_large_without_is_not_called_replayed(
    stack: Stack, pool: Pool, name: str
) -> None:
    await make_topic(stack.kafka.bootstrap, name, partitions=1)
    stranger = AIOKafkaProducer(
        bootstrap_servers=stack.kafka.bootstrap, compression_type="gzip", max_request_size=4_000_000
    )
    await stranger.start()
    await stranger.send_and_wait(name, b" " * 3_000_000, headers=headers())
    await stop_quietly(stranger)
    (letter,) = await set_aside(stack, pool, name)
    refused = await patriot_dlq(stack, "replay", str(letter))
    assert refused.exit_code == 1
    assert "larger than Kafka takes" in refused.output
    assert str(letter) in (await patriot_dlq(stack, "list", "--topic", name)).output
    assert (await patriot_dlq(stack, "replay", "--all", "--topic", name)).output == "0 handed to the relay\n"


async def test_what_is_dropped_loses_its_bytes_and_cannot_be_replayed(stack: Stack, pool: Pool, name: str) -> None:
    await make_topic(stack.kafka.bootstrap, name, partitions=1)
    (letter,) = await set_aside(stack, pool, name, (b"k", b"secret", headers()))
    assert (await patriot_dlq(stack, "drop", str(letter))).exit_code == 0
    assert "secret" not in (await patriot_dlq(stack, "show", str(letter))).output
    assert (await patriot_dlq(stack, "replay", str(letter))).exit_code == 1
    assert (await patriot_dlq(stack, "drop", str(letter))).exit_code == 1
    await pool.execute("DELETE FROM outbox")


async def test_wrong_usage_ends_with_2_and_a_missing_database_with_1(stack: Stack) -> None:
    assert (await patriot_dlq(stack, "replay")).exit_code == 2
    assert (await patriot_dlq(stack, "drop", "1", "--all")).exit_code == 2
    gone = await asyncio.to_thread(
        CliRunner().invoke, command, ["list", "--postgres-dsn", "postgresql://127.0.0.1:9/none"]
    )
    assert gone.exit_code == 1
    assert "the database cannot be asked" in gone.output


async def test_resume_closes_the_breaker(stack: Stack, pool: Pool, name: str) -> None:
    await pool.execute("INSERT INTO breaker VALUES ($1, now(), '100 messages in a row were set aside')", name)
    listed = await patriot_dlq(stack, "list")
    assert f"patriot dlq resume {name}" in listed.output
    assert (await patriot_dlq(stack, "resume", name)).output == f"{name} goes on\n"
    assert (await patriot_dlq(stack, "resume", name)).exit_code == 1


async def _read_to(pool: Pool, consumer: str, offset: int) -> bool:
    return bool(
        await pool.fetchval("SELECT next_offset >= $2 FROM consumer_offset WHERE consumer = $1", consumer, offset)
    )
