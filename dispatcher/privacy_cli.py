"""`patriot privacy`: what is kept of a person is given to them or erased, and who looked at it is told."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Final, TypeVar

import click

from dispatcher import privacy
from dispatcher.audit_cli import TIME
from dispatcher.privacy import Affected, Held, Look, Person
from dispatcher.shell import city_secret, dsn_option, run, secret_option, typist
from infra import tracking_code
from infra.objects import Objects
from infra.photos import Photos
from infra.postgres import Connection
from schemas.wire import encode

T = TypeVar("T")

_APPLICATION: Final = "patriot-privacy"
#: UU 27/2022, article 46: a breach is told within 3 × 24 hours.
_NOTICE: Final = timedelta(hours=72)
_MOST_LOOKS: Final = 100_000

_code: Final = click.option("--code", help="Tracking code of one of the person's reports.")
_phone: Final = click.option("--phone", help="The person's phone number, in any spelling.")
_email: Final = click.option("--email", help="The person's e-mail address.")
_data_dir: Final = click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(".patriot"),
    show_default=True,
    envvar="PATRIOT_DATA_DIR",
    help="Photos are below it; also the data directory of `patriot up`.",
)
_out: Final = click.option("--out", type=click.File("wb"), default="-", help="File; standard output when left out.")


@click.group("privacy")
def command() -> None:
    """Personal data of citizens: access, erasure, and the list for a breach notice. Each use is told to the audit."""


@command.command()
@dsn_option
@secret_option
@_data_dir
@_code
@_phone
@_email
@_out
def export(
    postgres_dsn: str,
    secret_file: Path | None,
    data_dir: Path,
    code: str | None,
    phone: str | None,
    email: str | None,
    out: IO[bytes],
) -> None:
    """Give out everything that is kept of a person, a report a line (JSON), and who looked at it."""
    person = _person(secret_file, code, phone, email)

    async def work(connection: Connection) -> list[Held]:
        return await privacy.export(connection, await _known(connection, person), typist())

    found = _within(postgres_dsn, work)
    for held in found:
        out.write(encode(held) + b"\n")
    click.echo(f"{len(found)} reports; photos are below {data_dir / 'objects' / 'photos'}/<report_id>", err=True)


@command.command()
@dsn_option
@secret_option
@_data_dir
@_code
@_phone
@_email
@click.option("--words", is_flag=True, help="Also what they wrote.")
@click.option("--photos", is_flag=True, help="Also the photos they sent.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def erase(
    postgres_dsn: str,
    secret_file: Path | None,
    data_dir: Path,
    code: str | None,
    phone: str | None,
    email: str | None,
    words: bool,
    photos: bool,
    yes: bool,
) -> None:
    """Erase who sent the reports that are found, for good. Incidents stay, with their place and time."""
    person = _person(secret_file, code, phone, email)
    if photos and not (data_dir / "objects").is_dir():
        raise click.ClickException(f"there is no object store below {data_dir}; say where with --data-dir")
    if not yes:
        click.confirm("Names, numbers and addresses of the sender are erased for good. Go on?", abort=True, err=True)

    async def work(connection: Connection) -> int:
        return await privacy.erase(connection, reports, typist(), words=words, photos=photos)

    # The files first: when they cannot be erased now, the person can still be found.
    reports = _within(postgres_dsn, lambda connection: _known(connection, person))
    files = asyncio.run(_erase_files(data_dir / "objects", reports)) if photos else 0
    contacts = _within(postgres_dsn, work)
    click.echo(f"{len(reports)} reports: {contacts} contacts, {files} files of photos erased")
    click.echo("In Kafka contacts last 7 days, words 30; in backups as long as those are kept.", err=True)


@command.command("erase-note")
@dsn_option
@click.argument("incident_id", metavar="INCIDENT")
@click.argument("version", type=click.IntRange(1))
def erase_note(postgres_dsn: str, incident_id: str, version: int) -> None:
    """Erase a note of staff that names a person: that of VERSION in the INCIDENT's history."""

    async def work(connection: Connection) -> bool:
        return await privacy.erase_note(connection, incident_id, version, typist())

    if not _within(postgres_dsn, work):
        raise click.ClickException("this version of this incident has no note")
    click.echo("erased")


@command.command()
@dsn_option
@click.option("--since", type=TIME, required=True, help="When the breach may have begun.")
@click.option("--until", type=TIME, help="When it was ended; now when left out.")
@_out
def report(postgres_dsn: str, since: datetime, until: datetime | None, out: IO[bytes]) -> None:
    """List for the notice of a breach: whose data were there to be seen, and who looked at whose; JSON Lines."""
    end = until or datetime.now(UTC)

    async def work(connection: Connection) -> tuple[list[Affected], list[Look]]:
        # The looks first: this one is not among them.
        looks = await privacy.looks(connection, since=since, until=end, most=_MOST_LOOKS)
        return await privacy.affected(connection, since, end, typist()), looks

    affected, looks = _within(postgres_dsn, work)
    for person in affected:
        out.write(encode({"affected": person}) + b"\n")
    for look in looks:
        out.write(encode({"look": look}) + b"\n")
    click.echo(f"{len(affected)} reports, {len(looks)} looks; tell them within 3 × 24 hours", err=True)
    click.echo(f"that is until {datetime.now(UTC) + _NOTICE:%Y-%m-%d %H:%MZ}, counted from now", err=True)


def _person(secret_file: Path | None, code: str | None, phone: str | None, email: str | None) -> Person:
    if sum(one is not None for one in (code, phone, email)) != 1:
        raise click.UsageError("give one of --code, --phone and --email")
    if phone is not None and sum(letter.isdigit() for letter in phone) < 5:
        raise click.UsageError("--phone has at least five digits")
    if code is None:
        return Person(phone=phone, email=email)
    secret = city_secret(secret_file)
    if secret is None:
        raise click.ClickException("to read a code the city's secret is needed: set PATRIOT_SECRET or --secret-file")
    known = tracking_code.check(secret, code) or tracking_code.check(secret, code, training=True)
    if known is None:
        raise click.ClickException("this code was never given out; look at its letters and digits")
    return Person(tracking_code=known)


async def _known(connection: Connection, person: Person) -> list[str]:
    reports = await privacy.reports_of(connection, person)
    if not reports:
        raise click.ClickException("nothing is kept of this person")
    return reports


def _within(dsn: str, work: Callable[[Connection], Awaitable[T]]) -> T:
    async def transacted(connection: Connection) -> T:
        async with connection.transaction():
            return await work(connection)

    return run(dsn, _APPLICATION, transacted)


async def _erase_files(objects_dir: Path, reports: list[str]) -> int:
    objects = Objects(objects_dir)
    try:
        return sum([await Photos(objects).erase(report_id) for report_id in reports])
    except OSError as error:
        raise click.ClickException(
            f"files of photos cannot be erased ({error.strerror or error}); nothing else was: run this once more"
        ) from error
    finally:
        objects.close()


if __name__ == "__main__":
    sys.exit(command())
