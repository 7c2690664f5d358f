"""The generated contract is current, and what travels fits it."""

import json
from datetime import UTC, datetime

import jsonschema
import msgspec
import pytest

from infra import generate
from schemas import topics
from schemas.envelope import Envelope, EnvelopeError, new_traceparent, read, schema_id, write
from schemas.events import VALUES
from schemas.report import ReportDraft, ReportSubmitted
from schemas.telemetry import Reading, TrafficObserved
from schemas.vocabulary import ReportChannel
from schemas.wire import encode


def test_every_generated_file_is_current() -> None:
    assert generate.stale() == []


@pytest.mark.parametrize("event_type", sorted(VALUES))
def test_every_value_has_a_schema_with_its_own_id_and_required_fields(event_type: str) -> None:
    schema = generate.json_schema(event_type)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$id"] == schema_id(event_type)
    assert schema["required"]


def test_a_submitted_report_fits_its_schema_and_a_crooked_one_does_not() -> None:
    report = ReportSubmitted(
        report_id="r1",
        tracking_code="ABCD",
        description="Macet total di Bulak Kapal",
        channel=ReportChannel.APP,
        submitted_at=datetime(2026, 11, 22, 7, tzinfo=UTC),
        lat=-6.24,
        lon=107.01,
    )
    validator = jsonschema.Draft202012Validator(generate.json_schema(topics.REPORT_SUBMITTED))
    value = json.loads(encode(report))
    assert validator.is_valid(value)
    assert not validator.is_valid({**value, "lat": "6"})
    assert not validator.is_valid({key: item for key, item in value.items() if key != "report_id"})


def test_what_the_public_sends_is_closed_and_what_travels_is_open() -> None:
    reading = b'{"kind":"traffic","sensor_id":"S1","observed_at":"2026-11-22T07:00:00Z","colour":"red"}'
    with pytest.raises(msgspec.ValidationError, match="unknown field"):
        msgspec.json.decode(reading, type=Reading)
    assert msgspec.json.decode(reading, type=TrafficObserved).sensor_id == "S1"


@pytest.mark.parametrize("text", ["", "   ", "\u200b\u200e \n", "a\u0000b", "x" * 4001])
def test_a_description_must_be_visible_text_of_4000_characters_without_nul(text: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(json.dumps({"description": text}), type=ReportDraft)


def test_an_envelope_survives_its_headers() -> None:
    envelope = Envelope(
        id="e1",
        type=topics.REPORT_SUBMITTED,
        source="urn:test",
        subject="r1",
        time=datetime(2026, 11, 22, 7, tzinfo=UTC),
        traceparent=new_traceparent(),
    )
    assert read(write(envelope)) == envelope


@pytest.mark.parametrize("missing", ["ce_specversion", "ce_id", "ce_type", "ce_source", "ce_time"])
def test_a_record_without_a_required_header_is_refused_by_name(missing: str) -> None:
    envelope = Envelope("e1", topics.REPORT_SUBMITTED, "urn:test", "r1", datetime.now(UTC), new_traceparent())
    with pytest.raises(EnvelopeError, match=missing):
        read([(name, value) for name, value in write(envelope) if name != missing])


def test_every_topic_and_type_name_is_used_once() -> None:
    names = [topic.name for topic in topics.ALL]
    assert len(names) == len(set(names))
    assert all(name.endswith(".v1") for name in VALUES)
