"""Records on the dispatcher's topics as anybody may write them: an effect, or a dead letter with its bytes, and on."""

import gzip
import json
import uuid
from collections.abc import Sequence
from typing import Final

import pytest
from aiokafka import AIOKafkaProducer

from dispatcher.consumer import Consumer
from dispatcher.report_intake import ReportIntake
from infra.kafka import KAFKA_BATCH_BYTES, start_producer, stop_quietly
from infra.local.stack import Stack
from infra.postgres import Pool
from schemas import topics
from schemas.gazetteer import gazetteer
from schemas.report import ContactGiven, ReportSubmitted
from schemas.wire import encode
from tests.dispatcher.bench import consuming, headers, letters_of, make_topic, options, until
from tests.dispatcher.factories import NOW, SUMMARECON, a_report

Record = tuple[bytes | None, bytes | None, Sequence[tuple[str, bytes | None]]]

_APPLIED: Final = "applied"


class _Intake(ReportIntake):
    """Reports, from a topic of the test's own."""

    def __init__(self, topic: str) -> None:
        super().__init__(gazetteer())
        self.name = topic  # type: ignore[misc]
        self.topics = (topic,)  # type: ignore[misc]


def _report(**fields: object) -> ReportSubmitted:
    return a_report(place=SUMMARECON, **fields)


def _json(**fields: object) -> bytes:
    """A report's value with fields that its type would not let it have; `...` leaves one out."""
    said = {**json.loads(encode(_report())), **fields}
    return json.dumps({name: value for name, value in said.items() if value is not ...}).encode()


def _without(name: str) -> list[tuple[str, bytes]]:
    return [(header, value) for header, value in headers() if header != name]


def _with(name: str, value: bytes | None) -> list[tuple[str, bytes | None]]:
    return [(header, value if header == name else said) for header, said in headers()]


def _good() -> bytes:
    return encode(_report())


#: Name → the record, and the reason of its letter, or `applied`.
_RECORDS: Final[dict[str, tuple[Record, str]]] = {
    # values
    "random bytes": ((b"k", bytes(range(256)), headers()), "not_json"),
    "empty value": ((b"k", b"", headers()), "not_json"),
    "tombstone": ((b"k", None, headers()), "tombstone"),
    "gzip instead of JSON": ((b"k", gzip.compress(_good()), headers()), "not_json"),
    "UTF-16": ((b"k", _good().decode().encode("utf-16"), headers()), "not_json"),
    "byte order mark": ((b"k", b"\xef\xbb\xbf" + _good(), headers()), "not_json"),
    "two values": ((b"k", _good() * 2, headers()), "not_json"),
    "an array": ((b"k", b"[%b]" % _good(), headers()), "schema"),
    "100 000 brackets": ((b"k", b'{"later":' + b"[" * 100_000, headers()), "not_json"),
    "5 000 digits": ((b"k", _json(lat=None).replace(b'"lat": null', b'"lat": ' + b"9" * 5_000), headers()), "schema"),
    "missing field": ((b"k", _json(report_id=...), headers()), "schema"),
    "a number as text": ((b"k", _json(lat="-6.2"), headers()), "schema"),
    "latitude 91": ((b"k", _json(lat=91), headers()), "schema"),
    "naive time": ((b"k", _json(submitted_at="2026-11-22T08:00:00"), headers()), "schema"),
    "unknown category": ((b"k", _json(category="volcano"), headers()), "schema"),
    "unknown channel": ((b"k", _json(channel="fax"), headers()), "schema"),
    "description of 1 MB": ((b"k", _json(description="a" * 900_000), headers()), "schema"),
    "lone surrogate": ((b"k", _json(tracking_code="\ud800"), headers()), "not_json"),
    "NUL": ((b"k", _json(tracking_code="a\x00b"), headers()), "nul"),
    "NUL in a field nobody knows": ((b"k", _json(later="a\x00b"), headers()), _APPLIED),
    "a field of a later release": ((b"k", _json(mood="angry"), headers()), _APPLIED),
    # keys
    "null key": ((None, _good(), headers()), _APPLIED),
    "key of bytes": ((b"\xff\x00", _good(), headers()), _APPLIED),
    # headers
    "no headers": ((b"k", _good(), []), "headers"),
    **{
        f"without {name}": ((b"k", _good(), _without(name)), "headers")
        for name in ("ce_specversion", "ce_id", "ce_type", "ce_source", "ce_time")
    },
    "without traceparent": ((b"k", _good(), _without("traceparent")), _APPLIED),
    "without ce_subject": ((b"k", _good(), _without("ce_subject")), _APPLIED),
    "null header": ((b"k", _good(), _with("ce_id", None)), "headers"),
    "header of bytes": ((b"k", _good(), _with("ce_source", b"\xff")), "headers"),
    "NUL in the id": ((b"k", _good(), _with("ce_id", b"a\x00b")), "headers"),
    "an id of 1 kB": ((b"k", _good(), _with("ce_id", b"a" * 1_000)), "headers"),
    "year 1": ((b"k", _good(), _with("ce_time", b"0001-01-01T00:00:00+14:00")), _APPLIED),
    "year 9999": ((b"k", _good(), _with("ce_time", b"9999-12-31T23:59:59-14:00")), _APPLIED),
    "CloudEvents 0.3": ((b"k", _good(), _with("ce_specversion", b"0.3")), "headers"),
    "unknown type": ((b"k", _good(), headers(kind="id.bekasi.volcano.erupted.v1")), "unknown_type"),
    "unknown version": ((b"k", _good(), headers(kind="id.bekasi.report.submitted.v2")), "unknown_type"),
    # what only PostgreSQL finds out
    "an id that no index takes": ((b"k", _json(report_id="a" * 500_000), headers()), "ProgramLimitExceededError"),
    "a tracking code that is taken": ((b"k", _json(tracking_code="taken"), headers()), "UniqueViolationError"),
    # a contact of a report that nobody knows: it may come before its report, or outlive it
    "missing reference": (
        (
            b"k",
            encode(ContactGiven(report_id="nobody", given_at=NOW, phone="+62 21 500444")),
            headers(kind=topics.CONTACT_GIVEN),
        ),
        _APPLIED,
    ),
}


