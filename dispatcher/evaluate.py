"""`patriot evaluate`: judges a file of texts with the very rules of the dispatcher; needs nothing running.

What the city decides anew while it runs is as in code, or with a database as it is there.
"""

import asyncio
from pathlib import Path

import asyncpg
import click

from dispatcher import policy_store
from dispatcher.decisions.policy import DEFAULT_POLICY, Policy
from dispatcher.evaluate_classify import judge_texts
from dispatcher.evaluate_duplicates import judge_pairs
from dispatcher.evaluate_route import judge_routes
from dispatcher.evaluation_file import Judged, read_rows, write_lines
from infra.postgres import TRANSIENT, connect

_FILE = click.argument("file", type=click.Path(path_type=Path))
_OUT = click.option(
    "--out", type=click.Path(path_type=Path), help="Write the JSON Lines here instead of to standard output."
)


@click.group()
def command() -> None:
    """Judge a CSV file as the dispatcher would; a summary where labels are given."""


@command.command()
@_FILE
@_OUT
def classify(file: Path, out: Path | None) -> None:
    """Categories of the column `text`: a line {"row", "category", "confidence", "action"} each; `label` is optional."""
    _answer(judge_texts(read_rows(file, ("text",))), out)


@command.command()
@_FILE
@_OUT
def duplicates(file: Path, out: Path | None) -> None:
    """Whether `text` (of `time`) and `text2` (of `time2`) are one event: {"row", "same", "score"}; `label` 1 or 0."""
    _answer(judge_pairs(read_rows(file, ("time", "text", "time2", "text2"))), out)


@command.command()
@_FILE
@_OUT
@click.option("--postgres-dsn", envvar="PATRIOT_POSTGRES_DSN", help="By the rules that are live there.")
def route(file: Path, out: Path | None, postgres_dsn: str | None) -> None:
    """Where the report of `text` goes: {"row", "category", "outcome", "priority", "rule", "version"}.

    Also read: `lat`, `lon`, `address`, `time`, `channel`, and `label`, the outcome that is right.
    """
    rows = read_rows(file, ("text",))
    _answer(judge_routes(rows, _policy(postgres_dsn) if postgres_dsn else DEFAULT_POLICY), out)


def _policy(dsn: str) -> Policy:
    async def read() -> Policy:
        connection = await connect(dsn, application="patriot-evaluate")
        try:
            return await policy_store.live(connection)
        finally:
            await connection.close(timeout=5)

    try:
        return asyncio.run(read())
    except (*TRANSIENT, asyncpg.PostgresError, ValueError) as error:
        # never the message as it is: it may quote the URL with its password
        raise click.ClickException(
            f"the database does not answer as it should ({type(error).__name__}); leave out --postgres-dsn for defaults"
        ) from error


def _answer(judged: Judged, out: Path | None) -> None:
    write_lines(judged.lines, out)
    if judged.summary is not None:
        click.echo(judged.summary, err=True)
