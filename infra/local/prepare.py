"""Brings the database up to date and makes the first sign-ins; a process of its own, whose memory is given back.

Usage: python -m infra.local.prepare [--simulate], with PATRIOT_POSTGRES_DSN, PATRIOT_DATA_DIR and, for the first admin,
PATRIOT_ADMIN_PASSWORD. Progress goes to standard output, the sign-ins follow as its last line, in JSON.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import asyncpg
import click
import msgspec

from dispatcher.desk.accounts import AccountError
from infra.local import sign_ins
from infra.local.addresses import SignIns
from infra.local.data_dir import DataDir
from infra.local.trouble import Trouble
from infra.migrate import MigrationError, migrate
from infra.postgres import TRANSIENT


async def _prepare(dsn: str, data_dir: Path, admin_password: str | None, *, simulate: bool, training: bool) -> SignIns:
    for name in await migrate(dsn, training=training):
        click.echo(f"Applied migration {name}.")
    people = await sign_ins.ensure(dsn, DataDir(data_dir), admin_password, simulate=simulate)
    if admin_password and people.admin_password != admin_password:
        click.echo("There is an admin already: --admin-password is for the first one only and was not used.")
    return people


@click.command()
@click.option("--postgres-dsn", envvar="PATRIOT_POSTGRES_DSN", required=True)
@click.option("--data-dir", envvar="PATRIOT_DATA_DIR", type=click.Path(path_type=Path), required=True)
@click.option("--admin-password", envvar="PATRIOT_ADMIN_PASSWORD")
@click.option("--training", envvar="PATRIOT_TRAINING", is_flag=True)
@click.option("--simulate", is_flag=True)
def main(postgres_dsn: str, data_dir: Path, admin_password: str | None, training: bool, simulate: bool) -> None:
    """Migrate, then make the first sign-ins."""
    try:
        made = asyncio.run(
            _prepare(postgres_dsn, data_dir, admin_password or None, simulate=simulate, training=training)
        )
    except MigrationError as error:
        raise Trouble(f"PostgreSQL: {error}.") from error
    except AccountError as error:
        raise Trouble(f"The first sign-ins cannot be made: {error}.") from error
    except (*TRANSIENT, asyncpg.PostgresError) as error:
        raise Trouble(f"PostgreSQL cannot be used ({type(error).__name__}: {error}).") from error
    click.echo(msgspec.json.encode(made))


if __name__ == "__main__":
    main()
