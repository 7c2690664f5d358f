"""Whatever bytes come: each decoder answers, or refuses with the one error that its callers know."""

import base64
import json
from dataclasses import dataclass
from datetime import UTC
from typing import Any

import click
import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from command_center_ui import record
from dispatcher import outbox_store
from dispatcher.desk.page import Mark, NameMark, cursor_of, mark_of
from dispatcher.evaluation_file import read_rows
from dispatcher.report_intake import ReportIntake
from dispatcher.telemetry_intake import TelemetryIntake
from dispatcher.unpack import Refused, Unpacker
from infra import tickets, tracking_code
from infra.tickets import TicketError
from schemas import topics
from schemas.boundaries import Boundaries, BoundaryFileError
from schemas.vocabulary import FeedChannel
from tests.command_center_ui.watching import NOON, OPERATOR, PUBLIC, SECRET, Client, Node, Topic, row, ticket
from tests.dispatcher.bench import headers
from tests.dispatcher.factories import NOW, a_report
from tests.simulation.profile import bounds

_UNPACKER = Unpacker({**ReportIntake.types, **TelemetryIntake.types})
_TYPES = sorted({**ReportIntake.types, **TelemetryIntake.types})

_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
_odd = st.sampled_from(["", "\x00", "\ud800", "a" * 5000, -1, 1e308, float("nan"), 10**30, True, None, [], {}, "2026"])
_raw_headers = st.lists(
    st.tuples(st.sampled_from([name for name, _ in headers()]) | st.text(max_size=10), st.none() | st.binary()),
    max_size=12,
)


@st.composite
def _values(draw: st.DrawFn) -> bytes:
    """Nonsense, or a good value with some of its fields made odd, cut off somewhere."""
    if draw(st.booleans()):
        return draw(st.binary(max_size=200) | _json.map(lambda value: json.dumps(value).encode()))
    said = json.loads(msgspec.json.encode(a_report(place=(-6.2, 107.0))))
    for name in draw(st.lists(st.sampled_from(sorted(said)), max_size=3)):
        said[name] = draw(_odd | _json)
    value = json.dumps(said).encode()
    return value[: draw(st.integers(0, len(value)))] if draw(st.booleans()) else value


@st.composite
def _headers(draw: st.DrawFn) -> list[tuple[str, bytes | None]]:
    good: list[tuple[str, bytes | None]] = list(headers("e", draw(st.sampled_from(_TYPES))))
    for at in draw(st.lists(st.integers(0, len(good) - 1), max_size=2)):
        good[at] = (good[at][0], draw(st.none() | st.binary(max_size=40)))
    return [*good, *draw(_raw_headers)] if draw(st.booleans()) else good


@dataclass
class _Record:
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    timestamp: int
    key: bytes | None = None
    topic: str = topics.REPORT.name
    partition: int = 0
    offset: int = 0


@bounds(150, 1)
@given(st.none() | _values(), _headers() | _raw_headers, st.integers(-(2**63), 2**63 - 1))
def test_a_record_is_a_message_or_refused(
    value: bytes | None, said: list[tuple[str, bytes | None]], timestamp: int
) -> None:
    try:
        message = _UNPACKER.unpack(_Record(value, tuple(said), timestamp))
    except Refused as refused:
        assert refused.reason in {"headers", "unknown_type", "tombstone", "not_json", "schema", "nul", "time"}
    else:
        # What is let in can be written: text without NUL and surrogates, in UTF-8.
        assert b"\x00" not in msgspec.json.encode(message.value)
        assert "\x00" not in message.envelope.id


@bounds(100, 1)
@given(st.lists(st.tuples(st.text(st.characters(exclude_characters="\x00␀")), st.none() | st.binary()), max_size=6))
def test_headers_are_kept_as_they_came(said: list[tuple[str, bytes | None]]) -> None:
    kept = msgspec.json.decode(msgspec.json.encode(outbox_store.headers_to_json(tuple(said))))
    assert outbox_store.headers_from_json(kept) == tuple(said)


@bounds(150, 1)
@given(
    st.none() | st.binary(max_size=30) | st.sampled_from([b"incidents:INC-1", b"incidents:", b"kpis:x", b":"]),
    st.none() | _values(),
    st.lists(
        st.tuples(
            st.sampled_from(["ce_type", "x-seq", "x-tags", "x-tags-before"]),
            st.binary(max_size=10)
            | st.sampled_from([b"1", b"{}", b'{"a":1}', "٣".encode(), topics.ROW_CHANGED[FeedChannel.KPIS].encode()])
            | st.sampled_from([topics.FEED_PULSED.encode(), topics.ROW_REMOVED.encode()]),
        ),
        max_size=6,
    ),
)
def test_a_record_of_the_feed_is_read_or_bad(
    key: bytes | None, value: bytes | None, said: list[tuple[str, bytes]]
) -> None:
    try:
        found = record.read(key, value, said, 7, 0)
    except record.BadRecord:
        return
    Node().hub.board.apply(found)


_commands = st.sampled_from(["connect", "subscribe", "unsubscribe", "refresh", "publish"])
_bodies = st.fixed_dictionaries(
    {},
    optional={
        "channel": st.sampled_from([*FeedChannel, "nothing", ""]) | st.integers(),
        "recover": st.booleans(),
        "epoch": st.sampled_from(["k3T", "m9Q", ""]),
        "offset": st.sampled_from([-1, 0, 1, 5, 2**63 - 1, 2**63]),
        "filter": _json | st.sampled_from([{"status": ["new"]}, {"agency": ["32.75/DLH"]}, {"status": "new"}]),
        "ticket": st.sampled_from(["operator", "public", "", "\x00", "a" * 9000]) | st.text(max_size=10),
    },
)
_messages = st.one_of(
    st.tuples(st.integers(0, 9), _commands, _bodies),
    st.just("{}"),
    st.text(max_size=40),
    st.binary(max_size=40),
    _json.map(json.dumps),
)
_steps = st.one_of(_messages, st.floats(0, 31), st.sampled_from(["a row", "no row", "read"]))


