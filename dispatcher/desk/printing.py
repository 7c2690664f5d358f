"""`GET /incidents/{id}/print`: a page to print, told to the audit."""

from typing import Final

from fastapi import APIRouter, Request
from msgspec.structs import replace
from starlette.responses import Response

from dispatcher import audit_store, incident_store
from dispatcher.desk import impersonal, printout
from dispatcher.desk.incidents import detail_of, incident_id_of, no_such_incident
from dispatcher.desk.query import Parameters
from dispatcher.desk.reach import open_incidents
from dispatcher.desk.resources import SIGNED_IN, desk_of, scope_of
from dispatcher.desk.tracked import language_of
from infra.openapi import describe, parameter
from infra.problem import Problem

router = APIRouter(tags=["incidents"])


@router.get(
    "/api/v1/incidents/{incident_id}/print",
    **describe(
        summary="An incident as a page to print; without people's names and words unless asked for, which is audited",
        content={"text/html": {"schema": {"type": "string"}}},
        errors=(401, 403, 404, 422, 503),
        parameters=(
            parameter("incident_id", "path", "Its id", {"type": "string"}, required=True),
            parameter("personal", "query", "Names of staff and words of reporters too", {"type": "boolean"}),
            parameter("lang", "query", "Else as the browser asks", {"type": "string", "enum": ["id", "en"]}),
        ),
        security=SIGNED_IN,
    ),
)
async def print_incident(request: Request) -> Response:
    """404 outside one's scope; 403 with `personal` for those who read without personal data."""
    desk = desk_of(request)
    principal = await desk.access.staff(request)
    given = Parameters(request, ("personal", "lang"))
    personal = given.flag("personal") or False
    language = given.language() or language_of(request.headers.get("accept-language"))
    if personal and not impersonal.sees_people(principal):
        raise Problem(403, "role", "Your role does not include personal data.")
    incident_id = incident_id_of(request)
    async with desk.database.transaction() as connection:
        incident = await incident_store.select(connection, incident_id)
        if incident is None or not scope_of(principal).covers(incident):
            raise no_such_incident()
        await open_incidents(connection, [incident_id])
        detail = await detail_of(connection, incident, principal)
        now = await connection.fetchval("SELECT now()")
        await audit_store.record(
            connection,
            actor=principal.name,
            action="incident_printed",
            subject=f"incident:{incident_id}",
            personal=personal,
        )
    if not personal:
        # Notes that citizens do not read may name them.
        detail = replace(detail, history=impersonal.history(detail.history))
    by = principal.display_name or principal.name
    page = printout.page(detail, language, printed_at=now, by=by, personal=personal)
    headers = {
        "Content-Security-Policy": printout.POLICY,
        "Cache-Control": "no-store",
        "Content-Language": language,
        "Referrer-Policy": "no-referrer",
        "Vary": "Accept-Language",
        "X-Content-Type-Options": "nosniff",
    }
    return Response(page, headers=headers, media_type="text/html; charset=utf-8")


TYPES: Final[tuple[type, ...]] = ()
