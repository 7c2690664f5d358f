"""The shell on real sockets, with records put straight onto the board: handshake, frames, slow readers, shutdown."""

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory, PerMessageDeflate
from websockets.typing import Origin, Subprotocol

from command_center_ui.board import Board
from command_center_ui.feed import Feed
from command_center_ui.settings import FeedSettings
from tests.command_center_ui.watching import OPERATOR, PUBLIC, SECRET, Follower, Json, Topic, decoded, row, ticket

FEED = Subprotocol("patriot.feed.v1+json")


class Node:
    """A listening feed whose board is fed by the test."""

    def __init__(self, **settings: Any) -> None:
        self.feed = Feed(FeedSettings(secret=SECRET.hex(), feed_port=0, port=8080, _env_file=None, **settings))
        self.topic = Topic()
        self.board = Board("k3T")

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.feed.port}/"

    @property
    def http(self) -> str:
        return f"http://127.0.0.1:{self.feed.port}"

    def put(self, key: str, data: Json | None, tags: dict[str, str] | None = None) -> None:
        self.board.apply(decoded(self.topic.put(key, data, tags, at=datetime.now(UTC))))
        self.feed.changed()


@asynccontextmanager
async def serving(**settings: Any) -> AsyncIterator[Node]:
    node = Node(**settings)
    await node.feed.listen()
    await node.feed.adopt(node.board)
    pushing = asyncio.create_task(node.feed.push())
    try:
        yield node
    finally:
        pushing.cancel()
        await node.feed.close()


@pytest.fixture
async def node() -> AsyncIterator[Node]:
    async with serving() as node:
        yield node


