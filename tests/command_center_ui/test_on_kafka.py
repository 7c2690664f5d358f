"""Feed nodes on the real Kafka: twenty real cuts on two nodes, transactions, poison, a topic made anew, a process."""

import asyncio
import json
import os
import random
import signal
import socket
import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

import httpx
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from command_center_ui.feed import Feed
from command_center_ui.settings import FeedSettings
from infra.kafka import start_producer, stop_admin_quietly, stop_quietly
from infra.local.stack import Stack
from infra.tickets import Viewer
from schemas.topics import FEED
from tests.command_center_ui.watching import CAMAT, DLH, OPERATOR, PUBLIC, SECRET, Follower, Json, Topic, row, ticket

CUTS = 20
KEYS = [f"INC-{n}" for n in range(8)]


@dataclass
class Writer:
    """What the relay does: records in transactions to a feed topic of this test's own."""

    producer: AIOKafkaProducer
    topic: str
    log: Topic = field(default_factory=Topic)
    now: dict[str, tuple[Json, dict[str, str]]] = field(default_factory=dict)
    version: int = 0

    async def put(self, key: str, data: Json | None, tags: dict[str, str]) -> None:
        self.log.put(key, data, tags, at=datetime.now(UTC))
        if data is None:
            self.now.pop(key, None)
        else:
            self.now[key] = data, tags
        await self.send(*self.log.records[-1][:3])

    async def send(self, key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes]]) -> None:
        async with self.producer.transaction():
            await self.producer.send_and_wait(self.topic, value, key, headers=headers)

    async def at_random(self, chance: random.Random) -> None:
        key = chance.choice(KEYS)
        self.version += 1
        tags = {
            "agency": chance.choice(["32.75/DLH", "32.75/DISHUB"]),
            "kecamatan": chance.choice(["32.75.05", "32.75.01"]),
        }
        gone = chance.random() < 0.15 and key in self.now
        await self.put(key, None if gone else row(key, self.version), tags)

    def seen_by(self, viewer: Viewer) -> dict[str, int]:
        def sees(tags: dict[str, str]) -> bool:
            return (viewer is not DLH or tags["agency"] == "32.75/DLH") and (
                viewer is not CAMAT or tags["kecamatan"] == "32.75.05"
            )

        return {key: data["version"] for key, (data, tags) in self.now.items() if sees(tags)}


@pytest.fixture
async def writer(stack: Stack) -> AsyncIterator[Writer]:
    topic = f"test.feed.{uuid.uuid4().hex[:8]}"
    await make_topic(stack, topic)
    producer = await start_producer(stack.kafka.bootstrap, "test-relay", transactional_id=topic)
    yield Writer(producer, topic)
    await stop_quietly(producer)


async def make_topic(stack: Stack, name: str, *, anew: bool = False) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=stack.kafka.bootstrap)
    await admin.start()
    try:
        if anew:
            await admin.delete_topics([name])
            await asyncio.sleep(0.5)
        await admin.create_topics([NewTopic(name, 1, 1, topic_configs=dict(FEED.config))])
    finally:
        await stop_admin_quietly(admin)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    return port


#: A node on a topic of the test's own.
NODE = """
import asyncio, sys
from command_center_ui.feed import Feed
from command_center_ui.settings import FeedSettings
asyncio.run(Feed(FeedSettings(_env_file=None), sys.argv[1]).run(asyncio.Event()))
"""


@asynccontextmanager
async def process_of(
    stack: Stack, topic: str, port: int, failpoints: str = ""
) -> AsyncIterator[asyncio.subprocess.Process]:
    """A feed node as a process, ready; killed at the end if it has not been before."""
    told = {
        "PATRIOT_SECRET": SECRET.hex(), "PATRIOT_FEED_PORT": str(port), "PATRIOT_FAILPOINTS": failpoints,
        "PATRIOT_KAFKA_BOOTSTRAP": stack.kafka.bootstrap,
    }  # fmt: skip
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", NODE, topic, env={**os.environ, **told})
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http, asyncio.timeout(30):
            while True:
                with suppress(httpx.TransportError):
                    if (await http.get("/readyz")).status_code == 200:
                        break
                await asyncio.sleep(0.1)
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@asynccontextmanager
async def running(stack: Stack, topic: str) -> AsyncIterator[Feed]:
    """A feed node of its own, ready."""
    feed = Feed(
        FeedSettings(secret=SECRET.hex(), feed_port=0, kafka_bootstrap=stack.kafka.bootstrap, _env_file=None), topic
    )
    stop = asyncio.Event()
    task = asyncio.create_task(feed.run(stop))
    async with asyncio.timeout(20):
        while feed.hub is None:
            await asyncio.sleep(0.05)
    yield feed
    stop.set()
    async with asyncio.timeout(15):
        await task