@pytest.fixture
def pool(connections: Pool) -> Pool:
    """Connections to the module's database."""
    return connections


@pytest.fixture
def name() -> str:
    """A topic of the test's own."""
    return f"bad-{uuid.uuid4().hex[:8]}"


async def test_a_record_has_an_effect_or_is_set_aside_and_the_next_one_works(
    stack: Stack, pool: Pool, name: str
) -> None:
    bootstrap = stack.kafka.bootstrap
    await make_topic(bootstrap, name, partitions=1)
    names: dict[int, str] = {}
    last = _report()
    producer = await start_producer(bootstrap, "anybody", max_record_bytes=KAFKA_BATCH_BYTES)
    await producer.send_and_wait(name, _json(tracking_code="taken"), b"k", headers=headers())
    for what, ((key, value, head), _) in _RECORDS.items():
        names[(await producer.send_and_wait(name, value, key, headers=list(head))).offset] = what
    await producer.send_and_wait(name, encode(last), b"k", headers=headers())
    await stop_quietly(producer)
    async with consuming(Consumer(_Intake(name), pool, options(bootstrap))):
        await until(lambda: _is_kept(pool, last.report_id), 60)
    letters = {names[letter.offset]: letter for letter in await letters_of(pool, name)}
    came_of = {what: letters[what].reason if what in letters else _APPLIED for what in _RECORDS}
    assert came_of == {what: reason for what, (_, reason) in _RECORDS.items()}
    for what, letter in letters.items():
        (key, value, head), _ = _RECORDS[what]
        assert (letter.key, letter.value, len(letter.headers)) == (key, value, len(head))


async def test_an_id_with_another_payload_and_a_report_under_another_id_have_no_second_effect(
    stack: Stack, pool: Pool, name: str
) -> None:
    bootstrap = stack.kafka.bootstrap
    await make_topic(bootstrap, name, partitions=1)
    first, other, last = _report(), _report(), _report()
    head = headers()
    producer = await start_producer(bootstrap, "anybody")
    for value, under in ((first, head), (other, head), (first, headers()), (last, headers())):
        await producer.send_and_wait(name, encode(value), b"k", headers=under)
    await stop_quietly(producer)
    async with consuming(Consumer(_Intake(name), pool, options(bootstrap))):
        await until(lambda: _is_kept(pool, last.report_id), 30)
    kept = await pool.fetch(
        "SELECT id FROM report WHERE id = ANY($1)", [first.report_id, other.report_id, last.report_id]
    )
    assert {row["id"] for row in kept} == {first.report_id, last.report_id}
    assert await letters_of(pool, name) == []


async def test_a_record_that_grows_when_it_is_unpacked_is_set_aside(stack: Stack, pool: Pool, name: str) -> None:
    """30 kB on the wire, 30 MB when read: bounded by what the topic takes times deflate's thousand."""
    bootstrap = stack.kafka.bootstrap
    await make_topic(bootstrap, name, partitions=1)
    stranger = AIOKafkaProducer(bootstrap_servers=bootstrap, compression_type="gzip", max_request_size=40_000_000)
    await stranger.start()
    await stranger.send_and_wait(name, b" " * 30_000_000, b"k", headers=headers())
    last = _report()
    await stranger.send_and_wait(name, encode(last), b"k", headers=headers())
    await stop_quietly(stranger)
    async with consuming(Consumer(_Intake(name), pool, options(bootstrap))):
        await until(lambda: _is_kept(pool, last.report_id), 60)
    (letter,) = await letters_of(pool, name)
    assert (letter.reason, len(letter.value or b"")) == ("not_json", 30_000_000)


async def _is_kept(pool: Pool, report_id: str) -> bool:
    return bool(await pool.fetchval("SELECT EXISTS (SELECT FROM report WHERE id = $1)", report_id))
