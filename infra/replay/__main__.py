"""`patriot replay`: sends recordings through the public API, and goes on where it was stopped."""

import asyncio
import contextlib
import itertools
import math
import signal
import sys
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click

from infra import log as logs
from infra.local.trouble import Trouble, first, of_os_error
from infra.public_api import Api
from infra.replay import target as targets
from infra.replay.bookmark import Bookmark, Fate, Mark, identity
from infra.replay.delivery import Delivery, Terms
from infra.replay.message import FIELDS, MEASURES, Kind, Reader
from infra.replay.plan import Survey, plan, survey
from infra.replay.progress import Progress
from infra.replay.recording import Recording
from infra.replay.schedule import Schedule, shift_to_now

#: A kill costs at most the rows of this time being sent once more.
_SAVE_EVERY_S: Final = 0.5
#: Asked to stop, it lets what is under way end, no longer than this.
_GRACE_S: Final = 5.0

_file = click.Path(path_type=Path, dir_okay=False, exists=True)


@click.command("replay")
@click.argument("files", nargs=-1, required=True, type=_file)
@click.option(
    "--base-url", envvar="PATRIOT_BASE_URL", help="Address of the city; without it, the running `patriot up`."
)
@click.option("--api-key", envvar="PATRIOT_DEVICE_API_KEY", help="Device key for --base-url; shown by `ps`, so rather:")
@click.option("--api-key-file", type=_file, help="File with the device key.")
@click.option(
    "--data-dir",
    envvar="PATRIOT_DATA_DIR",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(".patriot"),
    show_default=True,
    help="Data directory of a running `patriot up`; the state of replays is kept in it.",
)
@click.option("--ready-file", type=_file, help="Ready file of a running `patriot up`, instead of --data-dir.")
@click.option(
    "--kind", type=click.Choice([each.value for each in Kind]), help="What each row is, where the rows do not say it."
)
@click.option("--column", "columns", multiple=True, metavar="FIELD=COLUMN", help="The file's name for a field.")
@click.option(
    "--scale",
    "scales",
    multiple=True,
    metavar="[FIELD=]FACTOR",
    help="Brings numbers to our unit: occupancy=0.01 for percent, speed_kmh=1.609344 for miles.",
)
@click.option("--sensor-id", help="For rows without one; otherwise the name of the file.")
@click.option("--node-id", help="The same for wifi nodes.")
@click.option("--lat", type=click.FloatRange(-90, 90), help="For rows without a place.")
@click.option("--lon", type=click.FloatRange(-180, 180), help="For rows without a place.")
@click.option("--address", help="For reports without a place.")
@click.option(
    "--pace", type=click.FloatRange(0), default=1.0, show_default=True, help="Times as fast as recorded; 0: flat out."
)
@click.option(
    "--shift",
    type=click.Choice(["now"]),
    help="Move all times so that the newest row is sent at its time: readings older than 7 days are refused.",
)
@click.option("--at-once", type=click.IntRange(1, 256), default=8, show_default=True, help="Reports under way at once.")
@click.option("--patience", type=click.FloatRange(1), default=300.0, show_default=True, help="Give up after so many s.")
@click.option("--strict", is_flag=True, help="The first row that is bad or refused ends it.")
@click.option("--state", type=click.Path(path_type=Path, dir_okay=False), help="Where to keep how far it has come.")
@click.option("--restart", is_flag=True, help="Begin anew: everything is sent as new reports.")
def command(
    files: tuple[Path, ...],
    base_url: str | None,
    api_key: str | None,
    api_key_file: Path | None,
    data_dir: Path,
    ready_file: Path | None,
    kind: Kind | None,
    columns: tuple[str, ...],
    scales: tuple[str, ...],
    sensor_id: str | None,
    node_id: str | None,
    lat: float | None,
    lon: float | None,
    address: str | None,
    pace: float,
    shift: str | None,
    at_once: int,
    patience: float,
    strict: bool,
    state: Path | None,
    restart: bool,
) -> None:
    """Send recorded reports or readings through the public API.

    FILE is CSV with a header or JSON Lines; columns have the names of the API's fields, others are left out. `text` is
    a description, `timestamp` or `time` the time of observation (without an offset: of Bekasi); with --kind speed,
    occupancy, travel_time, flow or clients, `value` is that. Several files are sent in the order of their times.

    Killed or stopped, the same command goes on where it was, and nothing has a second effect. Rows that cannot be sent
    are named on standard error and counted.
    """
    logs.configure("replay", log_format="console")
    if (lat is None) != (lon is None):
        raise click.UsageError("--lat and --lon go together.")
    lacking = {"sensor_id": sensor_id, "node_id": node_id, "lat": lat, "lon": lon, "address": address}
    reader = Reader(
        kind=None if kind is None else Kind(kind),
        columns=_pairs("--column", columns),
        scale=_scales(scales, kind),
        lacking={name: value for name, value in lacking.items() if value is not None},
    )
    target = targets.find(base_url, api_key, api_key_file, data_dir, ready_file)
    recordings = [Recording(path) for path in files]
    terms = Terms(at_once=at_once, patience_s=patience, strict=strict)
    try:
        # The name too: a sensor without one is called like its file.
        names = [f"{each.digest()} {each.path.stem}" for each in recordings]
        run = identity(names, reader, shifted=shift is not None, target=target.name)
        bookmark = Bookmark(state or data_dir / "replay" / f"{run[:16]}.json")
        try:
            what = survey(recordings, reader)
            if _begin(bookmark, run, what, pace=pace, shifted=shift is not None, restart=restart):
                asyncio.run(_replay(recordings, reader, target, terms, bookmark, what, pace))
        finally:
            bookmark.close()
    except BaseExceptionGroup as group:
        raise first(group) from None
    except OSError as error:
        raise of_os_error(error, "reading the recording") from error


