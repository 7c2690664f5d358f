"""Releases side by side: what a schema may become, and that records of both are read by both."""

import copy
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra import generate, release
from schemas.compatibility import breaks
from schemas.events import VALUES
from schemas.feed import FeedPulsed

Json = dict[str, Any]

OLD: Json = {
    "type": "object",
    "required": ["id", "status"],
    "properties": {
        "id": {"type": "string", "maxLength": 100},
        "status": {"$ref": "#/$defs/Status"},
        "lat": {"anyOf": [{"type": "number", "minimum": -90}, {"type": "null"}], "default": None},
        "photos": {"type": "array", "items": {"$ref": "#/$defs/Photo"}, "default": ()},
        "as_of": {"type": "object", "additionalProperties": {"type": "string"}},
    },
    "$defs": {
        "Status": {"enum": ["new", "closed"]},
        "Photo": {"type": "object", "required": ["sha256"], "properties": {"sha256": {"type": "string"}}},
    },
}


def changed(change: Callable[[Json], object]) -> list[str]:
    new = copy.deepcopy(OLD)
    change(new)
    return breaks(OLD, new)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda new: new["properties"].pop("lat"), "lat: is gone"),
        (lambda new: new["required"].append("lat"), "lat: is required now, and older records lack it"),
        (lambda new: new["required"].remove("id"), "id: is no longer required, and older readers require it"),
        (lambda new: new["properties"]["id"].update(type="integer"), "id: type was 'string', is 'integer'"),
        (lambda new: new["properties"]["id"].update(maxLength=50), "id: maxLength was 100, is 50"),
        (lambda new: new["properties"]["id"].update(maxLength=200), "id: maxLength was 100, is 200"),
        (lambda new: new["properties"]["id"].pop("maxLength"), "id: maxLength was 100, is not given"),
        (lambda new: new["properties"]["id"].update(pattern="x"), "id: pattern was not given, is 'x'"),
        (lambda new: new["$defs"]["Status"]["enum"].remove("new"), "status: the word 'new' is gone"),
        (
            lambda new: new["$defs"]["Status"]["enum"].append("held"),
            "status: the word 'held' is new, and older readers refuse it",
        ),
        (lambda new: new["properties"]["lat"]["anyOf"].pop(), "lat: had 2 alternatives, has 1"),
        (lambda new: new["properties"]["lat"]["anyOf"][0].update(minimum=0), "lat: minimum was -90, is 0"),
        (lambda new: new["properties"]["lat"].update(default=0), "lat: default was None, is 0"),
        (lambda new: new["$defs"]["Photo"]["properties"].pop("sha256"), "photos[].sha256: is gone"),
        (
            lambda new: (new["properties"].update(x={"type": "string"}), new["required"].append("x")),
            "x: is new and required, and older records lack it",
        ),
        (
            lambda new: new["properties"]["as_of"]["additionalProperties"].update(type="number"),
            "as_of[]: type was 'string', is 'number'",
        ),
        (
            lambda new: new.update(additionalProperties=False),
            "the value: additionalProperties was not given, is False",
        ),
    ],
)
def test_what_another_release_could_not_live_with_is_named(change: Callable[[Json], object], sentence: str) -> None:
    assert changed(change) == [sentence]


@pytest.mark.parametrize(
    "change",
    [
        lambda new: None,
        lambda new: new["properties"].update(hue={"type": "string", "default": ""}),
        lambda new: new["$defs"]["Photo"]["properties"].update(width={"type": "integer"}),
        lambda new: new["properties"]["id"].update(description="said better"),
        lambda new: new.update({"title": "Other", "$id": "https://elsewhere"}),
        lambda new: new["properties"]["photos"].update(default=[]),
        lambda new: new["properties"].update(status=new["$defs"]["Status"]),
    ],
)
def test_what_may_change(change: Callable[[Json], object]) -> None:
    assert changed(change) == []


