"""A real HTTP server on loopback that takes messages, and answers as it is told."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Listener:
    """What came, and what is answered: the first of `answers`, and when none is left 200."""

    port: int = 0
    came: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    answers: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    #: While it is cleared nobody is answered.
    answering: threading.Event = field(default_factory=threading.Event)

    @property
    def keys(self) -> list[str]:
        """The Idempotency-Keys, in their order."""
        return [headers["idempotency-key"] for _, headers, _ in self.came]

    def said(self) -> list[Any]:
        """Bodies as JSON."""
        return [json.loads(body) for _, _, body in self.came]


@contextmanager
def listening() -> Iterator[Listener]:
    """One, for as long as the block lasts."""
    found = Listener()
    found.answering.set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", "0")))
            found.came.append((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
            found.answering.wait(30)
            status, headers = found.answers.pop(0) if found.answers else (200, {})
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("content-length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        do_PUT = do_POST

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    found.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        found.answering.set()
        server.shutdown()
        server.server_close()
