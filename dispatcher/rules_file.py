"""Routing rules in a file of YAML or JSON: read with the line of each mistake, and written as it is read."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import msgspec
import yaml
from msgspec import Meta

from dispatcher.decisions.rule import MOST_RULES, Rule, RuleSet
from dispatcher.decisions.rule_check import flaws
from infra import yaml_text
from infra.problem import field_error
from schemas.wire import Inbound

_MAX_BYTES: Final = 1024 * 1024

_Where = tuple[str | int, ...]


class Mistake(Exception):
    """What is wrong with a file, each as `FILE:LINE: what`."""

    def __init__(self, lines: Sequence[str]) -> None:
        super().__init__("\n".join(lines))


class RulesFile(Inbound, frozen=True):
    """`version` was live when the rules were exported, and must still be when they are applied."""

    version: Annotated[int, Meta(ge=0, le=2**31 - 1)]
    rules: Annotated[tuple[Rule, ...], Meta(min_length=1, max_length=MOST_RULES)]


def read(path: Path) -> RulesFile:
    """The rules of a file. Raises `Mistake`, which names every line, and OSError."""
    with path.open("rb") as file:
        data = file.read(_MAX_BYTES + 1)
    if len(data) > _MAX_BYTES:
        raise Mistake([f"{path}: more than {_MAX_BYTES} bytes"])
    lines: dict[_Where, int] = {}
    try:
        root = yaml.compose(data, Loader=yaml.SafeLoader)
        if root is None:
            raise Mistake([f"{path}:1: the file is empty"])
        plain = _plain(root, (), lines)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise Mistake([f"{path}:{mark.line + 1 if mark else 1}: {error.problem or error.context}"]) from error
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise Mistake([f"{path}:1: not YAML or JSON in UTF-8"]) from error
    try:
        # every scalar is text in YAML: 32.75 is a code here, no number
        given = msgspec.convert(plain, RulesFile, strict=False)
    except msgspec.ValidationError as error:
        found = field_error(error)
        where: _Where = tuple(int(part) if part.isdecimal() else part for part in found.field.split("."))
        raise Mistake([f"{path}:{_line(where, lines)}: {found.field}: {found.message}"]) from error
    wrong = [
        f"{path}:{_line(('rules', *where), lines)}: {'.'.join(map(str, ('rules', *where)))}: {message}"
        for where, message in flaws(given.rules)
    ]
    if wrong:
        raise Mistake(wrong)
    return given


def write(rules: RuleSet) -> str:
    """A file that `read` takes."""
    return yaml_text.write({"version": rules.version, "rules": msgspec.to_builtins(rules.rules)})


def _plain(node: yaml.Node, where: _Where, lines: dict[_Where, int]) -> object:
    """The node as dicts, lists and texts; the line of each by the way to it. Raises `yaml.MarkedYAMLError`."""
    lines[where] = node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        found: dict[str, object] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.value in found:
                problem = "the same name twice" if isinstance(key, yaml.ScalarNode) else "a name is expected here"
                raise yaml.MarkedYAMLError(problem=problem, problem_mark=key.start_mark)
            found[key.value] = _plain(value, (*where, key.value), lines)
            lines[(*where, key.value)] = key.start_mark.line + 1
        return found
    if isinstance(node, yaml.SequenceNode):
        return [_plain(value, (*where, number), lines) for number, value in enumerate(node.value)]
    return None if node.tag == "tag:yaml.org,2002:null" else node.value


def _line(where: _Where, lines: dict[_Where, int]) -> int:
    """Where that is written, or what it is missing from."""
    return next((lines[where[:length]] for length in range(len(where), -1, -1) if where[:length] in lines), 1)
