"""What a running `patriot up` tells: to --ready-file, and to other commands through its data directory."""

from __future__ import annotations

from pathlib import Path

import msgspec

from infra.local.data_dir import is_taken
from infra.local.record import write_whole

_FILE = "up.json"


class SignIns(msgspec.Struct, frozen=True):
    """What `up` tells and its simulator uses."""

    admin_password: str
    device_api_key: str
    #: The file of accounts for `patriot simulate`; null without it.
    simulated: str | None
    #: The admin was made now: say the password, once.
    is_new: bool


class SignIn(msgspec.Struct, frozen=True):
    """The first admin."""

    username: str
    password: str


class ServiceAddress(msgspec.Struct, frozen=True):
    """One process of the stack; `url` is null for one that nobody connects to."""

    name: str
    pid: int
    url: str | None


class Addresses(msgspec.Struct, frozen=True):
    """Where everything is (contract section 1, `--ready-file`)."""

    pid: int
    base_url: str
    feed_url: str
    kafka_bootstrap: str
    postgres_dsn: str
    admin: SignIn
    device_api_key: str
    services: list[ServiceAddress]

    def write(self, path: Path) -> None:
        """Write it whole, readable by us alone: it has a password."""
        write_whole(path, msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n")


def kept_in(data_dir: Path) -> Path:
    """Where the addresses of the `up` on `data_dir` are."""
    return data_dir / _FILE


def of_running(data_dir: Path) -> Addresses | None:
    """The addresses of the `up` that runs on `data_dir` now; None when none does (or it is not up yet)."""
    if not is_taken(data_dir):
        return None
    try:
        return msgspec.json.decode(kept_in(data_dir).read_bytes(), type=Addresses)
    except (FileNotFoundError, msgspec.DecodeError):
        return None
