"""What a citizen says of the answer, with the code as the only key."""

from dataclasses import replace
from datetime import datetime
from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from dispatcher import feedback_store, incident_store
from dispatcher.decisions.incident import IllegalMove, Incident
from dispatcher.decisions.incident_verbs_ending import judged_by_reporter
from dispatcher.desk import metrics as desk_metrics
from dispatcher.desk import tracking_query
from dispatcher.desk.query import Parameters
from dispatcher.desk.reach import open_incidents
from dispatcher.desk.resources import BODY_ERRORS, desk_of, private
from dispatcher.desk.tracked import TrackedReport, language_of
from dispatcher.desk.tracking import LANGUAGE, TRACKING_CODE, checked_code
from dispatcher.feedback_store import Feedback
from infra.http import read_json
from infra.openapi import describe
from infra.postgres import Connection
from infra.problem import Problem
from infra.trace import traceparent_of
from schemas.wire import Inbound, Note

router = APIRouter(tags=["reports"])


class GiveFeedback(Inbound, frozen=True):
    """Whether the answer will do. A no within 14 days of `resolved` reopens."""

    satisfied: bool
    comment: Note | None = None


@router.post(
    "/api/v1/reports/{tracking_code}/feedback",
    **describe(
        summary="Say whether the answer will do: a no within 14 days of it reopens",
        body=GiveFeedback,
        returns=TrackedReport,
        errors=(*BODY_ERRORS, 404, 409, 429, 503),
        parameters=(TRACKING_CODE, LANGUAGE),
    ),
)
async def give_feedback(request: Request) -> Response:
    """The report as it is then. The same once more changes nothing; 409 while there is no answer to judge."""
    desk = desk_of(request)
    language = Parameters(request, ("lang",)).language() or language_of(request.headers.get("accept-language"))
    code = checked_code(desk, request, str(request.path_params["tracking_code"]))
    body = await read_json(request, GiveFeedback)
    async with desk.database.transaction() as connection:
        report_id, incident = await _of_code(connection, code)
        now = await connection.fetchval("SELECT clock_timestamp()")
        last = await feedback_store.select_last(connection, report_id)
        if not _said_before(last, body, incident):
            try:
                change = judged_by_reporter(incident, satisfied=body.satisfied, report_id=report_id, now=now)
            except IllegalMove as error:
                raise _not_now(str(error)) from error
            await feedback_store.insert(connection, _kept(report_id, incident, body, now))
            await incident_store.save(connection, [replace(change, traceparent=traceparent_of(request))])
        report = await tracking_query.select_by_code(connection, code, language)
    desk_metrics.COMMANDS.labels("feedback").inc()
    headers = {"Vary": "Accept-Language", "Content-Language": language, "Referrer-Policy": "no-referrer"}
    return private(report, headers)


async def _of_code(connection: Connection, code: str) -> tuple[str, Incident]:
    """The report and its incident, locked. 409 while the dispatcher does not have it."""
    while True:
        found = await tracking_query.select_whose(connection, code)
        if found is None:
            raise _not_now("it is not read yet")
        report_id, incident_id = found
        await open_incidents(connection, [incident_id])
        incident = (await incident_store.select_for_update(connection, [incident_id]))[incident_id]
        # Waiting for the lock, it may have been merged or split off: then another one is to be locked.
        if await tracking_query.select_whose(connection, code) == found:
            return report_id, incident


def _said_before(last: Feedback | None, body: GiveFeedback, incident: Incident) -> bool:
    """Whether it is the same word on the same answer; a phone without signal says things twice."""
    if (
        last is None
        or last.incident_id != incident.id
        or (last.satisfied, last.comment)
        != (
            body.satisfied,
            body.comment,
        )
    ):
        return False
    # A no has reopened it: there is no other answer yet.
    return incident.resolved_at == last.resolved_at or (not last.satisfied and incident.resolved_at is None)


def _kept(report_id: str, incident: Incident, body: GiveFeedback, now: datetime) -> Feedback:
    return Feedback(
        report_id=report_id,
        incident_id=incident.id,
        satisfied=body.satisfied,
        comment=body.comment,
        resolved_at=incident.resolved_at or now,
        at=now,
    )


def _not_now(why: str) -> Problem:
    return Problem(409, "illegal-move", f"{why[:1].upper()}{why[1:]}.")


TYPES: Final = (GiveFeedback,)
