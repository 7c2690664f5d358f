"""The batch consumer against real Kafka and PostgreSQL: each message has its effects exactly once, or is set aside."""

import asyncio
from collections import Counter

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.errors import KafkaError

from dispatcher import metrics
from dispatcher.breaker import IN_A_ROW
from dispatcher.consumer import Consumer
from dispatcher.effects import Message
from infra.kafka import stop_admin_quietly
from infra.local.stack import Stack
from infra.postgres import Connection, Pool
from schemas import topics
from tests.dispatcher.bench import (
    Counted,
    consuming,
    effects_of,
    headers,
    letters_of,
    make_topic,
    options,
    producing,
    report,
    send,
    until,
    until_effects,
)


async def test_each_message_has_its_effect_once_and_the_next_worker_carries_on(
    stack: Stack, pool: Pool, name: str
) -> None:
    bootstrap = stack.kafka.bootstrap
    await make_topic(bootstrap, name)
    async with producing(bootstrap) as producer:
        sent = await send(producer, name, 300)
        async with consuming(Consumer(Counted(name, [name]), pool, options(bootstrap))):
            await until_effects(pool, name, 300)
        sent += await send(producer, name, 50)
        async with consuming(Consumer(Counted(name, [name]), pool, options(bootstrap))):
            await until_effects(pool, name, 350)
    assert Counter(await effects_of(pool, name)) == Counter(sent)


async def test_the_same_event_five_times_has_one_effect(stack: Stack, pool: Pool, name: str) -> None:
    bootstrap = stack.kafka.bootstrap
    await make_topic(bootstrap, name)
    again, value = headers(), report()
    async with producing(bootstrap) as producer:
        for _ in range(3):  # within one batch
            await producer.send_and_wait(name, value, b"k", headers=again)
        async with consuming(Consumer(Counted(name, [name]), pool, options(bootstrap))):
            await until_effects(pool, name, 1)
            for _ in range(2):  # and across batches
                await producer.send_and_wait(name, value, b"k", headers=again)
            last = await send(producer, name, 4)
            await until_effects(pool, name, 5)
    assert len(await effects_of(pool, name)) == 1 + len(last)


async def test_what_cannot_be_read_is_set_aside_as_it_came_and_the_next_message_works(
    stack: Stack, pool: Pool, name: str
) -> None:
    bootstrap = stack.kafka.bootstrap
    await make_topic(bootstrap, name, partitions=1)
    await make_topic(bootstrap, topics.dead_letters_of(name), partitions=1)
    good = headers()
    bad = {
        "headers": (b"k", report(), []),
        "unknown_type": (b"k", report(), headers(kind="id.bekasi.report.submitted.v2")),
        "tombstone": (b"k", None, good),
        "not_json": (b"\xff\xfe", b"\x00\xffnot json", good),
        "schema": (None, b'{"report_id": 7}', good),
        "nul": (b"k", report("macet").replace(b'"tracking_code":"0"', b'"tracking_code":"\\u0000"'), good),
    }
    async with producing(bootstrap) as producer:
        for key, value, head in bad.values():
            await producer.send_and_wait(name, value, key, headers=head)
        sent = await send(producer, name, 1)
        async with consuming(Consumer(Counted(name, [name]), pool, options(bootstrap))):
            await until_effects(pool, name, 1)
    assert await effects_of(pool, name) == sent
    letters = await letters_of(pool, name)
    assert [letter.reason for letter in letters] == list(bad)
    assert [(letter.key, letter.value) for letter in letters] == [(key, value) for key, value, _ in bad.values()]
    assert [letter.offset for letter in letters] == list(range(6))
    assert len(letters[2].headers) == len(good)


async def test_an_effect_that_never_works_costs_only_its_own_message(stack: Stack, pool: Pool, name: str) -> None:
    bootstrap = stack.kafka.bootstrap
    await make_topic(bootstrap, name)
    async with producing(bootstrap) as producer:
        sent = await send(producer, name, 20)
        await send(producer, name, 1, "poison")
        sent += await send(producer, name, 20)
        await send(producer, name, 1, "unstorable")
        sent += await send(producer, name, 20)
        async with consuming(Consumer(Counted(name, [name]), pool, options(bootstrap))):
            await until_effects(pool, name, 60)
            await until(lambda: _has_letters(pool, name, 2))
    assert Counter(await effects_of(pool, name)) == Counter(sent)
    assert {letter.reason for letter in await letters_of(pool, name)} == {"ValueError", "CharacterNotInRepertoireError"}


