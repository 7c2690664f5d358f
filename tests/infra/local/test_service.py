"""A service counts as ready only when the answer is its own."""

import asyncio
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from infra.local.data_dir import DataDir
from infra.local.service import Service


class _AlwaysReady(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def somebody_else() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), _AlwaysReady)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


async def test_the_readiness_of_another_program_on_the_same_port_is_not_ours(
    tmp_path: Path, somebody_else: str
) -> None:
    with DataDir(tmp_path / "data") as data:
        service = Service("sleeper", ["-c", "import time; time.sleep(60)"], {}, data, url=None, ask=somebody_else)
        assert await service.missing() == "not running"
        await service.start()
        assert await service.missing() == f"another program answers at {somebody_else}"
        assert service.child is not None
        service.child.kill()
        await service.child.wait()


async def test_a_service_that_answers_itself_is_ready(tmp_path: Path) -> None:
    port_file = tmp_path / "port"
    program = (
        "import sys, pathlib; from tests.infra.local.test_service import _AlwaysReady, HTTPServer;"
        "server = HTTPServer(('127.0.0.1', 0), _AlwaysReady);"
        "pathlib.Path(sys.argv[1]).write_text(str(server.server_port)); server.serve_forever()"
    )
    with DataDir(tmp_path / "data") as data:
        env = {"PYTHONPATH": ":".join(sys.path)}
        probe = Service("answering", ["-c", program, str(port_file)], env, data, url=None, ask="")
        await probe.start()
        try:
            while not port_file.exists() or not port_file.read_text():
                assert await probe.missing() == "", probe.last_words()
                await asyncio.sleep(0.02)
            probe._ask = f"http://127.0.0.1:{port_file.read_text()}"
            assert await probe.missing() == ""
        finally:
            await probe.stop()
