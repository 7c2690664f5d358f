"""What comes to the feed's port and is not its protocol: refused or ended with a code, and everybody else is served."""

import asyncio
import json
import struct
import zlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed
from websockets.frames import Opcode

from infra.tickets import Viewer
from schemas.vocabulary import Role
from tests.command_center_ui.test_sockets import FEED, Node, comes, node
from tests.command_center_ui.watching import OPERATOR, row, ticket

__all__ = ["node"]  # the fixture: a listening feed whose board is fed by the test

_HEAD: Final = (
    b"GET / HTTP/1.1\r\nHost: feed\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n"
)


@pytest.fixture
async def watched(node: Node) -> AsyncIterator[Node]:
    """A node with somebody on it, who is still served afterwards."""
    node.put("INC-1", row("INC-1"))
    viewer = await comes(node)
    await viewer.subscribes()
    yield node
    node.put("INC-1", row("INC-1", 2))
    while viewer.rows["INC-1"]["version"] != 2:
        await viewer.hears()
    await viewer.connection.close()


async def _answer(node: Node, sent: bytes) -> bytes:
    """What the port answers to bytes; it ends the connection by itself."""
    reader, writer = await asyncio.open_connection("127.0.0.1", node.feed.port)
    try:
        async with asyncio.timeout(20):
            writer.write(sent)
            await writer.drain()
            return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


@pytest.mark.parametrize(
    ("sent", "statuses"),
    [
        pytest.param(
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64) + b"\r\n\r\n", (b"400", b""), id="TLS"
        ),
        pytest.param(b"hello\r\n\r\n", (b"400", b""), id="no HTTP"),
        pytest.param(b"GET /\r\n\r\n", (b"400", b""), id="HTTP 0.9"),
        pytest.param(b"POST / HTTP/1.1\r\nHost: feed\r\nContent-Length: 2\r\n\r\n{}", (b"400", b"405", b""), id="POST"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: feed\r\n\r\n", (b"426",), id="no upgrade"),
        pytest.param(_HEAD.replace(b"AAAAAAAAAAAAAAAAAAAAAA==", b"short") + b"\r\n", (b"400",), id="key"),
        pytest.param(_HEAD.replace(b": 13", b": 8") + b"\r\n", (b"400", b"426"), id="version"),
        pytest.param(_HEAD + b"Sec-WebSocket-Protocol: \xff\xfe\r\n\r\n", (b"400", b""), id="subprotocol of bytes"),
        pytest.param(_HEAD + b"Sec-WebSocket-Extensions: ;;=,\r\n\r\n", (b"400",), id="extensions"),
        pytest.param(_HEAD + b"Origin: null\r\n\r\n", (b"403",), id="null origin"),
        pytest.param(_HEAD + b"Origin: http://evil.example\r\n\r\n", (b"403",), id="foreign origin"),
        pytest.param(_HEAD + b"Origin: http://[::1\r\n\r\n", (b"403",), id="origin that is none"),
        pytest.param(_HEAD + b"Origin: http://feed\r\nOrigin: http://feed\r\n\r\n", (b"400", b"403"), id="two origins"),
    ],
)
async def test_a_handshake_that_is_none_is_refused(watched: Node, sent: bytes, statuses: tuple[bytes, ...]) -> None:
    answer = await _answer(watched, sent)
    assert answer[9:12] in statuses
    assert b"Traceback" not in answer


def _masked(opcode: Opcode, data: bytes, *, fin: bool = True, rsv1: bool = False) -> bytes:
    """A frame as a client sends it, masked with zeros; whatever its bits say."""
    first = fin << 7 | rsv1 << 6 | opcode
    if len(data) < 126:
        head = struct.pack(">BB", first, 0x80 | len(data))
    else:
        head = struct.pack(">BBH", first, 0x80 | 126, len(data))
    return head + bytes(4) + data