async def test_an_effect_that_takes_too_long_is_set_aside_after_a_few_tries(
    stack: Stack, pool: Pool, name: str
) -> None:
    bootstrap = stack.kafka.bootstrap
    await make_topic(bootstrap, name, partitions=1)
    async with producing(bootstrap) as producer:
        sent = await send(producer, name, 3)
        await send(producer, name, 1, "slow")
        sent += await send(producer, name, 3)
        async with consuming(Consumer(Counted(name, [name]), pool, options(bootstrap, batch_timeout_s=0.3))):
            await until_effects(pool, name, 6)
    assert await effects_of(pool, name) == sent
    assert [letter.reason for letter in await letters_of(pool, name)] == ["TimeoutError"]


async def test_a_lock_that_somebody_else_holds_sets_nothing_aside(stack: Stack, pool: Pool, name: str) -> None:
    bootstrap = stack.kafka.bootstrap
    await make_topic(bootstrap, name, partitions=1)
    async with producing(bootstrap) as producer:
        sent = await send(producer, name, 2)
        async with consuming(Consumer(Counted(name, [name]), pool, options(bootstrap, batch_timeout_s=0.4))):
            async with pool.acquire() as somebody, somebody.transaction():
                await somebody.execute("LOCK TABLE effect")
                await asyncio.sleep(4)
            await until_effects(pool, name, 2)
    assert await effects_of(pool, name) == sent
    assert await letters_of(pool, name) == []


async def test_a_run_of_bad_messages_stops_the_worker_until_somebody_lets_it_go_on(
    stack: Stack, pool: Pool, name: str
) -> None:
    bootstrap = stack.kafka.bootstrap
    await make_topic(bootstrap, name, partitions=2)
    async with producing(bootstrap) as producer:
        for number in range(2 * IN_A_ROW):
            await producer.send_and_wait(name, b"not json", str(number).encode(), headers=headers())
        consumer = Consumer(Counted(name, [name]), pool, options(bootstrap, max_batch=30))
        async with consuming(consumer):
            await until(lambda: _is_open(pool, name))
            assert "patriot dlq resume" in consumer.trouble()[name]
            await asyncio.sleep(1.5)
            assert len(await letters_of(pool, name)) == IN_A_ROW
            await pool.execute("DELETE FROM breaker WHERE consumer = $1", name)
            await until(lambda: _is_open(pool, name))  # the second hundred
            await pool.execute("DELETE FROM breaker WHERE consumer = $1", name)
            sent = await send(producer, name, 5)
            await until_effects(pool, name, 5)
            assert consumer.trouble() == {}
    assert sorted(await effects_of(pool, name)) == sorted(sent)
    assert len(await letters_of(pool, name)) == 2 * IN_A_ROW


async def test_bad_messages_at_the_end_of_a_partition_are_not_read_again_by_its_next_owner(
    stack: Stack, pool: Pool, name: str
) -> None:
    bootstrap, bad = stack.kafka.bootstrap, IN_A_ROW * 6 // 10
    await make_topic(bootstrap, name, partitions=1)
    refused = metrics.MESSAGES.labels(name, "refused")._value
    async with producing(bootstrap) as producer:
        sent = await send(producer, name, 1)
        await asyncio.sleep(0.01)  # the bad ones come later, by the broker's clock
        for number in range(bad):
            await producer.send_and_wait(name, b"not json", str(number).encode(), headers=headers())
        async with consuming(Consumer(Counted(name, [name]), pool, options(bootstrap))):
            await until(lambda: _has_letters(pool, name, bad))
        sent += await send(producer, name, 1)  # behind them: whoever read them again did so before it
        consumer = Consumer(Counted(name, [name]), pool, options(bootstrap))
        async with consuming(consumer):
            await until_effects(pool, name, 2)
            assert consumer.trouble() == {}
    assert await effects_of(pool, name) == sent
    assert metrics.OUT_OF_RANGE.labels(name)._value.get() == 0, "nothing was set back"
    assert refused.get() == bad


async def test_kafkas_own_offsets_are_only_a_mirror(stack: Stack, pool: Pool, name: str) -> None:
    bootstrap = stack.kafka.bootstrap
    await make_topic(bootstrap, name, partitions=1)
    partition = TopicPartition(name, 0)
    async with producing(bootstrap) as producer:
        sent = await send(producer, name, 20)
        await _commit_in_kafka(bootstrap, partition, 13)
        async with consuming(Consumer(Counted(name, [name]), pool, options(bootstrap))):
            await until_effects(pool, name, 20)
        await _commit_in_kafka(bootstrap, partition, 2)
        sent += await send(producer, name, 5)
        async with consuming(Consumer(Counted(name, [name]), pool, options(bootstrap))):
            await until_effects(pool, name, 25)
    assert await effects_of(pool, name) == sent
    assert await _committed_in_kafka(bootstrap, partition) == 25


