"""Routing judged on a file of reports: where each would go, and by which rule."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

import click
import msgspec

from dispatcher.decisions.calendar import JAKARTA
from dispatcher.decisions.decide import decide
from dispatcher.decisions.policy import Policy
from dispatcher.decisions.sighting import of_report
from dispatcher.evaluation_file import Judged, Rows, label_of, share
from schemas.gazetteer import gazetteer
from schemas.report import ReportSubmitted
from schemas.vocabulary import Category, Priority, ReportChannel

#: A report without a time is one of a Monday noon, which is no holiday.
_ORDINARY: Final = datetime(2026, 11, 23, 12, tzinfo=JAKARTA)


class Line(msgspec.Struct, frozen=True):
    """Where a row's report goes: `outcome` is an agency (`32.75/DLH`), an outside body, or `triage`."""

    row: int
    category: Category
    outcome: str
    priority: Priority
    rule: str | None
    version: int | None


def judge_routes(rows: Rows, policy: Policy) -> Judged:
    """A line per row, each as the first report of its incident; a summary when rows have a `label` (an outcome)."""
    lines = [_line(number, _report(number, row), _time(number, row), policy) for number, row in enumerate(rows)]
    labels = [label_of(row) for row in rows]
    labelled = [(line, label) for line, label in zip(lines, labels, strict=True) if label is not None]
    right = sum(line.outcome == label for line, label in labelled)
    return Judged(lines, f"right {share(right, len(labelled))}" if labelled else None)


def _line(number: int, report: ReportSubmitted, at: datetime, policy: Policy) -> Line:
    change = decide(of_report(report, at, gazetteer(), ""), (), at, policy)
    routed = next(decision for decision in change.decisions if decision.judgement == "route")
    return Line(
        number,
        change.after.category,
        routed.outcome,
        change.after.priority,
        routed.rule.name if routed.rule else None,
        routed.rule.version if routed.rule else None,
    )


def _report(number: int, row: Mapping[str, str]) -> ReportSubmitted:
    try:
        return ReportSubmitted(
            report_id=str(number),
            tracking_code="",
            description=row["text"],
            lat=float(row["lat"]) if row.get("lat") else None,
            lon=float(row["lon"]) if row.get("lon") else None,
            address=row.get("address") or None,
            channel=ReportChannel(row.get("channel") or ReportChannel.APP),
            submitted_at=_ORDINARY,
        )
    except ValueError as error:
        raise click.ClickException(f"Row {number} has a lat, lon or channel that is none.") from error


def _time(number: int, row: Mapping[str, str]) -> datetime:
    written = row.get("time", "").strip()
    try:
        at = datetime.fromisoformat(written) if written else _ORDINARY
    except ValueError as error:
        raise click.ClickException(
            f"Row {number} has the time {written!r}; write 2026-11-22T14:05:00+07:00."
        ) from error
    return (at if at.tzinfo else at.replace(tzinfo=JAKARTA)).astimezone(UTC)