@pytest.mark.parametrize(
    ("frames", "codes"),
    [
        pytest.param([b"\x81\x02{}"], {1002}, id="not masked"),
        pytest.param([b"\x83\x80\x00\x00\x00\x00"], {1002}, id="reserved opcode"),
        pytest.param([_masked(Opcode.TEXT, b"{}", rsv1=True)], {1002}, id="compressed without having agreed"),
        pytest.param([_masked(Opcode.TEXT, b"\xff\xfe")], {1007}, id="no UTF-8"),
        pytest.param([_masked(Opcode.CONT, b"{}")], {1002}, id="a rest without a beginning"),
        pytest.param([_masked(Opcode.TEXT, b"{", fin=False), _masked(Opcode.TEXT, b"}")], {1002}, id="two beginnings"),
        pytest.param([b"\x89\xfe\x00\x7e\x00\x00\x00\x00" + bytes(126)], {1002}, id="ping of 126 bytes"),
        pytest.param([_masked(Opcode.BINARY, b"{}")], {4501}, id="binary"),
        pytest.param([b"\x81\xff" + struct.pack(">Q", 2**62) + bytes(4)], {1009}, id="a frame of 4 EiB, announced"),
        pytest.param([b"\x81\xff" + struct.pack(">Q", 2**63) + bytes(4)], {1002, 1009}, id="a negative length"),
        pytest.param(
            [_masked(Opcode.TEXT, b"x" * 1000, fin=False), *[_masked(Opcode.CONT, b"x" * 1000, fin=False)] * 100],
            {1009, 4501},
            id="100 kB in fragments",
        ),
        pytest.param(
            [_masked(Opcode.TEXT, b"{", fin=False), *[_masked(Opcode.CONT, b"", fin=False)] * 5000,
             _masked(Opcode.CONT, b"")],
            {1009, 4501},
            id="5 000 empty fragments",
        ),
        pytest.param([_masked(Opcode.TEXT, b'{"id":2,"publish":{}}')], {4501}, id="unknown command"),
        pytest.param(
            [_masked(Opcode.TEXT, b'{"id":2,"subscribe":{"channel":"incidents","recover":true,"epoch":"e","offset":%d}}'
                     % offset) for offset in (-1,)],
            {4501},
            id="offset -1",
        ),
    ],
)  # fmt: skip
async def test_frames_that_are_none_end_the_connection_with_a_code(
    watched: Node, frames: list[bytes], codes: set[int]
) -> None:
    viewer = await comes(watched, compression=None)
    viewer.connection.transport.write(b"".join(frames))
    async with asyncio.timeout(20):
        with pytest.raises(ConnectionClosed):
            while True:
                await viewer.connection.recv()
    assert viewer.connection.close_code in codes


async def test_what_grows_when_it_is_inflated_is_not_inflated(watched: Node) -> None:
    """60 MB in a frame of 60 kB."""
    viewer = await comes(watched, compression="deflate")
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = deflate.compress(b" " * 60_000_000) + deflate.flush(zlib.Z_SYNC_FLUSH)
    assert len(bomb) < 64 * 1024
    viewer.connection.transport.write(_masked(Opcode.TEXT, bomb[:-4], rsv1=True))
    async with asyncio.timeout(20):
        with pytest.raises(ConnectionClosed):
            while True:
                await viewer.connection.recv()
    assert viewer.connection.close_code == 1009


async def test_a_ticket_lets_in_once_and_not_when_it_is_old(watched: Node) -> None:
    now = datetime.now(UTC)
    once, old = ticket(OPERATOR, now), ticket(OPERATOR, now - timedelta(seconds=40))
    codes = []
    for offered in (once, once, old, "", "\u0000", once[:-1], "x" * 9000):
        async with connect(watched.url, subprotocols=[FEED]) as connection:
            await connection.send(json.dumps({"id": 1, "connect": {"ticket": offered}}))
            try:
                async with asyncio.timeout(10):
                    await connection.recv()
            except ConnectionClosed:
                pass
            codes.append(connection.close_code)
    assert codes == [None, 4500, 4500, 4500, 4500, 4500, 4501]


async def test_a_role_that_was_taken_away_is_not_refreshed(watched: Node) -> None:
    viewer = await comes(watched)
    demoted = Viewer(role=Role.EXECUTIVE, subject=OPERATOR.subject)
    offered = ticket(demoted, datetime.now(UTC))
    await viewer.connection.send(json.dumps({"id": 9, "refresh": {"ticket": offered}}))
    with pytest.raises(ConnectionClosed):
        while True:
            await viewer.hears()
    assert viewer.connection.close_code == 4005


@pytest.mark.parametrize("offset", [2**63 - 1, 10**6])
async def test_an_offset_of_the_future_is_answered_with_the_state(watched: Node, offset: int) -> None:
    viewer = await comes(watched)
    said = await viewer.subscribes(recover=True, epoch=watched.board.epoch, offset=offset)
    assert said["subscribe"]["recovered"] is False
    assert [entry["key"] for entry in said["subscribe"]["state"]] == ["INC-1"]
    await viewer.connection.close()
