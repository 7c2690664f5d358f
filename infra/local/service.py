"""A service of Patriot as a child process that says by HTTP whether it is able to work."""

from __future__ import annotations

import asyncio
import ssl
import sys
from collections.abc import Mapping, Sequence
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit

import msgspec
import psutil

from infra.local import process
from infra.local.data_dir import DataDir

#: Seconds in which a service drains its clients and finishes what it has begun.
_STOP_GRACE = 12.0
#: Seconds; a service that answers later than this is not ready.
_ASK_TIMEOUT = 3.0


class _Readiness(msgspec.Struct):
    """The part of /readyz that we read."""

    missing: dict[str, str] = {}


class Service:
    """One service: `start` and `stop` may follow each other in any order."""

    def __init__(
        self, name: str, arguments: Sequence[str], env: Mapping[str, str], data: DataDir, *, url: str | None, ask: str
    ) -> None:
        """`arguments` follow the Python interpreter; `url` is where others find it; /readyz is below `ask` (or "")."""
        self.name = name
        self.url = url
        self.child: process.Child | None = None
        self._arguments = arguments
        self._env = env
        self._data = data
        self._ask = ask

    @property
    def answers(self) -> bool:
        """Whether others wait for it; one that does not answer only makes work for those."""
        return bool(self._ask)

    async def start(self) -> None:
        """Start the process; whether it is able to work is another question (`missing`)."""
        self.child = process.start(
            process.Command(
                name=self.name,
                argv=[sys.executable, *self._arguments],
                log=self._data.log_file(self.name),
                record=self._data.record_file(self.name),
                env=self._env,
            )
        )

    async def stop(self) -> None:
        """Ask it to drain and end, then make it."""
        if self.child is not None:
            await self.child.stop(_STOP_GRACE)

    async def missing(self) -> str:
        """What keeps it from working, in its own words; empty when it is ready."""
        if self.child is None or self.child.returncode is not None:
            return "not running"
        if not self._ask:
            return ""
        try:
            missing = await asyncio.to_thread(_ask_readiness, self._ask)
        except (OSError, HTTPException):
            return "no answer yet"
        if not missing and not _listens(self.child.pid, urlsplit(self._ask).port):
            return f"another program answers at {self._ask}"
        return missing

    def last_words(self) -> str:
        """The last line of its log, to be shown with bad news."""
        try:
            lines = self._data.log_file(self.name).read_text(errors="replace").strip().splitlines()
        except OSError:
            return ""
        return lines[-1][:300] if lines else ""


def _listens(pid: int, port: int | None) -> bool:
    """Whether it is that process which has the port; an answer alone may come from another city on this machine."""
    try:
        sockets = psutil.Process(pid).net_connections(kind="tcp")
    except psutil.Error:
        return False
    return any(at.status == psutil.CONN_LISTEN and at.laddr.port == port for at in sockets)


def _ask_readiness(base: str) -> str:
    parts = urlsplit(base)
    host, port = parts.hostname or "", parts.port
    if parts.scheme == "https":
        # it is our own process on our own machine; the certificate is for the outside name
        trust = ssl._create_unverified_context()  # noqa: S323
        connection: HTTPConnection = HTTPSConnection(host, port, timeout=_ASK_TIMEOUT, context=trust)
    else:
        connection = HTTPConnection(host, port, timeout=_ASK_TIMEOUT)
    try:
        connection.request("GET", "/readyz", headers={"Connection": "close"})
        answer = connection.getresponse()
        body = answer.read(65_536)
    finally:
        connection.close()
    if answer.status == 200:
        return ""
    try:
        found = msgspec.json.decode(body, type=_Readiness).missing
    except msgspec.DecodeError:
        found = {}
    return ", ".join(f"{what}: {why}" for what, why in found.items()) or f"/readyz answers {answer.status}"
