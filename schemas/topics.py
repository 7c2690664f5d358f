"""Every topic and event type, once (contract section 5)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from schemas.vocabulary import FeedChannel

HOUR_MS: Final = 3_600_000
DAY_MS: Final = 24 * HOUR_MS


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic as the project creates it."""

    name: str
    partitions: int
    config: Mapping[str, str] = field(default_factory=dict)
    #: Written with `flush.messages=1` by the embedded Kafka: a 202 survives a power cut.
    flush_each: bool = False


def dead_letters_of(topic: "Topic | str") -> str:
    """Name of the topic with copies of what the dispatcher set aside from `topic`."""
    return f"{topic if isinstance(topic, str) else topic.name}.dispatcher.dlq"


_KEEP_FOREVER: Final = "-1"

REPORT: Final = Topic(
    "bekasi.report.v1",
    12,
    {"retention.ms": str(30 * DAY_MS), "message.timestamp.type": "LogAppendTime"},
    flush_each=True,
)
CONTACT: Final = Topic(
    "bekasi.contact.v1",
    12,
    {
        "cleanup.policy": "compact,delete",
        "retention.ms": str(7 * DAY_MS),
        "message.timestamp.type": "LogAppendTime",
    },
    flush_each=True,
)
TELEMETRY: Final = Topic(
    "bekasi.telemetry.v1", 12, {"retention.ms": str(7 * DAY_MS), "message.timestamp.type": "LogAppendTime"}
)
INCIDENT: Final = Topic("bekasi.incident.v1", 12, {"retention.ms": str(90 * DAY_MS)})
ASSIGNMENT: Final = Topic("bekasi.assignment.v1", 12, {"retention.ms": str(90 * DAY_MS)}, flush_each=True)
FEED: Final = Topic(
    "bekasi.feed.v1",
    1,
    {
        "cleanup.policy": "compact",
        "retention.ms": _KEEP_FOREVER,
        # A ring of 10 minutes is replayed from the log; nothing younger may be compacted away.
        "min.compaction.lag.ms": str(30 * 60_000),
        "max.compaction.lag.ms": str(2 * HOUR_MS),
        "delete.retention.ms": str(DAY_MS),
        "segment.ms": str(10 * 60_000),
        "segment.bytes": str(32 * 1024 * 1024),
    },
)
_SOURCES: Final = (REPORT, CONTACT, TELEMETRY)
#: Twice Kafka's default: the largest record that a source takes, with the headers that say why it was set aside.
DEAD_LETTER_BYTES: Final = 2 * 1_048_588
DEAD_LETTERS: Final = tuple(
    Topic(dead_letters_of(topic), 1, {"retention.ms": str(30 * DAY_MS), "max.message.bytes": str(DEAD_LETTER_BYTES)})
    for topic in _SOURCES
)
ALL: Final = (REPORT, CONTACT, TELEMETRY, INCIDENT, ASSIGNMENT, FEED, *DEAD_LETTERS)
#: Empty for ever. Where it is, the other topics have nothing but training; where it is not, nothing of it.
TRAINING: Final = Topic("bekasi.training.v1", 1)

# Event types (`ce_type`): past tense, with a major version.
REPORT_SUBMITTED: Final = "id.bekasi.report.submitted.v1"
CONTACT_GIVEN: Final = "id.bekasi.contact.given.v1"
TRAFFIC_OBSERVED: Final = "id.bekasi.telemetry.traffic-observed.v1"
WIFI_OBSERVED: Final = "id.bekasi.telemetry.wifi-observed.v1"
INCIDENT_CHANGED: Final = "id.bekasi.incident.changed.v1"
ASSIGNMENT_CHANGED: Final = "id.bekasi.assignment.changed.v1"
#: A row of the board as it now is, per channel of the feed.
ROW_CHANGED: Final[Mapping[FeedChannel, str]] = {
    FeedChannel.INCIDENTS: "id.bekasi.feed.incident-changed.v1",
    FeedChannel.OFFICERS: "id.bekasi.feed.officer-changed.v1",
    FeedChannel.SENSORS: "id.bekasi.feed.sensor-changed.v1",
    FeedChannel.WIFI_NODES: "id.bekasi.feed.wifi-node-changed.v1",
    FeedChannel.KPIS: "id.bekasi.feed.kpi-changed.v1",
}
#: A tombstone: the row has left the board.
ROW_REMOVED: Final = "id.bekasi.feed.row-removed.v1"
FEED_PULSED: Final = "id.bekasi.feed.pulsed.v1"

#: Consumer group of the dispatcher.
DISPATCHER_GROUP: Final = "dispatcher"

# Headers of feed records beside CloudEvents'.
#: Rises per key: a re-sent record has the number it had, so a node can drop it.
HEADER_SEQ: Final = "x-seq"
HEADER_TAGS: Final = "x-tags"
HEADER_TAGS_BEFORE: Final = "x-tags-before"
