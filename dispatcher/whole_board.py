"""The board told whole again, when Kafka does not hold what this database last sent it.

That is so after one of them was restored from a backup, lost, or made anew: then rows are missing on the wall, rows are
on it that the database does not know, and `x-seq` may be lower than what nodes have seen, who drop such rows as old.
"""

from dataclasses import dataclass
from typing import Final

from dispatcher import incident_store, kpis, officer_store, outbox_store
from dispatcher.feed_topic import Last, Shown
from dispatcher.outbox_store import Outgoing
from dispatcher.telemetry_intake import TelemetryIntake
from infra.postgres import Connection
from schemas.feed import Tags
from schemas.vocabulary import FeedChannel

#: The sequence goes on this far above what the feed has seen: other topics may have had numbers a little higher.
_LEAP: Final = 1_000_000
#: Rows that are put out in one statement.
_AT_ONCE: Final = 2_000


@dataclass(frozen=True, slots=True)
class Told:
    """How many rows were put out, and how many that nobody knows were taken off the board."""

    rows: int
    removed: int


class WholeBoard:
    """Every row that belongs on the board, from PostgreSQL."""

    def __init__(self, telemetry: TelemetryIntake) -> None:
        """`telemetry` knows in which kecamatan a device is."""
        self._telemetry = telemetry

    async def rows(self, connection: Connection) -> list[Outgoing]:
        """All but key figures, which are counted anew."""
        return [
            *await incident_store.select_board(connection),
            *await officer_store.select_board(connection),
            *await self._telemetry.select_board(connection),
        ]

    async def tell(self, connection: Connection, shown: Shown, last: Last) -> Told:
        """Put out what differs from `shown`, numbered above it; one transaction, for which nothing else is put out."""
        async with connection.transaction():
            # In the pulse's order, which counts and then puts out: the other way round the two embrace.
            await kpis.lock(connection)
            # Whoever has a number from before our leap has committed by now; whoever comes later gets a higher one.
            await connection.execute("LOCK TABLE outbox IN SHARE ROW EXCLUSIVE MODE")
            if shown.highest_seq:
                await outbox_store.leap(connection, shown.highest_seq + _LEAP)
            rows = await self.rows(connection)
            known = {row.key for row in rows} | {f"{FeedChannel.KPIS}:{kpi.name}" for kpi in kpis.KPIS}
            changed = [row for row in rows if shown.rows.get(row.key, (None, None))[1] != row.value]
            strangers = [_removed(key, tags) for key, (tags, _) in shown.rows.items() if key not in known]
            told = [*strangers, *changed]
            for first in range(0, len(told), _AT_ONCE):
                await outbox_store.add(connection, told[first : first + _AT_ONCE])
            await connection.execute("DELETE FROM kpi")
            await kpis.refresh(connection)
            await outbox_store.mark(connection, last.topic_id, last.seq, last.record_id)
        return Told(len(changed), len(strangers))


def _removed(kafka_key: str, tags: Tags) -> Outgoing:
    channel, _, key = kafka_key.partition(":")
    return outbox_store.row_removed(FeedChannel(channel), key, tags)
