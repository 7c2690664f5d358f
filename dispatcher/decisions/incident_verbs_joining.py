"""Two that are one, and one that is two: merging and splitting, and undoing both.

Reports and evidence are in one incident at a time. Merging moves them to the other incident, undoing brings back what
came from there; splitting moves some to a new incident, and merging that one back undoes it. Both sides are counted
anew from what belongs to them (dispatcher.decisions.tally), so that no sequence makes them disagree.
"""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from dispatcher.decisions.assignment import Assignment, officers_of
from dispatcher.decisions.change import Change, Decision
from dispatcher.decisions.incident import CUSTODY, ENDED, IllegalMove, Incident, move, new_id, opened
from dispatcher.decisions.incident_verbs import Unusable, goes_on, require
from dispatcher.decisions.incident_verbs_judging import Point, moved_to
from dispatcher.decisions.prioritise import highest
from dispatcher.decisions.tally import Belongings, tally
from schemas.vocabulary import IncidentStatus


def may_merge(incident: Incident, into: Incident) -> None:
    """Raises `IllegalMove` when the other one is settled, or this one takes no `merge`; `Unusable` for itself."""
    require(incident, "merge")
    if into.id == incident.id:
        raise Unusable("into", "is this incident itself")
    if into.status in ENDED:
        raise IllegalMove(f"{into.id} is {into.status}: reports can only join one that is still open")


def merge(
    incident: Incident,
    into: Incident,
    reason: str,
    team: Sequence[Assignment],
    together: Belongings,
    *,
    actor: str,
    now: datetime,
) -> tuple[Change, Change]:
    """This incident's reports are the other's from now on. `team`: this one's assignments, none of them active;
    `together`: what belongs to the other one now. Raises as `may_merge`."""
    may_merge(incident, into)
    after, event = move(
        incident,
        IncidentStatus.MERGED,
        "merged",
        actor=actor,
        now=now,
        note=reason,
        detail={"into": into.id, "reports": str(incident.report_count)},
        merged_into=into.id,
        officers=officers_of(team),
        **tally(incident, Belongings()),
    )
    joined, absorbed = move(
        into,
        into.status,
        "absorbed",
        actor=actor,
        now=now,
        note=reason,
        detail={"from": incident.id, "reports": str(incident.report_count), CUSTODY: into.holder or ""},
        priority=highest((into.priority, incident.priority)),
        **tally(into, together),
    )
    said = (f"menurut {actor}", reason)
    return (
        Change(incident, after, (event,), (Decision("correlate", f"merged into {into.id}", said),)),
        Change(into, joined, (absorbed,), (Decision("correlate", f"absorbed {incident.id}", said),)),
    )


def unmerge(
    incident: Incident, holder: Incident, reason: str, back: Belongings, left: Belongings, *, actor: str, now: datetime
) -> tuple[Change, Change]:
    """It is an incident of its own again, with what came from it. `holder`: the one that had its reports; `left`: what
    still belongs to that. Raises `IllegalMove`."""
    require(incident, "unmerge")
    after, event = move(
        incident,
        goes_on(incident),
        "unmerged",
        actor=actor,
        now=now,
        note=reason,
        detail={"from": holder.id, CUSTODY: incident.holder or ""},
        merged_into=None,
        ended_at=None,
        on_board=True,
        **tally(incident, back),
    )
    without, parted = move(
        holder,
        holder.status,
        "parted",
        actor=actor,
        now=now,
        note=reason,
        detail={"from": incident.id, "reports": str(len(back.reports))},
        **tally(holder, left),
    )
    said = (f"menurut {actor}", reason)
    return (
        Change(incident, after, (event,), (Decision("correlate", f"parted from {holder.id}", said),)),
        Change(holder, without, (parted,), (Decision("correlate", f"parted from {incident.id}", said),)),
    )


def may_split(incident: Incident, chosen: Belongings, left: Belongings, asked_for: Sequence[str]) -> None:
    """Raises `IllegalMove`, and `Unusable` for reports of others or when nothing would be left."""
    require(incident, "split")
    if {one.id for one in chosen.reports} != set(asked_for):
        raise Unusable("report_ids", "not all of them are reports of this incident")
    if not left.reports and not left.evidence:
        raise Unusable("report_ids", "are all it has: leave one, or judge it anew with triage")


def branch(incident: Incident, chosen: Belongings, place: Point | None, *, now: datetime) -> Incident:
    """The new incident of a split, version 1: the same matter with these reports, at their place if they name one."""
    fresh = Incident(
        id=new_id(incident.id.partition("-")[0]),
        version=1,
        category=incident.category,
        status=IncidentStatus.NEW,
        priority=incident.priority,
        agency=incident.agency,
        co_agencies=incident.co_agencies,
        kecamatan=incident.kecamatan,
        kelurahan=incident.kelurahan,
        lat=incident.lat,
        lon=incident.lon,
        place_precision=incident.place_precision,
        address=incident.address,
        opened_at=now,
        updated_at=now,
        received_at=incident.received_at,
        last_report_at=incident.last_report_at,
        confidence=incident.confidence,
        split_from=incident.id,
    )
    counted: Incident = msgspec.structs.replace(fresh, **tally(fresh, chosen))
    return moved_to(counted, place) if place else counted


def split(
    incident: Incident, fresh: Incident, reason: str, chosen: Belongings, left: Belongings, *, actor: str, now: datetime
) -> tuple[Change, Change]:
    """Some reports are another event: `fresh` is its incident (`branch`), which goes on as this one would; `left` is
    what stays here. Raises `IllegalMove`."""
    require(incident, "split")
    ids = ",".join(one.id for one in chosen.reports)
    after, event = move(
        incident,
        incident.status,
        "divided",
        actor=actor,
        now=now,
        note=reason,
        detail={"into": fresh.id, "reports": ids},
        **tally(incident, left),
    )
    began = opened(fresh, actor=actor, now=now, detail={"from": incident.id, "reports": ids})
    # Who has it is told to its reporters anew: they come from another incident.
    going, taken_out = move(
        fresh, goes_on(fresh), "split_off", actor=actor, now=now, note=reason, detail={CUSTODY: fresh.holder or ""}
    )
    said = (f"menurut {actor}", reason)
    return (
        Change(incident, after, (event,), (Decision("correlate", f"divided into {fresh.id}", said),)),
        Change(None, going, (began, taken_out), (Decision("correlate", f"split from {incident.id}", said),)),
    )
