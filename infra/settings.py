"""Settings that every service shares; each room adds its own. Read once at start, from `PATRIOT_…` variables."""

import re
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from infra.kafka_access import KafkaAccess, SaslMechanism, SecurityProtocol

_ADDRESSES: Final = re.compile(r"[^\s,]+:\d{1,5}(,[^\s,]+:\d{1,5})*")


class KafkaSettings(BaseSettings):
    """Where Kafka is and how it lets us in. The services read it, and so do `up`, `doctor` and `kafka`."""

    model_config = SettingsConfigDict(env_prefix="PATRIOT_", frozen=True, extra="ignore")

    #: A city to practise in: whatever it makes is marked, and it works with nothing that a real city has made.
    training: bool = False
    #: `host:port[,host:port]` of Kafka.
    kafka_bootstrap: str = "127.0.0.1:9092"
    #: SASL_… shows a user and a password; …SSL encrypts and looks at the broker's certificate.
    kafka_security_protocol: SecurityProtocol = "PLAINTEXT"
    #: How the password is shown.
    kafka_sasl_mechanism: SaslMechanism = "SCRAM-SHA-512"
    kafka_user: str | None = None
    kafka_password: SecretStr | None = None
    #: A file with the password alone: environments are read more easily than files.
    kafka_password_file: Path | None = None
    #: Authorities (PEM) that may have signed the broker's certificate; without it those that this machine trusts.
    kafka_ca_file: Path | None = None
    #: Our own certificate and its key (PEM), where the broker asks for one.
    kafka_cert_file: Path | None = None
    kafka_key_file: Path | None = None
    #: Copies of each record of topics that we make; without it one on each broker, three at most.
    kafka_replication: int | None = Field(default=None, ge=1, le=100)
    #: Copies that must be written before an acknowledgement; without it all but one.
    kafka_min_insync: int | None = Field(default=None, ge=1, le=100)

    @model_validator(mode="after")
    def _kafka_can_be_used(self) -> Self:
        kafka = self.kafka
        if not _ADDRESSES.fullmatch(kafka.bootstrap):
            raise ValueError("PATRIOT_KAFKA_BOOTSTRAP must look like host:port or host:port,host:port")
        if kafka.sasl and not (kafka.user and kafka.password):
            raise ValueError(f"{kafka.protocol} needs PATRIOT_KAFKA_USER and PATRIOT_KAFKA_PASSWORD or …_PASSWORD_FILE")
        if not kafka.sasl and (kafka.user or kafka.password):
            raise ValueError(f"PATRIOT_KAFKA_SECURITY_PROTOCOL is {kafka.protocol}, which shows no user and password")
        if not kafka.tls and (kafka.ca_file or kafka.cert_file or kafka.key_file):
            raise ValueError(f"PATRIOT_KAFKA_SECURITY_PROTOCOL is {kafka.protocol}, which has no use for certificates")
        if (kafka.cert_file is None) != (kafka.key_file is None):
            raise ValueError("PATRIOT_KAFKA_CERT_FILE and PATRIOT_KAFKA_KEY_FILE belong together: give both or none")
        try:
            kafka.ssl_context()
        except OSError as error:
            raise ValueError(f"{_files(kafka)} cannot be used ({error.strerror or error})") from error
        if (self.kafka_min_insync or 1) > (self.kafka_replication or 100):
            raise ValueError(
                "PATRIOT_KAFKA_MIN_INSYNC is more than PATRIOT_KAFKA_REPLICATION: nothing could be written"
            )
        return self

    @property
    def kafka(self) -> KafkaAccess:
        """What clients of Kafka are made with."""
        return KafkaAccess(
            self.kafka_bootstrap,
            self.kafka_security_protocol,
            self.kafka_sasl_mechanism,
            self.kafka_user,
            self._kafka_password(),
            self.kafka_ca_file,
            self.kafka_cert_file,
            self.kafka_key_file,
            training=self.training,
        )

    def _kafka_password(self) -> str | None:
        if self.kafka_password_file is None:
            return self.kafka_password.get_secret_value() if self.kafka_password is not None else None
        if self.kafka_password is not None:
            raise ValueError("PATRIOT_KAFKA_PASSWORD and PATRIOT_KAFKA_PASSWORD_FILE are both given: keep one")
        try:
            return self.kafka_password_file.read_text("utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or type(error).__name__
            raise ValueError(
                f"PATRIOT_KAFKA_PASSWORD_FILE {self.kafka_password_file} cannot be read ({why})"
            ) from error


def _files(kafka: KafkaAccess) -> str:
    files = {"CA": kafka.ca_file, "CERT": kafka.cert_file, "KEY": kafka.key_file}
    return ", ".join(f"PATRIOT_KAFKA_{name}_FILE {path}" for name, path in files.items() if path is not None)


class ServiceSettings(KafkaSettings):
    """What a service needs to know of the world outside it. Frozen; a wrong value stops the start with a sentence."""

    #: Address that HTTP services listen on.
    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)
    #: Connections that one process serves; for one more the longest idle is cut, and when none idles it is answered
    #: 503. Some 30 KiB each while idle.
    http_connections: int = Field(default=2_000, ge=10)
    #: libpq-style URL of PostgreSQL.
    postgres_dsn: str = "postgresql://127.0.0.1:5432/patriot"
    #: Photos, idempotency keys and, embedded, everything else live below it.
    data_dir: Path = Path(".patriot")
    #: 32 bytes as hex; signs tracking codes and feed tickets. All services of one city share it.
    secret: str = Field(min_length=64, max_length=64, pattern="^[0-9a-f]{64}$")
    #: Address that people's browsers use, when it is not the one that was asked.
    public_url: str | None = None
    #: Further origins that may use cookies and the feed; comma-separated in the environment.
    allow_origin: Annotated[tuple[str, ...], NoDecode] = ()
    #: GeoJSON of kecamatan or kelurahan (contract section 6); without it the gazetteer serves.
    boundaries: Path | None = None
    log_format: Literal["json", "console"] = "json"
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @field_validator("allow_origin", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return (
            tuple(part.strip().rstrip("/") for part in value.split(",") if part.strip())
            if isinstance(value, str)
            else value
        )

    @property
    def secret_bytes(self) -> bytes:
        return bytes.fromhex(self.secret)

    @property
    def objects_dir(self) -> Path:
        """Root of the object store: photos and idempotency keys."""
        return self.data_dir / "objects"
