"""Plain values as YAML 1.2 that people can read: blocks, and no more of YAML than that."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Final

#: Words that are texts in every version of YAML without quotes; all others get JSON's, which YAML has too.
_PLAIN: Final = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*")
_NOT_TEXT: Final = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})


def write(value: object) -> str:
    """`value` (of dicts, lists, texts, numbers, booleans and None) as a YAML document. Raises TypeError for others."""
    return "\n".join(_lines(value)) + "\n"


def _lines(value: object) -> Iterator[str]:
    if isinstance(value, Mapping) and value:
        for name, item in value.items():
            yield from _entry(f"{_scalar(str(name))}:", item)
    elif isinstance(value, list | tuple) and value:
        for item in value:
            first, *rest = _lines(item)
            yield f"- {first}"
            yield from (f"  {line}" for line in rest)
    else:
        yield _scalar(value)


def _entry(name: str, item: object) -> Iterator[str]:
    if isinstance(item, Mapping | list | tuple) and item:
        yield name
        yield from (f"  {line}" for line in _lines(item))
    else:
        yield f"{name} {_scalar(item)}"


def _scalar(value: object) -> str:
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _NOT_TEXT:
        return value
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
