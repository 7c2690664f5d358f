"""What an incident's reports and evidence add up to: counted anew whenever reports change hands."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dispatcher.decisions import evidence
from dispatcher.decisions.change import Evidence
from dispatcher.decisions.incident import Incident


@dataclass(frozen=True, slots=True)
class Reported:
    """A report of an incident, as far as it counts."""

    id: str
    #: The broker's time.
    received_at: datetime
    lat: float | None = None
    lon: float | None = None
    #: Root-relative, of its first photo.
    photo_url: str | None = None


@dataclass(frozen=True, slots=True)
class Belongings:
    """All that belongs to one incident, each oldest first."""

    reports: Sequence[Reported] = ()
    evidence: Sequence[Evidence] = ()


def tally(incident: Incident, belongings: Belongings) -> dict[str, Any]:
    """The fields of the incident that follow from what belongs to it. One that has nothing keeps its times."""
    total, counted_at = 0.0, incident.opened_at
    for number, one in enumerate(belongings.evidence):
        total = evidence.add(total, counted_at if number else one.at, one.weight, one.at, incident.category)
        counted_at = max(counted_at, one.at) if number else one.at
    seen = [one.at for one in belongings.evidence if one.weight > 0]
    return {
        "report_count": len(belongings.reports),
        "sources": tuple(dict.fromkeys(one.source for one in belongings.evidence)),
        "evidence": total,
        "received_at": max((one.at for one in belongings.evidence), default=incident.received_at),
        "last_report_at": max(seen, default=incident.last_report_at),
        "photo_url": next((one.photo_url for one in belongings.reports if one.photo_url), None),
    }