class Watcher:
    """A wall that comes back whatever happens, each time to the next node."""

    def __init__(self, viewer: Viewer, ports: list[int]) -> None:
        self.viewer = viewer
        self.ports = ports
        self.follower = Follower()
        self.connection: ClientConnection | None = None
        self.comings = 0
        self.recovered = 0

    async def watch(self) -> None:
        while True:
            with suppress(ConnectionClosed, OSError):
                await self._once()

    async def _once(self) -> None:
        self.comings += 1
        url = f"ws://127.0.0.1:{self.ports[self.comings % len(self.ports)]}/"
        async with connect(url, subprotocols=[Subprotocol("patriot.feed.v1+json")], max_size=2**20) as connection:
            self.connection = connection
            offered = ticket(self.viewer, datetime.now(UTC))
            await connection.send(json.dumps({"id": 1, "connect": {"ticket": offered}}))
            said: Json = {"channel": "incidents"}
            if "incidents" in self.follower.whole:
                epoch, offset = self.follower.position["incidents"]
                said |= {"recover": True, "epoch": epoch, "offset": offset}
            self.follower.asked = {2: "incidents"}
            await connection.send(json.dumps({"id": 2, "subscribe": said}))
            async for text in connection:
                said = json.loads(text)
                self.recovered += bool(said.get("subscribe", {}).get("recovered"))
                self.follower.hear([said])

    def cut(self) -> None:
        """As a network does it: no goodbye."""
        if self.connection is not None:
            self.connection.transport.abort()


async def all_hold_what_was_written(watchers: list[Watcher], writer: Writer) -> None:
    async with asyncio.timeout(30):
        while any(
            {key: held["version"] for key, held in watcher.follower.rows["incidents"].items()}
            != writer.seen_by(watcher.viewer)
            for watcher in watchers
        ):
            await asyncio.sleep(0.05)


async def test_twenty_cuts_on_two_nodes_leave_no_gap(stack: Stack, writer: Writer) -> None:
    chance = random.Random(3)
    for _ in range(20):
        await writer.at_random(chance)
    async with running(stack, writer.topic) as one, running(stack, writer.topic) as other:
        watchers = [Watcher(viewer, [one.port, other.port]) for viewer in (OPERATOR, DLH, CAMAT, PUBLIC)]
        watching = [asyncio.create_task(watcher.watch()) for watcher in watchers]
        for n in range(CUTS * 4):
            await writer.at_random(chance)
            if n % 4 == 3:
                chance.choice(watchers).cut()
            await asyncio.sleep(chance.choice([0, 0.02, 0.1]))
        await all_hold_what_was_written(watchers, writer)
        for task in watching:
            task.cancel()
        await asyncio.gather(*watching, return_exceptions=True)
        assert sum(watcher.comings for watcher in watchers) >= CUTS
        assert sum(watcher.recovered for watcher in watchers) >= CUTS // 2, "most cuts are mended without the state"
        assert one.hub is not None
        assert other.hub is not None
        assert one.hub.board.epoch == other.hub.board.epoch
        assert one.hub.board.offset == other.hub.board.offset


async def test_a_node_killed_between_reading_and_pushing_leaves_no_gap(stack: Stack, writer: Writer) -> None:
    chance = random.Random(5)
    await writer.at_random(chance)
    port = free_port()
    async with (
        running(stack, writer.topic) as other,
        process_of(stack, writer.topic, port, "feed.after_read=kill@12") as process,
    ):
        # The first of each goes to the node that will die.
        watchers = [Watcher(viewer, [other.port, port]) for viewer in (OPERATOR, DLH, CAMAT, PUBLIC)]
        watching = [asyncio.create_task(watcher.watch()) for watcher in watchers]
        await all_hold_what_was_written(watchers, writer)
        written = 0
        while process.returncode is None:
            assert written < 500
            written += 1
            await writer.at_random(chance)
            await asyncio.sleep(0.05)
        for _ in range(10):
            await writer.at_random(chance)
        await all_hold_what_was_written(watchers, writer)
        assert process.returncode == -signal.SIGKILL
        assert all(watcher.comings >= 2 for watcher in watchers)
        for task in watching:
            task.cancel()
        await asyncio.gather(*watching, return_exceptions=True)


