"""Every metric of the dispatcher, once."""

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

from infra.tally import Tally

LAG: Final = Gauge(
    "patriot_dispatcher_lag",
    "Records of a partition that are not yet contained in the database",
    ["topic", "partition"],
)
BATCH_SECONDS: Final = Histogram(
    "patriot_dispatcher_batch_seconds",
    "Time of one batch's transaction, from its begin to its commit",
    ["consumer"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
MESSAGES: Final = Counter(
    "patriot_dispatcher_messages_total", "Messages by how they ended: applied, repeated, refused", ["consumer", "end"]
)
RECEIVED_TO_COMMIT: Final = Tally(
    "patriot_dispatcher_received_to_commit_seconds",
    "From the broker's time of a message to the commit of its effects",
    "consumer",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)
DEAD_LETTERS: Final = Counter(
    "patriot_dispatcher_dead_letters_total", "Messages set aside, by reason", ["consumer", "reason"]
)
BREAKER_OPEN: Final = Gauge(
    "patriot_dispatcher_breaker_open", "1 while a run of bad messages has stopped this consumer", ["consumer"]
)
RETRIES: Final = Counter(
    "patriot_dispatcher_retries_total",
    "Batches tried again, by why: unavailable, contended, message",
    ["consumer", "why"],
)
FENCED: Final = Counter(
    "patriot_dispatcher_fenced_total",
    "Batches rolled back because another owner had claimed the partition",
    ["consumer"],
)
CLAIMS: Final = Counter("patriot_dispatcher_claims_total", "Partitions claimed", ["consumer"])
CLAIMS_FAILED: Final = Counter("patriot_dispatcher_claims_failed_total", "Claims that did not succeed", ["consumer"])
MADE_ANEW: Final = Counter(
    "patriot_dispatcher_topic_made_anew_total", "Partitions started again because their topic was made anew", ["topic"]
)
OUT_OF_RANGE: Final = Counter(
    "patriot_dispatcher_out_of_range_total",
    "Partitions whose next record was gone, or beyond the end, or that were set back and written anew: read again",
    ["topic"],
)
OUTBOX_ROWS: Final = Gauge("patriot_dispatcher_outbox_rows", "Records that wait for the relay")
OUTBOX_AGE: Final = Gauge("patriot_dispatcher_outbox_age_seconds", "Age of the oldest record that waits for the relay")
RELAY_SENT: Final = Counter("patriot_dispatcher_relay_sent_total", "Records that Kafka has acknowledged", ["shard"])
RELAY_UNSENDABLE: Final = Counter(
    "patriot_dispatcher_relay_unsendable_total",
    "Copies of dead letters that Kafka does not take: too large, or no topic",
    ["shard"],
)
RELAY_LEADS: Final = Gauge("patriot_dispatcher_relay_leads", "1 while this process relays the shard", ["shard"])
BOARD_TOLD_AGAIN: Final = Counter(
    "patriot_dispatcher_board_told_again_total",
    "Times the whole board was put out, because the feed's topic did not end with what this database last sent",
)
PULSES: Final = Counter("patriot_dispatcher_pulses_total", "Pulses sent to the feed by this process")
DEADLINES: Final = Counter(
    "patriot_dispatcher_deadlines_total", "Deadlines by how they ended: fired, failed", ["kind", "end"]
)
DEADLINE_DELAY: Final = Histogram(
    "patriot_dispatcher_deadline_delay_seconds",
    "How late deadlines fired",
    buckets=(0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600),
)
AUDIT_SEALED: Final = Counter("patriot_dispatcher_audit_sealed_total", "Entries of the audit that were chained")
AUDIT_UNSEALED: Final = Gauge("patriot_dispatcher_audit_unsealed", "Entries of the audit that wait to be chained")

NOTIFICATIONS: Final = Counter(
    "patriot_dispatcher_notifications_total",
    "Notifications by how they ended: sent, failed, suppressed, retried",
    ["channel", "end"],
)
NOTIFICATIONS_AGE: Final = Gauge(
    "patriot_dispatcher_notifications_age_seconds",
    "Since when the oldest notification that waits is due, by channel; moves: age of the oldest move not told yet",
    ["channel"],
)


def start_at_zero(consumers: tuple[str, ...], shards: int) -> None:
    """Make every label that is known beforehand visible from the start."""
    for consumer in consumers:
        for end in ("applied", "repeated", "refused"):
            MESSAGES.labels(consumer, end)
        for why in ("unavailable", "contended", "message"):
            RETRIES.labels(consumer, why)
        for metric in (BATCH_SECONDS, RECEIVED_TO_COMMIT, BREAKER_OPEN, FENCED, CLAIMS, CLAIMS_FAILED):
            metric.labels(consumer)
    for shard in range(shards):
        for counter in (RELAY_SENT, RELAY_UNSENDABLE, RELAY_LEADS):
            counter.labels(shard)
