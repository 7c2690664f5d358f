"""Independent reading for the verdict: plain SQL and a Kafka client of its own, none of the code under test."""

import asyncio
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Final, Self

import asyncpg
import msgspec
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from tests.faults.checker import Database, Incident, Shown, Told, Topics
from tests.faults.load import key_of

#: Partitions of each topic, as the contract has them.
_TOPICS: Final = {
    "bekasi.report.v1": 12,
    "bekasi.contact.v1": 12,
    "bekasi.incident.v1": 12,
    "bekasi.feed.v1": 1,
}


class Reading:
    """Reads a field's database and topics. Its one connection is made anew when it has broken.

    Raises OSError, TimeoutError or what asyncpg raises while PostgreSQL is away.
    """

    def __init__(self, dsn: str, bootstrap: str) -> None:
        self._dsn = dsn
        self._bootstrap = bootstrap
        self._connection: asyncpg.Connection[asyncpg.Record] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._connection is not None:
            self._connection.terminate()

    async def versions(self) -> dict[str, int]:
        """Every incident's version now."""
        return {row["id"]: row["version"] for row in await self._fetch("SELECT id, version FROM incident")}

    async def last_letter(self) -> int:
        """The number of the newest dead letter; 0 when there is none."""
        return int((await self._fetch("SELECT coalesce(max(id), 0) AS last FROM dead_letter"))[0]["last"])

    async def incidents_of(self, reports: list[str]) -> dict[str, str]:
        """The incident of each of the reports that is stored."""
        rows = await self._fetch("SELECT id, incident_id FROM report WHERE id = ANY($1)", reports)
        return {row["id"]: row["incident_id"] for row in rows}

    async def on_board(self, incidents: list[str]) -> int:
        """How many of the incidents are on the board."""
        query = "SELECT count(*) AS rows FROM incident WHERE on_board AND id = ANY($1)"
        return int((await self._fetch(query, incidents))[0]["rows"])

    async def stored(self, mark: str, before: Mapping[str, int], letters_before: int) -> Database:
        """What is stored of the load with that mark, and of incidents that are not as they were `before`."""
        reports = await self._fetch(
            "SELECT id, incident_id, description FROM report WHERE description LIKE '% ' || $1 || '____'", mark
        )
        changed = [id_ for id_, version in (await self.versions()).items() if before.get(id_) != version]
        incidents = await self._fetch(
            "SELECT i.id, i.version, i.report_count, i.on_board, h.versions, h.changes FROM incident i,"
            " LATERAL (SELECT array_agg(version ORDER BY version) AS versions, array_agg(change ORDER BY version) AS"
            " changes FROM incident_history WHERE incident_id = i.id) h WHERE i.id = ANY($1)",
            sorted({row["incident_id"] for row in reports} | set(changed)),
        )
        contacts = await self._fetch(
            "SELECT report_id FROM contact WHERE report_id = ANY($1)", [row["id"] for row in reports]
        )
        readings = await self._fetch(
            "SELECT sensor_id, observed_at FROM traffic_reading WHERE sensor_id LIKE $1 || '-%'", mark
        )
        letters = await self._fetch(
            'SELECT topic, partition, "offset" FROM dead_letter WHERE id > $1 ORDER BY id', letters_before
        )
        outbox = await self._fetch("SELECT count(*) AS rows FROM outbox WHERE aggregatetype = 'bekasi.incident.v1'")
        return Database(
            reports=[(key_of(row["description"]), row["id"], row["incident_id"]) for row in reports],
            contacts=frozenset(row["report_id"] for row in contacts),
            incidents={
                row["id"]: Incident(
                    row["version"],
                    row["report_count"],
                    row["on_board"],
                    list(zip(row["versions"] or [], row["changes"] or [], strict=True)),
                )
                for row in incidents
            },
            readings=frozenset((row["sensor_id"], row["observed_at"]) for row in readings),
            set_aside=[f"{row['topic']}/{row['partition']}/{row['offset']}" for row in letters],
            outbox=outbox[0]["rows"],
        )

    async def topics(self, mark: str) -> Topics:
        """All that the topics have; of reports those of the load."""
        records = await self._read_all()
        reports = []
        for record in records["bekasi.report.v1"]:
            found = _json(record.value)
            key = key_of(str(found.get("description", ""))) if isinstance(found, dict) else ""
            if key.startswith(mark) and len(key) == len(mark) + 4:
                reports.append((key, str(found.get("report_id"))))
        contacts = [_json(record.value) for record in records["bekasi.contact.v1"]]
        told = []
        for record in records["bekasi.incident.v1"]:
            event = _json(record.value)
            told.append(Told(_header(record, "ce_id"), event["incident_id"], event["version"]))
        shown = []
        for record in records["bekasi.feed.v1"]:
            channel, _, incident = (record.key or b"").decode().partition(":")
            if channel == "incidents":
                version = None if record.value is None else _json(record.value)["version"]
                shown.append(Shown(_header(record, "ce_id"), incident, int(_header(record, "x-seq")), version))
        given = frozenset(str(found.get("report_id")) for found in contacts if isinstance(found, dict))
        return Topics(reports, given, told, shown)

    async def _read_all(self) -> dict[str, list[ConsumerRecord]]:
        client = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap,
            isolation_level="read_committed",
            enable_auto_commit=False,
            max_poll_records=5_000,
        )
        partitions = [TopicPartition(name, number) for name, count in _TOPICS.items() for number in range(count)]
        client.assign(partitions)
        await client.start()
        try:
            await client.seek_to_beginning(*partitions)
            ends = await client.end_offsets(partitions)
            found: dict[str, list[ConsumerRecord]] = {name: [] for name in _TOPICS}
            async with asyncio.timeout(60):
                while any([await client.position(tp) < ends[tp] for tp in partitions]):
                    for tp, records in (await client.getmany(timeout_ms=200)).items():
                        found[tp.topic] += records
            return found
        finally:
            await client.stop()

    async def _fetch(self, query: str, *arguments: object) -> list[asyncpg.Record]:
        for last in (False, True):
            if self._connection is None or self._connection.is_closed():
                self._connection = await asyncpg.connect(self._dsn, timeout=10)
            try:
                rows: list[asyncpg.Record] = await self._connection.fetch(query, *arguments, timeout=30)
            except (OSError, TimeoutError, asyncpg.InterfaceError, asyncpg.PostgresError):
                self._connection.terminate()
                if last:
                    raise
            else:
                break
        return rows


def _json(value: bytes | None) -> Any:
    try:
        return msgspec.json.decode(value or b"")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None  # poison


def _header(record: ConsumerRecord, name: str) -> str:
    return next((value.decode() for header, value in record.headers if header == name), "")
