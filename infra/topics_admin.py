"""Makes the topics as the contract says; the broker never makes one by itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import for_code

from infra.kafka import refuse_other_city, start_admin, stop_admin_quietly
from infra.kafka_access import KafkaAccess
from schemas import topics

_NO_ERROR: Final = 0
_TOPIC_ALREADY_EXISTS: Final = 36


class TopicsError(RuntimeError):
    """A topic could not be made; the message names it and what Kafka said."""


#: More copies than this would cost without making anything safer.
_MOST_COPIES: Final = 3


@dataclass(frozen=True, slots=True)
class Copies:
    """How often Kafka keeps each record, and how many of these must be written before it is acknowledged."""

    replication: int
    min_insync: int


def copies(brokers: int, replication: int | None = None, min_insync: int | None = None) -> Copies:
    """What was asked for; else one copy on each broker, three at most, and all but one of them in sync."""
    replication = replication or min(brokers, _MOST_COPIES)
    return Copies(replication, min_insync or max(replication - 1, 1))


def topic_config(topic: topics.Topic, kept: Copies | None) -> dict[str, str]:
    """The settings a topic is made with. `kept` is None for the embedded, single broker, where each report is flushed
    to disk; elsewhere the copies do that, and one that missed records may never become the leader."""
    if kept is None:
        return {**topic.config, **({"flush.messages": "1"} if topic.flush_each else {})}
    return {
        **topic.config,
        "min.insync.replicas": str(kept.min_insync),
        "unclean.leader.election.enable": "false",
    }


async def ensure_topics(
    kafka: KafkaAccess | str,
    *,
    embedded: bool,
    replication: int | None = None,
    min_insync: int | None = None,
    training: bool = False,
) -> list[str]:
    """Make the topics that are missing and return their names; existing ones are left as they are. Safe twice.

    `replication` and `min_insync` are for a Kafka outside (see `copies`). Raises `TopicsError` or `KafkaError`; for
    topics of a real city with `training`, or of a training city without it, `KafkaRefuses`.
    aiokafka's admin returns errors instead of raising them, so each answer is looked at.
    """
    admin = await start_admin(kafka, "patriot-topics", request_timeout_ms=15_000)
    try:
        existing = set(await admin.list_topics())
        refuse_other_city(existing, training=training)
        if training and topics.TRAINING.name not in existing:
            # Before the others: broken off in between, they must not be taken for a real city's.
            await _make(admin, [topics.TRAINING], embedded=embedded, replication=replication, min_insync=min_insync)
        missing = [topic for topic in topics.ALL if topic.name not in existing]
        if missing:
            await _make(admin, missing, embedded=embedded, replication=replication, min_insync=min_insync)
        return [topic.name for topic in missing]
    finally:
        await stop_admin_quietly(admin)


async def _make(
    admin: AIOKafkaAdminClient,
    missing: Sequence[topics.Topic],
    *,
    embedded: bool,
    replication: int | None,
    min_insync: int | None,
) -> None:
    kept = None
    if not embedded:
        kept = copies(len((await admin.describe_cluster())["brokers"]), replication, min_insync)
    answer = await admin.create_topics(
        [
            NewTopic(
                name=topic.name,
                num_partitions=topic.partitions,
                replication_factor=kept.replication if kept else 1,
                topic_configs=topic_config(topic, kept),
            )
            for topic in missing
        ]
    )
    for name, code, *message in answer.topic_errors:
        if code not in (_NO_ERROR, _TOPIC_ALREADY_EXISTS):
            raise TopicsError(
                f"topic {name} could not be made: {for_code(code).__name__} {' '.join(map(str, message))}"
            )
