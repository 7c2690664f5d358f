"""Free ports, remembered in the data directory so that addresses stay the same from one `up` to the next."""

from __future__ import annotations

import random
import socket
from pathlib import Path

import msgspec

from infra.local.record import write_whole

#: Below the range from which systems take ports of outgoing connections: a client that keeps knocking at a stopped
#: server's port in that range can connect to itself and hold the port.
_RANGE = range(15_000, 30_000)


def is_free(host: str, port: int) -> bool:
    """Whether a server may listen on `host`:`port` now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do: a closed one's rests don't matter
        try:
            trial.bind((host, port))
            trial.listen(1)
        except OSError:
            return False
        return True


def find_free(host: str) -> int:
    """A port on which nobody listens at `host`."""
    for port in random.sample(_RANGE, k=200):
        if is_free(host, port):
            return port
    raise OSError(f"no free port was found on {host} between {_RANGE.start} and {_RANGE.stop}")


class KeptPorts:
    """The ports of one data directory by name; a kept one that somebody else took meanwhile is replaced."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def take(self, name: str, host: str = "127.0.0.1") -> int:
        """The port for `name`: the kept one if it is free, else a new one, which is kept from now on."""
        ports = self._read()
        port = ports.get(name)
        if port is None or not is_free(host, port):
            port = find_free(host)
            while port in ports.values():
                port = find_free(host)
            ports[name] = port
            write_whole(self._path, msgspec.json.encode(ports))
        return port

    def _read(self) -> dict[str, int]:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=dict[str, int])
        except (FileNotFoundError, msgspec.DecodeError):
            return {}
