"""`patriot doctor`: one line per check, and 1 when one of them fails."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime
from pathlib import Path

import click

from infra.kafka_access import KafkaAccess
from infra.local import addresses, check, kafka_check, safety
from infra.local.check import Check, State
from infra.local.data_dir import is_taken
from infra.settings import KafkaSettings


@click.command("doctor")
@click.option(
    "--data-dir", envvar="PATRIOT_DATA_DIR", type=click.Path(path_type=Path), default=".patriot", show_default=True
)
@click.option("--host", envvar="PATRIOT_HOST", default="127.0.0.1", show_default=True)
@click.option("--port", envvar="PATRIOT_PORT", type=int, default=8080, show_default=True)
@click.option("--feed-port", envvar="PATRIOT_FEED_PORT", type=int, default=8081, show_default=True)
@click.option("--kafka-bootstrap", envvar="PATRIOT_KAFKA_BOOTSTRAP", help="An outside Kafka.")
@click.option("--postgres-dsn", envvar="PATRIOT_POSTGRES_DSN", help="An outside PostgreSQL.")
@click.option("--boundaries", envvar="PATRIOT_BOUNDARIES", type=click.Path(path_type=Path), help="A boundary file.")
def command(
    data_dir: Path,
    host: str,
    port: int,
    feed_port: int,
    kafka_bootstrap: str | None,
    postgres_dsn: str | None,
    boundaries: Path | None,
) -> None:
    """Check ports, disk, clock, Kafka, PostgreSQL, schema, topics and boundary file, one line each; what works and is
    unsafe is a `warn`.

    Looks at the `patriot up` that runs on the data directory, or at what the options name.
    """
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # our lines say it better
    running = addresses.of_running(data_dir)
    if running is not None:
        up = Check("up", State.OK, f"runs on {data_dir} (pid {running.pid}): {running.base_url}")
    elif is_taken(data_dir):
        up = Check("up", State.SKIP, f"is just starting or stopping on {data_dir}")
    else:
        up = Check("up", State.SKIP, f"does not run on {data_dir}")
    found = [
        up,
        check.port("port", host, _port_of(running.base_url) if running else port, ours=running is not None),
        check.port("feed port", host, _port_of(running.feed_url) if running else feed_port, ours=running is not None),
        check.disk(data_dir),
        safety.data_dir(data_dir),
        *asyncio.run(_ask(running, kafka_bootstrap, postgres_dsn)),
        check.boundaries(boundaries),
    ]
    for one in found:
        colour = {State.OK: "green", State.FAIL: "red", State.WARN: "yellow"}.get(one.state)
        click.echo(f"{click.style(f'{one.state:<4}', fg=colour)} {one.name:<11} {one.text}")
    if any(one.state is State.FAIL for one in found):
        raise click.exceptions.Exit(1)


async def _ask(running: addresses.Addresses | None, kafka: str | None, postgres: str | None) -> list[Check]:
    bootstrap = kafka or (running.kafka_bootstrap if running else None)
    dsn = postgres or (running.postgres_dsn if running else None)
    ours = running is not None and any(service.name == "kafka" for service in running.services)
    ours_too = running is not None and any(service.name == "postgres" for service in running.services)
    now = datetime.now(UTC)
    of_postgres = (
        await check.postgres(
            dsn, now, lambda connection: safety.postgres(connection, dsn, embedded=ours_too and postgres is None)
        )
        if dsn
        else [
            Check("PostgreSQL", State.SKIP, "embedded, and not running now"),
            check.clock(now, None),
        ]
    )
    if bootstrap is None:
        of_kafka = [Check("Kafka", State.SKIP, "embedded, and not running now")]
    elif ours and kafka is None:
        of_kafka = await kafka_check.kafka(KafkaAccess(bootstrap), None)
    else:
        outside = KafkaSettings(kafka_bootstrap=bootstrap)
        of_kafka = await kafka_check.kafka(outside.kafka, outside)
    return [*of_kafka, *of_postgres]


def _port_of(url: str) -> int:
    return int(url.rpartition(":")[2].partition("/")[0])
