"""Kafka with TLS, passwords and access rights, and PostgreSQL behind TLS: what `patriot up` never starts itself."""

import asyncio
import ssl
import struct
import subprocess
from asyncio import StreamReader, StreamWriter
from dataclasses import dataclass
from pathlib import Path

from infra.local.ports import find_free
from infra.local.stack import Stack

#: Kafka's users and the logins of PostgreSQL; what protects it here is that it is asked for at all.
PASSWORD = "rahasia-sekali"
_SSL_REQUEST = struct.pack(">ii", 8, 80877103)


@dataclass(frozen=True)
class Certificates:
    """An authority, a server's certificate for loopback that it signed, and another authority that signed nothing."""

    ca: Path
    chain: Path
    key: Path
    stranger: Path


def make_certificates(folder: Path) -> Certificates:
    """Made by openssl's command, valid for a day."""
    made = Certificates(folder / "ca.pem", folder / "server.pem", folder / "server.key", folder / "stranger.pem")
    new = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"]
    for name in ("ca", "stranger"):
        _openssl(*new, "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.pem", "-subj", f"/CN={name}")
    _openssl(
        *new, "-CA", made.ca, "-CAkey", folder / "ca.key", "-keyout", made.key, "-out", made.chain,
        "-subj", "/CN=server", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost",
        "-addext", "basicConstraints=critical,CA:FALSE",
    )  # fmt: skip
    return made


def _openssl(*arguments: str | Path) -> None:
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def secure(stack: Stack, certificates: Certificates, users: tuple[str, ...]) -> int:
    """Give the stack's Kafka, before it starts, a listener that asks for TLS, user and password, and rights to keep.

    The answer is the listener's port. The plain one stays: it is the brokers' own, and ours to look from.
    """
    port = find_free("127.0.0.1")
    keystore = certificates.chain.with_name("keystore.pem")
    keystore.write_bytes(certificates.key.read_bytes() + certificates.chain.read_bytes())
    kafka = stack.kafka
    stack.data.path.mkdir(parents=True)
    plain, controller = stack.ports.take("kafka"), stack.ports.take("kafka_controller")
    kafka.extra_settings = {
        "listeners": f"PLAINTEXT://127.0.0.1:{plain},CONTROLLER://127.0.0.1:{controller},OUTSIDE://127.0.0.1:{port}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{plain},OUTSIDE://127.0.0.1:{port}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,OUTSIDE:SASL_SSL",
        "inter.broker.listener.name": "PLAINTEXT",
        "listener.name.outside.ssl.keystore.type": "PEM",
        "listener.name.outside.ssl.keystore.location": str(keystore),
        "listener.name.outside.sasl.enabled.mechanisms": "SCRAM-SHA-512",
        "listener.name.outside.scram-sha-512.sasl.jaas.config": (
            "org.apache.kafka.common.security.scram.ScramLoginModule required;"
        ),
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "allow.everyone.if.no.acl.found": "false",
        "super.users": "User:ANONYMOUS;User:admin",
    }
    kafka.extra_format = tuple(
        word for user in users for word in ("--add-scram", f"SCRAM-SHA-512=[name={user},password={PASSWORD}]")
    )
    return port


async def serve_tls(certificates: Certificates, target: int) -> tuple[asyncio.Server, int]:
    """PostgreSQL on `target` behind TLS, as PostgreSQL itself negotiates it (the embedded build has none): whoever does
    not ask for TLS is not let in."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificates.chain, certificates.key)

    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        behind: StreamWriter | None = None
        try:
            if await reader.readexactly(8) != _SSL_REQUEST:
                return
            writer.write(b"S")
            await writer.start_tls(context)
            from_server, behind = await asyncio.open_connection("127.0.0.1", target)
            done, rest = await asyncio.wait(
                {asyncio.create_task(_pump(reader, behind)), asyncio.create_task(_pump(from_server, writer))},
                return_when=asyncio.FIRST_COMPLETED,
            )
            for task in rest:
                task.cancel()
            await asyncio.gather(*done, *rest, return_exceptions=True)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            for end in (writer, behind):
                if end is not None:
                    end.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    return server, server.sockets[0].getsockname()[1]


async def _pump(reader: StreamReader, writer: StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()
