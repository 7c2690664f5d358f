"""Writes what is generated from the Python types: JSON Schemas of every Kafka value. `--check` only compares."""

import json
import sys
from pathlib import Path
from typing import Any, Final

import msgspec

from schemas import topics
from schemas.assignment import AssignmentChanged
from schemas.envelope import schema_id
from schemas.feed import FeedPulsed, KpiRow, OfficerRow, SensorRow, WifiNodeRow
from schemas.incident import IncidentChanged, IncidentRow
from schemas.report import ContactGiven, ReportSubmitted
from schemas.telemetry import TrafficObserved, WifiObserved
from schemas.vocabulary import FeedChannel

_ROOT: Final = Path(__file__).resolve().parent.parent

#: The value of each event type; a removed row has none.
VALUES: Final[dict[str, Any]] = {
    topics.REPORT_SUBMITTED: ReportSubmitted,
    topics.CONTACT_GIVEN: ContactGiven,
    topics.TRAFFIC_OBSERVED: TrafficObserved,
    topics.WIFI_OBSERVED: WifiObserved,
    topics.INCIDENT_CHANGED: IncidentChanged,
    topics.ASSIGNMENT_CHANGED: AssignmentChanged,
    topics.FEED_PULSED: FeedPulsed,
    topics.ROW_CHANGED[FeedChannel.INCIDENTS]: IncidentRow,
    topics.ROW_CHANGED[FeedChannel.OFFICERS]: OfficerRow,
    topics.ROW_CHANGED[FeedChannel.SENSORS]: SensorRow,
    topics.ROW_CHANGED[FeedChannel.WIFI_NODES]: WifiNodeRow,
    topics.ROW_CHANGED[FeedChannel.KPIS]: KpiRow,
}


def json_schema(event_type: str) -> dict[str, Any]:
    """JSON Schema (2020-12) of an event type's value; `$id` is what `ce_dataschema` says."""
    _, definitions = msgspec.json.schema_components([VALUES[event_type]], ref_template="#/$defs/{name}")
    body = definitions.pop(VALUES[event_type].__name__)
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": schema_id(event_type)}
    return {**head, **body, "$defs": definitions} if definitions else {**head, **body}


def documents() -> dict[Path, str]:
    """Every generated file and what it should hold."""
    folder = _ROOT / "schemas" / "json"
    return {
        folder / f"{event_type}.json": json.dumps(json_schema(event_type), indent=2, ensure_ascii=False) + "\n"
        for event_type in VALUES
    }


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
