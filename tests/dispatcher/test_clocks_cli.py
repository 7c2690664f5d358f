"""`patriot clocks`: what is live becomes a file, and a file becomes live."""

from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from dispatcher import clocks_cli


def clocks(*arguments: str) -> Result:
    return CliRunner().invoke(clocks_cli.command, list(arguments))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "clocks.json"


def test_what_is_shown_can_be_changed_and_applied(database: str, file: Path) -> None:
    file.write_text(clocks("show", "--postgres-dsn", database).output)
    live = msgspec.json.decode(file.read_bytes())
    live["promises"].insert(0, {"clock": "resolved", "category": "flood", "within": {"minutes": 30}})
    live["calendars"]["office"]["closes"] = "15:00"
    file.write_bytes(msgspec.json.encode(live))
    assert "good" in clocks("check", str(file), "--postgres-dsn", database).output
    assert clocks("apply", str(file), "--why", "musim hujan", "--postgres-dsn", database).exit_code == 0
    assert msgspec.json.decode(clocks("show", "--postgres-dsn", database).output) == live


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "not JSON"),
        ('{"promises": [{"clock": "resolved", "within": {}}]}', "minutes or working_days"),
        ('{"promises": [{"clock": "resolved", "within": {"minutes": 5}, "calendar": "posko"}]}', "posko"),
        ('{"calendars": {"posko": {"weekdays": [1], "opens": "08:00", "closes": "16:00"}}}', "office"),
        ('{"promise": []}', "promise"),
    ],
)
def test_a_file_that_cannot_be_applied_is_refused_with_its_reason(
    database: str, file: Path, text: str, said: str
) -> None:
    file.write_text(text)
    for verb in ("check", "apply"):
        done = clocks(verb, str(file), "--postgres-dsn", database)
        assert done.exit_code == 1
        assert said in done.output
