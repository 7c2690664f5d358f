"""Which event types travel in which topic, keyed by what, and the type of each one's value."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from schemas import topics
from schemas.assignment import AssignmentChanged
from schemas.feed import FeedPulsed, KpiRow, OfficerRow, SensorRow, WifiNodeRow
from schemas.incident import IncidentChanged, IncidentRow
from schemas.report import ContactGiven, ReportSubmitted
from schemas.telemetry import TrafficObserved, WifiObserved
from schemas.topics import Topic
from schemas.vocabulary import FeedChannel

#: The value of each event type; a removed row has none.
VALUES: Final[Mapping[str, Any]] = {
    topics.REPORT_SUBMITTED: ReportSubmitted,
    topics.CONTACT_GIVEN: ContactGiven,
    topics.TRAFFIC_OBSERVED: TrafficObserved,
    topics.WIFI_OBSERVED: WifiObserved,
    topics.INCIDENT_CHANGED: IncidentChanged,
    topics.ASSIGNMENT_CHANGED: AssignmentChanged,
    topics.FEED_PULSED: FeedPulsed,
    topics.ROW_CHANGED[FeedChannel.INCIDENTS]: IncidentRow,
    topics.ROW_CHANGED[FeedChannel.OFFICERS]: OfficerRow,
    topics.ROW_CHANGED[FeedChannel.SENSORS]: SensorRow,
    topics.ROW_CHANGED[FeedChannel.WIFI_NODES]: WifiNodeRow,
    topics.ROW_CHANGED[FeedChannel.KPIS]: KpiRow,
}

#: Every topic but those of dead letters, whose records are the bytes of others.
EVENTS_OF: Final[Sequence[tuple[Topic, Sequence[str]]]] = (
    (topics.REPORT, (topics.REPORT_SUBMITTED,)),
    (topics.CONTACT, (topics.CONTACT_GIVEN,)),
    (topics.TELEMETRY, (topics.TRAFFIC_OBSERVED, topics.WIFI_OBSERVED)),
    (topics.INCIDENT, (topics.INCIDENT_CHANGED,)),
    (topics.ASSIGNMENT, (topics.ASSIGNMENT_CHANGED,)),
    (topics.FEED, (*topics.ROW_CHANGED.values(), topics.ROW_REMOVED, topics.FEED_PULSED)),
)

#: What each event type's records are keyed by.
KEYS: Final[Mapping[str, str]] = {
    topics.REPORT_SUBMITTED: "H3 cell (resolution 7) of the place, or the report id where there is none",
    topics.CONTACT_GIVEN: "report id",
    topics.TRAFFIC_OBSERVED: "sensor id",
    topics.WIFI_OBSERVED: "node id",
    topics.INCIDENT_CHANGED: "incident id",
    topics.ASSIGNMENT_CHANGED: "incident id",
    topics.FEED_PULSED: "pulse:<shard>",
    topics.ROW_REMOVED: "<channel>:<key of the row>",
    **{kind: f"{channel}:<key of the row>" for channel, kind in topics.ROW_CHANGED.items()},
}
