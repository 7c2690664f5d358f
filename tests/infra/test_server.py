"""The server under every HTTP service: what a client may draw out is bounded, and it stops in good order."""

import asyncio
import contextlib
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import click
import httpx
import pytest

from infra import server
from infra.local.ports import find_free
from tests.outside.secured import make_certificates

HEAD = b"GET /healthz HTTP/1.1\r\nHost: x\r\n"


@pytest.fixture(scope="module")
def service() -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    port = find_free("127.0.0.1")
    process = subprocess.Popen([sys.executable, "-m", "tests.infra.bare_service", str(port)], stderr=subprocess.DEVNULL)
    for _ in range(300):
        try:
            httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=1)
            break
        except httpx.HTTPError:
            time.sleep(0.05)
    yield port, process
    process.kill()
    process.wait()


@pytest.fixture
def port(service: tuple[int, subprocess.Popen[bytes]]) -> int:
    return service[0]


async def answer_to(port: int, sent: bytes, patience: float = 15.0) -> bytes:
    """Everything that comes back until the server closes or is silent for a second."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    found = b""
    try:
        writer.write(sent)
        async with asyncio.timeout(patience):
            while part := await asyncio.wait_for(reader.read(65536), None if not found else 1.0):
                found += part
    except (TimeoutError, ConnectionError):
        pass
    writer.close()
    return found


@pytest.mark.parametrize(
    ("status", "sent"),
    [
        (200, HEAD + b"\r\n"),
        (200, HEAD + b"".join(b"x-%d: 1\r\n" % n for n in range(90)) + b"\r\n"),
        (431, HEAD + b"".join(b"x-%d: 1\r\n" % n for n in range(10_000)) + b"\r\n"),
        (431, HEAD + b"x: " + b"a" * 40_000 + b"\r\n\r\n"),
        (431, HEAD + b"x: " + b"a" * 2_000_000),
        (431, HEAD + b"a" * 2_000_000),
        (431, b"GET /" + b"a" * 2_000_000),
        (400, b"nonsense\r\n\r\n"),
        (400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
        (400, HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef"),
        (400, HEAD + b"Content-Length: -1\r\n\r\n"),
        (400, HEAD + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"),
        (400, HEAD + b"a b: c\r\n\r\n"),
        (404, b"GET /%ff%00%0d%0a HTTP/1.1\r\nHost: x\r\n\r\n"),
        (404, b"GET /../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n"),
    ],
    ids=lambda value: repr(value[:60]) if isinstance(value, bytes) else "",
)
async def test_a_head_is_bounded_and_a_bad_one_is_a_problem(port: int, status: int, sent: bytes) -> None:
    found = await answer_to(port, sent)
    assert found.startswith(b"HTTP/1.1 %d " % status), found[:200]
    if status != 200:
        assert b"content-type: application/problem+json" in found.lower()


async def test_a_silent_or_slow_client_is_let_go(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    async def slow(first: bytes) -> float:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        start = time.monotonic()
        writer.write(first)
        for _ in range(40):
            try:
                if await asyncio.wait_for(reader.read(1), 0.5) == b"":
                    break
            except TimeoutError:
                if first:
                    writer.write(b"x")
        writer.close()
        return time.monotonic() - start

    waits = await asyncio.gather(slow(b""), slow(b"GET / HTTP/1.1\r\nx: "))
    assert all(5 < wait < 19 for wait in waits), waits


async def test_nobody_is_believed_who_he_says_he_is(port: int) -> None:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        found = await client.get("/healthz", headers={"X-Forwarded-For": "6.6.6.6", "X-Forwarded-Proto": "https"})
    assert found.status_code == 200
    assert "server" not in found.headers


def test_who_does_not_finish_a_tls_handshake_is_let_go(tmp_path: Path) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("no openssl on this machine to make certificates with")
    made = make_certificates(tmp_path)
    trust = ssl.create_default_context(cafile=made.ca)
    port = find_free("127.0.0.1")
    limits = (f"cert={made.chain}", f"key={made.key}", "_HEAD_S=1")
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.infra.bare_service", str(port), *limits], stderr=subprocess.DEVNULL
    )
    try:
        for _ in range(300):
            with contextlib.suppress(httpx.HTTPError):
                assert httpx.get(f"https://127.0.0.1:{port}/healthz", verify=trust).status_code == 200
                break
            time.sleep(0.05)
        with socket.create_connection(("127.0.0.1", port), 20) as silent, contextlib.suppress(ConnectionError):
            silent.sendall(b"\x16\x03\x01\x02")
            assert silent.recv(1) == b""
    finally:
        process.kill()
        process.wait()


#: What a system allows (soft, hard), what is wanted, and what there is room for: a socket and a photo each.
@pytest.mark.parametrize(
    ("soft", "hard", "wanted", "room"), [(1_024, 4_096, 1_000, 1_000), (256, 1_024, 1_000, 284), (512, 4_096, 10, 10)]
)
def test_each_connection_has_room_for_a_photo_beside_its_socket(soft: int, hard: int, wanted: int, room: int) -> None:
    asking = (
        f"import resource; resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}));"
        f"from infra import server; room = server.room_for({wanted});"
        "others = server._TOLD + server._OTHER_FILES - 64;"  # Python itself has some open
        "import os; held = [os.open(os.devnull, os.O_RDONLY) for _ in range(2 * room + others)]; print(room)"
    )
    done = subprocess.run([sys.executable, "-c", asking], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-1] == str(room)


def test_a_taken_port_is_one_clear_sentence(port: int) -> None:
    with pytest.raises(click.ClickException, match=rf"cannot listen on 127.0.0.1:{port} .*choose another port"):
        server.listen("127.0.0.1", port)


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_with_0_when_it_is_asked_to(signum: signal.Signals) -> None:
    port = find_free("127.0.0.1")
    process = subprocess.Popen([sys.executable, "-m", "tests.infra.bare_service", str(port)], stderr=subprocess.DEVNULL)
    for _ in range(300):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            break
        except OSError:
            time.sleep(0.05)
    time.sleep(0.2)
    process.send_signal(signum)
    assert process.wait(10) == 0