async def test_a_worker_whose_partitions_another_has_claimed_writes_nothing_more(
    stack: Stack, pool: Pool, name: str
) -> None:
    bootstrap = stack.kafka.bootstrap
    await make_topic(bootstrap, name, partitions=2)
    async with producing(bootstrap) as producer:
        sent = await send(producer, name, 40)
        async with consuming(Consumer(Counted(name, [name]), pool, options(bootstrap))):
            await until_effects(pool, name, 40)
            await pool.execute("UPDATE consumer_offset SET epoch = epoch + 1 WHERE consumer = $1", name)
            sent += await send(producer, name, 40)
            await until(lambda: _counted(metrics.FENCED.labels(name)._value.get()))
            assert len(await effects_of(pool, name)) == 40
            # nobody else came: after a session time-out it claims again
            await until_effects(pool, name, 80)
    assert Counter(await effects_of(pool, name)) == Counter(sent)


async def test_workers_that_come_and_go_under_load_double_and_lose_nothing(stack: Stack, pool: Pool, name: str) -> None:
    bootstrap = stack.kafka.bootstrap
    await make_topic(bootstrap, name, partitions=8)
    sent: list[str] = []
    loading = asyncio.Event()

    async def load() -> None:
        async with producing(bootstrap) as producer:
            while not loading.is_set():
                sent.extend(await send(producer, name, 50))
                await asyncio.sleep(0.05)

    def worker() -> Consumer:
        return Consumer(Counted(name, [name]), pool, options(bootstrap, max_batch=40))

    task = asyncio.create_task(load())
    async with consuming(worker()):
        await asyncio.sleep(1)
        async with consuming(worker()):
            await asyncio.sleep(1.5)
            async with consuming(worker()):
                await asyncio.sleep(1.5)
        loading.set()
        await task
        await until_effects(pool, name, len(sent))
    assert Counter(await effects_of(pool, name)) == Counter(sent)


async def test_a_database_that_is_away_loses_nothing_and_readiness_says_so(stack: Stack, pool: Pool, name: str) -> None:
    bootstrap = stack.kafka.bootstrap
    await make_topic(bootstrap, name)
    async with producing(bootstrap) as producer:
        sent = await send(producer, name, 30)
        consumer = Consumer(Counted(name, [name]), pool, options(bootstrap))
        async with consuming(consumer):
            await until_effects(pool, name, 30)
            await stack.postgres.stop()
            try:
                sent += await send(producer, name, 30)
                await until(lambda: _counted("PostgreSQL" in consumer.trouble().get(name, "")))
                await asyncio.sleep(1)
            finally:
                await stack.postgres.start()
            await until_effects(pool, name, 60)
            await until(lambda: _counted(not consumer.trouble()))
    assert Counter(await effects_of(pool, name)) == Counter(sent)
    assert await letters_of(pool, name) == []


async def test_connections_ended_again_and_again_stop_no_consumer_and_set_nothing_aside(
    stack: Stack, pool: Pool, name: str
) -> None:
    bootstrap = stack.kafka.bootstrap
    await make_topic(bootstrap, name)
    consumer = Consumer(Counted(name, [name]), pool, options(bootstrap))
    stop = asyncio.Event()
    async with (
        producing(bootstrap) as producer,
        asyncpg.create_pool(stack.postgres.dsn, min_size=1, max_size=1) as killer,
    ):
        running = asyncio.create_task(consumer.run(stop))
        sent: list[str] = []
        for _ in range(60):
            sent += await send(producer, name, 10)
            await killer.execute(_END_ALL)
            await asyncio.sleep(0.05)
            assert not running.done(), "it does not end by what the database does"
        await until_effects(pool, name, len(sent))
        stop.set()
        await running
    assert Counter(await effects_of(pool, name)) == Counter(sent)
    assert await letters_of(pool, name) == []


async def test_a_client_that_has_stopped_fetching_is_replaced_not_waited_for(
    stack: Stack, pool: Pool, name: str
) -> None:
    bootstrap = stack.kafka.bootstrap
    await make_topic(bootstrap, name)
    async with producing(bootstrap) as producer:
        sent = await send(producer, name, 10)
        consumer = Consumer(Counted(name, [name]), pool, options(bootstrap))
        running = asyncio.create_task(consumer.run(asyncio.Event()))
        await until_effects(pool, name, 10)

        def unexpected(*_: object) -> None:
            raise RuntimeError("as after a change of leaders")

        assert consumer._member is not None
        consumer._member.reader._consumer._fetcher._get_actions_per_node = unexpected
        sent += await send(producer, name, 10)
        with pytest.raises(KafkaError):
            await asyncio.wait_for(running, 60)
        async with consuming(Consumer(Counted(name, [name]), pool, options(bootstrap))):
            await until_effects(pool, name, 20)
    assert Counter(await effects_of(pool, name)) == Counter(sent)


