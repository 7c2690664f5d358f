"""What commands at the prompt share: a connection for their work, one sentence for what goes wrong, who is typing."""

import asyncio
import getpass
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final, TypeVar

import asyncpg
import click

from infra.postgres import TRANSIENT, Connection, connect

T = TypeVar("T")

#: Beside it `patriot` offers --data-dir, and finds the database there.
dsn_option: Final = click.option(
    "--postgres-dsn", envvar="PATRIOT_POSTGRES_DSN", required=True, help="URL of the database."
)
#: The same for the city's secret.
secret_option: Final = click.option(
    "--secret-file",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="File with the city's secret, unless PATRIOT_SECRET is set.",
)


def run(dsn: str, application: str, work: Callable[[Connection], Awaitable[T]]) -> T:
    """What `work` answers, given a connection whose statements may take as long as they take. Raises a click error."""

    async def connected() -> T:
        connection = await connect(dsn, application=application, statement_timeout=None)
        try:
            return await work(connection)
        finally:
            await connection.close(timeout=5)

    try:
        return asyncio.run(connected())
    except asyncpg.UndefinedTableError as error:
        raise click.ClickException("the database has no such table yet: run `patriot migrate` first") from error
    except (*TRANSIENT, asyncpg.PostgresError) as error:
        # never the message as it is: it may quote the URL with its password, or a value
        raise click.ClickException(
            f"the database does not answer as it should ({type(error).__name__}); is it up, and is its URL right?"
        ) from error


def city_secret(file: Path | None) -> bytes | None:
    """The city's secret, from PATRIOT_SECRET or a file; None when neither is given. Raises a click error."""
    text = os.environ.get("PATRIOT_SECRET") or (file.read_text() if file else "")
    try:
        return bytes.fromhex(text.strip()) or None
    except ValueError as error:
        raise click.ClickException("the city's secret is 64 hexadecimal digits") from error


def typist() -> str:
    """Who acts from this prompt, for the audit: `shell:` and the name at the machine."""
    try:
        return f"shell:{getpass.getuser()}"
    except (KeyError, OSError):
        return f"shell:{os.getuid()}"
