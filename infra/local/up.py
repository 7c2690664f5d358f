"""`patriot up`: its options, and its end by Ctrl-C."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from infra.local.city import City
from infra.local.options import Options, Port
from infra.local.trouble import first, of_os_error


async def _until_signal(work: Coroutine[None, None, None]) -> None:
    """Run `work`; SIGINT, SIGTERM and SIGHUP cancel it, and it may stop in good order."""
    task = asyncio.ensure_future(work)
    asked = False

    def stop() -> None:
        nonlocal asked
        if not asked:  # a second Ctrl-C does not make it faster, only less clean
            asked = True
            task.cancel()

    ends = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup means to stay
        ends.append(signal.SIGHUP)
    for signum in ends:
        asyncio.get_running_loop().add_signal_handler(signum, stop)
    try:
        await task
    except asyncio.CancelledError:
        if not asked:
            raise
    except BaseExceptionGroup as group:
        raise first(group) from None
    except OSError as error:
        raise of_os_error(error, "keeping the city running") from error


def _option(name: str, **more: Any) -> Callable[[F], F]:
    """An option that is also an environment variable PATRIOT_…"""
    variable = "PATRIOT_" + name.partition("/")[0].removeprefix("--").replace("-", "_").upper()
    return click.option(name, envvar=variable, **more)


F = TypeVar("F", bound=Callable[..., object])
_path = click.Path(path_type=Path)
_file = click.Path(path_type=Path, dir_okay=False, exists=True)
#: Where everything is kept unless told; a training city never lands in a real one's place by itself.
DATA_DIR, TRAINING_DATA_DIR = ".patriot", ".patriot-training"
_port = click.IntRange(1, 65535)


@click.command("up")
@_option("--data-dir", type=_path, help="Where everything is kept: .patriot, or .patriot-training with --training.")
@_option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@_option("--port", type=_port, default=8080, show_default=True, help="Pages and API.")
@_option("--feed-port", type=_port, default=8081, show_default=True, help="The live feed.")
@_option("--kafka-bootstrap", metavar="HOST:PORT", help="An outside Kafka instead of the embedded one.")
@_option("--postgres-dsn", metavar="URL", help="An outside PostgreSQL instead of the embedded one.")
@_option("--boundaries", type=_file, help="GeoJSON of kecamatan or kelurahan.")
@_option("--simulate/--no-simulate", default=False, help="A simulated city that reports, measures and works.")
@_option("--training/--no-training", default=False, help="A city to practise in: all of it is marked, nothing is real.")
@click.option("--simulate-when-new", is_flag=True, hidden=True, help="--simulate if the data directory is new.")
@_option("--public-url", metavar="URL", help="Address that people's browsers use.")
@_option("--allow-origin", metavar="URL", multiple=True, help="Another origin that may sign in. Repeatable.")
@_option("--tls-cert", type=_file, help="Certificate (PEM) for pages, API and feed.")
@_option("--tls-key", type=_file, help="Its private key (PEM).")
@_option("--admin-password", help="Of the first admin; random and printed once without it.")
@_option("--ready-file", type=_path, help="Where to write all addresses as JSON, once all is up.")
@click.pass_context
def command(
    context: click.Context,
    data_dir: Path | None,
    host: str,
    port: int,
    feed_port: int,
    kafka_bootstrap: str | None,
    postgres_dsn: str | None,
    boundaries: Path | None,
    simulate: bool,
    training: bool,
    simulate_when_new: bool,
    public_url: str | None,
    allow_origin: tuple[str, ...],
    tls_cert: Path | None,
    tls_key: Path | None,
    admin_password: str | None,
    ready_file: Path | None,
) -> None:
    """Bring up everything on this machine, in the foreground: embedded Kafka and PostgreSQL, and all services.

    Ctrl-C stops all of it. What dies is started again. The next `up` on the same data directory goes on with its data.
    Each option can also be given as PATRIOT_… in the environment.
    """

    def asked(name: str) -> bool:
        return context.get_parameter_source(name) is not ParameterSource.DEFAULT

    data_dir = data_dir or Path(TRAINING_DATA_DIR if training else DATA_DIR)
    options = Options(
        data_dir=data_dir,
        host=host,
        port=Port(port, asked("port")),
        feed_port=Port(feed_port, asked("feed_port")),
        kafka_bootstrap=kafka_bootstrap or None,
        postgres_dsn=postgres_dsn or None,
        boundaries=boundaries,
        simulate=simulate or (simulate_when_new and not asked("simulate") and not (data_dir / "up.lock").exists()),
        training=training,
        public_url=public_url or None,
        allow_origin=tuple(part for value in allow_origin for part in value.split(",") if part),
        tls_cert=tls_cert,
        tls_key=tls_key,
        admin_password=admin_password or None,
        ready_file=ready_file,
    )
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # our lines say it better
    asyncio.run(_until_signal(City(options).run()))
