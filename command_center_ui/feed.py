"""`patriot feed`: the shell around the hub. It reads the topic, accepts sockets, keeps the clock and stops in order.

What a client may see is fixed by its ticket for as long as the ticket carries it: a role that is taken away while its
owner is connected stops working when a new ticket is needed (`feed_session_s`) at the latest.
"""

import asyncio
import ssl
from collections.abc import Sequence
from http import HTTPStatus
from random import SystemRandom
from typing import Final

import structlog
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers, MultipleValuesError
from websockets.exceptions import ConnectionClosed, NegotiationError
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from command_center_ui import metrics
from command_center_ui.board import Board
from command_center_ui.door import Door, Origins
from command_center_ui.hub import Hub
from command_center_ui.instant import Instant
from command_center_ui.pace import Pace
from command_center_ui.places import Places
from command_center_ui.protocol import MAX_MESSAGE_BYTES, SUBPROTOCOL
from command_center_ui.reader import Reader
from command_center_ui.session import Session
from command_center_ui.settings import FeedSettings
from command_center_ui.sockets import make_room
from command_center_ui.websocket import DEFLATE, FeedConnection, SocketWire
from infra.http import TRAINING_HEADER
from infra.server import listen
from schemas.topics import FEED
from schemas.wire import encode

log = structlog.get_logger()

#: Design: what happens within this time is one frame; the first change after a pause goes out at once.
TICK_S: Final = 0.05
#: Deadlines and heartbeats are looked at this often when nothing happens.
_IDLE_S: Final = 0.25
#: Connections that may wait to be accepted: thousands come back at once when a node has died, and whoever finds no
#: place knocks again after 1, 3, 7, 15 s (the event loops' own default is 100). The system may cap it (`somaxconn`).
_BACKLOG: Final = 4_096
#: Time for the handshake of TLS, and as long for that of WebSocket; sockets are counted between the two.
_OPENING_S: Final = 10.0
#: Clients that are sent away at once at shutdown, and the pause before the next ones.
_LEAVING_BATCH: Final = 200
_LEAVING_PAUSE_S: Final = 0.05
#: Time for goodbyes; what is left then is cut.
_LEAVING_S: Final = 6.0


