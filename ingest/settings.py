"""What ingest can be told, beside what every service is told."""

import ipaddress
from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator
from pydantic_settings import NoDecode

from infra.settings import ServiceSettings
from infra.throttle import Network

MIB = 1024 * 1024


class IngestSettings(ServiceSettings):
    """Settings of `patriot ingest`; each is `PATRIOT_<NAME>` in the environment."""

    #: Reports a minute from one address without session or key; 0 is no limit.
    anonymous_reports_per_minute: int = Field(default=20, ge=0)
    #: Reports a minute of one signed-in person; 0 is no limit. Nobody types one in every 100 ms.
    staff_reports_per_minute: int = Field(default=600, ge=0)
    #: Reports, and arrays of readings, a minute with one device key; 0 is no limit. Above what one process can take.
    device_requests_per_minute: int = Field(default=600_000, ge=0)
    #: Addresses or networks of our own proxies, comma-separated: only what they say of `X-Forwarded-For` is believed.
    trusted_proxies: Annotated[tuple[Network, ...], NoDecode] = ()
    #: Processes that decode photos.
    photo_workers: int = Field(default=2, ge=1, le=64)
    #: Photos that may wait for one of them; beyond: 503.
    photo_queue: int = Field(default=16, ge=1, le=1000)
    #: Photos that are being sent are kept on disk, all of them together in no more than this.
    upload_mib: int = Field(default=512, ge=64)
    #: Memory for arrays of readings that are being sent.
    telemetry_body_mib: int = Field(default=64, ge=4)
    #: Memory for what Kafka was given and has not yet acknowledged; beyond: 503.
    unacknowledged_mib: int = Field(default=64, ge=1)
    tls_cert: Path | None = None
    tls_key: Path | None = None

    @field_validator("trusted_proxies", mode="before")
    @classmethod
    def _networks(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(ipaddress.ip_network(part.strip(), strict=False) for part in value.split(",") if part.strip())
        return value
