"""Whether two releases can run side by side: what a JSON Schema of a value may become within a major version.

Records of the newer release are read by the older one, and the other way round, so what was there stays exactly as it
was: nothing narrower (old records would be refused) and nothing wider (new ones would be). Optional fields may come.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

#: Said for people; readers do not act by them.
_FOR_PEOPLE: Final = frozenset({"$schema", "$id", "$defs", "title", "description", "examples"})
#: Looked into below; every other keyword has to stay as it was.
_LOOKED_INTO: Final = frozenset(
    {"$ref", "properties", "required", "items", "additionalProperties", "propertyNames", "anyOf", "enum"}
)

Schema = Mapping[str, Any]


def breaks(old: Schema, new: Schema) -> list[str]:
    """What `new` does to readers or records of `old`, a sentence each that begins with the field; empty is good."""
    return list(_compare(old, old, new, new, ""))


def _compare(old: Schema, old_root: Schema, new: Schema, new_root: Schema, at: str) -> Iterator[str]:
    old, new = _resolve(old, old_root), _resolve(new, new_root)
    place = at or "the value"
    for keyword in sorted((old.keys() | new.keys()) - _FOR_PEOPLE - _LOOKED_INTO):
        if _plain(old.get(keyword)) != _plain(new.get(keyword)):
            yield f"{place}: {keyword} was {_shown(old, keyword)}, is {_shown(new, keyword)}"
    yield from _compare_words(old, new, place)
    yield from _compare_fields(old, old_root, new, new_root, at)
    for keyword in ("items", "additionalProperties", "propertyNames"):
        before, now = old.get(keyword), new.get(keyword)
        if isinstance(before, Mapping) and isinstance(now, Mapping):
            yield from _compare(before, old_root, now, new_root, f"{at}[]")
        elif before != now:
            yield f"{place}: {keyword} was {_shown(old, keyword)}, is {_shown(new, keyword)}"
    choices, now_choices = old.get("anyOf", []), new.get("anyOf", [])
    if len(choices) != len(now_choices):
        yield f"{place}: had {len(choices)} alternatives, has {len(now_choices)}"
    else:
        for before, now in zip(choices, now_choices, strict=True):
            yield from _compare(before, old_root, now, new_root, at)


def _compare_words(old: Schema, new: Schema, place: str) -> Iterator[str]:
    before, now = set(old.get("enum", ())), set(new.get("enum", ()))
    for word in sorted(before - now, key=str):
        yield f"{place}: the word {word!r} is gone"
    for word in sorted(now - before, key=str):
        yield f"{place}: the word {word!r} is new, and older readers refuse it"


def _compare_fields(old: Schema, old_root: Schema, new: Schema, new_root: Schema, at: str) -> Iterator[str]:
    before, now = old.get("properties", {}), new.get("properties", {})
    required, now_required = set(old.get("required", ())), set(new.get("required", ()))
    for name in before:
        field = f"{at}.{name}".lstrip(".")
        if name not in now:
            yield f"{field}: is gone"
            continue
        if name in required and name not in now_required:
            yield f"{field}: is no longer required, and older readers require it"
        if name not in required and name in now_required:
            yield f"{field}: is required now, and older records lack it"
        yield from _compare(before[name], old_root, now[name], new_root, field)
    for name in now:
        if name not in before and name in now_required:
            yield f"{at}.{name}".lstrip(".") + ": is new and required, and older records lack it"


def _resolve(schema: Schema, root: Schema) -> Schema:
    while "$ref" in schema:
        found: Any = root
        for part in str(schema["$ref"]).removeprefix("#/").split("/"):
            found = found[part]
        schema = found
    return schema


def _plain(value: Any) -> Any:
    """A default may be a tuple in the types and is an array in the file."""
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str) else value


def _shown(schema: Schema, keyword: str) -> str:
    return repr(_plain(schema[keyword])) if keyword in schema else "not given"
