"""The proxy does to a connection what its verbs say, and nothing once it is healed."""

import asyncio
import socket
import struct
import time
from collections.abc import AsyncIterator

import pytest

from tests.faults.proxy import Proxy


@pytest.fixture
async def proxy() -> AsyncIterator[Proxy]:
    """A proxy before a server that sends back what it gets."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
            writer.write(b"bye")
        except OSError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    async with Proxy(server.sockets[0].getsockname()[1]) as opened:
        yield opened
    server.close()


class Client:
    """A connection through the proxy."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def open(cls, proxy: Proxy) -> "Client":
        return cls(*await asyncio.open_connection("127.0.0.1", proxy.port))

    def say(self, data: bytes) -> None:
        self.writer.write(data)

    async def hear(self, data: bytes) -> None:
        async with asyncio.timeout(10):
            assert await self.reader.readexactly(len(data)) == data

    async def hears_nothing(self) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await self.reader.read(1)


async def test_it_carries_both_ways_and_the_end_of_one(proxy: Proxy) -> None:
    client = await Client.open(proxy)
    much = bytes(range(256)) * 40_000  # 10 MB: more than any buffer on the way
    client.say(much)
    await client.hear(much)
    client.writer.write_eof()
    await client.hear(b"bye")
    assert await client.reader.read() == b""


async def test_cut_resets_what_is_open_and_lets_new_ones_pass(proxy: Proxy) -> None:
    client = await Client.open(proxy)
    client.say(b"a")
    await client.hear(b"a")
    proxy.cut()
    with pytest.raises(ConnectionResetError):
        await client.reader.read()
    again = await Client.open(proxy)
    again.say(b"b")
    await again.hear(b"b")


async def test_a_client_that_resets_is_a_reset_for_the_server_and_the_next_one_passes(proxy: Proxy) -> None:
    for _ in range(20):
        client = await Client.open(proxy)
        client.say(bytes(100_000))
        await client.hear(bytes(1_000))
        line = client.writer.get_extra_info("socket")
        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.writer.transport.abort()
    async with asyncio.timeout(10):
        while proxy.links:
            await asyncio.sleep(0.01)
    again = await Client.open(proxy)
    again.say(b"b")
    await again.hear(b"b")


async def test_a_server_that_resets_is_a_reset_for_the_client() -> None:
    async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        line = writer.get_extra_info("socket")
        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    server = await asyncio.start_server(reset, "127.0.0.1", 0)
    async with Proxy(server.sockets[0].getsockname()[1]) as proxy:
        for _ in range(20):
            client = await Client.open(proxy)
            client.say(bytes(1_000_000))
            async with asyncio.timeout(10):
                with pytest.raises(ConnectionResetError):
                    await client.reader.read()
    server.close()


async def test_refuse_resets_and_refuses_until_healed(proxy: Proxy) -> None:
    client = await Client.open(proxy)
    client.say(b"a")
    await client.hear(b"a")
    proxy.refuse()
    with pytest.raises(ConnectionResetError):
        await client.reader.read()
    with pytest.raises(ConnectionRefusedError):
        await Client.open(proxy)
    await proxy.heal()
    again = await Client.open(proxy)
    again.say(b"b")
    await again.hear(b"b")


async def test_stall_passes_nothing_old_or_new_and_all_of_it_once_healed(proxy: Proxy) -> None:
    old = await Client.open(proxy)
    old.say(b"a")
    await old.hear(b"a")
    proxy.stall()
    new = await Client.open(proxy)
    for client in (old, new):
        client.say(b"late")
    for client in (old, new):
        await client.hears_nothing()
    await proxy.heal()
    for client in (old, new):
        await client.hear(b"late")


async def test_stall_can_be_of_some_clients_alone(proxy: Proxy) -> None:
    one, other = await Client.open(proxy), await Client.open(proxy)
    port = one.writer.get_extra_info("sockname")[1]
    proxy.stall(lambda client_port: client_port == port)
    one.say(b"a")
    other.say(b"b")
    await other.hear(b"b")
    await one.hears_nothing()
    await proxy.heal()
    await one.hear(b"a")


async def test_delay_is_of_each_byte_each_way_and_not_of_how_much_passes(proxy: Proxy) -> None:
    client = await Client.open(proxy)
    proxy.delay(0.2)
    much = bytes(1_000_000)  # 16 chunks: one after the other they would take 6.4 s
    start = time.monotonic()
    client.say(much)
    await client.hear(much)
    assert 0.4 <= time.monotonic() - start < 5
    await proxy.heal()
    client.say(b"a")
    await client.hear(b"a")


async def test_a_server_that_is_not_there_is_a_reset(proxy: Proxy) -> None:
    proxy.target = 1
    client = await Client.open(proxy)
    with pytest.raises(ConnectionResetError):
        await client.reader.read()
    while proxy.links:
        await asyncio.sleep(0.01)
