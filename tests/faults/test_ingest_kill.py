"""kill -9 of ingest at its dangerous points under load: nothing acknowledged is lost, no wish is two reports."""

import asyncio
import uuid
from pathlib import Path
from typing import TypeVar

import httpx
import msgspec
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from infra.local.stack import Stack
from schemas import topics
from schemas.report import ContactGiven, ReportSubmitted
from tests.faults.ledger import Entry, Outcome, judge
from tests.faults.process import Service

T = TypeVar("T")

_WISHES = 120
_CLIENTS = 12


@pytest.mark.parametrize("point", ["ingest.after_idempotency", "ingest.after_contact", "ingest.after_ack"])
async def test_ingest_killed_under_load_loses_and_doubles_nothing(stack: Stack, tmp_path: Path, point: str) -> None:
    mark = f"kill {point} {uuid.uuid4().hex}"
    entries = [Entry(key=f"{mark} {n}") for n in range(_WISHES)]
    environment = {
        "PATRIOT_KAFKA_BOOTSTRAP": stack.kafka.bootstrap,
        "PATRIOT_POSTGRES_DSN": stack.postgres.dsn,
        "PATRIOT_DATA_DIR": str(tmp_path),
        "PATRIOT_ANONYMOUS_REPORTS_PER_MINUTE": "0",
    }
    with Service("ingest", tmp_path, "PATRIOT_PORT", environment) as ingest:
        await asyncio.to_thread(ingest.start, f"{point}=kill@40")
        wishes = iter(entries)

        async def client() -> None:
            async with httpx.AsyncClient(base_url=ingest.url, timeout=10) as http:
                for entry in wishes:
                    await _insist(http, entry)

        clients = [asyncio.create_task(client()) for _ in range(_CLIENTS)]
        await asyncio.to_thread(ingest.wait_killed)
        await asyncio.to_thread(ingest.start)
        await asyncio.gather(*clients)
    assert all(entry.acknowledged for entry in entries)
    assert any(Outcome.UNKNOWN in entry.outcomes for entry in entries)
    reports = [
        (value.description, value.report_id)
        for value in await _read_all(stack, topics.REPORT, ReportSubmitted)
        if value.description.startswith(mark)
    ]
    verdict = judge(entries, reports)
    assert verdict.clean, verdict
    # The contact of every report is there too: it was acknowledged before the report.
    contacts = {value.report_id for value in await _read_all(stack, topics.CONTACT, ContactGiven)}
    assert {identity for _, identity in reports} <= contacts


async def _insist(http: httpx.AsyncClient, entry: Entry) -> None:
    """Repeat with the same key until it is acknowledged, as a phone does."""
    body = {
        "description": entry.key,
        "lat": -6.24,
        "lon": 107.0,
        "reporter": {"name": "Siti", "phone": "0800000001"},
    }
    for _ in range(200):
        try:
            answer = await http.post("/api/v1/reports", json=body, headers={"Idempotency-Key": entry.key})
        except httpx.HTTPError:
            entry.outcomes.append(Outcome.UNKNOWN)
            await asyncio.sleep(0.1)
            continue
        if answer.status_code == 202:
            entry.outcomes.append(Outcome.OK)
            entry.receipts.append((answer.json()["report_id"], answer.json()["tracking_code"]))
            return
        unknown = answer.status_code == 503 and answer.json()["type"].endswith("/outcome-unknown")
        entry.outcomes.append(Outcome.UNKNOWN if unknown else Outcome.REFUSED)
        assert answer.status_code in (429, 503), answer.text
        await asyncio.sleep(0.1)
    raise AssertionError(f"{entry.key} was never acknowledged: {entry.outcomes[-5:]}")


async def _read_all(stack: Stack, topic: topics.Topic, kind: type[T]) -> list[T]:
    """Every record of a topic from its beginning to its end now, by a consumer that is not ours."""
    consumer = AIOKafkaConsumer(bootstrap_servers=stack.kafka.bootstrap, enable_auto_commit=False)
    await consumer.start()
    try:
        partitions = [TopicPartition(topic.name, number) for number in range(topic.partitions)]
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        ends = await consumer.end_offsets(partitions)
        found: list[T] = []
        while any([await consumer.position(tp) < ends[tp] for tp in partitions]):
            for records in (await consumer.getmany(timeout_ms=200)).values():
                found += [msgspec.json.decode(record.value, type=kind) for record in records]
        return found
    finally:
        await consumer.stop()
