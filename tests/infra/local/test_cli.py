"""`patriot` as a program: help for everything, 2 for wrong usage, one line for what went wrong."""

import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from infra.local.cli import SUBCOMMANDS, program


def patriot(*arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "infra.local.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=env, check=False)


def leaves(name: str, command: click.Command) -> list[list[str]]:
    if isinstance(command, click.Group):
        return [
            [name],
            *([name, *rest] for child in command.commands.values() for rest in leaves(str(child.name), child)),
        ]
    return [[name]]


@pytest.mark.parametrize("name", SUBCOMMANDS)
def test_every_subcommand_has_help(name: str) -> None:
    command = program.get_command(click.Context(program), name)
    assert command is not None
    for words in leaves(name, command):
        shown = CliRunner().invoke(program, [*words, "--help"])
        assert shown.exit_code == 0, shown.output
        assert shown.output.startswith("Usage:")


@pytest.mark.parametrize("name", [name for name, found in SUBCOMMANDS.items() if found.finds])
def test_what_works_on_the_database_finds_it_by_the_data_directory(name: str) -> None:
    command = program.get_command(click.Context(program), name)
    assert command is not None
    told = [CliRunner().invoke(program, [*words, "--help"]).output for words in leaves(name, command)]
    of_the_database = [text for text in told if "--postgres-dsn" in text]  # others work on files alone
    assert of_the_database
    assert all("--data-dir" in text for text in of_the_database)


def test_wrong_usage_ends_with_2() -> None:
    assert CliRunner().invoke(program, ["up", "--port", "99999"]).exit_code == 2
    assert CliRunner().invoke(program, ["fly"]).exit_code == 2


def test_trouble_is_one_line_and_1(tmp_path: Path) -> None:
    done = patriot("user", "list", "--data-dir", str(tmp_path))
    assert done.returncode == 1
    assert done.stderr.startswith("Error: No embedded database is in")
    assert len(done.stderr.splitlines()) == 1


def test_a_setting_that_is_missing_is_named() -> None:
    done = patriot("feed", env={})
    assert done.returncode == 1
    assert done.stderr.startswith("Error: PATRIOT_SECRET: Field required")
