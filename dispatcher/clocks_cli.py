"""`patriot clocks`: promises and working calendars from the administrator's shell, as a file of JSON."""

from pathlib import Path
from typing import Annotated, Final

import click
import msgspec
from msgspec import Meta

from dispatcher import policy_store, shell
from dispatcher.decisions.calendar import Calendar
from dispatcher.decisions.policy import Policy
from dispatcher.decisions.sla import CalendarName, Promise, unnamed
from infra.postgres import Connection
from infra.problem import field_error
from schemas.wire import Inbound

_MAX_BYTES: Final = 1024 * 1024


class ClocksFile(Inbound, frozen=True):
    """What is left out stays as it is; what is there replaces all of it."""

    promises: Annotated[tuple[Promise, ...], Meta(min_length=1, max_length=500)] | None = None
    calendars: Annotated[dict[CalendarName, Calendar], Meta(min_length=1, max_length=50)] | None = None


def _read(path: Path) -> ClocksFile:
    with path.open("rb") as file:
        data = file.read(_MAX_BYTES + 1)
    if len(data) > _MAX_BYTES:
        raise click.ClickException(f"{path}: more than {_MAX_BYTES} bytes")
    try:
        return msgspec.json.decode(data, type=ClocksFile)
    except msgspec.ValidationError as error:
        found = field_error(error)
        raise click.ClickException(f"{path}: {found.field}: {found.message}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise click.ClickException(f"{path}: not JSON in UTF-8") from error


def _refuse_nameless(path: Path, given: ClocksFile, policy: Policy) -> None:
    missing = unnamed(given.promises or policy.promises, given.calendars or policy.calendars)
    if missing:
        raise click.ClickException(f"{path}: a promise names a calendar that there is not: {', '.join(missing)}")


_file: Final = click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))


@click.group("clocks")
def command() -> None:
    """By when what is due: promises and working calendars."""


@command.command("show")
@shell.dsn_option
def show(postgres_dsn: str) -> None:
    """What is live, as a file for `apply`."""
    policy = shell.run(postgres_dsn, "patriot-clocks", policy_store.live)
    live = ClocksFile(promises=policy.promises, calendars=dict(policy.calendars))
    click.echo(msgspec.json.format(msgspec.json.encode(live)).decode())


@command.command("check")
@_file
@shell.dsn_option
def check(file: Path, postgres_dsn: str) -> None:
    """Whether a file could be applied; changes nothing."""
    given = _read(file)
    _refuse_nameless(file, given, shell.run(postgres_dsn, "patriot-clocks", policy_store.live))
    click.echo(f"{len(given.promises or ())} promises, {len(given.calendars or ())} calendars: good")


@command.command("apply")
@_file
@click.option("--why", default="", help="Kept with it.")
@shell.dsn_option
def apply(file: Path, why: str, postgres_dsn: str) -> None:
    """Make a file live: what is open is due by it from now on."""
    given = _read(file)

    async def put(connection: Connection) -> int:
        async with connection.transaction():
            policy = await policy_store.live(connection)
            _refuse_nameless(file, given, policy)
            version = policy.version
            if given.calendars is not None:
                version = await policy_store.put(connection, "calendars", given.calendars, by=shell.typist(), why=why)
            if given.promises is not None:
                version = await policy_store.put(connection, "promises", given.promises, by=shell.typist(), why=why)
            return version

    click.echo(f"live as version {shell.run(postgres_dsn, 'patriot-clocks', put)}")
