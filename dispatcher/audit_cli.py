"""`patriot audit`: the log of decisions and looks at personal data is verified, listed, exported."""

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Final

import click

from dispatcher import audit_store
from dispatcher.audit_signature import Signer
from dispatcher.audit_store import Sealed
from dispatcher.audit_verify import Finding, Verification, Verified
from dispatcher.shell import city_secret, dsn_option, run, secret_option, typist
from infra.postgres import Connection
from schemas.wire import encode

_APPLICATION: Final = "patriot-audit"
#: Findings that are shown; one cut in the middle of the chain may make very many.
_MOST_SHOWN: Final = 200
_PAGE: Final = 1000


class _Time(click.ParamType[datetime]):
    """A time with an offset (RFC 3339)."""

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        try:
            at = datetime.fromisoformat(str(value))
        except ValueError:
            self.fail("not a time such as 2026-11-22T07:00:00+07:00", param, ctx)
        if at.tzinfo is None:
            self.fail("a time needs its offset, such as +07:00", param, ctx)
        return at


TIME: Final = _Time()


class _End(click.ParamType[tuple[int, bytes]]):
    """An end of the chain, `SEQ:HASH`."""

    name = "end"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, bytes]:
        seq, _, hash_ = str(value).partition(":")
        try:
            return int(seq), bytes.fromhex(hash_)
        except ValueError:
            self.fail("not an end of the chain, which looks like 812:9f3c…", param, ctx)


_filters: Final = (
    click.option("--actor", help="Only what this one did."),
    click.option("--action", help="Only this action, such as incident_resolved."),
    click.option("--subject", help="Only what was done to this."),
    click.option("--since", type=TIME, help="From then on."),
    click.option("--until", type=TIME, help="Before then."),
    click.option("--personal", is_flag=True, default=None, help="Only looks at personal data."),
)


@click.group("audit")
def command() -> None:
    """The log of decisions, of what staff did, and of looks at personal data."""


@command.command()
@dsn_option
@secret_option
@click.option("--public-key", help="The city's public key (hex), in place of its secret; `patriot audit key` shows it.")
@click.option("--end", "ends", type=_End(), multiple=True, help="SEQ:HASH that was kept elsewhere; repeatable.")
def verify(
    postgres_dsn: str, secret_file: Path | None, public_key: str | None, ends: tuple[tuple[int, bytes], ...]
) -> None:
    """Find what was altered, removed, moved or added. Ends with 1 when there is anything."""
    key = _public_key(public_key, secret_file)

    async def look(connection: Connection) -> tuple[Verified, list[Finding]]:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            verification = Verification(connection, key, ends)
            found = [finding async for finding in verification.findings()]
            return verification.verified, found

    verified, found = run(postgres_dsn, _APPLICATION, look)
    for finding in found[:_MOST_SHOWN]:
        click.echo(f"{finding.where}: {finding.what}")
    if len(found) > _MOST_SHOWN:
        click.echo(f"… and {len(found) - _MOST_SHOWN} more")
    click.echo(
        f"{verified.entries} entries, {verified.heads} heads, {verified.waiting} waiting to be chained", err=True
    )
    if verified.end:
        click.echo(f"end {verified.end}", err=True)
    if key is None:
        click.echo("signatures were not looked at: set PATRIOT_SECRET, or give --public-key", err=True)
    if found:
        raise click.ClickException(f"{len(found)} places are not as they were chained")
    click.echo("the chain is whole")


@command.command("list")
@dsn_option
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="The newest so many.")
def list_(
    postgres_dsn: str,
    limit: int,
    actor: str | None,
    action: str | None,
    subject: str | None,
    since: datetime | None,
    until: datetime | None,
    personal: bool | None,
) -> None:
    """The newest entries, oldest of them first, a line each: place, time, actor, action, subject; with tabs between."""

    async def look(connection: Connection) -> list[Sealed]:
        return await audit_store.select_newest(
            connection,
            audit_store.Wanted(actor, action, subject, since, until, personal),
            limit=limit,
        )

    for one in run(postgres_dsn, _APPLICATION, look):
        entry = one.entry
        place = "-" if one.seq is None else str(one.seq)
        when = f"{entry.at.astimezone(UTC):%Y-%m-%d %H:%M:%SZ}"
        click.echo("\t".join((place, when, entry.actor, entry.action, entry.subject)))


@command.command()
@dsn_option
@click.option("--out", type=click.File("wb"), default="-", help="File; standard output when left out.")
def export(
    postgres_dsn: str,
    out: IO[bytes],
    actor: str | None,
    action: str | None,
    subject: str | None,
    since: datetime | None,
    until: datetime | None,
    personal: bool | None,
) -> None:
    """All entries as JSON Lines, with their places and hashes, then the signed heads. Is itself an entry."""
    wanted = audit_store.Wanted(actor, action, subject, since, until, personal)

    async def write(connection: Connection) -> int:
        await audit_store.record(connection, actor=typist(), action="audit_exported", subject="audit")
        count = after = 0
        while page := await audit_store.select_page(connection, wanted, after=after, limit=_PAGE):
            for line in _lines(page):
                out.write(line)
            count, after = count + len(page), page[-1].entry.id
        for head in await audit_store.select_heads(connection):
            out.write(encode({"head": {**_hex(head.hash, head.signature), "seq": head.seq, "at": head.at}}) + b"\n")
        return count

    click.echo(f"{run(postgres_dsn, _APPLICATION, write)} entries", err=True)


@command.command()
@secret_option
def key(secret_file: Path | None) -> None:
    """Show the public key that heads are checked with; give it to whoever is to check them."""
    found = _public_key(None, secret_file)
    if found is None:
        raise click.ClickException("the city's secret is needed: set PATRIOT_SECRET, or give --secret-file")
    click.echo(found.hex())


for _command in (list_, export):
    for _option in _filters:
        _option(_command)


def _lines(page: list[Sealed]) -> Iterator[bytes]:
    for one in page:
        entry = one.entry
        said = {
            "seq": one.seq,
            "id": entry.id,
            "at": entry.at,
            "actor": entry.actor,
            "action": entry.action,
            "subject": entry.subject,
            "personal": entry.personal,
            "detail": entry.detail,
            "hash": one.hash.hex() if one.hash else None,
        }
        yield encode(said) + b"\n"


def _hex(hash_: bytes, signature: bytes | None) -> dict[str, str | None]:
    return {"hash": hash_.hex(), "signature": signature.hex() if signature else None}


def _public_key(given: str | None, secret_file: Path | None) -> bytes | None:
    if given is not None:
        try:
            found = bytes.fromhex(given)
        except ValueError:
            found = b""
        if len(found) != 32:
            raise click.UsageError("--public-key takes 64 hexadecimal digits")
        return found
    secret = city_secret(secret_file)
    return Signer(secret).public_key if secret else None


if __name__ == "__main__":
    sys.exit(command())
