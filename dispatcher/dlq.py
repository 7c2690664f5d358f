"""`patriot dlq`: messages that were set aside are shown, sent again or given up; a stopped worker is let go on."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

import asyncpg
import click

from dispatcher import breaker, dead_letter_store
from dispatcher.dead_letter_store import KeptLetter, Line
from infra.postgres import TRANSIENT, Connection, connect
from schemas.wire import encode

T = TypeVar("T")

_dsn: Final = click.option("--postgres-dsn", envvar="PATRIOT_POSTGRES_DSN", required=True, help="URL of the database.")
_ids: Final = click.argument("ids", nargs=-1, type=click.IntRange(1))
_all: Final = click.option("--all", "everything", is_flag=True, help="All that are new.")
_topic: Final = click.option("--topic", help="Only what came from this topic.")
_json: Final = click.option("--json", "as_json", is_flag=True, help="JSON Lines instead of a table.")


@click.group("dlq")
def command() -> None:
    """Messages that were set aside, and the workers that a run of them stopped."""


@command.command("list")
@_dsn
@_topic
@click.option("--state", type=click.Choice([*dead_letter_store.STATES, "any"]), default="new", show_default=True)
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="The newest so many.")
@_json
def list_(postgres_dsn: str, topic: str | None, state: str, limit: int, as_json: bool) -> None:
    """List the newest messages, and workers that are stopped."""

    async def look(connection: Connection) -> tuple[list[Line], dict[str, str]]:
        wanted = None if state == "any" else state
        lines = await dead_letter_store.select_lines(connection, state=wanted, topic=topic, limit=limit)
        return lines, await breaker.all_open(connection)

    lines, stopped = _run(postgres_dsn, look)
    for line in lines if as_json else ():
        click.echo(encode(line))
    if not as_json:
        _table(lines)
    for consumer, reason in stopped.items():
        click.echo(f"{consumer} is stopped: {reason}. Let it go on: patriot dlq resume {consumer}", err=True)


def _table(lines: Sequence[Line]) -> None:
    if not lines:
        click.echo("nothing")
        return
    head = ("ID", "AT", "STATE", "FROM", "BYTES", "REASON", "DETAIL")
    rows = [
        (
            str(line.id),
            f"{line.at:%Y-%m-%d %H:%M:%SZ}",
            line.state if line.replays < 2 else f"{line.state} {line.replays}x",
            f"{line.topic}/{line.partition}/{line.offset}",
            str(line.bytes),
            line.reason,
            _printable(line.detail)[:80],
        )
        for line in lines
    ]
    widths = [max(len(row[n]) for row in (head, *rows)) for n in range(len(head))]
    for row in (head, *rows):
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


@command.command()
@_dsn
@click.argument("letter_id", metavar="ID", type=click.IntRange(1))
@click.option("--hex", "as_hex", is_flag=True, help="Bytes as a hex dump, also where they are text.")
@click.option("--raw", is_flag=True, help="The value's bytes alone, as they are.")
def show(postgres_dsn: str, letter_id: int, as_hex: bool, raw: bool) -> None:
    """Show one message with its bytes. It may hold personal data."""
    kept = _run(postgres_dsn, lambda connection: dead_letter_store.select(connection, letter_id))
    if kept is None:
        raise click.ClickException(f"there is no message {letter_id}; `patriot dlq list --state any` shows which are")
    if raw:
        sys.stdout.buffer.write(kept.letter.value or b"")
        return
    _show(kept, as_hex)


def _show(kept: KeptLetter, as_hex: bool) -> None:
    letter = kept.letter
    click.echo(f"id        {kept.id}")
    click.echo(f"state     {kept.state}, replayed {kept.replays} times")
    click.echo(f"at        {kept.at.isoformat()}")
    click.echo(f"from      {letter.topic} (id {letter.topic_id}) partition {letter.partition} offset {letter.offset}")
    click.echo(f"reason    {letter.reason}")
    click.echo(f"detail    {_printable(letter.detail)}")
    click.echo(f"key       {_bytes(letter.key, as_hex)}")
    for name, value in letter.headers:
        click.echo(f"header    {_printable(name)}: {_bytes(value, as_hex)}")
    click.echo(f"value     {_bytes(letter.value, as_hex)}")


def _bytes(value: bytes | None, as_hex: bool) -> str:
    if value is None:
        return "(none)"
    try:
        text = value.decode()
    except UnicodeDecodeError:
        as_hex, text = True, ""
    if not as_hex:
        return _printable(text)
    return "\n" + "\n".join(
        f"  {start:08x}  {part.hex(' '):<47}  {''.join(chr(b) if 32 <= b < 127 else '.' for b in part)}"
        for start, part in ((n, value[n : n + 16]) for n in range(0, len(value), 16))
    )


def _printable(text: str) -> str:
    """Without what a terminal would obey."""
    return "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in text)


@command.command()
@_dsn
@_ids
@_all
@_topic
def replay(postgres_dsn: str, ids: tuple[int, ...], everything: bool, topic: str | None) -> None:
    """Send messages to the topic they came from again, unchanged.

    The dispatcher's relay sends them. One whose event has had its effect meanwhile has no second one.
    """
    chosen = _chosen(ids, everything, topic)
    done = _run(postgres_dsn, lambda connection: dead_letter_store.replay(connection, chosen, topic=topic))
    hint = "dropped ones, unreadable batches and what is larger than Kafka takes cannot be replayed"
    _tell("handed to the relay", done, chosen, hint)


@command.command()
@_dsn
@_ids
@_all
@_topic
def drop(postgres_dsn: str, ids: tuple[int, ...], everything: bool, topic: str | None) -> None:
    """Give messages up: their bytes are deleted, the line stays."""
    chosen = _chosen(ids, everything, topic)
    done = _run(postgres_dsn, lambda connection: dead_letter_store.drop(connection, chosen, topic=topic))
    _tell("dropped", done, chosen, "some were dropped before")


@command.command()
@_dsn
@click.argument("consumers", nargs=-1, metavar="[CONSUMER]...")
def resume(postgres_dsn: str, consumers: tuple[str, ...]) -> None:
    """Let workers go on that a run of bad messages stopped (all of them, or CONSUMER: reports, telemetry)."""
    done = _run(postgres_dsn, lambda connection: breaker.close(connection, list(consumers) or None))
    strangers = sorted(set(consumers) - set(done))
    if strangers:
        raise click.ClickException(f"not stopped: {', '.join(strangers)}")
    click.echo("\n".join(f"{consumer} goes on" for consumer in done) or "no worker is stopped")


def _chosen(ids: tuple[int, ...], everything: bool, topic: str | None) -> list[int] | None:
    if bool(ids) == everything:
        raise click.UsageError("give the messages' ids, or --all")
    if ids and topic is not None:
        raise click.UsageError("--topic goes with --all")
    return None if everything else sorted(set(ids))


def _tell(what: str, done: list[int], chosen: list[int] | None, hint: str) -> None:
    click.echo(f"{len(done)} {what}" + (f": {', '.join(map(str, done))}" if done and chosen else ""))
    missing = sorted(set(chosen or ()) - set(done))
    if missing:
        raise click.ClickException(f"not {what}: {', '.join(map(str, missing))} (unknown ids; {hint})")


def _run(dsn: str, work: Callable[[Connection], Awaitable[T]]) -> T:
    async def connected() -> T:
        connection = await connect(dsn, application="patriot-dlq")
        try:
            async with connection.transaction():
                return await work(connection)
        finally:
            await connection.close(timeout=5)

    try:
        return asyncio.run(connected())
    except (*TRANSIENT, asyncpg.PostgresError) as error:
        raise click.ClickException(f"the database cannot be asked: {type(error).__name__}: {error}") from error
