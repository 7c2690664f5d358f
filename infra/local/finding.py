"""Where Kafka and PostgreSQL of a data directory are: asked from the running `patriot up`, else started for a while."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

import click

from infra.local import addresses
from infra.local.data_dir import is_taken
from infra.local.stack import Stack
from infra.local.trouble import Trouble


@dataclass(frozen=True, slots=True)
class Found:
    """Where they are."""

    kafka_bootstrap: str
    postgres_dsn: str


def find(context: click.Context, data_dir: Path, *, kafka: bool) -> Found:
    """The addresses; what has to be started for them (`kafka` too, if it is needed) is stopped with `context`."""
    running = addresses.of_running(data_dir)
    if running is not None:
        return Found(running.kafka_bootstrap, running.postgres_dsn)
    if is_taken(data_dir):
        raise Trouble(f"`patriot up` on {data_dir} is just starting. Try again when it is up.")
    if not (data_dir / "postgres" / "cluster").exists():
        raise Trouble(
            f"No embedded database is in {data_dir}. Start `patriot up` first, or give --data-dir or --postgres-dsn."
        )
    stack = Stack(data_dir, kafka=kafka)
    asyncio.run(stack.__aenter__())
    context.call_on_close(lambda: asyncio.run(stack.__aexit__(None, None, None)))
    return Found(stack.kafka.bootstrap, stack.postgres.dsn)
