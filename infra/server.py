"""Runs a FastAPI app on uvicorn with bounds on everything that a client may draw out, and a stop in good order."""

import asyncio
import contextlib
import fcntl
import gc
import resource
import signal
import socket
import sys
import termios
from collections import OrderedDict
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

import click
import structlog
import uvicorn
import uvloop
from fastapi import FastAPI
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from infra import metrics
from infra.problem import MEDIA_TYPE, Problem, unavailable
from infra.request_parser import RequestParser

log = structlog.get_logger()

#: What browsers and gateways send is a tenth of these.
_MAX_HEADERS: Final = 100
_MAX_HEAD_BYTES: Final = 32 * 1024
#: A request's head must be here within this time, and a connection must not be silent for longer before its first.
_HEAD_S: Final = 10.0
#: What is left of a body when its request has been answered may still come for this long, and is thrown away.
_REST_S: Final = 5.0
#: A client that takes nothing of its answer for this long is cut off.
_STALL_S: Final = 30.0
#: Requests under way may finish within this time of SIGTERM.
GRACE_S: Final = 10
#: Of these, so long may they still be sent to us.
_SENT_WITHIN_S: Final = GRACE_S - 3.0
#: So long answers say that they are the last before listening ends, and as long again before who is silent is let go:
#: what waits in the kernel is read meanwhile.
_LAST_WORDS_S: Final = 0.4
_LAST: Final = (b"connection", b"close")
#: Connections for health and metrics alone, in a process that serves nothing else by HTTP.
_FEW: Final = 100
#: Of the connections beyond, so many are told 503; all others are cut.
_TOLD: Final = 200
#: Descriptors that Kafka, PostgreSQL, stored photos and logs need beside the connections.
_OTHER_FILES: Final = 256
#: Answered however many connections there are: whoever looks after us must not take a crowd for a fault.
_OPERATIONS: Final = frozenset({"/healthz", "/readyz", "/metrics"})


