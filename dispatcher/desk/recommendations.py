"""Whom to send to an incident: the recommender's list, with the reasons and what is missing."""

from datetime import datetime
from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from dispatcher import assignment_store, choosing, incident_store, offering_store, policy_store
from dispatcher.choosing import Listed
from dispatcher.decisions.incident import MAY
from dispatcher.decisions.offering import OfferingState
from dispatcher.decisions.recommend import Candidate, Choice, recommend
from dispatcher.desk.incidents import incident_id_of, no_such_incident
from dispatcher.desk.query import LIMIT, Parameters
from dispatcher.desk.reach import open_incidents
from dispatcher.desk.resources import SIGNED_IN, STAFF_ERRORS, desk_of, private, scope_of
from dispatcher.offers import task_of
from infra.openapi import describe, parameter
from schemas.vocabulary import AgencyCode, Regency
from schemas.wire import Record, Timestamp

router = APIRouter(tags=["incidents"])


class RecommendedOfficer(Record, frozen=True):
    """An officer who can be asked, best first; null while unknown."""

    officer_id: str
    name: str
    #: Nothing speaks against it: on shift, rested, seen lately, within reach.
    fit: bool
    #: In minutes, the least is best: travel, age of the position, incidents today and rest (see the documentation).
    score: float | None
    #: By road, from the position as it was told.
    travel_minutes: float | None
    position_at: Timestamp | None
    #: Rostered for now; null where the agency keeps no roster.
    on_shift: bool | None
    #: The kecamatan of the shift.
    kecamatan: str | None
    open_offers: int
    accepted_today: int
    skills: tuple[str, ...]
    #: In Indonesian.
    because: tuple[str, ...]


class ShortfallRow(Record, frozen=True):
    """Why fewer officers are fit than are wanted: a cause, how many it keeps, and the same in words."""

    cause: str
    count: int
    #: In English, and in Indonesian.
    detail: str
    because: str


class OfferingRow(Record, frozen=True):
    """How officers are being asked: since when, for how many, and before whom it is."""

    state: OfferingState
    officers: int
    began_at: Timestamp
    changed_at: Timestamp


class Recommendations(Record, frozen=True):
    """Who can be asked for an incident now."""

    incident_id: str
    agency: AgencyCode | None
    regency: Regency | None
    #: How many are wanted, and what each must be able to do.
    officers: int
    skills: tuple[str, ...]
    #: How long the way may take; null where it does not matter.
    reach_minutes: int | None
    items: tuple[RecommendedOfficer, ...]
    shortfalls: tuple[ShortfallRow, ...]
    #: Null while nobody is being asked by rules.
    offering: OfferingRow | None


@router.get(
    "/api/v1/incidents/{incident_id}/recommendations",
    **describe(
        summary="Whom to send: officers of its agency, best first, with reasons, and what is missing",
        returns=Recommendations,
        errors=(*STAFF_ERRORS, 404, 422),
        parameters=(parameter("incident_id", "path", "Its id", {"type": "string"}, required=True), LIMIT),
        security=SIGNED_IN,
    ),
)
async def list_recommendations(request: Request) -> Response:
    """As `assign` without a name would choose now. Without an agency there is nobody to recommend."""
    desk = desk_of(request)
    principal = await desk.staff(request, MAY["assign"])
    limit = Parameters(request, ("limit",)).limit()
    incident_id = incident_id_of(request)
    async with desk.database.snapshot() as connection:
        incident = await incident_store.select(connection, incident_id)
        if incident is None or not scope_of(principal).covers(incident):
            raise no_such_incident()
        await open_incidents(connection, [incident_id])
        now: datetime = await connection.fetchval("SELECT clock_timestamp()")
        team = await assignment_store.select_team(connection, incident_id)
        current = await offering_store.select(connection, incident_id)
        policy = await policy_store.live(connection)
        task = task_of(incident, policy)
        candidates = []
        if incident.agency is not None:
            # a person who asks again begins a new round, in which nobody is left out for a no
            candidates = await choosing.candidates(connection, incident.agency, now, team, skills=task.skills)
        found = recommend(candidates, task, most=limit)
        listed = await choosing.select_listed(connection, [choice.username for choice in found.ranked])
    known = {one.username: one for one in candidates}
    return private(
        Recommendations(
            incident_id=incident.id,
            agency=incident.agency.agency if incident.agency else None,
            regency=incident.agency.regency if incident.agency else None,
            officers=task.officers,
            skills=tuple(sorted(task.skills)),
            reach_minutes=round(task.reach.total_seconds() / 60) if task.reach else None,
            items=tuple(_row(choice, known[choice.username], listed[choice.username]) for choice in found.ranked),
            shortfalls=tuple(
                ShortfallRow(cause=str(one.cause), count=one.count, detail=one.words, because=one.because)
                for one in found.shortfalls
            )
            if incident.agency
            else (),
            offering=OfferingRow(
                state=current.state,
                officers=current.officers,
                began_at=current.began_at,
                changed_at=current.changed_at,
            )
            if current and current.holds_for(incident)
            else None,
        )
    )


def _row(choice: Choice, one: Candidate, shown: Listed) -> RecommendedOfficer:
    return RecommendedOfficer(
        officer_id=one.username,
        name=shown.name,
        fit=choice.fit,
        score=choice.score,
        travel_minutes=choice.travel_min,
        position_at=shown.position_at,
        on_shift=one.on_shift,
        kecamatan=one.area,
        open_offers=one.open_offers,
        accepted_today=one.accepted_today,
        skills=shown.skills,
        because=choice.because,
    )


TYPES: Final = (Recommendations,)
