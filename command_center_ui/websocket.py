"""One WebSocket of `websockets`, written to without waiting: the core decides how much a client may be behind."""

import asyncio
import socket
import sys
from typing import Any, Final

from websockets.asyncio.server import ServerConnection
from websockets.extensions.permessage_deflate import PerMessageDeflate, ServerPerMessageDeflateFactory
from websockets.frames import Frame as WireFrame
from websockets.frames import Opcode
from websockets.protocol import OPEN, Event

from command_center_ui import metrics
from command_center_ui.frame import Frame
from command_center_ui.pace import Pace
from command_center_ui.protocol import Close

#: The kernel hides 4 MB per socket until it is told; then the core's limits mean little.
SEND_BUFFER_BYTES: Final = 64 * 1024
#: A client that is told goodbye may take this long to read it.
_GOODBYE_S: Final = 5.0
#: Far above what the core ever leaves waiting. Only answers to pings, which `websockets` writes by itself, get here.
_CUT_BYTES: Final = 1024 * 1024

#: Each message is compressed on its own, in both directions: one result serves all, and no socket keeps a window.
DEFLATE: Final = ServerPerMessageDeflateFactory(server_no_context_takeover=True, client_no_context_takeover=True)


class FeedConnection(ServerConnection):
    """A connection with a small send buffer, cut when it asks for pongs that it doesn't read, and at once when there
    are more of them than files may be open: before the handshake nothing can be said."""

    sockets_at_most = sys.maxsize

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        #: `websockets` answers pings by itself, thousands in one go: a client that sends them like that is cut. A
        #: library sends one in 20 s, a browser none.
        self._pings = Pace()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        super().connection_made(transport)
        if len(self.server.handler_tasks) > self.sockets_at_most:
            metrics.REFUSED.labels("sockets").inc()
            self.transport.abort()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.transport.get_write_buffer_size() > _CUT_BYTES:
            self.transport.abort()

    def process_event(self, event: Event) -> None:
        super().process_event(event)
        is_ping = isinstance(event, WireFrame) and event.opcode is Opcode.PING
        if is_ping and not self.transport.is_closing() and self._pings.spend(self.loop.time()) > 0:
            metrics.CLOSED.labels(Close.BAD_REQUEST.value).inc()
            self.transport.abort()


class SocketWire:
    """`command_center_ui.outbox.Wire` over a connection."""

    def __init__(self, connection: ServerConnection) -> None:
        self._connection = connection
        # A client that insists on a smaller window gets plain frames.
        self._deflate = any(
            isinstance(extension, PerMessageDeflate) and extension.local_max_window_bits == 15
            for extension in connection.protocol.extensions
        )

    def write(self, frame: Frame) -> int:
        """Hand a whole frame to the transport, beside `send()`: that would frame and deflate it anew each time."""
        if self._connection.protocol.state is not OPEN:
            return 0
        data = frame.wire(deflate=self._deflate)
        self._connection.transport.write(data)
        return len(data)

    def buffered(self) -> int:
        return self._connection.transport.get_write_buffer_size()

    def close(self, code: Close, reason: str) -> None:
        connection = self._connection
        if connection.protocol.state is OPEN:
            connection.protocol.send_close(code, reason)
            connection.send_data()
        if code is Close.SILENT:
            # Nobody reads there, or many come at once: the socket is needed.
            connection.transport.close()
        asyncio.get_running_loop().call_later(_GOODBYE_S, connection.transport.abort)
