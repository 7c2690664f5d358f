"""What became of a record is known, or said to be unknown: with a Kafka that is there, stops, dies and comes back."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from infra.local.ports import find_free
from infra.local.stack import Stack
from infra.topics_admin import ensure_topics
from ingest.publisher import NotHandedOver, OutcomeUnknown, Outgoing, Publisher
from schemas import topics
from tests.ingest.intake import kept, until

TOPIC = topics.REPORT.name
BOUND = 4 * 1024 * 1024


@asynccontextmanager
async def publisher_of(bootstrap: str, bound: int = BOUND) -> AsyncIterator[Publisher]:
    publisher = Publisher(bootstrap, max_unacknowledged=bound)
    running = asyncio.create_task(publisher.run())
    yield publisher
    running.cancel()
    await asyncio.wait([running])


def record(number: int, key: str = "cell") -> Outgoing:
    return Outgoing(key.encode(), b'{"report_id":"%d"}' % number, [("ce_id", str(number).encode())])


async def send(publisher: Publisher, number: int, patience: float = 4.0, key: str = "cell") -> None:
    await publisher.publish(TOPIC, record(number, key), asyncio.get_running_loop().time() + patience)


async def ready(publisher: Publisher) -> bool:
    return publisher.trouble is None


async def test_records_of_one_key_keep_their_order_in_one_partition(own: Stack) -> None:
    async with publisher_of(own.kafka.bootstrap) as publisher:
        await until(lambda: ready(publisher))
        for number in range(50):
            await send(publisher, number, key="order")
        many = [record(number, key="order") for number in range(50, 3000)]
        size = sum(each.size for each in many)
        await publisher.publish_all(TOPIC, many, size, asyncio.get_running_loop().time() + 30)
    found = [each for each in await kept(own.kafka.bootstrap, topics.REPORT) if each.key == "order"]
    assert [int(each.value["report_id"]) for each in found] == list(range(3000))
    assert len({each.partition for each in found}) == 1


async def test_before_kafka_is_there_nothing_is_handed_over(tmp_path: Path) -> None:
    async with publisher_of(f"127.0.0.1:{find_free('127.0.0.1')}") as publisher:
        assert publisher.trouble
        for _ in range(3):
            with pytest.raises(NotHandedOver):
                await send(publisher, 1)
            await asyncio.sleep(0.2)


async def test_without_its_topics_it_says_which_one_is_missing(own: Stack) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=own.kafka.bootstrap)
    await admin.start()
    await admin.delete_topics([topics.CONTACT.name])
    await admin.close()
    async with publisher_of(own.kafka.bootstrap) as publisher:
        await until(lambda: named(publisher, topics.CONTACT.name))
        await ensure_topics(own.kafka.bootstrap, embedded=True)
        await until(lambda: ready(publisher))
        await send(publisher, 1)


async def named(publisher: Publisher, topic: str) -> bool:
    return topic in (publisher.trouble or "")


async def test_a_killed_kafka_is_unknown_then_refused_and_then_works_again(own: Stack) -> None:
    async with publisher_of(own.kafka.bootstrap) as publisher:
        await until(lambda: ready(publisher))
        await send(publisher, 10_000, key="kill")
        await own.kafka.kill()
        try:
            loop = asyncio.get_running_loop()
            start = loop.time()
            unknown = []
            for number in range(10_001, 10_004):
                try:
                    await send(publisher, number, patience=1.5, key="kill")
                except OutcomeUnknown:
                    unknown.append(number)
                except NotHandedOver:
                    break
            with pytest.raises(NotHandedOver):
                await send(publisher, 10_900, key="kill")
            assert loop.time() - start < 8
            await until(lambda: away(publisher))
        finally:  # whatever came of it: other tests share this broker
            await own.kafka.start()
        await until(lambda: ready(publisher))
        await until(lambda: works(publisher, 11_000))
    found = {
        int(each.value["report_id"]) for each in await kept(own.kafka.bootstrap, topics.REPORT) if each.key == "kill"
    }
    assert {10_000, 11_000} <= found <= {10_000, 11_000, *unknown}, "what was refused is not there"


async def away(publisher: Publisher) -> bool:
    return publisher.trouble is not None


async def works(publisher: Publisher, number: int) -> bool:
    try:
        await send(publisher, number, key="kill")
        return True
    except (NotHandedOver, OutcomeUnknown):
        return False


async def test_what_kafka_has_not_acknowledged_is_bounded(own: Stack) -> None:
    async with publisher_of(own.kafka.bootstrap, bound=20_000) as publisher:
        await until(lambda: ready(publisher))
        outcomes = await asyncio.gather(
            *(send(publisher, number, key="many") for number in range(200)), return_exceptions=True
        )
        refused = [outcome for outcome in outcomes if isinstance(outcome, NotHandedOver)]
        assert refused and len(refused) < 200
        await send(publisher, 1, key="many")
