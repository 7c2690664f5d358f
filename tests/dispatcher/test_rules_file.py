"""`patriot rules check` and what files look like: mistakes are told by their lines, and what is written can be read."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import given

from dispatcher import rules_file
from dispatcher.decisions.default_rules import DEFAULT_RULES
from dispatcher.decisions.rule import Rule, RuleSet
from dispatcher.decisions.rule_check import flaws
from dispatcher.rules_cli import command
from tests.dispatcher.test_rule_findings import RULES

GOOD = """\
# whose a road is
version: 4
rules:
  - name: Tol ke pengelolanya
    when:
      category: [traffic_jam, road_damage]
      road: [toll]
    transfer_to: TOLL
  - name: Pagi di Kota
    when: {regency: [32.75], kecamatan: [32.75.01], time: [06:00-09:00], day: [workday]}
    agency: DISHUB
    co_agencies: [SATPOL_PP]
    skills: [derek]
    officers: 2
    priority: high
"""


def check(path: Path, text: str | bytes) -> Result:
    file = path / "rules.yaml"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return CliRunner().invoke(command, ["check", str(file)])


def test_a_good_file_is_read_with_codes_as_codes(tmp_path: Path) -> None:
    assert check(tmp_path, GOOD).stdout == "2 rules, based on version 4\n"
    given = rules_file.read(tmp_path / "rules.yaml")
    assert given.rules[1].when.regency == ("32.75",)
    assert (given.rules[1].officers, given.rules[1].skills) == (2, ("derek",))


@pytest.mark.parametrize(
    ("old", "new", "line", "what"),
    [
        ("[toll]", "[tool]", 7, "rules.0.when.road.0: not one of the allowed words"),
        ("DISHUB\n", "PLN\n", 11, "rules.1.agency: an outside body takes no orders"),
        ("    transfer_to: TOLL\n", "", 4, "rules.0: say one of agency"),
        ("officers: 2", "officers: many", 14, "rules.1.officers: expected int"),
        ("officers: 2", "oficers: 2", 14, "rules.1.oficers: unknown field"),
        ("name: Pagi di Kota", "nama: Pagi", 9, "rules.1.nama: unknown field"),
        ("32.75.01", "32.75.99", 10, "no kecamatan of Bekasi has this code"),
        ("06:00-09:00", "6-9", 10, "rules.1.when.time.0: not in the form"),
        ("version: 4\n", "version: 4\nversion: 5\n", 3, "the same name twice"),
        ("[toll]", "[toll", 8, "expected ',' or ']'"),
        ("version: 4\n", "", 2, "version: required"),
        ("Pagi di Kota", "Tol ke Pengelolanya", 9, "rules.1.name: rule 1 has this name"),
    ],
)
def test_a_mistake_is_told_with_its_line(tmp_path: Path, old: str, new: str, line: int, what: str) -> None:
    assert old in GOOD
    result = check(tmp_path, GOOD.replace(old, new))
    assert result.exit_code == 1
    assert f"rules.yaml:{line}: " in result.output
    assert what in result.output


@pytest.mark.parametrize("text", ["", "- a", "{", b"\xff\xfe", "version: 1\nrules: []", "x" * 1_100_000, "&a [*a]"])
def test_what_is_no_file_of_rules_is_told_in_a_line(tmp_path: Path, text: str | bytes) -> None:
    result = check(tmp_path, text)
    assert result.exit_code == 1
    assert result.output.startswith("Error: ") and result.output.count("\n") == 1


def test_all_mistakes_of_the_rules_are_told_at_once(tmp_path: Path) -> None:
    result = check(tmp_path, GOOD.replace("transfer_to: TOLL", "transfer_to: DLH").replace("DISHUB\n", "PLN\n"))
    assert result.output.count("rules.yaml:") == 2


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    result = CliRunner().invoke(command, ["check", str(tmp_path / "none.yaml")])
    assert (result.exit_code, "No such file" in result.output) == (1, True)


def test_what_may_not_be_meant_is_a_warning(tmp_path: Path) -> None:
    text = (
        "version: 0\nrules:\n- {name: semua, agency: DLH}\n- {name: banjir, when: {category: [flood]}, agency: BPBD}\n"
    )
    result = check(tmp_path, text)
    assert result.exit_code == 0
    assert "warning: 2. banjir never fires: 1. semua before it" in result.output


@given(RULES)
def test_what_is_exported_is_read_as_it_was(tmp_path_factory: pytest.TempPathFactory, rules: tuple[Rule, ...]) -> None:
    # a rule with `other` and an agency is drawn too, and told; all the rest is read back
    kept = tuple(rule for rule in rules if not flaws([rule]))
    if kept:
        read_back(tmp_path_factory.mktemp("rules"), RuleSet(version=3, rules=kept))


def test_the_rules_in_code_are_exported_and_read_as_they_are(tmp_path: Path) -> None:
    read_back(tmp_path, DEFAULT_RULES)


def read_back(folder: Path, rules: RuleSet) -> None:
    path = folder / "rules.yaml"
    path.write_text(rules_file.write(rules))
    given = rules_file.read(path)
    assert (given.version, given.rules) == (rules.version, rules.rules)


def test_the_example_of_the_document_is_good(tmp_path: Path) -> None:
    document = (Path(__file__).parents[2] / "docs" / "rules.md").read_text("utf-8")
    [example] = re.findall(r"```yaml\n(.*?)```", document, re.DOTALL)
    result = check(tmp_path, example)
    assert result.exit_code == 0, result.output
    assert "never fires" not in result.stderr
