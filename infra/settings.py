"""Settings that every service shares; each room adds its own. Read once at start, from `PATRIOT_…` variables."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


class ServiceSettings(BaseSettings):
    """What a service needs to know of the world outside it. Frozen; a wrong value stops the start with a sentence."""

    model_config = SettingsConfigDict(env_prefix="PATRIOT_", frozen=True, extra="ignore")

    #: Address that HTTP services listen on.
    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)
    #: `host:port[,host:port]` of Kafka.
    kafka_bootstrap: str = "127.0.0.1:9092"
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
