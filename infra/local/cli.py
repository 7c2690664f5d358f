"""`patriot`: one program, each subcommand loaded only when it is asked for."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version

import click
from pydantic_core import ValidationError

from infra.local.database_options import with_data_dir


@dataclass(frozen=True, slots=True)
class Subcommand:
    """Where a subcommand is, and its line in the list (shown without loading it)."""

    target: str
    help: str
    #: It runs until Ctrl-C, which is then its proper end.
    service: bool = False
    #: It works on the database (and Kafka), and finds them by --data-dir.
    finds: bool = False


SUBCOMMANDS: Mapping[str, Subcommand] = {
    "up": Subcommand("infra.local.up:command", "Bring up everything on this machine.", service=True),
    "ingest": Subcommand("ingest.__main__:command", "Service: reports and telemetry from outside.", service=True),
    "dispatcher": Subcommand("dispatcher.__main__:command", "Service: from reports to assignments.", service=True),
    "desk": Subcommand("dispatcher.desk.__main__:command", "Service: questions and commands of staff.", service=True),
    "feed": Subcommand("command_center_ui.__main__:command", "Service: the live feed for the wall.", service=True),
    "simulate": Subcommand("infra.simulate.__main__:command", "A city acting through the public API.", service=True),
    "replay": Subcommand("infra.replay.__main__:command", "Send recorded reports or readings again."),
    "migrate": Subcommand("infra.migrate:command", "Bring the database to the newest schema.", finds=True),
    "kafka": Subcommand("infra.kafka_cli:command", "Topics and access rights in an outside Kafka."),
    "backup": Subcommand("infra.local.backup:command", "Save the city into a directory, while it runs."),
    "restore": Subcommand("infra.local.restore:command", "A city again from what was saved."),
    "doctor": Subcommand("infra.local.doctor:command", "Check ports, disk, clock, Kafka, PostgreSQL and more."),
    "user": Subcommand("dispatcher.desk.accounts_cli:user", "Accounts of staff.", finds=True),
    "apikey": Subcommand("dispatcher.desk.accounts_cli:apikey", "Keys of devices and gateways.", finds=True),
    "clocks": Subcommand("dispatcher.clocks_cli:command", "By when what is due, and who is told.", finds=True),
    "dlq": Subcommand("dispatcher.dlq:command", "Messages that were set aside.", finds=True),
    "audit": Subcommand("dispatcher.audit_cli:command", "The log of decisions and looks at data.", finds=True),
    "privacy": Subcommand("dispatcher.privacy_cli:command", "What is kept of a person: given, erased.", finds=True),
    "rules": Subcommand("dispatcher.rules_cli:command", "Routing rules in a file: check, try, apply.", finds=True),
    "evaluate": Subcommand("dispatcher.evaluate:command", "Judge a CSV file as the dispatcher would."),
}


class Program(click.Group):
    """The group that loads a subcommand by its name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(SUBCOMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        found = SUBCOMMANDS.get(cmd_name)
        if found is None:
            return None
        module, _, name = found.target.partition(":")
        command = getattr(import_module(module), name)
        if not isinstance(command, click.Command):
            raise TypeError(f"{found.target} is not a command")
        return with_data_dir(command) if found.finds else command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, found.help) for name, found in SUBCOMMANDS.items()])


def _version() -> str:
    try:
        return version("patriot")
    except PackageNotFoundError:
        return "0 (not installed)"


@click.group(cls=Program, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(_version(), prog_name="patriot")
def program() -> None:
    """Patriot, the Command Center of Bekasi. Start with: patriot up"""


def main() -> None:
    """Run the command line and end the process: 0 for success, 2 for wrong usage, 1 for anything else."""
    arguments = sys.argv[1:]
    asked = SUBCOMMANDS.get(next((word for word in arguments if not word.startswith("-")), ""))
    service = asked is not None and asked.service
    try:
        sys.exit(program.main(arguments, prog_name="patriot", standalone_mode=False) or 0)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(0 if service else 1)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = "_".join(str(part) for part in first["loc"]).upper()
        if name:
            _complain(f"PATRIOT_{name}: {first['msg']}. Set it in the environment or as an option.")
        _complain(f"{first['msg'].removeprefix('Value error, ')}.")  # of several together; it names them itself
    except BrokenPipeError:  # `patriot … | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:
        # the log of a service keeps the whole story; a person at the prompt gets the line
        if (service and asked is not SUBCOMMANDS["up"]) or os.environ.get("PATRIOT_LOG_LEVEL") == "debug":
            traceback.print_exc()
        _complain(f"{type(error).__name__}: {error} (PATRIOT_LOG_LEVEL=debug shows where)")


def _complain(line: str) -> None:
    click.echo(f"Error: {' '.join(line.split())}", err=True)
    sys.exit(1)


if __name__ == "__main__":
    main()
