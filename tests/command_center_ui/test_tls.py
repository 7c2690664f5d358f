"""The feed with its own certificate: wss, health by https, and the same limits for who does not read."""

import asyncio
import shutil
import ssl
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
import uvloop
from websockets.exceptions import ConnectionClosed, InvalidMessage

from command_center_ui import feed
from tests.command_center_ui.test_sockets import Node, comes, serving
from tests.command_center_ui.watching import row


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for loopback, signed by itself, and its key."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl on this machine to make a certificate with")
    folder = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        [
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
            "-keyout", str(key), "-out", str(cert),
        ],
        check=True, capture_output=True,
    )  # fmt: skip
    return cert, key


class SecureNode:
    """A node as those see it who come by TLS."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.url = node.url.replace("ws:", "wss:")


async def test_a_browser_comes_by_wss_and_health_by_https(certificate: tuple[Path, Path]) -> None:
    cert, key = certificate
    trust = ssl.create_default_context(cafile=cert)
    async with serving(tls_cert=cert, tls_key=key) as node:
        node.put("INC-0", row("INC-0"))
        viewer = await comes(SecureNode(node), ssl=trust)  # type: ignore[arg-type]
        await viewer.subscribes()
        node.put("INC-1", row("INC-1", text="Jalan Ahmad Yani " * 4_000))
        await viewer.hears()
        assert set(viewer.rows) == {"INC-0", "INC-1"}
        async with httpx.AsyncClient(verify=trust) as http:
            assert (await http.get(f"https://127.0.0.1:{node.feed.port}/healthz")).status_code == 200
        with pytest.raises((InvalidMessage, ConnectionClosed, OSError)):
            await comes(node)
        with pytest.raises(ssl.SSLCertVerificationError):
            await comes(SecureNode(node), ssl=ssl.create_default_context())  # type: ignore[arg-type]
        # Those who don't belong here leave no trace.
        node.put("INC-1", row("INC-1", 2))
        while viewer.rows["INC-1"]["version"] != 2:
            await viewer.hears()
        await viewer.connection.close()


async def test_a_tls_handshake_that_never_ends_is_given_up(
    certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "_OPENING_S", 0.5)
    async with serving(tls_cert=certificate[0], tls_key=certificate[1]) as node:
        reader, writer = await asyncio.open_connection("127.0.0.1", node.feed.port)
        writer.write(b"\x16\x03\x01\x02")
        async with asyncio.timeout(15):
            with suppress(ConnectionResetError):
                assert await reader.read() == b""
        writer.close()


def test_who_does_not_read_by_tls_is_cut_like_the_others(certificate: tuple[Path, Path]) -> None:
    """On uvloop, as the service runs: TLS there has buffers of its own."""
    uvloop.run(_a_stalled_reader(*certificate))


async def _a_stalled_reader(cert: Path, key: Path) -> None:
    trust = ssl.create_default_context(cafile=cert)
    async with serving(tls_cert=cert, tls_key=key) as node:
        node.put("INC-1", row("INC-1"))
        reader = await comes(SecureNode(node), ssl=trust)  # type: ignore[arg-type]
        stuck = await comes(SecureNode(node), ssl=trust, compression=None)  # type: ignore[arg-type]
        for viewer in (reader, stuck):
            await viewer.subscribes()
        stuck.connection.transport.pause_reading()
        assert node.feed.hub is not None
        _, session = node.feed.hub.sessions
        started, version, most = time.monotonic(), 1, 0
        while not session.closed:
            assert time.monotonic() - started < 60
            version += 1
            node.put("INC-1", row("INC-1", version, text=f"{version}" * 10_000))
            while reader.rows["INC-1"]["version"] != version:
                await reader.hears()
            most = max(most, session._outbox.wire.buffered())
            await asyncio.sleep(0.02)
        assert 64 * 1024 < most < 300 * 1024
        reader.connection.transport.abort()
        stuck.connection.transport.abort()