class Feed:
    """One feed node, bound to its port from the start. `hub` is None until the topic was read to its end."""

    def __init__(self, settings: FeedSettings, topic: str = FEED.name) -> None:
        self._settings = settings
        self._door = Door(settings.secret_bytes)
        self._origins = Origins(settings.pages_elsewhere, settings.port)
        self._reader = Reader(settings.kafka, topic, adopt=self.adopt, changed=self.changed)
        self._something = asyncio.Event()
        self._listener = listen(settings.host, settings.feed_port)
        self._server: Server
        self.port: int = self._listener.getsockname()[1]
        self.hub: Hub | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Follow the topic and serve until `stop`, then send the clients to other nodes."""
        async with asyncio.TaskGroup() as tasks:
            await self.listen()
            log.info("listening", port=self.port)
            working = [tasks.create_task(self._reader.follow()), tasks.create_task(self.push())]
            await stop.wait()
            await self.close()
            for task in working:
                task.cancel()
        log.info("stopped")

    async def listen(self) -> None:
        """Accept connections. Until the topic was read they get health and metrics only."""
        settings = self._settings
        self._server = await serve(
            self._serve,
            sock=self._listener,
            backlog=_BACKLOG,
            ssl=_tls(settings),
            compression=None,  # ours, below
            extensions=[DEFLATE],
            select_subprotocol=_subprotocol,
            process_request=self._answer_http,
            process_response=_mark if settings.training else None,
            server_header=None,
            create_connection=_bounded(settings.feed_max_clients + settings.feed_max_strangers),
            ping_interval=None,  # the protocol has its own, which a page can see
            max_size=MAX_MESSAGE_BYTES,
            max_queue=4,
            open_timeout=_OPENING_S,
            close_timeout=5,
        )

    async def push(self) -> None:
        """The clock of the hub: a tick when something happens, 50 ms apart, and now and then when nothing does."""
        while True:
            try:
                async with asyncio.timeout(TICK_S if self.hub is not None and self.hub.owes else _IDLE_S):
                    await self._something.wait()
            except TimeoutError:
                pass
            self._something.clear()
            if self.hub is not None:
                with metrics.TICK.time():
                    self.hub.tick(_now())
            await asyncio.sleep(TICK_S)

    def changed(self) -> None:
        """The board has changed."""
        self._something.set()

    async def adopt(self, board: Board) -> None:
        """Serve a board from now on. Clients of the one before come back, and start afresh."""
        settings = self._settings
        places = Places[Session](settings.feed_max_clients, settings.feed_max_strangers)
        before, self.hub = self.hub, Hub(board, self._door.admit, settings.feed_session_s, places)
        log.info("board_ready", epoch=board.epoch, offset=board.offset)
        if before is not None:
            await _send_away(before, "the feed was made anew")

    async def close(self) -> None:
        """Accept no more; send everybody away in batches, each with a time to come back; then cut what is left."""
        self._server.close(close_connections=False)
        if self.hub is not None:
            await _send_away(self.hub, "shutdown")
        try:
            async with asyncio.timeout(_LEAVING_S):
                await self._server.wait_closed()
        except TimeoutError:
            for connection in tuple(self._server.all_connections):
                connection.transport.abort()

    async def _serve(self, connection: ServerConnection) -> None:
        """One client, from handshake to end."""
        hub = self.hub
        if hub is None:
            return
        session = hub.come(SocketWire(connection), _now())
        pace = Pace()
        try:
            async for message in connection:
                session.received(message, now := _now())
                if session.owes:
                    self._something.set()
                pause = pace.spend(now.steady)
                if pause:
                    await asyncio.sleep(pause)
        except ConnectionClosed:
            pass
        finally:
            hub.gone(session)

    def _answer_http(self, connection: ServerConnection, request: Request) -> Response | None:
        """Health and metrics; for a handshake the reasons to refuse it; None to go on."""
        match request.path.partition("?")[0]:
            case "/healthz":
                return _json(HTTPStatus.OK, {"status": "ok"})
            case "/readyz":
                missing = {} if self._reader.trouble is None else {"kafka": self._reader.trouble}
                if missing:
                    return _json(HTTPStatus.SERVICE_UNAVAILABLE, {"status": "not ready", "missing": missing})
                return _json(HTTPStatus.OK, {"status": "ok", "missing": {}})
            case "/metrics":
                return _response(HTTPStatus.OK, generate_latest(), CONTENT_TYPE_LATEST)
        try:
            welcome = self._origins.welcome(request.headers.get("Origin"), request.headers.get("Host"))
        except MultipleValuesError:
            welcome = False
        if not welcome:
            return _refuse("origin", HTTPStatus.FORBIDDEN, "This page is not one of ours.")
        if self.hub is None:
            return _refuse("not_ready", HTTPStatus.SERVICE_UNAVAILABLE, "Reading the board; come back in a moment.")
        if self.hub.places.full:
            return _refuse("full", HTTPStatus.SERVICE_UNAVAILABLE, "This node is full; ask another.")
        if self.hub.places.crowded(_now().steady):
            return _refuse("strangers", HTTPStatus.SERVICE_UNAVAILABLE, "Too many are coming at once.")
        return None


def _bounded(sockets: int) -> type[FeedConnection]:
    return type("BoundedConnection", (FeedConnection,), {"sockets_at_most": make_room(sockets)})


async def _send_away(hub: Hub, reason: str) -> None:
    leaving = hub.leaving(SystemRandom())
    for first in range(0, len(leaving), _LEAVING_BATCH):
        for session, reconnect_after_ms in leaving[first : first + _LEAVING_BATCH]:
            session.disconnect(reason, reconnect_after_ms)
        await asyncio.sleep(_LEAVING_PAUSE_S)


def _now() -> Instant:
    return Instant.read(asyncio.get_running_loop().time())


def _subprotocol(connection: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    """Ours; a client that names none means ours, one that names others only is somewhere else."""
    if SUBPROTOCOL in offered:
        return Subprotocol(SUBPROTOCOL)
    if offered:
        raise NegotiationError(f"this is {SUBPROTOCOL}")
    return None


def _mark(connection: ServerConnection, request: Request, response: Response) -> None:
    name, value = TRAINING_HEADER
    response.headers[name] = value


def _refuse(why: str, status: HTTPStatus, sentence: str) -> Response:
    metrics.REFUSED.labels(why).inc()
    response = _response(status, sentence.encode(), "text/plain; charset=utf-8")
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        response.headers["Retry-After"] = "2"
    return response


def _json(status: HTTPStatus, body: object) -> Response:
    return _response(status, encode(body), "application/json")


def _response(status: HTTPStatus, body: bytes, media_type: str) -> Response:
    headers = Headers()
    headers["Connection"] = "close"
    headers["Content-Length"] = str(len(body))
    headers["Content-Type"] = media_type
    headers["Cache-Control"] = "no-store"
    return Response(status.value, status.phrase, headers, body)


def _tls(settings: FeedSettings) -> ssl.SSLContext | None:
    if settings.tls_cert is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(settings.tls_cert, settings.tls_key)
    return context
