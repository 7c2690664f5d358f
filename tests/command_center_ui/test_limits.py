"""What happens at each limit of a feed node: an answer that says when to come back, never a pile-up."""

import asyncio
import json
import select
import socket
import subprocess
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.command_center_ui.test_sockets import FEED, Node, comes, serving
from tests.command_center_ui.watching import OPERATOR, PUBLIC, row, ticket


async def knocks(node: Node) -> ClientConnection:
    """Somebody who does not show a ticket, yet."""
    return await connect(node.url, subprotocols=[FEED])


async def is_refused(node: Node, why: str) -> None:
    before = await refusals(node, why)
    with pytest.raises(InvalidStatus) as refused:
        await knocks(node)
    assert refused.value.response.status_code == 503
    assert int(refused.value.response.headers["Retry-After"]) > 0
    assert await refusals(node, why) == before + 1


async def refusals(node: Node, why: str) -> float:
    async with httpx.AsyncClient() as http:
        text = (await http.get(f"{node.http}/metrics")).text
    name = f'patriot_feed_refused_handshakes_total{{why="{why}"}} '
    return float(text.partition(name)[2].split()[0])


async def test_a_full_node_refuses_the_next_and_takes_one_when_one_leaves() -> None:
    async with serving(feed_max_clients=3) as node:
        viewers = [await comes(node) for _ in range(3)]
        await is_refused(node, "full")
        await viewers[0].connection.close()
        assert node.feed.hub is not None
        async with asyncio.timeout(5):
            while len(node.feed.hub.sessions) == 3:
                await asyncio.sleep(0.02)
        assert (await (await comes(node)).subscribes())["subscribe"]["recovered"] is False


async def test_those_without_a_ticket_do_not_keep_the_others_out() -> None:
    """One host with as many silent sockets as may be: whoever comes takes the place of the oldest."""
    async with serving(feed_max_clients=10, feed_max_strangers=3) as node:
        inside = await comes(node)
        silent = [await knocks(node) for _ in range(3)]
        await asyncio.sleep(1.1)
        for oldest in silent:
            viewer = await comes(node)
            with pytest.raises(ConnectionClosed):
                await asyncio.wait_for(oldest.recv(), 2)
            assert oldest.close_code == 4502
            await viewer.subscribes()
            await knocks(node)
        await inside.subscribes()


async def test_the_public_leaves_places_for_staff() -> None:
    async with serving(feed_max_clients=10, feed_max_strangers=5) as node:
        for _ in range(9):
            await comes(node, PUBLIC)
        late = await knocks(node)
        await late.send(json.dumps({"id": 1, "connect": {"ticket": ticket(PUBLIC, datetime.now(UTC))}}))
        told = json.loads(await late.recv())["push"]["disconnect"]
        assert told["code"] == 4001 and told["reconnect_after_ms"] > 0
        with pytest.raises(ConnectionClosed):
            await late.recv()
        await (await comes(node)).subscribes()
        await is_refused(node, "full")


async def test_many_that_come_at_once_are_not_sent_away_for_each_other() -> None:
    async with serving(feed_max_clients=10, feed_max_strangers=3) as node:
        inside = await comes(node)
        await inside.subscribes()
        strangers = [await knocks(node) for _ in range(3)]
        await is_refused(node, "strangers")
        node.put("INC-1", row("INC-1"))
        await inside.hears()
        assert set(inside.rows) == {"INC-1"}
        # One shows its ticket: there is room at once.
        offered = ticket(OPERATOR, datetime.now(UTC))
        await strangers[0].send(json.dumps({"id": 1, "connect": {"ticket": offered}}))
        assert "connect" in json.loads(await strangers[0].recv())
        strangers.append(await knocks(node))
        await is_refused(node, "strangers")
        # The others have 5 s.
        for stranger in strangers[1:]:
            with pytest.raises(ConnectionClosed):
                await stranger.recv()
            assert stranger.close_code == 4502
        await comes(node)


