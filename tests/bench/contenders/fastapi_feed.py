"""The loop that most tutorials have: each event is sent to each client in turn. Argument: port; events are lines of
standard input. uvicorn with uvloop and httptools, everything else as it comes (permessage-deflate is on)."""

import asyncio
import sys

import uvicorn
import uvloop
from fastapi import FastAPI, WebSocket, WebSocketDisconnect

app = FastAPI()
clients: set[WebSocket] = set()


@app.websocket("/")
async def feed(websocket: WebSocket) -> None:
    """One client."""
    await websocket.accept()
    clients.add(websocket)
    try:
        while True:
            await websocket.receive_text()
    except WebSocketDisconnect:
        clients.discard(websocket)


async def fan_out() -> None:
    """To everybody, one after the other."""
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while line := await lines.readline():
        text = line.decode()
        for client in list(clients):
            try:
                await client.send_text(text)
            except (RuntimeError, WebSocketDisconnect):
                clients.discard(client)


async def main(port: int, deflate: bool) -> None:
    """Until killed."""
    config = uvicorn.Config(
        app, port=port, log_level="error", loop="uvloop", ws_ping_interval=None, backlog=4096,
        ws_per_message_deflate=deflate,
    )  # fmt: skip
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(fan_out())
        tasks.create_task(uvicorn.Server(config).serve())


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), sys.argv[2] == "deflate"))
