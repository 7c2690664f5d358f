"""`websockets.broadcast()`, the library's own answer to fan-out. Argument: port; events are lines of standard input."""

import asyncio
import sys

import uvloop
from websockets.asyncio.server import ServerConnection, broadcast, serve


async def main(port: int, deflate: bool) -> None:
    """Until killed."""
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)

    async def one(connection: ServerConnection) -> None:
        await connection.wait_closed()

    compression = "deflate" if deflate else None
    async with serve(one, "127.0.0.1", port, ping_interval=None, backlog=4096, compression=compression) as server:
        while line := await lines.readline():
            broadcast(server.connections, line.decode())


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), sys.argv[2] == "deflate"))
