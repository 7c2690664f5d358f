"""The AsyncAPI 3 document: every topic with its messages, headers and keys, and the feed's WebSocket."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from schemas import feed_messages, topics
from schemas.envelope import CONTENT_TYPE, SPEC_VERSION, schema_id
from schemas.events import EVENTS_OF, KEYS, VALUES
from schemas.feed import PublicIncidentRow
from schemas.topics import Topic
from schemas.vocabulary import FeedChannel

#: https://github.com/asyncapi/bindings: the version of Kafka's and of WebSocket's.
_KAFKA_BINDING: Final = "0.5.0"
_WS_BINDING: Final = "0.1.0"
#: The settings of a topic that the binding has a word for.
_KNOWN_CONFIG: Final = ("cleanup.policy", "retention.ms", "delete.retention.ms")
#: Which of our services writes a topic and which reads it.
_WRITER: Final = {topic.name: "ingest" for topic in (topics.REPORT, topics.CONTACT, topics.TELEMETRY)}
_READER: Final = {**dict.fromkeys(_WRITER, "dispatcher"), topics.FEED.name: "feed"}

Json = dict[str, Any]


def document(version: str) -> Json:
    """The document of the release `version`, as plain values."""
    schemas = _schemas()
    return {
        "asyncapi": "3.0.0",
        "id": "https://bekasi.id/patriot",
        "info": {
            "title": "Patriot, the Command Center of Bekasi: events and the live feed",
            "version": version,
            "description": "Records are CloudEvents 1.0 in binary mode with JSON values. Within a major version "
            "(`.v1`) a schema only gains optional fields. Generated from `schemas/` by `python -m infra.generate`.",
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": CONTENT_TYPE,
        "servers": {
            "kafka": {
                "host": "127.0.0.1:9092",
                "protocol": "kafka",
                "description": "PATRIOT_KAFKA_BOOTSTRAP; the embedded one is told by the ready file.",
            },
            "feed": {
                "host": "127.0.0.1:8081",
                "protocol": "ws",
                "description": "`feed_url` of `GET /api/v1/config`; wss where TLS is used.",
            },
        },
        "channels": {topic.name: _channel(topic, kinds) for topic, kinds in _topics()} | {"feed": _feed_channel()},
        "operations": {**_topic_operations(), **_feed_operations()},
        "components": {
            "messages": {
                **{kind: _message(kind) for _, kinds in EVENTS_OF for kind in kinds},
                "dead-letter": _dead_letter(),
                **{_word(kind): _feed_message(kind) for kind in _feed_types()},
            },
            "schemas": schemas,
        },
    }


def _topics() -> Iterator[tuple[Topic, Sequence[str]]]:
    yield from EVENTS_OF
    for topic in topics.DEAD_LETTERS:
        yield topic, ("dead-letter",)


def _reference(*path: str) -> Json:
    return {"$ref": "#/" + "/".join(part.replace("~", "~0").replace("/", "~1") for part in path)}


def _channel(topic: Topic, kinds: Sequence[str]) -> Json:
    config: Json = {name: topic.config[name] for name in _KNOWN_CONFIG if name in topic.config}
    if "cleanup.policy" in config:
        config["cleanup.policy"] = config["cleanup.policy"].split(",")
    for name in ("retention.ms", "delete.retention.ms"):
        if name in config:
            config[name] = int(config[name])
    return {
        "address": topic.name,
        "servers": [_reference("servers", "kafka")],
        "messages": {kind: _reference("components", "messages", kind) for kind in kinds},
        "bindings": {
            "kafka": {
                "topic": topic.name,
                "partitions": topic.partitions,
                "topicConfiguration": config,
                "bindingVersion": _KAFKA_BINDING,
            }
        },
    }


def _topic_operations() -> Json:
    found: Json = {}
    for topic, kinds in _topics():
        messages = [_reference("channels", topic.name, "messages", kind) for kind in kinds]
        channel = _reference("channels", topic.name)
        writer, reader = _WRITER.get(topic.name, "dispatcher"), _READER.get(topic.name)
        found[f"{writer}.send.{topic.name}"] = {"action": "send", "channel": channel, "messages": messages}
        if reader is not None:
            found[f"{reader}.receive.{topic.name}"] = {"action": "receive", "channel": channel, "messages": messages}
    return found


def _message(kind: str) -> Json:
    payload: Json = {"type": "null"}
    summary = "A tombstone: the row has left the board."
    if kind in VALUES:
        payload = _reference("components", "schemas", VALUES[kind].__name__)
        summary = (VALUES[kind].__doc__ or kind).splitlines()[0]
    return {
        "name": kind,
        "title": kind,
        "summary": summary,
        "contentType": CONTENT_TYPE,
        "headers": _headers(kind),
        "payload": payload,
        "bindings": _key(KEYS[kind]),
    }


def _key(description: str) -> Json:
    return {"kafka": {"key": {"type": "string", "description": description}, "bindingVersion": _KAFKA_BINDING}}


def _headers(kind: str) -> Json:
    of_feed = kind in (*topics.ROW_CHANGED.values(), topics.ROW_REMOVED)
    fields: Json = {
        "ce_specversion": {"const": SPEC_VERSION},
        "ce_id": {
            "type": "string",
            "minLength": 1,
            "maxLength": 200,
            "description": "unique; the same again is a repeat",
        },
        "ce_type": {"const": kind},
        "ce_source": {"type": "string", "minLength": 1},
        "ce_subject": {"type": "string"},
        "ce_time": {"type": "string", "format": "date-time"},
        "ce_dataschema": {"const": schema_id(kind)},
        "content-type": {"const": CONTENT_TYPE},
        "traceparent": {"type": "string", "description": "https://www.w3.org/TR/trace-context/"},
    }
    required = list(fields)
    if of_feed:
        fields[topics.HEADER_SEQ] = {"type": "string", "pattern": "^[0-9]+$", "description": "rises per key"}
        fields[topics.HEADER_TAGS] = {"type": "string", "description": "JSON object: what the row is filtered by"}
        fields[topics.HEADER_TAGS_BEFORE] = {"type": "string", "description": "the tags of the row before this one"}
        required.append(topics.HEADER_SEQ)
    return {"type": "object", "required": required, "properties": fields}


def _dead_letter() -> Json:
    text = {"type": "string"}
    return {
        "name": "dead-letter",
        "title": "A record that was set aside",
        "summary": "Key, value and headers unchanged, and why and from where. The store is PostgreSQL; this is a copy.",
        "contentType": "application/octet-stream",
        "headers": {
            "type": "object",
            "required": ["x-error-class", "x-error-message", "x-source-partition", "x-source-offset"],
            "properties": {
                "x-error-class": text,
                "x-error-message": text,
                "x-source-partition": {"type": "string", "pattern": "^[0-9]+$"},
                "x-source-offset": {"type": "string", "pattern": "^[0-9]+$"},
            },
        },
        "payload": {},
        "bindings": _key("as in the source"),
    }


def _feed_types() -> tuple[type[msgspec.Struct], ...]:
    return tuple(dict.fromkeys((*feed_messages.FROM_CLIENT, *feed_messages.FROM_NODE)))


def _word(kind: type[msgspec.Struct]) -> str:
    return f"feed.{kind.__name__}"


def _feed_message(kind: type[msgspec.Struct]) -> Json:
    return {
        "name": kind.__name__,
        "title": kind.__name__,
        "summary": (kind.__doc__ or "").splitlines()[0],
        "contentType": CONTENT_TYPE,
        "payload": _reference("components", "schemas", kind.__name__),
    }


def _feed_channel() -> Json:
    return {
        "address": "/",
        "title": "The live feed",
        "description": f"WebSocket with the subprotocol `{feed_messages.SUBPROTOCOL}`. Channels: "
        f"{', '.join(FeedChannel)}. Close codes 4000 to 4499: come back; 4500 to 4999: with a new ticket or mended.",
        "servers": [_reference("servers", "feed")],
        "messages": {_word(kind): _reference("components", "messages", _word(kind)) for kind in _feed_types()},
        "bindings": {
            "ws": {
                "method": "GET",
                "headers": {
                    "type": "object",
                    "required": ["Sec-WebSocket-Protocol"],
                    "properties": {"Sec-WebSocket-Protocol": {"const": feed_messages.SUBPROTOCOL}},
                },
                "bindingVersion": _WS_BINDING,
            }
        },
    }


def _feed_operations() -> Json:
    def operation(action: str, kinds: Sequence[type[msgspec.Struct]]) -> Json:
        messages = [_reference("channels", "feed", "messages", _word(kind)) for kind in kinds]
        return {"action": action, "channel": _reference("channels", "feed"), "messages": messages}

    return {
        "feed.receive": operation("receive", feed_messages.FROM_CLIENT),
        "feed.send": operation("send", feed_messages.FROM_NODE),
    }


def _schemas() -> Json:
    values: Mapping[str, Any] = VALUES
    kinds = [*values.values(), *_feed_types(), PublicIncidentRow]
    _, found = msgspec.json.schema_components(kinds, ref_template="#/components/schemas/{name}")
    # A row's type depends on the channel, which no struct can say.
    rows = [PublicIncidentRow, *(values[topics.ROW_CHANGED[channel]] for channel in FeedChannel)]
    any_row = {"anyOf": [_reference("components", "schemas", row.__name__) for row in rows]}
    found["StateEntry"]["properties"]["data"] = any_row
    found["Publication"]["properties"]["data"] = any_row
    return found
