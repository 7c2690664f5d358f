"""What ingest counts, each once; all of them are there, at zero, from the start."""

from enum import StrEnum
from typing import Final

from prometheus_client import Counter, Gauge, Histogram

from schemas import topics


class Outcome(StrEnum):
    """What became of something that was sent to us and could be read."""

    #: Kafka has it.
    ACCEPTED = "accepted"
    #: The answer of an earlier request with the same Idempotency-Key was given again.
    REPEATED = "repeated"
    #: Not as it should be: 4xx, or a reading that was set aside.
    REFUSED = "refused"
    #: 503, nothing was handed to Kafka.
    UNAVAILABLE = "unavailable"
    #: 503 although it was handed to Kafka.
    UNKNOWN = "unknown"


class PhotoOutcome(StrEnum):
    """What became of a photo."""

    ENCODED = "encoded"
    #: Not a photo, broken, or too large.
    REFUSED = "refused"
    #: The queue was full.
    BUSY = "busy"
    #: It took too long, or its worker died of it; the worker was replaced.
    KILLED = "killed"
    #: The machine gave us no worker.
    UNAVAILABLE = "unavailable"


REPORTS: Final = Counter("patriot_ingest_reports_total", "Reports by what became of them", ["outcome"])
READINGS: Final = Counter("patriot_ingest_readings_total", "Readings by what became of them", ["outcome"])
PHOTOS: Final = Counter("patriot_ingest_photos_total", "Photos by what became of them", ["outcome"])
PHOTO_SECONDS: Final = Histogram(
    "patriot_ingest_photo_seconds",
    "Time a worker took for a photo",
    buckets=(0.025, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8),
)
UPLOAD_BYTES: Final = Gauge("patriot_ingest_upload_bytes", "Photos on disk whose report is being sent or worked on")
ACK_SECONDS: Final = Histogram(
    "patriot_ingest_kafka_ack_seconds",
    "Time from handing records to Kafka's client until Kafka has them",
    ["topic"],
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 4),
)
UNACKNOWLEDGED_BYTES: Final = Gauge(
    "patriot_ingest_kafka_unacknowledged_bytes", "Handed to Kafka's client, no answer yet"
)
KAFKA_REACHABLE: Final = Gauge("patriot_ingest_kafka_reachable", "1 when Kafka answers, else 0")
PRODUCERS: Final = Counter(
    "patriot_ingest_producers_total", "Kafka producers started; more than one: it had to be replaced"
)
KEYS_SWEPT: Final = Counter("patriot_ingest_idempotency_keys_swept_total", "Idempotency keys forgotten after 7 days")
PHOTOS_SWEPT: Final = Counter("patriot_ingest_staff_photos_swept_total", "Photos of staff that nobody used within 48 h")

for _outcome in Outcome:
    REPORTS.labels(_outcome)
    READINGS.labels(_outcome)
for _photo_outcome in PhotoOutcome:
    PHOTOS.labels(_photo_outcome)
for _topic in (topics.REPORT, topics.CONTACT, topics.TELEMETRY):
    ACK_SECONDS.labels(_topic.name)
