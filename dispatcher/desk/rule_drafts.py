"""Drafts of routing rules: written, tried on incidents that were, and made live."""

import asyncio
import re
from datetime import UTC, datetime, timedelta
from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from dispatcher import rules_store, rules_trial
from dispatcher.decisions.rule_check import flaws
from dispatcher.decisions.rule_findings import look_through
from dispatcher.desk.page import Mark, Page, cursor_of
from dispatcher.desk.query import CURSOR, LIMIT, Parameters
from dispatcher.desk.resources import BODY_ERRORS, SIGNED_IN, STAFF_ERRORS, desk_of, private
from dispatcher.desk.rule_rows import (
    ApplyRules,
    DraftMade,
    DraftRow,
    NewDraft,
    RulesVersionRow,
    TrialRow,
    draft_fields,
    findings_row,
    trial_row,
)
from dispatcher.desk.rules import DAYS, MAY, days_of, make_live
from dispatcher.rules_store import Draft
from infra.http import answer, read_json
from infra.openapi import describe, parameter
from infra.postgres import Connection
from infra.problem import FieldError, Problem, too_many

router = APIRouter(tags=["rules"])

#: 200 rules with all of their conditions.
_MAX_BYTES: Final = 1024 * 1024
_DRAFT_ID: Final = parameter("draft_id", "path", "Its id", {"type": "string"}, required=True)
_AN_ID: Final = re.compile(r"RUL-[0-9A-Z]{10}", re.ASCII)
#: One trial at a time keeps a processor busy; a second one has to come again.
_trying: Final = asyncio.Lock()


@router.post(
    "/api/v1/rules/drafts",
    **describe(
        summary="Draft rules",
        body=NewDraft,
        returns=DraftMade,
        status=201,
        errors=(*BODY_ERRORS, *STAFF_ERRORS),
        security=SIGNED_IN,
    ),
)
async def make_draft(request: Request) -> Response:
    """Nothing changes by it; 422 names everything that is wrong."""
    desk = desk_of(request)
    principal = await desk.staff(request, MAY)
    body = await read_json(request, NewDraft, limit=_MAX_BYTES)
    if found := flaws(body.rules):
        errors = [FieldError(field=".".join(map(str, ("rules", *path))), message=message) for path, message in found]
        raise Problem(422, "invalid", f"{errors[0].field}: {errors[0].message}", errors=errors[:100])
    findings = await asyncio.to_thread(look_through, body.rules)
    async with desk.database.transaction() as connection:
        draft = await rules_store.insert_draft(connection, body.rules, by=principal.name, why=body.why or "")
    made = DraftMade(**draft_fields(draft), findings=findings_row(body.rules, findings))
    return answer(made, 201, headers={"Cache-Control": "no-store"})


@router.get(
    "/api/v1/rules/drafts",
    **describe(
        summary="Drafts of rules, the newest first",
        returns=Page[DraftRow],
        errors=(*STAFF_ERRORS, 422),
        parameters=(LIMIT, CURSOR),
        security=SIGNED_IN,
    ),
)
async def list_drafts(request: Request) -> Response:
    """A page."""
    desk = desk_of(request)
    await desk.staff(request, MAY)
    given = Parameters(request, ("limit", "cursor"))
    limit, after = given.limit(), given.cursor(Mark)
    async with desk.database.connection() as connection:
        found = await rules_store.drafts(connection, (after.updated_at, after.id) if after else None, limit + 1)
    page = found[:limit]
    cursor = cursor_of(Mark(updated_at=page[-1].drafted_at, id=page[-1].id)) if len(found) > limit else None
    return private(Page(items=tuple(DraftRow(**draft_fields(draft)) for draft in page), next_cursor=cursor))


@router.get(
    "/api/v1/rules/drafts/{draft_id}",
    **describe(
        summary="A draft of rules",
        returns=DraftRow,
        errors=(*STAFF_ERRORS, 404),
        parameters=(_DRAFT_ID,),
        security=SIGNED_IN,
    ),
)
async def read_draft(request: Request) -> Response:
    """By its id."""
    desk = desk_of(request)
    await desk.staff(request, MAY)
    async with desk.database.connection() as connection:
        return private(DraftRow(**draft_fields(await _draft_of(request, connection))))


@router.post(
    "/api/v1/rules/drafts/{draft_id}/try",
    **describe(
        summary="Try a draft on the incidents of the last days",
        returns=TrialRow,
        errors=(*STAFF_ERRORS, 404, 422, 429),
        parameters=(_DRAFT_ID, DAYS),
        security=SIGNED_IN,
    ),
)
async def try_draft(request: Request) -> Response:
    """What would go elsewhere. One at a time: 429 while another is tried in this process."""
    desk = desk_of(request)
    await desk.staff(request, MAY)
    days = days_of(request)
    if _trying.locked():
        raise too_many("Other rules are being tried. Try again when they are done.", retry_after_s=5)
    async with _trying:
        async with desk.database.connection() as connection:
            draft = await _draft_of(request, connection)
        past, live = await rules_trial.read(desk.database.connection, datetime.now(UTC) - timedelta(days=days))
        trial, findings = await rules_trial.judge(past, live, draft.rules)
        async with desk.database.transaction() as connection:
            await rules_store.mark_tried(connection, draft.id)
    return private(trial_row(days, live.rules.version, draft.rules, trial, findings))


@router.post(
    "/api/v1/rules/drafts/{draft_id}/apply",
    **describe(
        summary="Make a draft live",
        body=ApplyRules,
        returns=RulesVersionRow,
        errors=(*BODY_ERRORS, *STAFF_ERRORS, 404, 409),
        parameters=(_DRAFT_ID,),
        security=SIGNED_IN,
    ),
)
async def apply_draft(request: Request) -> Response:
    """Every dispatcher uses it from its next transaction on."""
    desk = desk_of(request)
    principal = await desk.staff(request, MAY)
    body = await read_json(request, ApplyRules)
    async with desk.database.transaction() as connection:
        draft = await _draft_of(request, connection, lock=True)
        if draft.applied_as is not None:
            raise Problem(409, "applied", f"It went live as version {draft.applied_as}: apply that one again.")
        live = await make_live(connection, draft.rules, body.version, principal, body.why or draft.why)
        await rules_store.mark_applied(connection, draft.id, live.version)
    return private(live)


async def _draft_of(request: Request, connection: Connection, *, lock: bool = False) -> Draft:
    draft_id = request.path_params["draft_id"]
    found = None
    if _AN_ID.fullmatch(draft_id):
        found = await rules_store.draft(connection, draft_id, lock=lock)
    if found is None:
        raise Problem(404, "not-found", "There is no such draft.")
    return found


TYPES: Final = (NewDraft, DraftRow, DraftMade, Page[DraftRow], TrialRow)
