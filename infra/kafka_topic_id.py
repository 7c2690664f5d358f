"""A topic's id: tells a topic that was made anew from the one that had its name before.

aiokafka 0.14 speaks Metadata up to v5, ids came with v10 (KIP-516); its protocol classes are enough to ask for v12.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from aiokafka.errors import KafkaConnectionError, for_code
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Boolean, CompactArray, CompactString, Int16, Int32, Schema, TaggedFields

from infra.kafka import raw_client
from infra.kafka_access import KafkaAccess

_ANY_ID: Final = bytes(16)


class _Uuid:
    """16 bytes, big-endian; aiokafka's types have none."""

    encode = staticmethod(bytes)
    repr = staticmethod(repr)

    @staticmethod
    def decode(data: Any) -> UUID:
        return UUID(bytes=data.read(16))


_TEXT: Final = CompactString("utf-8")
_TAGS: Final = ("tags", TaggedFields)
_PARTITION: Final = (
    ("error_code", Int16),
    ("partition", Int32),
    ("leader", Int32),
    ("leader_epoch", Int32),
    ("replicas", CompactArray(Int32)),
    ("isr", CompactArray(Int32)),
    ("offline_replicas", CompactArray(Int32)),
    _TAGS,
)
_TOPIC: Final = (
    ("error_code", Int16),
    ("name", _TEXT),
    ("topic_id", _Uuid),
    ("is_internal", Boolean),
    ("partitions", CompactArray(*_PARTITION)),
    ("authorized_operations", Int32),
    _TAGS,
)
_BROKER: Final = (("node_id", Int32), ("host", _TEXT), ("port", Int32), ("rack", _TEXT), _TAGS)


class _MetadataResponse(Response):  # type: ignore[misc]  # aiokafka has no types
    API_KEY = 3
    API_VERSION = 12
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("brokers", CompactArray(*_BROKER)),
        ("cluster_id", _TEXT),
        ("controller_id", Int32),
        ("topics", CompactArray(*_TOPIC)),
        _TAGS,
    )


class _MetadataStruct(RequestStruct):  # type: ignore[misc]
    FLEXIBLE_VERSION = True
    API_KEY = 3
    API_VERSION = 12
    RESPONSE_TYPE = _MetadataResponse
    SCHEMA = Schema(
        ("topics", CompactArray(("topic_id", _Uuid), ("name", _TEXT), _TAGS)),
        ("allow_auto_topic_creation", Boolean),
        ("include_topic_authorized_operations", Boolean),
        _TAGS,
    )


class _Metadata(Request[_MetadataStruct]):  # type: ignore[misc]
    API_KEY = 3

    def __init__(self, names: Sequence[str]) -> None:
        self._topics: list[tuple[bytes, str, dict[int, bytes]]] = [(_ANY_ID, name, {}) for name in names]

    def build(self, struct: type[_MetadataStruct]) -> _MetadataStruct:
        return struct(self._topics, False, False, {})


async def topic_ids(kafka: KafkaAccess | str, names: Sequence[str], *, timeout: float = 10.0) -> Mapping[str, UUID]:
    """The ids of existing topics, by name.

    Raises `KafkaError` (unknown topic, no broker) and TimeoutError after `timeout` s.
    """
    async with asyncio.timeout(timeout), raw_client(kafka, "patriot-topic-id") as client:
        node = client.get_random_node()
        if node is None:
            raise KafkaConnectionError("no broker is known")
        answer = await client.send(node, _Metadata(names))
    found: dict[str, UUID] = {}
    for error_code, name, topic_id, *_ in answer.topics:
        if error_code:
            raise for_code(error_code)(name)
        found[name] = topic_id
    return found
