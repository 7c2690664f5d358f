"""`patriot desk`: the desk as a service of its own."""

from pathlib import Path
from typing import Any

import click

from dispatcher.desk.app import room
from dispatcher.desk.settings import DeskSettings
from infra import log, server
from infra.http import build_app


@click.command("desk")
@click.option("--host", help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), help="Its port; 0 for any free one.")
@click.option("--postgres-dsn", help="URL of PostgreSQL.")
@click.option("--data-dir", type=click.Path(path_type=Path), help="Photos are below it.")
@click.option("--boundaries", type=click.Path(path_type=Path, dir_okay=False, exists=True), help="GeoJSON of areas.")
@click.option("--public-url", help="Address that people's browsers use.")
@click.option("--allow-origin", multiple=True, help="Further origin whose pages may use a session; repeatable.")
@click.option("--tls-cert", type=click.Path(path_type=Path, dir_okay=False, exists=True), help="Certificate (PEM).")
@click.option("--tls-key", type=click.Path(path_type=Path, dir_okay=False, exists=True), help="Its private key (PEM).")
def command(tls_cert: Path | None, tls_key: Path | None, **options: Any) -> None:
    """Answer questions and take commands of staff, and tell citizens how their reports are doing.

    PostgreSQL is all it needs; any number may run side by side. PATRIOT_SECRET must be the one of the other services.
    Each option, and a few more, can be given as PATRIOT_… in the environment.
    """
    given = {name: value for name, value in options.items() if value not in (None, ())}
    settings = DeskSettings(**given)
    log.configure("desk", log_format=settings.log_format, level=settings.log_level)
    app = build_app([room(settings)], training=settings.training)
    server.run(
        app,
        server.listen(settings.host, settings.port),
        tls_cert=tls_cert,
        tls_key=tls_key,
        connections=settings.http_connections,
    )
