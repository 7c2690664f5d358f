"""Kafka and PostgreSQL together, nothing else: what tests and developers run against.

Usage: python -m infra.local.stack --data-dir DIR (prints one JSON line with the addresses, runs until Ctrl-C).
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Protocol

import click
import msgspec

from infra.local.data_dir import DataDir
from infra.local.kafka_server import KafkaServer
from infra.local.ports import KeptPorts
from infra.local.postgres_server import PostgresServer
from infra.local.process import Child
from infra.local.record import stop_leftovers
from infra.local.trouble import Trouble, first

#: Seconds that what a killed predecessor left running may take to end in good order.
_LEFTOVER_GRACE = 10.0

#: Where progress is told.
Say = Callable[[str], None]


class Server(Protocol):
    """What Kafka and PostgreSQL have in common."""

    name: str
    child: Child | None

    async def start(self) -> None:
        """Come back once it answers; Trouble when it cannot."""

    async def stop(self) -> None:
        """Come back once it ended in good order."""


class Stack:
    """Kafka and PostgreSQL of one data directory, up while the async context is open.

    `kafka.bootstrap` and `postgres.dsn` are their addresses; each server has `start`, `stop`, `kill` and `restart`.
    Nothing is restarted by itself. Entering raises Trouble when the directory is in use or was not restored to the end,
    or a server cannot be had.
    """

    def __init__(
        self,
        data_dir: Path,
        say: Say = lambda line: None,
        *,
        kafka: bool = True,
        postgres: bool = True,
        restoring: bool = False,
    ) -> None:
        """With `kafka` or `postgres` False that one is not ours to start: it is elsewhere. `restoring` is for who makes
        the directory whole."""
        self.data = DataDir(data_dir)
        ports = KeptPorts(self.data.path / "ports.json")
        self.kafka = KafkaServer(self.data, ports, say)
        self.postgres = PostgresServer(self.data, ports, say)
        self.ports = ports
        self._say = say
        self._restoring = restoring
        self.servers: list[Server] = [
            *([self.kafka] if kafka else []),
            *([self.postgres] if postgres else []),
        ]

    async def take(self) -> None:
        """Take the data directory and end what a killed run left there; a first part of entering, for who needs it."""
        self.data.__enter__()
        if self.data.restoring.exists() and not self._restoring:
            self.data.__exit__(None, None, None)
            raise Trouble(
                f"The restore into {self.data.path} broke off, and not all is there. Remove it and restore again."
            )
        for name in await asyncio.to_thread(stop_leftovers, self.data.records, _LEFTOVER_GRACE):
            self._say(f"Stopped {name}, left over from a run that was killed.")

    async def __aenter__(self) -> Stack:
        try:
            await self.take()
            async with asyncio.TaskGroup() as group:
                for server in self.servers:
                    group.create_task(server.start())
        except BaseExceptionGroup as group_of:
            await self.stop()
            raise first(group_of) from None
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def stop(self) -> None:
        """Stop both in good order and let go of the data directory."""
        try:
            await asyncio.gather(*(server.stop() for server in self.servers))
        finally:
            self.data.__exit__(None, None, None)


class Addresses(msgspec.Struct, frozen=True):
    """What `python -m infra.local.stack` prints."""

    kafka_bootstrap: str
    postgres_dsn: str


async def _run(data_dir: Path) -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(signum, ended.set)
    async with Stack(data_dir, say=lambda line: click.echo(line, err=True)) as stack:
        addresses = Addresses(stack.kafka.bootstrap, stack.postgres.dsn)
        click.echo(msgspec.json.encode(addresses).decode())
        await ended.wait()


@click.command()
@click.option("--data-dir", type=click.Path(path_type=Path), required=True)
def main(data_dir: Path) -> None:
    """Bring up Kafka and PostgreSQL only, print their addresses as one JSON line, run until Ctrl-C."""
    asyncio.run(_run(data_dir))


if __name__ == "__main__":
    main()
