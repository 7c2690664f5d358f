"""Runs a FastAPI app on uvicorn with bounds on everything that a client may draw out, and a stop in good order."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

import click
import structlog
import uvicorn
import uvloop
from fastapi import FastAPI
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from infra.problem import MEDIA_TYPE, Problem

log = structlog.get_logger()

#: What browsers and gateways send is a tenth of these.
_MAX_HEADERS: Final = 100
_MAX_HEAD_BYTES: Final = 32 * 1024
#: A request's head must be here within this time, and a connection must not be silent for longer before its first.
_HEAD_S: Final = 10.0
#: Requests under way may finish within this time of SIGTERM.
GRACE_S: Final = 10


class _BoundedProtocol(HttpToolsProtocol):
    """uvicorn's HTTP/1.1 with limits on the head, which llhttp leaves to its user, and problem+json when it is bad."""

    _head_bytes = 0
    _in_head = False
    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._watch_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._unwatch_head()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        # The parser reports a header when it is complete; one that never ends is counted here.
        self._head_bytes += len(data) if self._in_head else 0
        super().data_received(data)
        if not self._in_head or self.transport.is_closing():
            return
        if self._head_bytes > _MAX_HEAD_BYTES:
            self.send_400_response("")
        elif self._head_timer is None:
            self._watch_head()

    def on_message_begin(self) -> None:
        self._in_head = True
        self._head_bytes = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count(len(name) + len(value))
        if len(self.headers) >= _MAX_HEADERS:
            raise _HeadTooLarge
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._unwatch_head()
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
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

    def _head_is_late(self) -> None:
        self._head_timer = None
        if not self.transport.is_closing():
            self.transport.close()


class _HeadTooLarge(Exception):
    """Ends parsing; httptools wraps it into an error of its own."""


class _Server(uvicorn.Server):
    """A server that ends with 0 on Ctrl-C and SIGTERM, as every service of ours does."""

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


def run(app: FastAPI, listener: socket.socket, *, tls_cert: Path | None = None, tls_key: Path | None = None) -> None:
    """Serve `app` on `listener` until SIGINT or SIGTERM; then finish what is under way and return.

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
        timeout_graceful_shutdown=GRACE_S,
        **options,
    )
    server = _Server(config)
    host, port = listener.getsockname()[:2]
    log.info("listening", host=host, port=port)
    uvloop.run(server.serve(sockets=[listener]))
    if not server.started:
        raise click.ClickException("the service could not start; the reason is in the log above")
    log.info("stopped")
