"""The drill: a city under load is saved, another one is made of what was saved, and it knows everything once."""

import asyncio
import os
import stat
import sys
from pathlib import Path

import asyncpg
import pytest
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from dispatcher import feed_topic
from dispatcher.telemetry_intake import TelemetryIntake
from dispatcher.whole_board import WholeBoard
from infra.geography import load_geography
from infra.kafka import start_admin, start_producer, stop_admin_quietly, stop_quietly
from infra.postgres import connect
from schemas import topics
from tests.city import City, start_city, stop_city
from tests.dispatcher.bench import read_all
from tests.infra.local.test_topic_file import send_poison
from tests.people import Gateway, Json, photo_jpeg, until

COMMAND = [sys.executable, "-m", "infra.local.cli"]
_TAKEN_IN = (topics.REPORT, topics.CONTACT, topics.TELEMETRY)
pytestmark = pytest.mark.timeout(400)


class Load:
    """Reports at some places, one after the other, with what was answered to each."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self.receipts: list[Json] = []

    async def one(self) -> None:
        """One more report."""
        number = len(self.receipts)
        self.receipts.append(
            await self._gateway.report(
                f"Jalan berlubang besar, ember {number}",
                lat=-6.2 - 0.01 * (number % 7),
                lon=106.98,
                key=f"drill-{number}",
            )
        )

    async def until(self, stop: asyncio.Event) -> None:
        """Go on until told to stop."""
        while not stop.is_set():
            await self.one()
            await asyncio.sleep(0.05)

    def ids(self) -> set[str]:
        """Ids of all reports that were acknowledged until now."""
        return {receipt["report_id"] for receipt in self.receipts}


async def grouped(dsn: str) -> dict[str, str]:
    """Which incident each report is in."""
    connection = await asyncpg.connect(dsn)
    try:
        return {row["id"]: row["incident_id"] for row in await connection.fetch("SELECT id, incident_id FROM report")}
    finally:
        await connection.close()


async def test_a_city_saved_under_load_comes_up_elsewhere_with_everything_once(
    city: City, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("drill")
    saved, elsewhere = folder / "saved", folder / "restored"
    elsewhere.mkdir()
    poison = await send_poison(city.kafka_bootstrap, topics.TELEMETRY.name, 0)
    await _say_strange_things(city, topics.INCIDENT.name)
    async with Gateway(city) as gateway:
        load = Load(gateway)
        photo = await gateway.report("Tumpukan sampah liar", photo_jpeg(), lat=-6.24, lon=107.0, key="drill-photo")
        for _ in range(20):
            await load.one()
        before, stop = load.ids(), asyncio.Event()
        loading = asyncio.create_task(load.until(stop))
        done = await asyncio.to_thread(city.patriot, "backup", str(saved), "--data-dir", str(city.data_dir))
        stop.set()
        await loading
    assert done.returncode == 0, done.stderr
    assert done.stderr.count(f"Left out: the batch in {topics.TELEMETRY.name}/0 at ") == 1
    assert stat.S_IMODE(saved.stat().st_mode) == 0o700
    there = await grouped(city.postgres_dsn)

    done = await asyncio.to_thread(city.patriot, "restore", str(saved), "--data-dir", str(elsewhere / "data"))
    assert done.returncode == 0, done.stderr
    restored = await asyncio.to_thread(start_city, elsewhere, COMMAND, dict(os.environ))
    try:
        # however old they are, none is deleted before it is taken in
        assert {await _retention(restored, topic) for topic in _TAKEN_IN} == {"-1"}
        here = await _all_taken_in(restored, before)
        assert before | {photo["report_id"]} <= here.keys(), "acknowledged before the backup, and lost"
        drilled = load.ids()
        assert set(poison) <= {one.value for one in await read_all(restored.kafka_bootstrap, topics.TELEMETRY.name)}
        assert {report for report in here if report not in there} <= drilled, "never reported"
        # those that the saved database had are where they were; the others are grouped again, with new ids
        same = {report for report in here if here[report] == there.get(report)}
        assert before & same, "no incident is as it was"
        await _each_effect_was_one(restored)
        await until(lambda: _board_is_whole(restored), 30)
        async with Gateway(restored) as gateway:
            tracked = await gateway.track(photo["tracking_code"])
            assert tracked["incident_id"] == there[photo["report_id"]]
            shown = await gateway.http.get(tracked["photos"][0])
            assert shown.status_code == 200
            again = Load(gateway)
            for receipt in load.receipts:
                await again.one()
                if receipt["report_id"] in here:
                    assert again.receipts[-1] == receipt, "another answer to the same key"
        # a repeat with its key settles what was acknowledged too late for the backup, and doubles nothing else
        here = await _all_taken_in(restored, again.ids())
        assert len(here.keys() & (again.ids() | drilled)) == len(load.receipts)
        await _each_effect_was_one(restored)
        await until(lambda: _board_is_whole(restored), 30)
        await until(lambda: _retentions_are_their_own(restored), 90)  # `up` looks once a minute
    finally:
        await asyncio.to_thread(stop_city, restored)


async def _retention(city: City, topic: topics.Topic) -> str:
    admin = await start_admin(city.kafka_bootstrap, "test", request_timeout_ms=15_000)
    try:
        (answer,) = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic.name)])
    finally:
        await stop_admin_quietly(admin)
    ((_, _, _, _, entries),) = answer.resources
    return str({entry[0]: entry[1] for entry in entries}["retention.ms"])


async def _retentions_are_their_own(city: City) -> bool:
    return all([await _retention(city, topic) == topic.config["retention.ms"] for topic in _TAKEN_IN])


async def _say_strange_things(city: City, topic: str) -> None:
    """A tombstone and a stranger's record, where only the dispatcher writes."""
    producer = await start_producer(city.kafka_bootstrap, "stranger")
    try:
        await producer.send_and_wait(topic, None, b"inc_1", partition=0)
        await producer.send_and_wait(topic, b"apa kabar", partition=0)
    finally:
        await stop_quietly(producer)