class Viewer:
    """A connected client."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.follower = Follower()

    @property
    def rows(self) -> dict[str, Json]:
        return self.follower.rows["incidents"]

    async def hears(self) -> Json:
        """The next frame, answered when it is a ping and followed otherwise."""
        async with asyncio.timeout(10):
            said: Json = json.loads(await self.connection.recv())
        if not said:
            await self.connection.send("{}")
        self.follower.hear([said])
        return said

    async def subscribes(self, channel: str = "incidents", **more: Any) -> Json:
        self.follower.asked[7] = channel
        await self.connection.send(json.dumps({"id": 7, "subscribe": {"channel": channel, **more}}))
        while True:
            said = await self.hears()
            if said.get("id") == 7:
                return said


async def comes(node: Node, who: Any = OPERATOR, **options: Any) -> Viewer:
    connection = await connect(node.url, subprotocols=[FEED], max_size=2**20, **options)
    viewer = Viewer(connection)
    offered = ticket(who, datetime.now(UTC))
    await connection.send(json.dumps({"id": 1, "connect": {"ticket": offered}}))
    assert "client" in (await viewer.hears())["connect"]
    return viewer


async def test_a_change_reaches_a_client_at_once(node: Node) -> None:
    node.put("INC-0", row("INC-0"))
    viewer = await comes(node)
    await viewer.subscribes()
    await asyncio.sleep(0.1)
    before = time.perf_counter()
    node.put("INC-1", row("INC-1"))
    said = await viewer.hears()
    assert time.perf_counter() - before < 1
    assert said["push"]["pubs"][0]["key"] == "INC-1"
    assert viewer.connection.subprotocol == FEED
    await viewer.connection.close()


async def test_deflated_and_plain_clients_get_the_same(node: Node) -> None:
    for n in range(30):
        node.put(f"INC-{n}", row(f"INC-{n}", text="Jalan Ahmad Yani " * 40))
    narrow = ClientPerMessageDeflateFactory(server_max_window_bits=9)
    viewers = [
        await comes(node, compression="deflate"),
        await comes(node, compression=None),
        await comes(node, compression=None, extensions=[narrow]),
    ]
    for viewer in viewers:
        await viewer.subscribes()
    node.put("INC-1", row("INC-1", 2, text="Jalan Juanda " * 100))
    for viewer in viewers:
        await viewer.hears()
    assert viewers[0].rows == viewers[1].rows == viewers[2].rows
    (extension,) = viewers[0].connection.protocol.extensions
    assert isinstance(extension, PerMessageDeflate)
    assert extension.remote_no_context_takeover
    for viewer in viewers:
        await viewer.connection.close()


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1"])
async def test_a_foreign_page_gets_403(node: Node, origin: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await connect(node.url, subprotocols=[FEED], origin=Origin(origin))
    assert refused.value.response.status_code == 403


async def test_our_own_page_is_let_in(node: Node) -> None:
    connection = await connect(node.url, subprotocols=[FEED], origin=Origin("http://127.0.0.1:8080"))
    await connection.close()


async def test_another_subprotocol_is_refused_and_none_means_ours(node: Node) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await connect(node.url, subprotocols=[Subprotocol("mqtt")])
    assert refused.value.response.status_code == 400
    connection = await connect(node.url)
    await connection.close()


async def test_before_the_board_was_read_there_is_health_only() -> None:
    node = Node()
    await node.feed.listen()
    try:
        with pytest.raises(InvalidStatus) as refused:
            await connect(node.url, subprotocols=[FEED])
        assert refused.value.response.status_code == 503
        assert refused.value.response.headers["Retry-After"] == "2"
        async with httpx.AsyncClient(base_url=node.http) as http:
            assert (await http.get("/healthz")).json() == {"status": "ok"}
            answer = await http.get("/readyz")
            assert answer.status_code == 503
            assert "kafka" in answer.json()["missing"]
    finally:
        await node.feed.close()


async def test_metrics_are_there_from_the_start(node: Node) -> None:
    async with httpx.AsyncClient(base_url=node.http) as http:
        text = (await http.get("/metrics")).text
    for name in (
        'patriot_feed_clients{view="public"}', 'patriot_feed_closed_total{code="4008"}', "patriot_feed_lag_records",
        'patriot_feed_frames_total{kind="push"}', "patriot_feed_report_to_wall_seconds_bucket",
        'patriot_feed_as_of_age_seconds{channel="kpis"}', "patriot_feed_behind_clients", "patriot_feed_bytes_total",
    ):  # fmt: skip
        assert name in text


@pytest.mark.parametrize(
    ("frame", "codes"),
    [
        (b"{}", {4501}),
        ("[1", {4501}),
        ("x" * (64 * 1024 + 1), {1009, 4501}),
        ('{"id":2,"publish":{}}', {4501}),
        (["{", '"id":', "2}"], {4501}),
    ],
)
async def test_what_is_not_the_protocol_ends_the_connection(node: Node, frame: Any, codes: set[int]) -> None:
    viewer = await comes(node)
    try:
        await viewer.connection.send(frame)
        while True:
            await viewer.connection.recv()
    except ConnectionClosed:
        pass
    assert viewer.connection.close_code in codes


async def test_a_client_that_never_reads_is_cut_and_the_others_go_on(node: Node) -> None:
    """Ten seconds of rows at a raw socket that is not read; memory stays bounded, a reader is not delayed."""
    node.put("INC-1", row("INC-1"))
    reader = await comes(node)
    await reader.subscribes()
    small = socket.socket()
    small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    small.connect(("127.0.0.1", node.feed.port))
    stuck = await comes(node, compression=None, sock=small)
    await stuck.subscribes()
    stuck.connection.transport.pause_reading()
    assert node.feed.hub is not None
    _, session = node.feed.hub.sessions
    started, worst, version = time.monotonic(), 0.0, 1
    while not session.closed:
        assert time.monotonic() - started < 20
        version += 1
        before = time.perf_counter()
        node.put("INC-1", row("INC-1", version, text="x" * 30_000))
        while reader.rows["INC-1"]["version"] != version:
            await reader.hears()
        worst = max(worst, time.perf_counter() - before)
        assert session._outbox.wire.buffered() < 300 * 1024
        await asyncio.sleep(0.02)
    assert time.monotonic() - started > 9
    assert worst < 2
    stuck.connection.transport.resume_reading()
    with pytest.raises(ConnectionClosed):
        while True:
            await stuck.connection.recv()
    assert stuck.connection.close_code in (4008, 1006)
    await reader.connection.close()


async def test_a_client_that_only_asks_for_pongs_is_cut(node: Node) -> None:
    viewer = await comes(node, compression=None)
    viewer.connection.transport.pause_reading()
    with pytest.raises((ConnectionClosed, OSError)):
        async with asyncio.timeout(30):
            while True:
                viewer.connection.protocol.send_ping(b"x" * 125)
                viewer.connection.send_data()
                await viewer.connection.drain()
                if viewer.connection.transport.is_closing():
                    raise ConnectionResetError
                if node.feed.hub is not None and not node.feed.hub.sessions:
                    raise ConnectionResetError


async def test_a_flood_of_messages_is_read_slowly_and_keeps_nobody_waiting(node: Node) -> None:
    flooder, reader = await comes(node), await comes(node)
    node.put("INC-1", row("INC-1"))
    await reader.subscribes()

    async def flood() -> None:
        for n in range(5_000):
            await flooder.connection.send(json.dumps({"id": n + 10, "unsubscribe": {"channel": "incidents"}}))
            await asyncio.sleep(0)

    flooding = asyncio.create_task(flood())
    for version in range(2, 12):
        before = time.perf_counter()
        node.put("INC-1", row("INC-1", version))
        while reader.rows["INC-1"]["version"] != version:
            await reader.hears()
        assert time.perf_counter() - before < 1
    flooding.cancel()
    await asyncio.gather(flooding, return_exceptions=True)
    flooder.connection.transport.abort()
    await reader.connection.close()


async def test_at_shutdown_everybody_is_sent_to_another_node_in_good_order() -> None:
    node = Node()
    await node.feed.listen()
    await node.feed.adopt(node.board)
    pushing = asyncio.create_task(node.feed.push())
    viewers = [await comes(node, PUBLIC) for _ in range(20)]
    closing = asyncio.create_task(node.feed.close())
    waits = []
    for viewer in viewers:
        said = await viewer.hears()
        waits.append(said["push"]["disconnect"]["reconnect_after_ms"])
        assert said["push"]["disconnect"] | {"reconnect_after_ms": 0} == {
            "code": 4001, "reason": "shutdown", "reconnect_after_ms": 0,
        }  # fmt: skip
        with pytest.raises(ConnectionClosed):
            await viewer.connection.recv()
        assert viewer.connection.close_code == 4001
    async with asyncio.timeout(8):
        await closing
    pushing.cancel()
    assert len(set(waits)) > 10
    with pytest.raises(OSError):
        await connect(node.url)


async def test_a_board_made_anew_sends_everybody_back_for_the_state(node: Node) -> None:
    viewer = await comes(node)
    await node.feed.adopt(Board("other"))
    with pytest.raises(ConnectionClosed):
        while True:
            await viewer.connection.recv()
    assert viewer.connection.close_code == 4001
    again = await comes(node)
    answer = await again.subscribes(recover=True, epoch="k3T", offset=0)
    assert answer["subscribe"]["epoch"] == "other"
    await again.connection.close()
