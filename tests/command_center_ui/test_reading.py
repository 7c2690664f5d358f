"""What stands before the core: records, tickets, origins, frames on the wire, pace."""

import json
import zlib
from datetime import timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from command_center_ui.board import epoch_of
from command_center_ui.door import Door, Origins
from command_center_ui.frame import Frame
from command_center_ui.pace import Pace
from command_center_ui.record import BadRecord, PulseRecord, RowRecord, read
from infra.tickets import TicketError
from schemas.topics import FEED_PULSED, ROW_CHANGED, ROW_REMOVED
from schemas.vocabulary import FeedChannel
from tests.command_center_ui.watching import NOON, OPERATOR, SECRET, Topic, decoded, row, ticket

CHANGED = ROW_CHANGED[FeedChannel.INCIDENTS].encode()
HEADERS = {"ce_type": CHANGED, "x-seq": b"7", "x-tags": b'{"agency":"32.75/DLH"}'}


def test_a_row_is_read_with_its_tags_and_number() -> None:
    topic = Topic()
    topic.put("INC-1", row("INC-1"), {"agency": "32.75/DLH"})
    found = decoded(topic.put("INC-1", row("INC-1", 2), {"agency": "32.75/DISHUB"}))
    assert isinstance(found, RowRecord)
    assert (found.offset, found.channel, found.key, found.seq) == (1, "incidents", "INC-1", 2)
    assert (found.tags, found.tags_before) == ({"agency": "32.75/DISHUB"}, {"agency": "32.75/DLH"})
    assert found.received_at == NOON - timedelta(seconds=1)
    assert found.data is not None
    assert json.loads(found.data) == row("INC-1", 2)


def test_a_tombstone_and_a_pulse_are_read() -> None:
    topic = Topic()
    gone = decoded(topic.put("INC-1", None))
    assert isinstance(gone, RowRecord)
    assert gone.data is None
    assert isinstance(decoded(topic.pulse(shard=1, shards=2)), PulseRecord)


@pytest.mark.parametrize(
    ("key", "value", "headers"),
    [
        (None, b"{}", HEADERS),
        (b"INC-1", b"{}", HEADERS),
        (b"weather:INC-1", b"{}", HEADERS),
        (b"incidents:", b"{}", HEADERS),
        (b"incidents:\xff", b"{}", HEADERS),
        (b"incidents:1", b"", HEADERS),
        (b"incidents:1", b"[]", HEADERS),
        (b"incidents:1", b"\xff", HEADERS),
        (b"incidents:1", b'{"a":NaN}', HEADERS),
        (b"incidents:1", b"[" * 100_000, HEADERS),
        (b"incidents:1", b'{"a":' + b"9" * 5_000 + b"}", HEADERS),
        (b"incidents:1", b'{"a":"' + b"x" * 200_000 + b'"}', HEADERS),
        (b"incidents:1", b"{}", {}),
        (b"incidents:1", b"{}", {**HEADERS, "x-seq": b"-1"}),
        (b"incidents:1", b"{}", {**HEADERS, "x-tags": b"[]"}),
        (b"incidents:1", b"{}", {**HEADERS, "x-tags-before": b'{"agency":7}'}),
        (b"incidents:1", b"{}", {**HEADERS, "ce_type": b"id.bekasi.feed.row-changed.v9"}),
        (b"pulse:0", b"{}", {"ce_type": FEED_PULSED.encode()}),
        (b"pulse:0", b'{"shard":1,"shards":1,"as_of":{}}', {"ce_type": FEED_PULSED.encode()}),
        (b"pulse:0", b'{"shard":0,"shards":1000000000,"as_of":{}}', {"ce_type": FEED_PULSED.encode()}),
    ],
)
def test_a_record_that_cannot_be_shown_is_refused(
    key: bytes | None, value: bytes | None, headers: dict[str, bytes]
) -> None:
    with pytest.raises(BadRecord):
        read(key, value, headers.items(), 0, 0)


@given(st.binary(max_size=40), st.none() | st.binary(max_size=40), st.sampled_from([CHANGED, ROW_REMOVED.encode()]))
def test_no_bytes_whatever_make_it_fail_otherwise(key: bytes, value: bytes | None, kind: bytes) -> None:
    try:
        read(b"incidents:" + key, value, [("ce_type", kind), ("x-seq", b"1")], 0, 0)
    except BadRecord:
        pass


def test_the_epoch_follows_the_topic_and_the_row_format() -> None:
    one, other = UUID(int=1), UUID(int=2)
    assert epoch_of(one) == epoch_of(one)
    assert len({epoch_of(one), epoch_of(other), epoch_of(one, 2)}) == 3


def test_a_door_forgets_tickets_that_have_run_out_anyway() -> None:
    door = Door(SECRET)
    for second in range(100):
        now = NOON + timedelta(seconds=second)
        offered = ticket(OPERATOR, now)
        door.admit(offered, now)
        with pytest.raises(TicketError, match="used"):
            door.admit(offered, now)
    assert len(door._used) <= 31


@pytest.mark.parametrize(
    ("origin", "welcome"),
    [
        (None, True),
        ("http://127.0.0.1:8080", True),  # our pages
        ("http://127.0.0.1:8081", True),  # one proxy for both
        ("http://127.0.0.1:9999", False),  # another program of this machine
        ("http://localhost:8080", False),  # not the name that was asked
        ("https://patriot.example.id", True),
        ("https://patriot.example.id:443", True),
        ("http://patriot.example.id", False),
        ("https://screens.example.id:8443", True),
        ("https://evil.example", False),
        ("https://127.0.0.1.evil.example:8080", False),
        ("null", False),
        ("", False),
        ("file://", False),
        ("http://127.0.0.1:8080/page", False),
        ("http://127.0.0.1:99999999", False),
    ],
)
def test_only_our_own_pages_and_allowed_ones_may_open_the_feed(origin: str | None, welcome: bool) -> None:
    origins = Origins(["https://patriot.example.id/", "https://screens.example.id:8443"], 8080)
    assert origins.welcome(origin, "127.0.0.1:8081") is welcome


def test_without_a_host_no_page_is_our_own() -> None:
    assert not Origins([], 8080).welcome("http://127.0.0.1:8080", None)


@given(st.binary(max_size=3_000))
def test_a_deflated_frame_is_the_same_text(payload: bytes) -> None:
    sent = Frame(payload)
    assert sent.wire(deflate=False) is sent.wire(deflate=False)
    pressed = sent.wire(deflate=True)
    assert pressed is sent.wire(deflate=True)
    compressed = bool(pressed[0] & 0x40)
    assert compressed == (len(payload) >= 512)
    length = pressed[1]
    body = pressed[2 if length < 126 else 4 if length == 126 else 10 :]
    inflate = zlib.decompressobj(wbits=-15)
    assert (inflate.decompress(body + b"\x00\x00\xff\xff") if compressed else body) == payload


def test_who_talks_too_fast_is_read_later() -> None:
    pace = Pace()
    assert all(pace.spend(0.0) == 0 for _ in range(200))
    assert pace.spend(0.0) == pytest.approx(0.01)
    assert pace.spend(60.0) == 0
