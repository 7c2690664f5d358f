"""What `patriot up` was asked for, and what its services are told of it."""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from infra.local.ports import find_free, is_free
from infra.local.trouble import Trouble, of_os_error
from infra.settings import KafkaSettings


@dataclass(frozen=True, slots=True)
class Port:
    """A port, and whether somebody asked for it (then it is that one or none)."""

    number: int
    given: bool


@dataclass(frozen=True, slots=True)
class Options:
    """The options of `patriot up` (contract section 1)."""

    data_dir: Path
    host: str
    port: Port
    feed_port: Port
    kafka_bootstrap: str | None
    postgres_dsn: str | None
    boundaries: Path | None
    simulate: bool
    training: bool
    public_url: str | None
    allow_origin: tuple[str, ...]
    tls_cert: Path | None
    tls_key: Path | None
    admin_password: str | None
    ready_file: Path | None

    def check(self) -> None:
        """Find what cannot work before anything is started. Raises Trouble."""
        if (self.tls_cert is None) != (self.tls_key is None):
            raise Trouble("--tls-cert and --tls-key belong together: give both or none.")
        if self.tls_cert is not None and self.tls_key is not None:
            try:
                ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(self.tls_cert, self.tls_key)
            except (ssl.SSLError, OSError) as error:
                raise Trouble(f"--tls-cert and --tls-key cannot be used ({error.strerror or error}).") from error
        for option, url in [("--public-url", self.public_url), *(("--allow-origin", url) for url in self.allow_origin)]:
            if url is not None and (urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname):
                raise Trouble(f"{option} must look like https://patriot.example.id, not like {url!r}.")
        if self.ready_file is not None:
            try:
                self.ready_file.unlink(missing_ok=True)  # of an earlier run
                self.ready_file.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise of_os_error(error, f"preparing --ready-file {self.ready_file}") from error

    @property
    def reachable_host(self) -> str:
        """How we and others on this machine reach what listens on `host`."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(self.host, self.host)  # noqa: S104
        return f"[{host}]" if ":" in host else host

    @property
    def secure(self) -> bool:
        """Whether web and feed speak TLS."""
        return self.tls_cert is not None


def choose_port(option: str, port: Port, host: str, avoid: int | None = None) -> int:
    """The port to use: the one given (Trouble when it is taken), or the default, or a free one instead of it."""
    if port.number != avoid and is_free(host, port.number):
        return port.number
    if port.given:
        raise Trouble(f"Port {port.number} on {host} is taken. Stop what uses it, or choose another with {option}.")
    return find_free(host)


def environment(
    options: Options, port: int, feed_port: int, kafka: str, postgres: str, secret: str
) -> Mapping[str, str]:
    """What every service gets: our own environment, with what `up` has decided on top."""
    told: dict[str, str | None] = {
        "PATRIOT_DATA_DIR": str(options.data_dir.expanduser().absolute()),
        "PATRIOT_HOST": options.host,
        "PATRIOT_PORT": str(port),
        "PATRIOT_FEED_PORT": str(feed_port),
        "PATRIOT_KAFKA_BOOTSTRAP": kafka,
        "PATRIOT_POSTGRES_DSN": postgres,
        "PATRIOT_SECRET": secret,
        "PATRIOT_TRAINING": "true" if options.training else None,
        "PATRIOT_PUBLIC_URL": options.public_url,
        "PATRIOT_ALLOW_ORIGIN": ",".join(options.allow_origin) or None,
        "PATRIOT_BOUNDARIES": _absolute(options.boundaries),
        "PATRIOT_TLS_CERT": _absolute(options.tls_cert),
        "PATRIOT_TLS_KEY": _absolute(options.tls_key),
        # nobody but the database needs to know it from now on
        "PATRIOT_ADMIN_PASSWORD": None,
        "PYTHONUNBUFFERED": "1",
    }
    environment = dict(os.environ)
    if options.kafka_bootstrap is None:  # what is told of an outside Kafka is not for ours
        for name in KafkaSettings.model_fields:
            environment.pop(f"PATRIOT_{name.upper()}", None)
    for name, value in told.items():
        if value is None:
            environment.pop(name, None)
        else:
            environment[name] = value
    return environment


def _absolute(path: Path | None) -> str | None:
    return None if path is None else str(path.expanduser().absolute())