#: Of this process's pools, not of the one that asks.
_END_ALL = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'client backend'"
    " AND application_name = 'test' AND pid <> pg_backend_pid()"
)


async def test_a_topic_that_was_made_anew_is_read_from_its_beginning(stack: Stack, pool: Pool, name: str) -> None:
    bootstrap = stack.kafka.bootstrap
    await make_topic(bootstrap, name, partitions=1)
    async with producing(bootstrap) as producer:
        sent = await send(producer, name, 20)
        async with consuming(Consumer(Counted(name, [name]), pool, options(bootstrap))):
            await until_effects(pool, name, 20)
    await _delete_topic(bootstrap, name)
    await make_topic(bootstrap, name, partitions=1)
    async with producing(bootstrap) as producer:
        sent += await send(producer, name, 5)
        async with consuming(Consumer(Counted(name, [name]), pool, options(bootstrap))):
            await until_effects(pool, name, 25)
    assert await effects_of(pool, name) == sent


async def test_records_that_are_gone_raise_the_alarm_and_reading_goes_on_behind_them(
    stack: Stack, pool: Pool, name: str
) -> None:
    bootstrap = stack.kafka.bootstrap
    await make_topic(bootstrap, name, partitions=1)
    async with producing(bootstrap) as producer:
        sent = await send(producer, name, 10)
        async with consuming(Consumer(Counted(name, [name]), pool, options(bootstrap))):
            await until_effects(pool, name, 10)
        gone = await send(producer, name, 10)
        await _delete_records(bootstrap, TopicPartition(name, 0), before=20)
        sent += await send(producer, name, 5)
        consumer = Consumer(Counted(name, [name]), pool, options(bootstrap))
        async with consuming(consumer):
            await until_effects(pool, name, 15)
            assert "records were gone" in consumer.trouble()[name]
    assert await effects_of(pool, name) == sent
    assert not set(gone) & set(await effects_of(pool, name))
    assert metrics.OUT_OF_RANGE.labels(name)._value.get() == 1


async def test_freshness_is_now_without_lag_and_the_last_message_written_with_it(
    stack: Stack, pool: Pool, name: str
) -> None:
    bootstrap = stack.kafka.bootstrap
    await make_topic(bootstrap, name, partitions=2)
    blocked = _Blocked(name, [name])
    async with producing(bootstrap) as producer:
        await send(producer, name, 10)
        consumer = Consumer(blocked, pool, options(bootstrap))
        async with consuming(consumer):
            await until_effects(pool, name, 10)
            now = await pool.fetchval("SELECT clock_timestamp()")
            assert {mark.as_of for mark in await consumer.freshness(now)} == {now}
            blocked.gate.clear()
            await send(producer, name, 20)
            await asyncio.sleep(0.5)
            later = await pool.fetchval("SELECT clock_timestamp()")
            assert all(mark.as_of < now for mark in await consumer.freshness(later))
            blocked.gate.set()
            await until_effects(pool, name, 30)
            assert {mark.as_of for mark in await consumer.freshness(later)} == {later}


class _Blocked(Counted):
    """Effects that wait at a gate."""

    gate = asyncio.Event()
    gate.set()

    async def apply(self, connection: Connection, messages: list[Message], now: object) -> None:  # type: ignore[override]
        await self.gate.wait()
        await super().apply(connection, messages, now)  # type: ignore[arg-type]


async def _counted(value: object) -> bool:
    return bool(value)


async def _has_letters(pool: Pool, topic: str, count: int) -> bool:
    return len(await letters_of(pool, topic)) >= count


async def _is_open(pool: Pool, consumer: str) -> bool:
    return bool(await pool.fetchval("SELECT count(*) FROM breaker WHERE consumer = $1", consumer))


async def _commit_in_kafka(bootstrap: str, partition: TopicPartition, offset: int) -> None:
    client = AIOKafkaConsumer(bootstrap_servers=bootstrap, group_id=topics.DISPATCHER_GROUP, enable_auto_commit=False)
    client.assign([partition])
    await client.start()
    await client.commit({partition: offset})
    await client.stop()


async def _committed_in_kafka(bootstrap: str, partition: TopicPartition) -> int | None:
    client = AIOKafkaConsumer(bootstrap_servers=bootstrap, group_id=topics.DISPATCHER_GROUP, enable_auto_commit=False)
    client.assign([partition])
    await client.start()
    offset: int | None = await client.committed(partition)
    await client.stop()
    return offset


async def _delete_topic(bootstrap: str, topic: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    await admin.delete_topics([topic])
    await asyncio.sleep(0.5)
    await stop_admin_quietly(admin)


async def _delete_records(bootstrap: str, partition: TopicPartition, *, before: int) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    await admin.delete_records({partition: RecordsToDelete(before)})
    await stop_admin_quietly(admin)