def test_every_release_that_was_kept_can_run_beside_this_one() -> None:
    assert release.broken() == []
    assert {kind for _, kind in release.kept()} >= set(VALUES), "python -m infra.release was forgotten"


def test_a_release_is_kept_once_and_never_changed(tmp_path: Path) -> None:
    folder = tmp_path / "9.9.9"
    assert release.keep(folder) is None
    assert {path.stem for path in folder.iterdir()} == set(VALUES)
    assert release.keep(folder) is None
    next(folder.iterdir()).write_text("{}")
    assert "version of its own" in str(release.keep(folder))


#: Fits every pattern of ours: visible text, a device's name, no NUL.
_FITTING = st.sampled_from(["S1", "Bekasi-1", "a.b:c_d"])
_TIMES = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


def values_of(schema: Json, root: Json) -> st.SearchStrategy[Any]:
    """Values that fit a schema, in the words that ours use."""
    match schema:
        case {"$ref": str(reference)}:
            return values_of(root["$defs"][reference.rpartition("/")[2]], root)
        case {"enum": list(words)}:
            return st.sampled_from(words)
        case {"const": word}:
            return st.just(word)
        case {"anyOf": list(choices)}:
            return st.one_of([values_of(choice, root) for choice in choices])
        case {"format": "date-time"}:
            return _TIMES.map(datetime.isoformat)
        case {"type": "object", "properties": fields}:
            required = {name: values_of(fields[name], root) for name in schema.get("required", ())}
            optional = {name: values_of(field, root) for name, field in fields.items() if name not in required}
            return st.fixed_dictionaries(required, optional=optional)
        case {"type": "object", "additionalProperties": inner}:
            keys = schema.get("propertyNames", {"type": "string"})
            return st.dictionaries(values_of(keys, root), values_of(inner, root), max_size=3)
        case {"type": "array", "items": inner}:
            return st.lists(values_of(inner, root), max_size=3)
        case {"type": "string"}:
            return _FITTING
        case {"type": "integer"}:
            return st.integers(schema.get("minimum", -(2**31)), schema.get("maximum", 2**31))
        case {"type": "number"}:
            return st.floats(schema.get("minimum", -1e9), schema.get("maximum", 1e9))
        case {"type": "boolean"}:
            return st.booleans()
        case {"type": "null"}:
            return st.none()
    raise AssertionError(f"no values for {schema}")


@pytest.mark.parametrize(("version", "kind"), sorted(release.kept()), ids=lambda word: word)
@given(data=st.data())
@settings(max_examples=15)
def test_records_of_a_release_that_was_kept_are_read_today(version: str, kind: str, data: st.DataObject) -> None:
    schema = release.kept()[version, kind]
    record = data.draw(values_of(schema, schema))
    assert jsonschema.Draft202012Validator(schema).is_valid(record)
    msgspec.json.decode(json.dumps(record), type=VALUES[kind])


@pytest.mark.parametrize(("version", "kind"), sorted(release.kept()), ids=lambda word: word)
@given(data=st.data())
@settings(max_examples=15)
def test_records_of_today_and_of_tomorrow_fit_what_was_kept(version: str, kind: str, data: st.DataObject) -> None:
    today = generate.json_schema(kind)
    record = data.draw(values_of(today, today))
    tomorrow = {**record, "a_field_of_a_later_release": {"deep": [1]}}
    kept = jsonschema.Draft202012Validator(release.kept()[version, kind])
    for each in (record, tomorrow):
        assert [error.message for error in kept.iter_errors(each)] == []
        msgspec.json.decode(json.dumps(each), type=VALUES[kind])


def test_a_pulse_of_a_release_that_has_one_more_channel_is_read() -> None:
    pulse = b'{"shard":0,"shards":1,"as_of":{"incidents":"2026-11-22T07:00:00Z","drains":"2026-11-22T07:00:00Z"}}'
    assert "drains" in msgspec.json.decode(pulse, type=FeedPulsed).as_of
