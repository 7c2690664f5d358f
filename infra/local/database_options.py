"""Lets every command that needs the database or Kafka find them by --data-dir, whether `patriot up` runs or not."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import click

#: Parameter names by which a command says what it needs: addresses, and a file with the city's secret.
_ADDRESSES = ("postgres_dsn", "kafka_bootstrap")
_SECRET_FILE = "secret_file"  # noqa: S105 - the name of a parameter
#: Where one parameter leaves its value for the next.
_DATA_DIR, _FOUND = "infra.local.data_dir", "infra.local.found"


def with_data_dir(command: click.Command) -> click.Command:
    """`command` (and its subcommands) with `--data-dir` added where it takes one of these, which is found there."""
    if isinstance(command, click.Group):
        for child in command.commands.values():
            with_data_dir(child)
    needed = [parameter for parameter in command.params if parameter.name in (*_ADDRESSES, _SECRET_FILE)]
    if not needed:
        return command
    own = next((parameter for parameter in command.params if parameter.name == "data_dir"), None)
    if own is None:
        own = _data_dir_option()
        command.params.insert(0, own)
    own.is_eager = True  # known before the addresses are asked for
    names = [parameter.name for parameter in needed]
    for parameter in needed:
        attribute = str(parameter.name)
        if attribute == _SECRET_FILE:
            parameter.default = _secret_file
            continue
        parameter.default = lambda attribute=attribute: getattr(_find(kafka="kafka_bootstrap" in names), attribute)
    return command


def _data_dir_option() -> click.Option:
    def remember(context: click.Context, _: click.Parameter, value: Path) -> Path:
        context.meta[_DATA_DIR] = value
        return value

    return click.Option(
        ["--data-dir"],
        type=click.Path(path_type=Path, file_okay=False),
        default=Path(".patriot"),
        show_default=True,
        envvar="PATRIOT_DATA_DIR",
        expose_value=False,  # the command does not know of it
        callback=remember,
        help="Data directory of `patriot up`, to find Kafka and PostgreSQL by.",
    )


def _data_dir() -> Path:
    context = click.get_current_context()
    return Path(context.meta.get(_DATA_DIR) or context.params["data_dir"])


def _secret_file() -> Path | None:
    file = _data_dir() / "secrets" / "city"
    return file if file.exists() else None


def _find(*, kafka: bool) -> object:
    context = click.get_current_context()
    if _FOUND not in context.meta:
        # loaded when needed, as subcommands are: it brings the whole stack, which a service has no use for
        finding = import_module("infra.local.finding")
        context.meta[_FOUND] = finding.find(context, _data_dir(), kafka=kafka)
    return context.meta[_FOUND]
