"""How Kafka lets us in: its address, and from other machines TLS and a user. Every client of ours is made with it."""

import asyncio
import ssl
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Literal

from aiokafka.conn import collect_hosts, create_conn
from aiokafka.errors import (
    AuthenticationFailedError,
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    IllegalSaslStateError,
    KafkaConnectionError,
    KafkaError,
    SaslAuthenticationFailed,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
    UnsupportedSaslMechanismError,
)

SecurityProtocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
SaslMechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]

#: Seconds that one broker may take to say why it does not let us in.
_EXPLAIN_S: Final = 3.0
_WRONG_PASSWORD: Final = (AuthenticationFailedError, SaslAuthenticationFailed)
_WRONG_MECHANISM: Final = (UnsupportedSaslMechanismError, IllegalSaslStateError)
_NOT_ALLOWED: Final = {
    TopicAuthorizationFailedError: "a topic",
    GroupAuthorizationFailedError: "a consumer group",
    TransactionalIdAuthorizationFailed: "a transactional id",
    ClusterAuthorizationFailedError: "the cluster",
}


class KafkaRefuses(KafkaConnectionError):  # type: ignore[misc]  # aiokafka has no types
    """Kafka is there and does not let us in; the message is a sentence that says why, without any secret."""

    def __str__(self) -> str:
        return str(self.args[0])


@dataclass(frozen=True, slots=True)
class KafkaAccess:
    """Address and credentials. Files are read again when they change, so that certificates may be renewed."""

    #: `host:port[,host:port]`.
    bootstrap: str
    protocol: SecurityProtocol = "PLAINTEXT"
    mechanism: SaslMechanism = "SCRAM-SHA-512"
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    #: Without it the authorities that this machine trusts.
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    #: Whether its topics are those of a training city; None for a client that may work with either.
    training: bool | None = None

    @property
    def tls(self) -> bool:
        """Whether what we say is encrypted, and the broker's certificate is looked at."""
        return self.protocol in ("SSL", "SASL_SSL")

    @property
    def sasl(self) -> bool:
        """Whether a user and a password are shown."""
        return self.protocol in ("SASL_PLAINTEXT", "SASL_SSL")

    def ssl_context(self) -> ssl.SSLContext | None:
        """For TLS. Raises OSError (`ssl.SSLError` is one) for files that cannot be used."""
        if not self.tls:
            return None
        files = (self.ca_file, self.cert_file, self.key_file)
        return _context(*files, tuple(file.stat().st_mtime_ns for file in files if file is not None))


def client_options(kafka: KafkaAccess | str) -> dict[str, Any]:
    """What every client of aiokafka is told; a bare `host:port` is a Kafka without security, as the embedded one is."""
    if isinstance(kafka, str):
        kafka = KafkaAccess(kafka)
    return {"bootstrap_servers": kafka.bootstrap, **_security(kafka)}


def _security(kafka: KafkaAccess) -> dict[str, Any]:
    options: dict[str, Any] = {"security_protocol": kafka.protocol, "ssl_context": kafka.ssl_context()}
    if kafka.sasl:
        options |= {
            "sasl_mechanism": kafka.mechanism,
            "sasl_plain_username": kafka.user,
            "sasl_plain_password": kafka.password,
        }
    return options


async def refusal(kafka: KafkaAccess | str) -> KafkaRefuses | None:
    """Why no client could start, if it is because a broker is there and does not let us in.

    aiokafka tells that to its log only; so one broker after another is asked again. Without security nobody refuses.
    """
    if isinstance(kafka, str) or kafka.protocol == "PLAINTEXT":
        return None
    for host, port, _ in collect_hosts(kafka.bootstrap):
        try:
            async with asyncio.timeout(_EXPLAIN_S):
                connection = await create_conn(host, port, client_id="patriot-refusal", **_security(kafka))
        except (KafkaError, OSError, TimeoutError) as error:
            if (why := _why(error, kafka)) is not None:
                return KafkaRefuses(f"Kafka at {host}:{port} {why}")
        else:
            connection.close()
    return None


def _why(error: BaseException, kafka: KafkaAccess) -> str | None:
    if isinstance(error, ssl.SSLCertVerificationError):
        trust = f"PATRIOT_KAFKA_CA_FILE {kafka.ca_file}" if kafka.ca_file else "this machine's authorities"
        return f"shows a certificate that cannot be believed ({error.verify_message}); it was compared with {trust}"
    if isinstance(error, ssl.SSLError):
        return (
            f"does not speak TLS with us ({error.reason or 'no reason given'}); look at PATRIOT_KAFKA_SECURITY_PROTOCOL"
        )
    if isinstance(error, _WRONG_PASSWORD):
        return f"does not let user {kafka.user} in: wrong user or password ({kafka.mechanism})"
    if isinstance(error, _WRONG_MECHANISM):
        return f"does not offer {kafka.mechanism}; look at PATRIOT_KAFKA_SASL_MECHANISM"
    return None


def sentence(error: BaseException) -> str:
    """What `/readyz` and a person at the prompt are told of an error of Kafka's; never a secret."""
    if isinstance(error, KafkaRefuses):
        return str(error)
    for kind, what in _NOT_ALLOWED.items():
        if isinstance(error, kind):
            named = f" ({', '.join(map(str, error.args))})" if error.args else ""
            return f"Kafka does not allow us to use {what}{named}; see `patriot kafka acls`"
    return type(error).__name__


@lru_cache(maxsize=8)
def _context(ca: Path | None, cert: Path | None, key: Path | None, written: tuple[int, ...]) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=ca)
    if cert is not None:
        context.load_cert_chain(cert, key)
    return context
