"""`patriot dispatcher`: from reports and readings to incidents, and what goes out because of them."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import click
from fastapi import APIRouter, FastAPI

from dispatcher.report_intake import ReportIntake
from dispatcher.settings import DispatcherSettings
from dispatcher.silence import Silence
from dispatcher.supervise import Supervised
from dispatcher.telemetry_intake import TelemetryIntake
from dispatcher.whole_board import WholeBoard
from dispatcher.worker import Worker
from infra import log, server
from infra.geography import load_geography
from infra.http import Room, build_app
from infra.postgres import close_pool, open_pool
from schemas.geography import Geography

#: Seconds in which batches under way end and the groups are left; then the rest is cut, and nothing is lost by it.
_STOP_S: Final = 8.0


def room(settings: DispatcherSettings, geography: Geography) -> Room:
    """The dispatcher at work, with health and metrics as its only HTTP."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        pool = await open_pool(
            settings.postgres_dsn,
            application="patriot-dispatcher",
            size=settings.dispatcher_connections,
            training=settings.training,
        )
        telemetry = TelemetryIntake(geography)
        silence = Supervised("silence", Silence(pool, telemetry).run)
        worker = Worker(settings, [ReportIntake(geography), telemetry], pool, [silence], WholeBoard(telemetry))
        stop = asyncio.Event()
        work = asyncio.create_task(worker.run(stop))
        app.state.dispatcher = worker
        try:
            yield
        finally:
            stop.set()
            await asyncio.wait({work}, timeout=_STOP_S)
            work.cancel()
            await asyncio.wait({work}, timeout=1)
            await close_pool(pool, timeout=2)

    async def check(app: FastAPI) -> Mapping[str, str]:
        worker: Worker = app.state.dispatcher
        return worker.trouble()

    return Room("dispatcher", APIRouter(), lifespan, check)


@click.command("dispatcher")
@click.option("--host", help="Address of health and metrics.")
@click.option("--dispatcher-port", type=click.IntRange(0, 65535), help="Their port; 0 for any free one.")
@click.option("--kafka-bootstrap", help="host:port of Kafka, several separated by commas.")
@click.option("--postgres-dsn", help="URL of PostgreSQL.")
@click.option("--boundaries", type=click.Path(path_type=Path, dir_okay=False, exists=True), help="GeoJSON of areas.")
def command(**options: Any) -> None:
    """Make incidents of reports and readings, and relay what happens to Kafka.

    Any number may run side by side: Kafka's consumer group `dispatcher` divides the work.
    """
    given = {name: value for name, value in options.items() if value is not None}
    settings = DispatcherSettings(**given)
    log.configure("dispatcher", log_format=settings.log_format, level=settings.log_level)
    geography = load_geography(settings.boundaries)
    listener = server.listen(settings.host, settings.http_port)
    server.run(build_app([room(settings, geography)], training=settings.training), listener)


if __name__ == "__main__":
    command()
