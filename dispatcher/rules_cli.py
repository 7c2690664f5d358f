"""`patriot rules`: routing rules in a file, looked through, tried on the last days and made live."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, TypeVar

import asyncpg
import click

from dispatcher import rules_file, rules_store, rules_trial
from dispatcher.decisions.rule import Rule
from dispatcher.decisions.rule_findings import Findings, in_words, look_through
from dispatcher.decisions.rule_trial import Trial
from dispatcher.rules_file import Mistake, RulesFile
from dispatcher.rules_store import StaleRules
from infra.postgres import TRANSIENT, Connection, connect

T = TypeVar("T")

#: Who made rules live from the administrator's shell.
_ACTOR: Final = "patriot-rules"
#: Ways in which something would change that are listed.
_SHIFTS: Final = 20

_dsn: Final = click.option("--postgres-dsn", envvar="PATRIOT_POSTGRES_DSN", required=True, help="URL of the database.")
_file: Final = click.argument("file", type=click.Path(path_type=Path, dir_okay=False))


@click.group("rules")
def command() -> None:
    """Whose an incident is: the first rule that fits decides. Start with `patriot rules export`."""


@command.command()
@_file
def check(file: Path) -> None:
    """Look through a file; needs nothing running. Mistakes end with 1; what may not be meant is told."""
    given = _read(file)
    _tell(given.rules, look_through(given.rules))
    click.echo(f"{len(given.rules)} rules, based on version {given.version}")


@command.command("try")
@_file
@click.option("--days", type=click.IntRange(1, 90), default=7, show_default=True, help="Of the past.")
@_dsn
def try_(file: Path, days: int, postgres_dsn: str) -> None:
    """Try a file on the incidents of the last days: what would go elsewhere, and how often each rule would decide."""
    given = _read(file)

    async def work(connection: Connection) -> tuple[int, Trial, Findings]:
        since = datetime.now(UTC) - timedelta(days=days)
        past, live = await rules_trial.read(lambda: nullcontext(connection), since)
        return live.rules.version, *await rules_trial.judge(past, live, given.rules)

    against, trial, findings = _do(postgres_dsn, work)
    part = "" if trial.complete and trial.looked_at < rules_trial.MOST_INCIDENTS else " (not all: too many)"
    click.echo(
        f"{trial.changed} of {trial.looked_at} incidents of {days} days would differ from version {against}{part}"
    )
    for shift in trial.shifts[:_SHIFTS]:
        click.echo(f"{shift.count:6}  {shift.before} -> {shift.after}  ({', '.join(shift.examples)})")
    if len(trial.shifts) > _SHIFTS:
        click.echo(f"        and {len(trial.shifts) - _SHIFTS} other ways")
    click.echo("decided by")
    for number, (rule, fired) in enumerate(zip(given.rules, trial.fired, strict=True), start=1):
        click.echo(f"{fired:6}  {number}. {rule.name}")
    _tell(given.rules, findings)


@command.command()
@_file
@click.option("--why", default="", help="Kept in the history.")
@_dsn
def apply(file: Path, why: str, postgres_dsn: str) -> None:
    """Make a file live; refused when another version than the file's has gone live since it was exported."""
    given = _read(file)

    async def work(connection: Connection) -> int:
        async with connection.transaction():
            live = await rules_store.apply(connection, given.rules, expected=given.version, by=_ACTOR, why=why[:500])
        return live.version

    click.echo(f"version {_do(postgres_dsn, work)} is live")


@command.command()
@click.option("--version", "version", type=click.IntRange(0), help="An older one; the one that is live when left out.")
@_dsn
def export(version: int | None, postgres_dsn: str) -> None:
    """Write the rules as YAML to standard output. An older version says that the live one is to be replaced."""

    async def work(connection: Connection) -> str:
        live = await rules_store.live(connection)
        if version is None:
            return rules_file.write(live)
        found = await rules_store.of_version(connection, version)
        if found is None:
            raise click.ClickException(f"there is no version {version}; version {live.version} is live")
        return rules_file.write(type(live)(version=live.version, rules=found.rules.rules))

    click.echo(_do(postgres_dsn, work), nl=False)


def _read(file: Path) -> RulesFile:
    try:
        return rules_file.read(file)
    except Mistake as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(f"{file}: {error.strerror}") from error


def _tell(rules: Sequence[Rule], findings: Findings) -> None:
    """What may not be meant, on standard error."""
    for dead in findings.dead:
        name = f"{dead.number}. {rules[dead.number - 1].name}"
        if dead.by:
            takers = ", ".join(f"{number}. {rules[number - 1].name}" for number in dead.by)
            click.echo(f"warning: {name} never fires: {takers} before it", err=True)
        else:
            click.echo(f"warning: {name} never fires: nothing can fit it", err=True)
    for found in findings.conflicts:
        first, second = (f"{number}. {rules[number - 1].name}" for number in (found.first, found.second))
        example = ", ".join(f"{name} {value}" for name, value in in_words(found.example).items())
        click.echo(f"warning: {first} and {second} both want: {example}. The first decides", err=True)
    if not findings.complete:
        click.echo("warning: too many conditions to find all rules that never fire", err=True)


def _do(dsn: str, work: Callable[[Connection], Awaitable[T]]) -> T:
    """Run `work` on a connection; whatever goes wrong is one sentence."""

    async def run() -> T:
        connection = await connect(dsn, application="patriot-rules")
        try:
            return await work(connection)
        finally:
            await connection.close(timeout=5)

    try:
        return asyncio.run(run())
    except StaleRules as error:
        raise click.ClickException(
            f"version {error.current} has gone live meanwhile: export it, make your changes there and apply that"
        ) from error
    except asyncpg.UndefinedTableError as error:
        raise click.ClickException("the database has no schema yet: run `patriot migrate` first") from error
    except (*TRANSIENT, asyncpg.PostgresError, ValueError) as error:
        # never the message as it is: it may quote the URL with its password
        raise click.ClickException(
            f"the database does not answer as it should ({type(error).__name__}); is it up, and is its URL right?"
        ) from error
