"""Who reported: name, phone and e-mail, for staff who talk with citizens; each look is told to the audit."""

from enum import StrEnum
from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from dispatcher import audit_store, incident_store
from dispatcher.desk import incident_query
from dispatcher.desk.query import Parameters
from dispatcher.desk.resources import SIGNED_IN, STAFF_ERRORS, desk_of, private, scope_of
from infra.openapi import describe, parameter
from infra.problem import Problem, invalid
from schemas.vocabulary import Role
from schemas.wire import Record

router = APIRouter(tags=["reports"])

#: Who talks with citizens. PostgreSQL holds the same list (infra/migrations/0006_access.sql).
READERS: Final = frozenset({Role.AGENT, Role.OPERATOR, Role.SUPERVISOR})


class Reason(StrEnum):
    """Why somebody looks; words of a list, for what is audited holds no personal data."""

    #: To ask for what the report leaves open.
    ASK = "ask"
    #: To tell how it stands or came out.
    INFORM = "inform"
    #: Somebody may be in danger.
    EMERGENCY = "emergency"
    #: The reporter has asked about the own data.
    OWN_DATA = "own_data"


class Contact(Record, frozen=True):
    """What the reporter has given; all null where nothing was, or where the reporter wants to stay unnamed."""

    report_id: str
    name: str | None
    phone: str | None
    email: str | None
    anonymous: bool


@router.get(
    "/api/v1/reports/{report_id}/contact",
    **describe(
        summary="Name, phone and e-mail of who sent a report; the look is audited with its reason",
        returns=Contact,
        errors=(*STAFF_ERRORS, 404, 422),
        parameters=(
            parameter("report_id", "path", "Its id", {"type": "string"}, required=True),
            parameter("reason", "query", "Why", {"type": "string", "enum": list(Reason)}, required=True),
        ),
        security=SIGNED_IN,
    ),
)
async def get_contact(request: Request) -> Response:
    """404 outside one's scope."""
    desk = desk_of(request)
    principal = await desk.staff(request, READERS)
    reason = Parameters(request, ("reason",)).member("reason", Reason)
    if reason is None:
        raise invalid("reason", "required")
    report_id = str(request.path_params["report_id"])
    async with desk.database.transaction() as connection:
        row = None
        if incident_query.is_id(report_id):
            row = await connection.fetchrow(
                "SELECT r.incident_id, c.name, c.phone, c.email, coalesce(c.anonymous, false) AS anonymous"
                "  FROM report r LEFT JOIN contact c ON c.report_id = r.id WHERE r.id = $1",
                report_id,
            )
        incident = await incident_store.select(connection, row["incident_id"]) if row else None
        if row is None or incident is None or not scope_of(principal).covers(incident):
            raise Problem(404, "no-such-report", "There is no such report in your scope.")
        await audit_store.record(
            connection,
            actor=principal.name,
            action="contact_seen",
            subject=f"report:{report_id}",
            detail={"reason": reason.value, "incident": row["incident_id"]},
            personal=True,
        )
    named = not row["anonymous"]
    return private(
        Contact(
            report_id=report_id,
            name=row["name"] if named else None,
            phone=row["phone"] if named else None,
            email=row["email"] if named else None,
            anonymous=row["anonymous"],
        )
    )


TYPES: Final = (Contact,)
