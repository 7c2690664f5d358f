"""`patriot feed`: one feed node."""

import asyncio
import signal
from typing import Any

import click
import uvloop

from command_center_ui.feed import Feed
from command_center_ui.settings import FeedSettings
from infra import log


@click.command("feed")
@click.option("--host", help="Address to listen on.")
@click.option("--feed-port", type=click.IntRange(0, 65535), help="Port for WebSockets, health and metrics.")
@click.option("--kafka-bootstrap", help="host:port of Kafka, several separated by commas.")
@click.option("--public-url", help="Address that people's browsers use for the pages.")
@click.option("--allow-origin", multiple=True, help="Further origin that may open the feed; repeatable.")
def command(**options: Any) -> None:
    """Serve the live feed: the board from Kafka, to every wall, console and phone.

    Any number of nodes may run side by side; a client may come back to any of them. PATRIOT_SECRET must be the one of
    the services that issue tickets.
    """
    given = {name: value for name, value in options.items() if value not in (None, ())}
    settings = FeedSettings(**given)
    log.configure("feed", log_format=settings.log_format, level=settings.log_level)
    uvloop.run(_run(settings))


async def _run(settings: FeedSettings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stop.set)
    await Feed(settings).run(stop)


if __name__ == "__main__":
    command()