class _BoundedProtocol(HttpToolsProtocol):
    """uvicorn's HTTP/1.1 with limits on the head, which llhttp leaves to its user, on connections, on what comes after
    the answer and on who does not take it; problem+json where uvicorn says it in plain text."""

    server_state: "_State"
    _head_bytes = 0
    _in_head = False
    _in_message = False
    _head_timer: asyncio.TimerHandle | None = None
    _rest_timer: asyncio.TimerHandle | None = None
    _unsent_timer: asyncio.TimerHandle | None = None

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        # uvicorn's own refusal is plain text without Retry-After, and counts idle connections only when they ask.
        self._most, self.limit_concurrency = self.limit_concurrency, None
        self.parser = RequestParser(self)  # type: ignore[assignment]  # it has all that uvicorn calls

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if self._most is not None and len(self.connections) > self._most and not self.server_state.end_idlest():
            metrics.HTTP_REFUSED_CONNECTIONS.inc()
            if len(self.connections) > self._most + _TOLD:
                transport.abort()
                return
            self._served, self.app = self.app, self._too_many
        self._watch_head()
        self._note_idle()

    async def _too_many(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] in _OPERATIONS:
            await self._served(scope, receive, send)
            return
        problem = unavailable("Too many are connected at the moment. Nothing was taken; try again.", retry_after_s=5)
        problem.headers["Connection"] = "close"
        await problem.response()(scope, receive, send)

    def connection_lost(self, exc: Exception | None) -> None:
        self.server_state.idle.pop(self, None)
        self._unwatch_head()
        for timer in (self._rest_timer, self._unsent_timer):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        # The parser reports a header when it is complete; one that never ends is counted here.
        self._head_bytes += len(data) if self._in_head else 0
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._in_head and self._head_bytes > _MAX_HEAD_BYTES:
            self.send_400_response("")
        elif self._head_timer is None and (self._in_head or self in self.server_state.idle):
            # Idle after data: an empty line, which begins no request, but has ended uvicorn's wait for one.
            self._watch_head()

    def on_message_begin(self) -> None:
        self._in_head = self._in_message = True
        self._head_bytes = 0
        self.server_state.idle.pop(self, None)
        super().on_message_begin()

    def on_message_complete(self) -> None:
        if self.parser.should_upgrade():
            return
        self._in_message = False
        if self._rest_timer is not None:
            self._rest_timer.cancel()
            self._rest_timer = None
        super().on_message_complete()
        self._note_idle()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._in_message and self.cycle.response_complete and self._rest_timer is None:
            self._rest_timer = self.loop.call_later(_REST_S, self.transport.close)
        if self._unsent_timer is None:
            self._watch_unsent()
        self._note_idle()

    def on_url(self, url: bytes) -> None:
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count(len(name) + len(value))
        if len(self.headers) >= _MAX_HEADERS:
            raise _HeadTooLarge
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        if self.parser.should_upgrade():
            return
        self._in_head = False
        self._unwatch_head()
        super().on_headers_complete()
        if self.server_state.draining:
            self.drain()

    def send_400_response(self, msg: str) -> None:
        if self.cycle is not None and not self.cycle.response_complete and (self._in_head or not self._in_message):
            # An earlier request is answered, and is the last: what follows it is none.
            self.cycle.keep_alive = False
            self.flow.pause_reading()
            return
        too_large = self._head_bytes > _MAX_HEAD_BYTES or (self._in_head and len(self.headers or ()) >= _MAX_HEADERS)
        problem = (
            Problem(431, "head-too-large", "The address or the headers of the request are too large.")
            if too_large
            else Problem(400, "not-http", "This is not a valid HTTP/1.1 request.")
        )
        body = bytes(problem.response().body)
        self.transport.write(
            f"HTTP/1.1 {problem.status} {HTTPStatus(problem.status).phrase}\r\ncontent-type: {MEDIA_TYPE}\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n".encode()
            + body
        )
        self.transport.close()

    def _count(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > _MAX_HEAD_BYTES:
            raise _HeadTooLarge

    def _watch_head(self) -> None:
        self._head_timer = self.loop.call_later(_HEAD_S, self._head_is_late)

    def _unwatch_head(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _watch_unsent(self) -> None:
        unsent = self._unsent()
        self._unsent_timer = self.loop.call_later(_STALL_S, self._is_stalled, unsent) if unsent else None

    def _is_stalled(self, before: int) -> None:
        # Closing would wait for ever: what is in the buffer is only given up by `abort`.
        if self._unsent() >= before:
            self.transport.abort()
        else:
            self._watch_unsent()

    def _unsent(self) -> int:
        """Bytes that wait for the client, those that the kernel has taken included: it takes megabytes at a time, and
        a slow client would look like a stalled one."""
        ours = self.transport.get_write_buffer_size()
        if not ours:
            return 0
        kernels = fcntl.ioctl(self.transport.get_extra_info("socket").fileno(), termios.TIOCOUTQ, bytes(4))
        return ours + int.from_bytes(kernels, sys.byteorder)

    def _head_is_late(self) -> None:
        self._head_timer = None
        if not self.transport.is_closing():
            self.transport.close()

    def _note_idle(self) -> None:
        # Of pipelined requests `cycle` is the last: when it is answered, all are.
        answered = self.cycle is None or self.cycle.response_complete
        if answered and not self._in_message and not self.transport.is_closing():
            self.server_state.idle[self] = None

    def drain(self) -> None:
        """Every answer from now on is the connection's last, and says so: who is told does not send one request more
        into a connection that is about to close."""
        waiting = [cycle for cycle, _ in self.pipeline]
        for cycle in waiting if self.cycle is None else [*waiting, self.cycle]:
            if not cycle.response_started and _LAST not in cycle.default_headers:
                cycle.default_headers = [*cycle.default_headers, _LAST]

    def give_up_sending(self) -> None:
        """Let go of a client that has not sent its whole request; the handler is told that it went away."""
        if self._in_message and not self.transport.is_closing():
            self.transport.abort()


class _HeadTooLarge(Exception):
    """Ends parsing; httptools wraps it into an error of its own."""


class _State(ServerState):
    """What a server and its connections share."""

    draining = False

    def __init__(self) -> None:
        super().__init__()
        #: Connections without a request, sent or under way, since they came or were answered; the longest idle first.
        self.idle: OrderedDict[_BoundedProtocol, None] = OrderedDict()

    def end_idlest(self) -> bool:
        """Cut the connection that has idled longest and was sent all that it is owed; whether there was one."""
        idlest = next((each for each in self.idle if not each.transport.get_write_buffer_size()), None)
        if idlest is None:
            return False
        del self.idle[idlest]
        # At once: TLS would wait for the other end, and whoever comes next counts what is there.
        self.connections.discard(idlest)
        idlest.transport.abort()
        metrics.HTTP_IDLE_ENDED.inc()
        return True


class _Loop(uvloop.Loop):
    """Waits for a TLS handshake as long as for a head: connections are counted only after it, and uvicorn, which starts
    the server, has no option for the loop's own 60 s."""

    async def create_server(self, *arguments: Any, **options: Any) -> Any:
        if options.get("ssl") is not None:
            options["ssl_handshake_timeout"] = _HEAD_S
        return await super().create_server(*arguments, **options)


class _Server(uvicorn.Server):
    """A server that ends with 0 on Ctrl-C and SIGTERM, as every service of ours does, and cuts nobody off."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.server_state: _State = _State()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Say with each answer that it is the last, then stop listening, then finish what is under way.

        uvicorn alone closes every connection that is not in the middle of a request: also those whose request waits
        in the kernel to be read, which on a busy machine are many.
        """
        self.server_state.draining = True
        for connection in self._connections():
            connection.drain()
        await asyncio.sleep(_LAST_WORDS_S)
        for server in self.servers:
            server.close()
        await asyncio.sleep(_LAST_WORDS_S)
        late = asyncio.get_running_loop().call_later(_SENT_WITHIN_S, self._give_up_sending)
        try:
            await super().shutdown(sockets)
        finally:
            late.cancel()

    def _connections(self) -> list[_BoundedProtocol]:
        return [each for each in self.server_state.connections if isinstance(each, _BoundedProtocol)]

    def _give_up_sending(self) -> None:
        for connection in self._connections():
            connection.give_up_sending()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for signum in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(signum, self.handle_exit, signum, None)
        try:
            yield
        finally:
            for signum in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(signum)


def listen(host: str, port: int) -> socket.socket:
    """A listening socket (port 0: any free one). Raises a click error in one sentence when it cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        # `dualstack_ipv6` is left off: an operator who says 127.0.0.1 or :: means just that
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise click.ClickException(f"cannot listen on {host}:{port} ({error.strerror}); choose another port") from error


def room_for(connections: int) -> int:
    """So many connections or, where the system allows fewer open files, as many as it does; the limit is raised.

    Each connection may have a file beside its socket: the photo that is being sent on it.
    """
    wanted = 2 * connections + _TOLD + _OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < wanted:
        fewer = max(1, (hard - _TOLD - _OTHER_FILES) // 2)
        log.warning("fewer_connections", wanted=connections, room=fewer, open_files=hard)
        connections, wanted = fewer, hard
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return connections


def _calm_gc() -> None:
    """What is there for good (modules, areas) is not walked through again, and batches of thousands of records don't
    set off a collection each few hundred: it was a tenth of the CPU of a flood of readings."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def run(
    app: FastAPI,
    listener: socket.socket,
    *,
    tls_cert: Path | None = None,
    tls_key: Path | None = None,
    connections: int = _FEW,
) -> None:
    """Serve `app` on `listener` until SIGINT or SIGTERM; then finish what is under way and return.

    Beyond `connections` the one that has idled longest is cut; when none idles, a request on a new one is answered 503,
    except for health and metrics.

    Forwarded headers of proxies are not believed here; `infra.throttle.client_address` knows whom to trust.
    """
    options: dict[str, Any] = {}
    if tls_cert is not None:
        options = {"ssl_certfile": str(tls_cert), "ssl_keyfile": str(tls_key) if tls_key else None}
    config = uvicorn.Config(
        app,
        http=_BoundedProtocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=30,
        limit_concurrency=room_for(connections),
        timeout_graceful_shutdown=GRACE_S,
        **options,
    )
    server = _Server(config)
    metrics.HTTP_CONNECTIONS.set_function(lambda: float(len(server.server_state.connections)))
    host, port = listener.getsockname()[:2]
    log.info("listening", host=host, port=port)
    _calm_gc()
    uvloop.run(server.serve(sockets=[listener]), loop_factory=_Loop)
    if not server.started:
        raise click.ClickException("the service could not start; the reason is in the log above")
    log.info("stopped")
