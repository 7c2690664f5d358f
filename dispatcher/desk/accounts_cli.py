"""`patriot user` and `patriot apikey`: accounts of staff and keys of devices, from the administrator's shell."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import asyncpg
import click

from dispatcher import audit_store
from dispatcher.desk import accounts, device_keys, totp
from infra.access import DeviceScope
from infra.postgres import TRANSIENT, Connection, connect
from schemas.place import AgencyRef
from schemas.vocabulary import Role

T = TypeVar("T")

#: In the audit, for what is done from the shell: whoever may read the city's secret.
_ACTOR: Final = "shell"

#: Shorter ones are taken, with a word about it: the administrator's shell is no place to argue.
_GOOD_LENGTH: Final = 8
_MAX_PASSWORD: Final = 1000


def _agencies(_: click.Context, __: click.Parameter, texts: tuple[str, ...]) -> tuple[AgencyRef, ...]:
    try:
        return tuple(AgencyRef.parse(text) for text in texts)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


#: Beside it `patriot` offers --data-dir, and finds the database there.
_dsn: Final = click.option("--postgres-dsn", envvar="PATRIOT_POSTGRES_DSN", required=True, help="URL of the database.")


def _do(dsn: str, work: Callable[[Connection], Awaitable[T]]) -> T:
    """Run `work` on a connection; whatever goes wrong is one sentence."""

    async def run() -> T:
        connection = await connect(dsn, application="patriot-accounts")
        try:
            return await work(connection)
        finally:
            await connection.close(timeout=5)

    try:
        return asyncio.run(run())
    except accounts.AccountError as error:
        raise click.ClickException(str(error)) from error
    except asyncpg.UndefinedTableError as error:
        raise click.ClickException("the database has no schema yet: run `patriot migrate` first") from error
    except (*TRANSIENT, asyncpg.PostgresError, ValueError) as error:
        # never the message as it is: it may quote the URL with its password
        raise click.ClickException(
            f"the database does not answer as it should ({type(error).__name__}); is it up, and is its URL right?"
        ) from error


async def _tell(connection: Connection, action: str, username: str) -> None:
    await audit_store.record(connection, actor=_ACTOR, action=action, subject=f"account:{username.strip().lower()}")


def _password(from_stdin: bool) -> str:
    if from_stdin:
        password = sys.stdin.readline(_MAX_PASSWORD + 2).rstrip("\r\n")
    else:
        password = str(click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))
    if not password.strip():
        raise click.ClickException("the password is empty")
    if len(password) > _MAX_PASSWORD:
        raise click.ClickException(f"the password has more than {_MAX_PASSWORD} characters")
    if len(password) < _GOOD_LENGTH:
        click.echo(f"warning: a password of under {_GOOD_LENGTH} characters is easily guessed", err=True)
    return password


@click.group("user")
def user() -> None:
    """Accounts of staff."""


@user.command("add")
@click.argument("name")
@click.option("--role", required=True, type=click.Choice([role.value for role in Role]))
@click.option(
    "--agency",
    "agencies",
    multiple=True,
    metavar="REGENCY/CODE",
    callback=_agencies,
    help="Whose work they see, such as 32.75/DISHUB; repeatable.",
)
@click.option("--kecamatan", help="Code of the kecamatan they see, such as 32.75.03.")
@click.option("--kelurahan", help="Code of the kelurahan or desa they see, such as 32.75.03.1001.")
@click.option("--display-name", help="What others read; NAME when left out.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input (one line).")
@_dsn
def add_user(
    name: str,
    role: str,
    agencies: tuple[AgencyRef, ...],
    kecamatan: str | None,
    kelurahan: str | None,
    display_name: str | None,
    password_stdin: bool,
    postgres_dsn: str,
) -> None:
    """Make an account. An officer needs one --agency, a dispatcher at least one, an area head a --kecamatan or a
    --kelurahan."""
    try:
        new = accounts.account(name, Role(role), agencies, kecamatan, display_name, kelurahan)
    except accounts.AccountError as error:
        raise click.UsageError(str(error)) from error
    password = _password(password_stdin)

    async def add(connection: Connection) -> None:
        await accounts.add(connection, new, password)
        await _tell(connection, "account_added", new.username)

    _do(postgres_dsn, add)
    click.echo(f"added {new.username} ({new.role})")


@user.command("list")
@_dsn
def list_users(postgres_dsn: str) -> None:
    """Every account, a line each: name, role, scope, state; with tabs between."""
    for one in _do(postgres_dsn, accounts.select_all):
        area = one.kelurahan or one.kecamatan
        scope = " ".join([*map(str, one.agencies), *([area] if area else [])]) or "whole city"
        click.echo("\t".join((one.username, one.role, scope, "disabled" if one.disabled_at else "active")))


@user.command("disable")
@click.argument("name")
@_dsn
def disable_user(name: str, postgres_dsn: str) -> None:
    """End an account and its sessions (running services forget them within a minute). What it did stays."""

    async def disable(connection: Connection) -> None:
        await accounts.disable(connection, name)
        await _tell(connection, "account_disabled", name)

    _do(postgres_dsn, disable)
    click.echo(f"disabled {name}")


@user.command("enable")
@click.argument("name")
@_dsn
def enable_user(name: str, postgres_dsn: str) -> None:
    """Let somebody in again whose account was ended; an officer comes back to the board, off duty."""

    async def enable(connection: Connection) -> None:
        await accounts.enable(connection, name)
        await _tell(connection, "account_enabled", name)

    _do(postgres_dsn, enable)
    click.echo(f"enabled {name}")


@user.command("reset")
@click.argument("name")
@click.option("--totp", "remove_totp", is_flag=True, help="Remove the second factor, too: the phone is lost.")
@_dsn
def reset_user(name: str, remove_totp: bool, postgres_dsn: str) -> None:
    """Print a one-time token by which somebody sets a new password (POST /api/v1/password-reset) within 24 hours."""
    username = name.strip().lower()

    async def reset(connection: Connection) -> str:
        async with connection.transaction():
            if await accounts.select_for_update(connection, username) is None:
                raise accounts.AccountError(f"there is no account {name}")
            token, _ = await accounts.open_reset(connection, username)
            if remove_totp:
                await totp.remove(connection, username)
            await _tell(connection, "password_reset_opened", username)
        return token

    click.echo(_do(postgres_dsn, reset))


@click.group("apikey")
def apikey() -> None:
    """Keys of devices and gateways."""


@apikey.command("add")
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice([scope.value for scope in DeviceScope]),
    help="What it may send; repeatable. Both when left out.",
)
@_dsn
def add_key(name: str, scopes: tuple[str, ...], postgres_dsn: str) -> None:
    """Make a key and print it. It is shown this once."""
    chosen = [DeviceScope(scope) for scope in scopes] or list(DeviceScope)
    click.echo(_do(postgres_dsn, lambda connection: device_keys.add(connection, name, chosen)))


@apikey.command("list")
@_dsn
def list_keys(postgres_dsn: str) -> None:
    """Every key, a line each: id, name, scopes, state; with tabs between. The keys themselves are not kept."""
    for key in _do(postgres_dsn, device_keys.select_all):
        click.echo("\t".join((key.id, key.name, ",".join(key.scopes), "revoked" if key.revoked_at else "active")))


@apikey.command("revoke")
@click.argument("id_or_name")
@_dsn
def revoke_key(id_or_name: str, postgres_dsn: str) -> None:
    """End the key with this id, or all of this name (running services forget it within a minute)."""
    count = _do(postgres_dsn, lambda connection: device_keys.revoke(connection, id_or_name))
    click.echo(f"revoked {count} key{'s' if count > 1 else ''}")
