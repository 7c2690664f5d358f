"""The AsyncAPI document is valid, complete, and says what really travels."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from command_center_ui import frame, protocol, view
from command_center_ui.protocol import Close, Refusal
from infra import asyncapi, generate, yaml_text
from infra.http import release
from schemas import feed_messages, topics
from schemas.envelope import Envelope, new_traceparent, write
from schemas.events import EVENTS_OF, KEYS, VALUES
from schemas.feed_messages import Connect, Filter, Subscribe
from schemas.vocabulary import FeedChannel
from schemas.wire import encode

PROJECT = Path(__file__).resolve().parents[2]
OFFICIAL = PROJECT / "command_center_ui/web/node_modules/@asyncapi/specs/schemas/3.0.0-without-$id.json"

Json = dict[str, Any]


@pytest.fixture(scope="module")
def document() -> Json:
    """As others read it: the file, by an independent reader of YAML."""
    found: Json = yaml.safe_load((PROJECT / "schemas" / "asyncapi.yaml").read_text("utf-8"))
    return found


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(reference := value.get("$ref"), str):
            yield reference
        for item in value.values():
            yield from references(item)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)


def resolve(document: Json, reference: str) -> Any:
    found: Any = document
    for part in reference.removeprefix("#/").split("/"):
        found = found[part.replace("~1", "/").replace("~0", "~")]
    return found


def validator_of(document: Json, schema: Json) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator({**schema, "components": document["components"]})


def test_the_file_says_what_the_types_say(document: Json) -> None:
    assert document == json.loads(json.dumps(asyncapi.document(release())))


def test_it_is_valid_by_the_schema_of_asyncapi_itself(document: Json) -> None:
    if not OFFICIAL.exists():
        pytest.skip("the schema of AsyncAPI comes with the pages' tools: npm ci in command_center_ui/web")
    validator = jsonschema.Draft7Validator(json.loads(OFFICIAL.read_text("utf-8")))
    assert [f"{error.json_path}: {error.message[:200]}" for error in validator.iter_errors(document)] == []
    for broken in (
        {**document, "operations": {"o": {"action": "shout", "channel": {"$ref": "#/channels/feed"}}}},
        {**document, "servers": {"kafka": {"url": "x"}}},
        {name: value for name, value in document.items() if name != "info"},
    ):
        assert not validator.is_valid(broken)


def test_every_reference_leads_somewhere(document: Json) -> None:
    found = list(references(document))
    assert len(found) > 100
    for reference in found:
        resolve(document, reference)


def test_every_topic_and_every_event_type_is_in_it_once(document: Json) -> None:
    channels = document["channels"]
    assert set(channels) == {topic.name for topic in topics.ALL} | {"feed"}
    for topic in topics.ALL:
        binding = channels[topic.name]["bindings"]["kafka"]
        assert (binding["topic"], binding["partitions"]) == (topic.name, topic.partitions)
    told = [kind for _, kinds in EVENTS_OF for kind in kinds]
    assert sorted(told) == sorted({*VALUES, topics.ROW_REMOVED}) == sorted(KEYS)
    for topic, kinds in EVENTS_OF:
        assert list(channels[topic.name]["messages"]) == list(kinds)
    for operation in document["operations"].values():
        of_channel = resolve(document, operation["channel"]["$ref"])["messages"]
        assert {each["$ref"].rpartition("/")[2] for each in operation["messages"]} <= set(of_channel)


@pytest.mark.parametrize("kind", sorted(VALUES))
def test_a_payload_is_the_json_schema_of_the_event_type(document: Json, kind: str) -> None:
    def spread(schema: Any, root: Json) -> Any:
        if isinstance(schema, dict):
            if "$ref" in schema:
                return spread(resolve(root, schema["$ref"]), root)
            return {
                name: spread(item, root) for name, item in schema.items() if name not in ("$schema", "$id", "$defs")
            }
        return [spread(item, root) for item in schema] if isinstance(schema, list) else schema

    alone = json.loads(json.dumps(generate.json_schema(kind)))
    assert spread(document["components"]["messages"][kind]["payload"], document) == spread(alone, alone)


@pytest.mark.parametrize("kind", sorted({*VALUES, topics.ROW_REMOVED}))
def test_the_headers_that_are_written_are_those_it_tells(document: Json, kind: str) -> None:
    envelope = Envelope("e1", kind, "urn:test", "s", datetime.now(UTC), new_traceparent())
    headers = {name: value.decode() for name, value in write(envelope)}
    if topics.HEADER_SEQ in document["components"]["messages"][kind]["headers"]["required"]:
        headers[topics.HEADER_SEQ] = "7"
    validator = validator_of(document, document["components"]["messages"][kind]["headers"])
    assert [error.message for error in validator.iter_errors(headers)] == []
    assert set(headers) <= set(document["components"]["messages"][kind]["headers"]["properties"])
    for name in headers:
        if name != "ce_subject":
            assert not validator.is_valid({other: value for other, value in headers.items() if other != name}) or (
                name in ("ce_dataschema", "traceparent", "content-type")
            )


PUB = b'{"offset":7,"key":"INC-1","tags":{"agency":"32.75/DLH"},"data":null}'
GONE = b'{"offset":8,"key":"INC-2","removed":true}'
AT = datetime(2026, 11, 22, 7, tzinfo=UTC)
FRAMES = [
    ("ConnectReply", frame.connected(1, "c-1", 25, 900)),
    ("RefreshReply", frame.refreshed(1, 900)),
    ("UnsubscribeReply", frame.unsubscribed(1)),
    ("ErrorReply", frame.refused(1, Refusal.UNKNOWN_CHANNEL, "no such channel")),
    ("SubscribeReply", frame.recovered(1, "k3T", 7, [GONE], filtered=True)),
    ("SubscribeReply", frame.state(1, "k3T", 7, b"", more=False, filtered=None)),
    ("StatePush", frame.state_part(FeedChannel.INCIDENTS, "k3T", b"", more=True)),
    ("ChangesPush", frame.push(FeedChannel.KPIS, "k3T", 1, 8, at=AT, as_of=None, pubs=[GONE])),
    ("ChangesPush", frame.push(FeedChannel.KPIS, "k3T", 1, 8, at=AT, as_of=AT, pubs=[])),
    ("DisconnectPush", frame.disconnect(Close.SHUTDOWN, "shutdown", 3120)),
    ("Beat", frame.PING),
]


@pytest.mark.parametrize(("name", "sent"), FRAMES, ids=[name for name, _ in FRAMES])
def test_what_a_node_says_fits_and_has_no_field_that_is_not_told(document: Json, name: str, sent: frame.Frame) -> None:
    value = json.loads(sent.payload)
    schema = document["components"]["schemas"][name]
    assert [error.message for error in validator_of(document, schema).iter_errors(value)] == []
    # The types are open; ours must not have forgotten a field of ours.
    kind = next(each for each in feed_messages.FROM_NODE if each.__name__ == name)
    told = json.loads(encode(msgspec.convert(value, kind)))
    assert value == told


def test_a_row_that_changed_is_told_with_its_type(document: Json) -> None:
    schema = document["components"]["schemas"]["Publication"]
    assert not validator_of(document, schema).is_valid(json.loads(PUB.replace(b"null", b'{"id":1}')))
    kpi = b'{"name":"open","value":3,"unit":"incidents","at":"2026-11-22T07:00:00Z"}'
    assert validator_of(document, schema).is_valid(json.loads(PUB.replace(b"null", kpi)))


@pytest.mark.parametrize(
    "command",
    [
        feed_messages.ConnectCommand(id=1, connect=Connect(ticket="t", name="wall")),
        feed_messages.SubscribeCommand(
            id=2, subscribe=Subscribe(FeedChannel.INCIDENTS, True, "k3T", 7, Filter(agency=["32.75/DLH"]))
        ),
        feed_messages.UnsubscribeCommand(id=3, unsubscribe=feed_messages.Unsubscribe("incidents")),
        feed_messages.RefreshCommand(id=4, refresh=feed_messages.Refresh("t")),
        feed_messages.Beat(),
    ],
    ids=lambda command: type(command).__name__,
)
def test_what_it_tells_clients_to_say_a_node_understands(command: msgspec.Struct) -> None:
    number, said = protocol.read(encode(command).decode())
    assert (number, type(said).__name__) == (
        getattr(command, "id", 0),
        {"Beat": "Pong"}.get(type(command).__name__, type(command).__name__.removesuffix("Command")),
    )


def test_a_filter_has_the_fields_that_a_node_filters_by() -> None:
    assert Filter.__struct_fields__ == view.Filter.__struct_fields__


texts = st.text(
    st.characters(codec="utf-8", exclude_characters="\x7f\x85\u2028\u2029\ufeff", exclude_categories=["Cc"])
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | texts | st.sampled_from(["no", "1", "- a", "a: b", "~", "#", "", " "]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
)


@given(value=values)
def test_yaml_is_read_back_as_it_was(value: object) -> None:
    assert yaml.safe_load(yaml_text.write(value)) == value
