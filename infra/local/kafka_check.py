"""A look at Kafka: is it there, are our topics as they should be, and would it lose what it acknowledged?"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError

from infra.kafka import start_admin, start_consumer, stop_admin_quietly, stop_quietly
from infra.kafka_access import KafkaAccess, KafkaRefuses, sentence
from infra.local import safety
from infra.local.check import CLOCK_TOLERANCE, Check, State
from infra.local.safety import KafkaFacts
from infra.settings import KafkaSettings
from infra.topics_admin import Copies, copies, topic_config
from schemas import topics

#: Whose records have the broker's time.
_STAMPED: Final = (topics.REPORT, topics.CONTACT, topics.TELEMETRY)


async def kafka(access: KafkaAccess, outside: KafkaSettings | None) -> list[Check]:
    """One line per check. `outside` is None for the embedded broker."""
    try:
        admin = await start_admin(access, "patriot-doctor", request_timeout_ms=5_000)
        try:
            partitions, facts = await _ask(admin)
        finally:
            await stop_admin_quietly(admin)
        ahead = await _ahead(access, partitions)
    except (KafkaError, OSError, TimeoutError) as error:
        return _nobody(access.bootstrap, error)
    brokers = facts.brokers
    kept = copies(brokers, outside.kafka_replication, outside.kafka_min_insync) if outside else None
    return [
        Check("Kafka", State.OK, f"{brokers} broker{'s' if brokers > 1 else ''} at {access.bootstrap}"),
        _topics(partitions, facts.topics, kept),
        safety.kafka_tls(access),
        *safety.kafka_promises(facts),
        safety.kafka_clock(ahead, CLOCK_TOLERANCE.total_seconds()),
    ]


async def _ask(admin: AIOKafkaAdminClient) -> tuple[Mapping[str, int], KafkaFacts]:
    """Partitions of our topics that there are, and the rest of what is asked."""
    ours = {topic.name for topic in topics.ALL}
    cluster = await admin.describe_cluster()
    described = {
        topic["topic"]: topic["partitions"] for topic in await admin.describe_topics() if topic["topic"] in ours
    }
    broker = cluster["brokers"][0]["node_id"]
    wanted = [ConfigResource(ConfigResourceType.TOPIC, name) for name in described]
    of_topics = await _settings(admin, wanted) if wanted else {}
    of_broker = await _settings(admin, [ConfigResource(ConfigResourceType.BROKER, broker)])
    facts = KafkaFacts(
        brokers=len(cluster["brokers"]),
        settings=of_broker.get(str(broker), {}),
        copies={name: min(len(one["replicas"]) for one in parts) for name, parts in described.items()},
        topics=of_topics,
    )
    return {name: len(parts) for name, parts in described.items()}, facts


async def _settings(admin: AIOKafkaAdminClient, wanted: list[ConfigResource]) -> dict[str, dict[str, str]]:
    """By name; without those that we may not see."""
    answers: list[Any] = await admin.describe_configs(wanted)
    return {
        name: {entry[0]: entry[1] for entry in entries}
        for answer in answers
        for _, _, _, name, entries in answer.resources
    }


async def _ahead(access: KafkaAccess, partitions: Mapping[str, int]) -> list[str]:
    """Topics with records that arrived later than it is by our clock."""
    consumer = await start_consumer(access, "patriot-doctor")
    try:
        later = round((datetime.now(UTC) + CLOCK_TOLERANCE).timestamp() * 1000)
        stamped = [topic.name for topic in _STAMPED if topic.name in partitions]
        asked = {TopicPartition(name, number): later for name in stamped for number in range(partitions[name])}
        found = await consumer.offsets_for_times(asked) if asked else {}
        return sorted({tp.topic for tp, one in found.items() if one is not None})
    finally:
        await stop_quietly(consumer)


def _nobody(bootstrap: str, error: BaseException) -> list[Check]:
    why = str(error) if isinstance(error, KafkaRefuses) else f"nobody answers at {bootstrap} ({sentence(error)})"
    return [Check("Kafka", State.FAIL, why), Check("topics", State.SKIP, "no Kafka to ask")]


def _topics(partitions: Mapping[str, int], configs: Mapping[str, Mapping[str, str]], kept: Copies | None) -> Check:
    wrong: list[str] = []
    for topic in topics.ALL:
        if topic.name not in partitions:
            wrong.append(f"{topic.name} is missing")
            continue
        if partitions[topic.name] < topic.partitions:
            wrong.append(f"{topic.name} has {partitions[topic.name]} partitions instead of {topic.partitions}")
        wrong += [
            f"{topic.name} has {name}={configs.get(topic.name, {}).get(name)} instead of {value}"
            for name, value in topic_config(topic, kept).items()
            if configs.get(topic.name, {}).get(name) != value
        ]
    if wrong:
        more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        return Check("topics", State.FAIL, "; ".join(wrong[:3]) + more)
    return Check("topics", State.OK, f"{len(topics.ALL)} topics as they should be")
