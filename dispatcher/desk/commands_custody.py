"""Whose it is: put into other hands, and taken back."""

from typing import Annotated, Final

from fastapi import APIRouter, Request
from msgspec import Meta
from starlette.responses import Response

from dispatcher.decisions import incident_verbs, incident_verbs_custody, incident_verbs_ending
from dispatcher.desk.assign import release_all
from dispatcher.desk.command import Version, asked, described, done, open_command, save
from infra.problem import invalid
from schemas.place import AgencyRef
from schemas.vocabulary import AgencyCode, Regency
from schemas.wire import Inbound, Note

router = APIRouter(tags=["incidents"])


class Reroute(Inbound, frozen=True):
    """Another agency's; without a regency one of the same government."""

    version: Version
    agency: AgencyCode
    reason: Note
    regency: Regency | None = None


class Transfer(Inbound, frozen=True):
    """Handed over: to an outside body (`PLN`, `TOLL`, `OTHER_GOV`), or to the other government (`32.16`, or one agency
    of theirs: `32.16/DLH`). The citizen reads the reason."""

    version: Version
    to: Annotated[str, Meta(min_length=1, max_length=40)]
    reason: Note


class Reopen(Inbound, frozen=True):
    """Taken up again, or taken back from whom it was handed over to."""

    version: Version
    reason: Note


@router.post("/api/v1/incidents/{incident_id}/reroute", **described("Give it to another agency", Reroute))
async def reroute(request: Request) -> Response:
    """Of either government. Whoever is on it is released."""
    principal, body = await asked(request, "reroute", Reroute)
    async with open_command(request, principal, body.version) as command:
        incident = command.incident
        incident_verbs.require(incident, "reroute")
        regency = body.regency or (incident.agency.regency if incident.agency else None)
        if regency is None:
            raise invalid("regency", "it belongs to no agency yet: say of which government the agency is")
        team = await release_all(command, "rerouted")
        change = incident_verbs_custody.reroute(
            incident,
            AgencyRef(regency=regency, agency=body.agency),
            body.reason,
            team,
            actor=command.actor,
            now=command.now,
        )
        detail = await save(command, change)
    return done("reroute", detail)


@router.post("/api/v1/incidents/{incident_id}/transfer", **described("Hand it over", Transfer))
async def transfer(request: Request) -> Response:
    """To an outside body it is `transferred`; to the other government it is theirs at once. Whoever is on it is
    released."""
    principal, body = await asked(request, "transfer", Transfer)
    async with open_command(request, principal, body.version) as command:
        incident_verbs.require(command.incident, "transfer")
        team = await release_all(command, "transferred")
        change = incident_verbs_custody.transfer(
            command.incident,
            body.to,
            body.reason,
            team,
            actor=command.actor,
            now=command.now,
        )
        detail = await save(command, change)
    return done("transfer", detail)


@router.post("/api/v1/incidents/{incident_id}/reopen", **described("Take it up again", Reopen))
async def reopen(request: Request) -> Response:
    """Of what is resolved, closed, rejected or transferred."""
    principal, body = await asked(request, "reopen", Reopen)
    async with open_command(request, principal, body.version) as command:
        change = incident_verbs_ending.reopen(
            command.incident,
            body.reason,
            actor=command.actor,
            now=command.now,
        )
        detail = await save(command, change)
    return done("reopen", detail)


TYPES: Final = (Reroute, Transfer, Reopen)
