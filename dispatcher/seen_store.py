"""Event ids that were seen: catches what offsets cannot, a producer's or a client's retry."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

from dispatcher.effects import Message
from infra.postgres import Connection
from schemas import topics

#: Days that ids are kept: as long as reports stay in Kafka, and a week.
KEPT_DAYS = int(topics.REPORT.config["retention.ms"]) // topics.DAY_MS + 7


async def remember(connection: Connection, messages: Sequence[Message]) -> set[str]:
    """Write down the events' ids, and answer those that were not seen before. Another transaction that has one of
    them under way is waited for."""
    days = {message.envelope.id: day_of(message.envelope.time, message.received_at) for message in messages}
    ids = sorted(days, key=lambda event: (days[event], event))
    rows = await connection.fetch(
        "INSERT INTO seen_event (day, id) SELECT * FROM unnest($1::date[], $2::text[])"
        " ON CONFLICT DO NOTHING RETURNING id",
        [days[event] for event in ids],
        ids,
    )
    return {row["id"] for row in rows}


def day_of(time: datetime, received_at: datetime) -> date:
    """The day an id is kept under: that of `ce_time`, which a retry does not change, in UTC; absurd times are brought
    into the days that are kept."""
    received = received_at.date()
    try:
        day = time.astimezone(UTC).date()
    except OverflowError:  # the year 1 or 9999, beyond its last hour
        return received
    return min(max(day, received - timedelta(days=KEPT_DAYS)), received + timedelta(days=1))