def _begin(bookmark: Bookmark, run: str, what: Survey, *, pace: float, shifted: bool, restart: bool) -> bool:
    """Set the bookmark to where this replay goes on; False when there is nothing left to do."""
    found = bookmark.found()
    if found is not None and found.run != run and not restart:
        raise Trouble("--state is of another replay (other files or options). Use another file, or --restart.")
    if found is not None and found.finished and not restart:
        click.echo(f"All of it was sent at {found.begun_at:%Y-%m-%d %H:%M} UTC; --restart sends it as new.", err=True)
        return False
    now = datetime.now(UTC)
    if found is None or restart:
        has_times = shifted and what.first is not None and what.last is not None
        shift = shift_to_now(now.timestamp(), what.first or 0.0, what.last or 0.0, pace) if has_times else 0.0
        number = 1 if found is None else found.round + 1
        found = Mark(run=run, begun_at=now, shift_s=shift, settled=0, fates={}, round=number)
    elif found.settled:
        click.echo(f"Goes on at row {found.settled + 1} of {what.rows}.", err=True)
    bookmark.begin(found)
    return True


async def _replay(
    recordings: Sequence[Recording],
    reader: Reader,
    target: targets.Target,
    terms: Terms,
    bookmark: Bookmark,
    what: Survey,
    pace: float,
) -> None:
    progress = Progress(bookmark, what.rows, sys.stderr)
    api = Api(target.base_url, Counter(), target.api_key)
    delivery = Delivery(api, reader, bookmark, terms, progress.complain)
    loop = asyncio.get_running_loop()
    sending = asyncio.current_task()

    def stop() -> None:
        delivery.stop()
        if sending is not None:
            loop.call_later(_GRACE_S, sending.cancel)

    for signum in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(signum, stop)

    async def tell() -> None:
        while True:
            progress.show(delivery.waits_for)
            await progress.rest()

    async def save() -> None:
        while True:
            await asyncio.sleep(_SAVE_EVERY_S)
            bookmark.save()

    try:
        rows = (each for each in plan(recordings, reader) if each.number >= bookmark.mark.settled)
        head = next(rows, None)
        if head is not None:
            origin = head.recorded if math.isfinite(head.recorded) else what.first or 0.0
            async with asyncio.TaskGroup() as group:
                beside = [group.create_task(tell()), group.create_task(save())]
                await delivery.run(itertools.chain([head], rows), Schedule(pace, loop.time(), origin))
                for task in beside:
                    task.cancel()
    except asyncio.CancelledError:
        if not delivery.stopped:
            raise
    finally:
        with contextlib.suppress(OSError):  # nobody reads it any more
            progress.end()
        bookmark.save(finished=bookmark.settled == what.rows)
        await api.close()
    if bookmark.settled < what.rows:
        raise Trouble("Stopped. The same command goes on from here.")
    if what.rows and not bookmark.fates[Fate.TAKEN]:
        raise Trouble("Nothing of it was taken; the lines above say why.")


def _pairs(option: str, given: Sequence[str]) -> dict[str, str]:
    found = {}
    for each in given:
        field, equals, value = each.partition("=")
        if not equals or not value or field not in FIELDS | {"kind"}:
            raise click.UsageError(f"{option} {each}: FIELD=… with a field of the API is expected.")
        found[field] = value
    return found


def _scales(given: Sequence[str], kind: Kind | None) -> dict[str, float]:
    measure = None if kind is None else MEASURES.get(Kind(kind))
    named = [each if "=" in each or measure is None else f"{measure[0]}={each}" for each in given]
    found = {}
    for field, text in _pairs("--scale", named).items():
        try:
            found[field] = float(text)
        except ValueError:
            found[field] = math.nan
        if not math.isfinite(found[field]):
            raise click.UsageError(f"--scale {field}={text}: the factor is not a number.")
    return found


if __name__ == "__main__":
    command()