async def _all_taken_in(city: City, reports: set[str]) -> dict[str, str]:
    """Wait until these have been taken in, and the dispatcher has come to rest."""

    async def at_rest() -> dict[str, str] | None:
        connection = await asyncpg.connect(city.postgres_dsn)
        try:
            waiting = await connection.fetchval("SELECT count(*) FROM outbox WHERE created_at < now() - interval '2 s'")
        finally:
            await connection.close()
        here = await grouped(city.postgres_dsn)
        return here if reports <= here.keys() and not waiting else None

    found: dict[str, str] = await until(at_rest, 60)
    return found


async def _each_effect_was_one(city: City) -> None:
    connection = await asyncpg.connect(city.postgres_dsn)
    try:
        assert not await connection.fetch(
            "SELECT i.id FROM incident i JOIN report r ON r.incident_id = i.id GROUP BY i.id"
            " HAVING i.report_count <> count(r.id)"
        )
        assert not await connection.fetch(
            "SELECT partition, topic FROM dead_letter GROUP BY topic, partition, value, headers HAVING count(*) > 1"
            " AND count(DISTINCT topic_id) > 1"
        )
    finally:
        await connection.close()


async def _board_is_whole(city: City) -> bool:
    """Whether a node that reads the feed's topic now shows just the database's board."""
    shown = await feed_topic.shown(city.kafka_bootstrap)
    connection = await connect(city.postgres_dsn, application="test")
    try:
        board = {row.key: row.value for row in await WholeBoard(TelemetryIntake(load_geography(None))).rows(connection)}
    finally:
        await connection.close()
    return {key: value for key, (_, value) in shown.rows.items() if not key.startswith("kpis:")} == board


def test_a_backup_overwrites_nothing(city: City, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("precious")
    done = city.patriot("backup", str(tmp_path), "--data-dir", str(city.data_dir))
    assert done.returncode == 1
    assert "is not empty" in done.stderr


def test_what_is_not_whole_is_not_restored(city: City, tmp_path: Path) -> None:
    saved = tmp_path / "saved"
    saved.mkdir()
    done = city.patriot("restore", str(saved), "--data-dir", str(tmp_path / "data"))
    assert (done.returncode, (tmp_path / "data").exists()) == (1, False)
    assert "holds no whole backup" in done.stderr


def test_a_restore_overwrites_nothing(city: City, tmp_path: Path) -> None:
    saved = tmp_path / "saved"
    done = city.patriot("backup", str(saved), "--data-dir", str(city.data_dir))
    assert done.returncode == 0, done.stderr
    done = city.patriot("restore", str(saved), "--data-dir", str(city.data_dir))
    assert done.returncode == 1
    assert "is not empty" in done.stderr
