"""What is a message and what is not; and under which day an id is remembered."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from dispatcher.seen_store import KEPT_DAYS, day_of
from dispatcher.unpack import Refused, Unpacker
from schemas import topics
from schemas.report import ReportSubmitted
from tests.dispatcher.bench import headers, report

_UNPACKER = Unpacker({topics.REPORT_SUBMITTED: ReportSubmitted})
_NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)


@dataclass
class _Record:
    value: bytes | None = field(default_factory=report)
    headers: tuple[tuple[str, bytes | None], ...] = field(default_factory=lambda: tuple(headers("e1")))
    timestamp: int = int(_NOW.timestamp() * 1000)
    key: bytes | None = b"k"
    topic: str = topics.REPORT.name
    partition: int = 3
    offset: int = 7


def _with(name: str, value: bytes | None) -> _Record:
    return _Record(headers=tuple((n, value if n == name else v) for n, v in headers("e1")))


def test_a_report_is_a_typed_message_with_its_place_and_the_brokers_time() -> None:
    message = _UNPACKER.unpack(_Record())
    assert isinstance(message.value, ReportSubmitted)
    assert (message.envelope.id, message.partition, message.offset, message.received_at) == ("e1", 3, 7, _NOW)


def test_a_backslash_before_u0000_is_no_nul() -> None:
    _UNPACKER.unpack(_Record(value=report("\\u0000 sebagai teks")))


def test_a_traceparent_that_is_none_is_replaced() -> None:
    message = _UNPACKER.unpack(_with("traceparent", b"\x00nonsense"))
    assert message.envelope.traceparent.startswith("00-")


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (_Record(headers=()), "headers"),
        (_with("ce_id", b""), "headers"),
        (_with("ce_id", b"\xff"), "headers"),
        (_with("ce_id", None), "headers"),
        (_with("ce_time", b"yesterday"), "headers"),
        (_with("ce_time", b"2026-11-22T08:00:00"), "headers"),
        (_with("ce_specversion", b"0.3"), "headers"),
        (_with("ce_type", b"id.bekasi.report.submitted.v9"), "unknown_type"),
        (_Record(value=None), "tombstone"),
        (_Record(value=b""), "not_json"),
        (_Record(value=b"\xff\xfe{\x00}"), "not_json"),
        (_Record(value=b"[" * 100_000), "schema"),
        (_Record(value=b'{"x":' + b"[" * 100_000), "not_json"),
        (_Record(value=b"null"), "schema"),
        (_Record(value=report().replace(b"-6.238", b"91.5")), "schema"),
        (_Record(value=report().replace(b"-6.238", b"NaN")), "not_json"),
        (_Record(value=report().replace(b"-6.238", b"true")), "schema"),
        (_Record(value=report().replace(b'"tracking_code":"0"', b'"tracking_code":"a\\u0000"')), "nul"),
        (_Record(timestamp=10**18), "time"),
    ],
)
def test_what_is_no_message_says_why(record: _Record, reason: str) -> None:
    with pytest.raises(Refused) as refused:
        _UNPACKER.unpack(record)
    assert refused.value.reason == reason


@pytest.mark.parametrize(
    ("time", "day"),
    [
        (_NOW, date(2026, 11, 22)),
        (datetime(2026, 11, 22, 1, tzinfo=timezone(timedelta(hours=7))), date(2026, 11, 21)),
        (datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14))), date(2026, 11, 22)),
        (datetime(1970, 1, 1, tzinfo=UTC), date(2026, 11, 22) - timedelta(days=KEPT_DAYS)),
        (datetime(9999, 12, 31, tzinfo=UTC), date(2026, 11, 23)),
    ],
)
def test_an_id_is_remembered_under_a_day_that_is_kept(time: datetime, day: date) -> None:
    assert day_of(time, _NOW) == day