async def test_sockets_beyond_both_limits_are_cut_before_the_handshake() -> None:
    """Whoever only opens sockets and says nothing uses up files, which are fewer than addresses."""
    async with serving(feed_max_clients=2, feed_max_strangers=2) as node:
        silent = [await asyncio.open_connection("127.0.0.1", node.feed.port) for _ in range(4)]
        reader, writer = await asyncio.open_connection("127.0.0.1", node.feed.port)
        async with asyncio.timeout(5):
            with suppress(ConnectionResetError):
                assert await reader.read() == b""
        writer.close()
        for _, each in silent:
            each.close()
        async with asyncio.timeout(5):
            while True:
                with suppress(httpx.TransportError):
                    async with httpx.AsyncClient() as http:
                        assert (await http.get(f"{node.http}/healthz")).status_code == 200
                        break
                await asyncio.sleep(0.05)
        assert await refusals(node, "sockets") >= 1


async def test_thousands_may_knock_while_the_node_is_busy() -> None:
    """The kernel takes their connections meanwhile; one that it does not take is tried again only after a second."""
    knocking = 500
    async with serving() as node:
        raws = []
        # Nothing here waits for the event loop: the node accepts nobody.
        for _ in range(knocking):
            raws.append(socket.socket())
            raws[-1].setblocking(False)
            with suppress(BlockingIOError):
                raws[-1].connect(("127.0.0.1", node.feed.port))
        time.sleep(0.5)  # noqa: ASYNC251
        watch = select.poll()
        for raw in raws:
            watch.register(raw, select.POLLOUT)
        connected = watch.poll(0)
        for raw in raws:
            raw.close()
    assert len(connected) == knocking


async def test_a_handshake_that_never_ends_is_given_up() -> None:
    async with serving() as node:
        reader, writer = await asyncio.open_connection("127.0.0.1", node.feed.port)
        writer.write(b"GET / HTTP/1.1\r\nHost: feed\r\n")
        async with asyncio.timeout(15):
            with suppress(ConnectionResetError):
                while await reader.read(1024):
                    pass
        writer.close()


@pytest.mark.parametrize("head", [b"X: " + b"a" * 9_000, b"\r\n".join(b"X-%d: a" % n for n in range(200))])
async def test_a_head_that_is_too_large_is_refused(head: bytes) -> None:
    async with serving() as node:
        reader, writer = await asyncio.open_connection("127.0.0.1", node.feed.port)
        writer.write(b"GET / HTTP/1.1\r\nHost: feed\r\n" + head + b"\r\n\r\n")
        async with asyncio.timeout(5):
            with suppress(ConnectionResetError):
                answer = await reader.read()
                assert answer[:12] in (b"", b"HTTP/1.1 400", b"HTTP/1.1 431"), answer
        writer.close()


async def test_a_client_that_sends_pings_without_end_is_cut_and_keeps_nobody_waiting() -> None:
    """`websockets` answers pings by itself, before a message is ever read."""
    async with serving() as node:
        pinger, reader = await comes(node), await comes(node)
        node.put("INC-1", row("INC-1"))
        await reader.subscribes()
        for _ in range(50):  # as many as a library sends in 16 minutes
            await (await pinger.connection.ping())
        with suppress(ConnectionClosed, OSError):
            async with asyncio.timeout(10):
                while not pinger.connection.transport.is_closing():
                    for _ in range(100):
                        pinger.connection.protocol.send_ping(b"")
                    pinger.connection.send_data()
                    await pinger.connection.drain()
                    await asyncio.sleep(0.01)
        await pinger.connection.wait_closed()
        node.put("INC-1", row("INC-1", 2))
        while reader.rows["INC-1"]["version"] != 2:
            await reader.hears()


async def test_a_connection_ends_with_its_time_when_no_new_ticket_comes() -> None:
    async with serving(feed_session_s=5) as node:
        viewer = await comes(node)
        with pytest.raises(ConnectionClosed):
            while True:
                await viewer.hears()
        assert viewer.connection.close_code == 4005


#: What a system allows (soft, hard), what is wanted, and what there is room for.
@pytest.mark.parametrize(
    ("soft", "hard", "wanted", "room"), [(256, 4_096, 1_000, 1_000), (256, 512, 1_000, 448), (2_048, 4_096, 100, 100)]
)
def test_a_node_takes_the_files_it_needs_and_no_more_clients_than_files(
    soft: int, hard: int, wanted: int, room: int
) -> None:
    asking = (
        f"import resource; resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}));"
        f"from command_center_ui.sockets import make_room; room = make_room({wanted});"
        "import socket; held = [socket.socket() for _ in range(room)]; print(room)"
    )
    done = subprocess.run([sys.executable, "-c", asking], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split()[-1] == str(room)
