"""Makes the topics as the contract says; the broker never makes one by itself."""

from typing import Final

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import for_code

from infra.kafka import stop_admin_quietly
from schemas import topics

_NO_ERROR: Final = 0
_TOPIC_ALREADY_EXISTS: Final = 36


class TopicsError(RuntimeError):
    """A topic could not be made; the message names it and what Kafka said."""


def topic_config(topic: topics.Topic, *, embedded: bool) -> dict[str, str]:
    """The settings a topic is made with; on the embedded, single broker each report is flushed to disk."""
    flush = {"flush.messages": "1"} if embedded and topic.flush_each else {}
    return {**topic.config, **flush}


async def ensure_topics(bootstrap: str, *, embedded: bool, replication: int = 1) -> list[str]:
    """Make the topics that are missing and return their names; existing ones are left as they are. Safe twice.

    aiokafka's admin returns errors instead of raising them, so each answer is looked at.
    """
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, client_id="patriot-topics", request_timeout_ms=15_000)
    await admin.start()
    try:
        existing = set(await admin.list_topics())
        missing = [topic for topic in topics.ALL if topic.name not in existing]
        if not missing:
            return []
        answer = await admin.create_topics(
            [
                NewTopic(
                    name=topic.name,
                    num_partitions=topic.partitions,
                    replication_factor=replication,
                    topic_configs=topic_config(topic, embedded=embedded),
                )
                for topic in missing
            ]
        )
        for name, code, *message in answer.topic_errors:
            if code not in (_NO_ERROR, _TOPIC_ALREADY_EXISTS):
                raise TopicsError(
                    f"topic {name} could not be made: {for_code(code).__name__} {' '.join(map(str, message))}"
                )
        return [topic.name for topic in missing]
    finally:
        await stop_admin_quietly(admin)