async def test_poison_is_passed_over_and_what_is_not_committed_is_not_seen(stack: Stack, writer: Writer) -> None:
    async with running(stack, writer.topic) as feed:
        watcher = Watcher(OPERATOR, [feed.port])
        watching = asyncio.create_task(watcher.watch())
        await writer.send(b"\xff", b"{", [])
        await writer.send(b"nothing", None, [("ce_type", b"?")])
        await writer.producer.begin_transaction()
        key, value, headers, *_ = Topic().put("INC-9", row("INC-9"), {})
        await writer.producer.send_and_wait(writer.topic, value, key, headers=headers)
        await writer.producer.abort_transaction()
        await writer.put("INC-1", row("INC-1"), {"agency": "32.75/DLH"})
        async with asyncio.timeout(10):
            while not watcher.follower.rows["incidents"]:
                await asyncio.sleep(0.05)
        assert set(watcher.follower.rows["incidents"]) == {"INC-1"}
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


async def test_a_topic_made_anew_has_another_epoch_and_everybody_starts_afresh(stack: Stack, writer: Writer) -> None:
    await writer.put("INC-1", row("INC-1"), {"agency": "32.75/DLH"})
    async with running(stack, writer.topic) as feed:
        watcher = Watcher(OPERATOR, [feed.port])
        watching = asyncio.create_task(watcher.watch())
        async with asyncio.timeout(10):
            while "INC-1" not in watcher.follower.rows["incidents"]:
                await asyncio.sleep(0.05)
        epoch = watcher.follower.position["incidents"][0]
        await make_topic(stack, writer.topic, anew=True)
        writer.log, writer.now = Topic(), {}
        await writer.put("INC-2", row("INC-2"), {"agency": "32.75/DLH"})
        async with asyncio.timeout(30):
            while set(watcher.follower.rows["incidents"]) != {"INC-2"}:
                await asyncio.sleep(0.05)
        assert watcher.follower.position["incidents"][0] != epoch
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


async def test_a_broker_that_is_away_is_named_and_waited_out(stack: Stack, writer: Writer) -> None:
    """Watchers stay where they are meanwhile, and see what they have growing old."""
    await writer.put("INC-1", row("INC-1"), {"agency": "32.75/DLH"})
    async with running(stack, writer.topic) as feed, httpx.AsyncClient() as http:
        ready = f"http://127.0.0.1:{feed.port}/readyz"
        assert (await http.get(ready)).status_code == 200
        watcher = Watcher(OPERATOR, [feed.port])
        watching = asyncio.create_task(watcher.watch())
        await stack.kafka.stop()
        try:
            async with asyncio.timeout(30):
                while (answer := await http.get(ready)).status_code == 200:
                    await asyncio.sleep(0.2)
            assert "kafka" in answer.json()["missing"]
            heard = len(watcher.follower.heard)
            await asyncio.sleep(5)
            assert len(watcher.follower.heard) > heard
        finally:  # whatever came of it: other tests share this broker
            await stack.kafka.start()
        async with asyncio.timeout(30):
            while (await http.get(ready)).status_code != 200:
                await asyncio.sleep(0.2)
        again = await start_producer(stack.kafka.bootstrap, "test-relay", transactional_id=writer.topic)
        await Writer(again, writer.topic, writer.log).put("INC-2", row("INC-2"), {"agency": "32.75/DLH"})
        async with asyncio.timeout(15):
            while set(watcher.follower.rows["incidents"]) != {"INC-1", "INC-2"}:
                await asyncio.sleep(0.05)
        assert watcher.comings == 1
        await again.stop()
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


async def test_the_process_says_when_it_is_ready_and_ends_in_good_order(stack: Stack) -> None:
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "command_center_ui", "--feed-port", str(port),
        "--kafka-bootstrap", stack.kafka.bootstrap, env={**os.environ, "PATRIOT_SECRET": SECRET.hex()},
        stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http, asyncio.timeout(30):
            while True:
                with suppress(httpx.TransportError):
                    if (await http.get("/readyz")).status_code == 200:
                        break
                await asyncio.sleep(0.1)
        async with connect(f"ws://127.0.0.1:{port}/") as connection:
            offered = ticket(PUBLIC, datetime.now(UTC))
            await connection.send(json.dumps({"id": 1, "connect": {"ticket": offered}}))
            assert "connect" in json.loads(await connection.recv())
            process.send_signal(signal.SIGTERM)
            assert "disconnect" in json.loads(await connection.recv())["push"]
            with pytest.raises(ConnectionClosed):
                await connection.recv()
            assert connection.close_code == 4001
        assert await asyncio.wait_for(process.wait(), 15) == 0
    finally:
        if process.returncode is None:
            process.kill()
