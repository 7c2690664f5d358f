"""`patriot ingest`: reports and readings over HTTP, into Kafka."""

from pathlib import Path
from typing import Any

import click

from infra import log, server
from infra.http import build_app
from ingest.app import room
from ingest.settings import IngestSettings


@click.command("ingest")
@click.option("--host", help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port for HTTP; 0 for any free one.")
@click.option("--kafka-bootstrap", help="host:port of Kafka, several separated by commas.")
@click.option("--postgres-dsn", help="URL of PostgreSQL, for device keys and sessions.")
@click.option("--data-dir", type=click.Path(path_type=Path), help="Photos and idempotency keys live below it.")
@click.option("--public-url", help="Address that people's browsers use.")
@click.option("--allow-origin", multiple=True, help="Further origin whose pages may use a session; repeatable.")
@click.option("--tls-cert", type=click.Path(path_type=Path, dir_okay=False, exists=True), help="Certificate (PEM).")
@click.option("--tls-key", type=click.Path(path_type=Path, dir_okay=False, exists=True), help="Its private key (PEM).")
def command(**options: Any) -> None:
    """Take in reports and readings over HTTP and hand them to Kafka.

    Any number may run side by side on one object store. PATRIOT_SECRET must be the one of the other services. Each
    option, and a few more, can be given as PATRIOT_… in the environment.
    """
    given = {name: value for name, value in options.items() if value not in (None, ())}
    settings = IngestSettings(**given)
    log.configure("ingest", log_format=settings.log_format, level=settings.log_level)
    listener = server.listen(settings.host, settings.port)
    server.run(
        build_app([room(settings)], training=settings.training),
        listener,
        tls_cert=settings.tls_cert,
        tls_key=settings.tls_key,
        connections=settings.http_connections,
    )


if __name__ == "__main__":
    command()
