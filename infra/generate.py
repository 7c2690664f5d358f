"""Writes what is generated from the Python types: JSON Schemas, AsyncAPI, the pages' types. `--check` only compares."""

import json
import sys
from pathlib import Path
from typing import Any, Final

import msgspec

from infra import asyncapi, yaml_text
from infra.http import release
from schemas.assignment import AssignmentRow
from schemas.envelope import schema_id
from schemas.events import VALUES
from schemas.feed import KpiRow, OfficerRow, PublicIncidentRow, SensorRow, WifiNodeRow
from schemas.incident import IncidentRow
from schemas.place import AgencyRef
from schemas.report import ReportDraft, Reporter, ReportReceipt
from schemas.vocabulary import FeedChannel, Role

_ROOT: Final = Path(__file__).resolve().parent.parent

#: What the pages read and send; the types they refer to come along.
PAGE_TYPES: Final = (
    AgencyRef,
    AssignmentRow,
    FeedChannel,
    IncidentRow,
    KpiRow,
    OfficerRow,
    PublicIncidentRow,
    ReportDraft,
    ReportReceipt,
    Role,
    SensorRow,
    WifiNodeRow,
)


def json_schema(event_type: str) -> dict[str, Any]:
    """JSON Schema (2020-12) of an event type's value; `$id` is what `ce_dataschema` says."""
    _, definitions = msgspec.json.schema_components([VALUES[event_type]], ref_template="#/$defs/{name}")
    body = definitions.pop(VALUES[event_type].__name__)
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": schema_id(event_type)}
    return {**head, **body, "$defs": definitions} if definitions else {**head, **body}


def _typescript_type(schema: dict[str, Any]) -> str:
    match schema:
        case {"$ref": str(reference)}:
            return reference.rpartition("/")[2]
        case {"anyOf": list(choices)}:
            return " | ".join(_typescript_type(choice) for choice in choices)
        case {"enum": list(values)}:
            return " | ".join(f"'{value}'" for value in values)
        case {"type": "array"}:
            inner = _typescript_type(schema["items"])
            return f"({inner})[]" if "|" in inner else f"{inner}[]"
        case {"format": "date-time"}:
            return "Timestamp"
        case {"type": "integer"}:
            return "number"
        case {"type": "string" | "number" | "boolean" | "null" as kind}:
            return str(kind)
    raise ValueError(f"no TypeScript for {schema}")


def typescript() -> str:
    """The words and rows as the pages' types. What we send has all its fields; what we are sent may leave some out."""
    _, definitions = msgspec.json.schema_components(PAGE_TYPES, ref_template="#/$defs/{name}")
    inbound = {kind.__name__ for kind in (ReportDraft, Reporter)}
    parts = [
        "/** Generated from `schemas/` by `python -m infra.generate`; a test fails when it is stale. */",
        "export type Timestamp = string;",
    ]
    for name, schema in definitions.items():
        if "enum" in schema:
            parts.append(f"export type {name} = {_typescript_type(schema)};")
            continue
        required = set(schema["required"]) if name in inbound else set(schema["properties"])
        fields = "".join(
            f"  {field}{'' if field in required else '?'}: {_typescript_type(kind)};\n"
            for field, kind in schema["properties"].items()
        )
        parts.append(f"export interface {name} {{\n{fields}}}")
    return "\n\n".join(parts) + "\n"


def documents() -> dict[Path, str]:
    """Every generated file and what it should hold."""
    folder = _ROOT / "schemas" / "json"
    found = {
        folder / f"{event_type}.json": json.dumps(json_schema(event_type), indent=2, ensure_ascii=False) + "\n"
        for event_type in VALUES
    }
    found[_ROOT / "schemas" / "asyncapi.yaml"] = yaml_text.write(asyncapi.document(release()))
    found[_ROOT / "command_center_ui" / "web" / "src" / "contract.generated.ts"] = typescript()
    return found


def stale() -> list[Path]:
    """Generated files that are missing, differ, or that nothing generates any more."""
    wanted = documents()
    differing = [path for path, text in wanted.items() if not path.exists() or path.read_text("utf-8") != text]
    orphans = [path for path in (_ROOT / "schemas" / "json").glob("*.json") if path not in wanted]
    return sorted(differing + orphans)


def main() -> int:
    """Write them, or with `--check` say which are stale and end with 1."""
    found = stale()
    if "--check" in sys.argv[1:]:
        for path in found:
            print(f"stale: {path.relative_to(_ROOT)} (run python -m infra.generate)", file=sys.stderr)
        return 1 if found else 0
    wanted = documents()
    for path in found:
        if path in wanted:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(wanted[path], "utf-8")
        else:
            path.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