@bounds(100, 1)
@given(st.lists(_steps, max_size=30))
def test_a_session_never_raises_and_never_answers_out_of_contract(steps: list[Any]) -> None:
    node, topic = Node(), Topic()
    client = Client(node)
    answered: set[int] = set()
    asked: set[int] = set()
    for step in steps:
        match step:
            case "a row":
                node.reads(topic.put("INC-1", row("INC-1", topic.seq)))
            case "no row":
                node.reads(topic.put("INC-1", None))
            case "read":
                pass
            case float():
                node.tick(step)
            case (int() as number, str() as command, dict() as body):
                offered = {"operator": OPERATOR, "public": PUBLIC}.get(body.get("ticket", ""))
                said = {**body, "ticket": ticket(offered, node.wall)} if offered else body
                asked.add(number)
                client.session.received(json.dumps({"id": number, command: said}), node.now)
            case str() | bytes():
                client.session.received(step, node.now)
        for answer in client.paper.take():
            assert answer == {} or answer.keys() == {"push"} or answer.keys() - {"id"} <= {
                "connect", "subscribe", "unsubscribe", "refresh", "error"
            }  # fmt: skip
            if "id" in answer:
                answered.add(answer["id"])
    assert answered <= asked
    assert client.close_code in {None, 4001, 4005, 4008, 4500, 4501, 4502, 4507}


@bounds(150, 1)
@given(st.text(max_size=80) | st.text("0123456789ABCDEFGHJKMNPQRSTVWXYZ-ilo ", min_size=18, max_size=30))
@example("\u0130" * 20)
@example("ß" * 20)
def test_no_text_but_ours_is_a_tracking_code(text: str) -> None:
    assert tracking_code.check(SECRET, text) is None


@bounds(150, 1)
@given(st.text(max_size=80) | st.binary(max_size=80).map(lambda raw: raw.hex()), st.integers(0, 200), st.characters())
def test_no_text_but_ours_is_a_ticket(text: str, at: int, other: str) -> None:
    with pytest.raises(TicketError):
        tickets.verify(SECRET, text, NOON)
    good = ticket(OPERATOR)
    changed = good[:at] + other + good[at + 1 :]
    try:
        admitted = tickets.verify(SECRET, changed, NOON)
    except TicketError:
        return
    # Base 64 forgives what is no letter of it, and the unused bits of the last: the same ticket, with its nonce.
    assert admitted == tickets.verify(SECRET, good, NOON)


@bounds(150, 1)
@given(st.text(max_size=200) | _json.map(lambda said: _base64(json.dumps(said).encode())))
@example(cursor_of(Mark(updated_at=NOW, id="INC-1"))[:-3])
@example(cursor_of(NameMark(id="INC-1")))
def test_a_cursor_is_a_mark_or_none(text: str) -> None:
    try:
        mark = mark_of(text, Mark)
    except ValueError:
        return
    assert mark.updated_at.astimezone(UTC)


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_a_cursor_with_a_time_that_no_database_keeps_is_none(time: str) -> None:
    with pytest.raises(ValueError):
        mark_of(_base64(b'{"updated_at":"%b","id":"INC-1"}' % time.encode()), Mark)


@bounds(100, 1)
@given(
    st.binary(max_size=200) | st.text(max_size=200).map(lambda text: ("text,label\n" + text).encode("utf-8", "replace"))
)
@example(b"text,label\n" + b'"' + b"a" * 200_000 + b'"')
@example(b"text\x00,label\n1,2\n")
@example(b"text,text\na\n")
def test_a_csv_file_has_rows_or_one_sentence(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzz.csv"
    path.write_bytes(content)
    try:
        rows = read_rows(path, ["text"])
    except click.ClickException as error:
        assert "\n" not in error.message
    else:
        assert all(isinstance(field, str) for found in rows for field in found.values())


_FEATURE = {
    "type": "Feature",
    "properties": {"code": "32.75.01", "name": "Bekasi Timur", "regency_code": "32.75", "type": "kecamatan"},
    "geometry": {"type": "Polygon", "coordinates": [[[107.0, -6.2], [107.1, -6.2], [107.1, -6.3], [107.0, -6.2]]]},
}


@st.composite
def _boundaries(draw: st.DrawFn) -> bytes:
    feature = json.loads(json.dumps(_FEATURE))
    for name in draw(st.lists(st.sampled_from(["type", "properties", "geometry"]), max_size=1)):
        feature[name] = draw(_json)
    kind = st.sampled_from(["Polygon", "MultiPolygon", "Point", "GeometryCollection", "LineString", ""])
    feature["geometry"] = draw(
        st.just(feature["geometry"]) | st.fixed_dictionaries({"type": kind, "coordinates": _json})
    )
    return json.dumps({"type": "FeatureCollection", "features": [feature, *draw(st.lists(_json, max_size=1))]}).encode()


@bounds(100, 1)
@given(st.binary(max_size=100) | _boundaries())
@example(b'{"type":"FeatureCollection","features":[{"type":"Feature","geometry":' + b"[" * 100_000)
@example(
    json.dumps({"type": "FeatureCollection", "features": [_FEATURE]})
    .encode()
    .replace(b"[[[107.0", b"[" * 5000 + b"107.0")
)
def test_a_boundary_file_is_read_or_refused(content: bytes) -> None:
    try:
        areas = Boundaries.from_geojson(content)
    except BoundaryFileError:
        return
    areas.locate(-6.25, 107.05)


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode()
