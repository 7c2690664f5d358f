"""Every metric of the feed, once."""

from typing import Final, Literal, get_args

from prometheus_client import Counter, Gauge, Histogram

from command_center_ui.protocol import Close
from command_center_ui.row import Shape
from schemas.vocabulary import FeedChannel

CLIENTS: Final = Gauge("patriot_feed_clients", "Clients that are connected and have shown a ticket", ["view"])
SOCKETS: Final = Gauge("patriot_feed_sockets", "Open WebSocket connections, with a ticket or not yet")
_FRAMES: Final = Counter("patriot_feed_frames_total", "Frames handed to clients", ["kind"])
_BYTES: Final = Counter("patriot_feed_bytes_total", "Bytes handed to clients, as they are on the wire")
BEHIND: Final = Gauge("patriot_feed_behind_clients", "Clients with more than 64 KiB of pushes waiting for them")
CLOSED: Final = Counter("patriot_feed_closed_total", "Connections that the node ended, by close code", ["code"])
REFUSED: Final = Counter("patriot_feed_refused_handshakes_total", "Handshakes refused, by why", ["why"])
GROUPS: Final = Gauge("patriot_feed_groups", "Different views (scope and filter) that frames are made for")
ROWS: Final = Gauge("patriot_feed_rows", "Rows on the board", ["channel"])
RECORDS: Final = Counter("patriot_feed_records_total", "Records of bekasi.feed.v1 read", ["outcome"])
LAG: Final = Gauge("patriot_feed_lag_records", "Records in Kafka that this node has not read")
AS_OF_AGE: Final = Gauge(
    "patriot_feed_as_of_age_seconds", "Age of what the channel is known to contain; NaN until known", ["channel"]
)
REPORT_TO_WALL: Final = Histogram(
    "patriot_feed_report_to_wall_seconds",
    "From the broker's time of an incident's newest report to the push that shows it",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60),
)
TICK: Final = Histogram(
    "patriot_feed_tick_seconds",
    "Time one round of pushes takes; the node does nothing else meanwhile",
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1),
)

FrameKind = Literal["reply", "state", "push", "catch_up", "ping", "disconnect"]


class Handed:
    """Counts what clients are handed as plain numbers: a Prometheus counter would be a third of what a frame costs."""

    def __init__(self) -> None:
        self._frames: dict[FrameKind, int] = dict.fromkeys(get_args(FrameKind), 0)
        self._bytes = 0

    def add(self, kind: FrameKind, size: int) -> None:
        """One frame of `size` bytes to one client."""
        self._frames[kind] += 1
        self._bytes += size

    def settle(self) -> None:
        """Bring the counters up to date."""
        for kind, count in self._frames.items():
            _FRAMES.labels(kind).inc(count)
            self._frames[kind] = 0
        _BYTES.inc(self._bytes)
        self._bytes = 0


HANDED: Final = Handed()
RECORD_OUTCOMES: Final = ("applied", "repeated", "unreadable")
REFUSALS: Final = ("origin", "not_ready", "full", "strangers", "sockets")

# Every metric is there from the start, at zero.
HANDED.settle()
for _shape in Shape:
    CLIENTS.labels(_shape)
for _code in Close:
    CLOSED.labels(_code.value)
for _outcome in RECORD_OUTCOMES:
    RECORDS.labels(_outcome)
for _why in REFUSALS:
    REFUSED.labels(_why)
for _channel in FeedChannel:
    ROWS.labels(_channel)
    AS_OF_AGE.labels(_channel).set(float("nan"))
