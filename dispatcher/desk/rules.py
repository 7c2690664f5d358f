"""The routing rules that are live and were, going back to older ones, and how often each rule was right."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from dispatcher import rules_store
from dispatcher.decisions.rule import Rule
from dispatcher.desk.page import NameMark, Page, cursor_of
from dispatcher.desk.query import CURSOR, LIMIT, Parameters
from dispatcher.desk.resources import BODY_ERRORS, SIGNED_IN, STAFF_ERRORS, desk_of, private
from dispatcher.desk.rule_rows import ApplyRules, RuleFigures, RulesPage, RulesVersionRow, rows, version_row
from dispatcher.rules_store import StaleRules
from infra.access import Principal
from infra.http import read_json
from infra.openapi import describe, parameter
from infra.postgres import Connection
from infra.problem import Problem, invalid
from schemas.vocabulary import Role

router = APIRouter(tags=["rules"])

#: Who decides whose an incident is.
MAY: Final = frozenset({Role.ADMIN, Role.SUPERVISOR})
_MOST_DAYS: Final = 90
_DEFAULT_DAYS: Final = 7
_ERRORS: Final = (*STAFF_ERRORS, 422)

_VERSION: Final = parameter("version", "path", "Of the set", {"type": "integer", "minimum": 0}, required=True)
DAYS: Final = parameter(
    "days",
    "query",
    "Of the past",
    {"type": "integer", "minimum": 1, "maximum": _MOST_DAYS, "default": _DEFAULT_DAYS},
)


@router.get(
    "/api/v1/rules",
    **describe(
        summary="The routing rules that are live",
        returns=RulesPage,
        errors=(401, 422, 503),
        parameters=(LIMIT, CURSOR),
        security=SIGNED_IN,
    ),
)
async def list_rules(request: Request) -> Response:
    """In their order."""
    desk = desk_of(request)
    await desk.access.staff(request)
    given = Parameters(request, ("limit", "cursor"))
    limit, after = given.limit(), given.cursor(NameMark)
    start = int(after.id) if after and after.id.isdecimal() and len(after.id) < 6 else 0
    async with desk.database.connection() as connection:
        live = await rules_store.live(connection)
    found = rows(live.rules)
    cursor = cursor_of(NameMark(id=str(start + limit))) if start + limit < len(found) else None
    return private(RulesPage(items=found[start : start + limit], next_cursor=cursor, version=live.version))


@router.get(
    "/api/v1/rules/versions",
    **describe(
        summary="Rule sets that went live, the newest first",
        returns=Page[RulesVersionRow],
        errors=_ERRORS,
        parameters=(LIMIT, CURSOR),
        security=SIGNED_IN,
    ),
)
async def list_versions(request: Request) -> Response:
    """With the defaults, version 0, at the end."""
    desk = desk_of(request)
    await desk.staff(request, MAY)
    given = Parameters(request, ("limit", "cursor"))
    limit, after = given.limit(), given.cursor(NameMark)
    below = int(after.id) if after and after.id.isdecimal() and len(after.id) < 10 else None
    async with desk.database.connection() as connection:
        found = await rules_store.history(connection, below, limit + 1)
    page = found[:limit]
    cursor = cursor_of(NameMark(id=str(page[-1].rules.version))) if len(found) > limit else None
    return private(Page(items=tuple(map(version_row, page)), next_cursor=cursor))


@router.get(
    "/api/v1/rules/versions/{version}",
    **describe(
        summary="A rule set that is or was live",
        returns=RulesVersionRow,
        errors=(*STAFF_ERRORS, 404),
        parameters=(_VERSION,),
        security=SIGNED_IN,
    ),
)
async def read_version(request: Request) -> Response:
    """By its version."""
    desk = desk_of(request)
    await desk.staff(request, MAY)
    async with desk.database.connection() as connection:
        found = await rules_store.of_version(connection, _version_of(request))
    if found is None:
        raise _no_such_version()
    return private(version_row(found))


@router.post(
    "/api/v1/rules/versions/{version}/apply",
    **describe(
        summary="Make an older rule set live again",
        body=ApplyRules,
        returns=RulesVersionRow,
        errors=(*BODY_ERRORS, *STAFF_ERRORS, 404, 409),
        parameters=(_VERSION,),
        security=SIGNED_IN,
    ),
)
async def apply_version(request: Request) -> Response:
    """It becomes a new version with the same rules."""
    desk = desk_of(request)
    principal = await desk.staff(request, MAY)
    body = await read_json(request, ApplyRules)
    async with desk.database.transaction() as connection:
        found = await rules_store.of_version(connection, _version_of(request))
        if found is None:
            raise _no_such_version()
        why = body.why or f"version {found.rules.version} again"
        live = await make_live(connection, found.rules.rules, body.version, principal, why)
    return private(live)


@router.get(
    "/api/v1/rules/figures",
    **describe(
        summary="How often each rule decided, and was wrong",
        returns=Page[RuleFigures],
        errors=_ERRORS,
        parameters=(DAYS,),
        security=SIGNED_IN,
    ),
)
async def read_figures(request: Request) -> Response:
    """By version and rule; what a person gave to somebody else counts as wrong."""
    desk = desk_of(request)
    await desk.staff(request, MAY)
    days = days_of(request)
    async with desk.database.connection() as connection:
        found = await rules_store.figures(connection, datetime.now(UTC) - timedelta(days=days))
    shown = tuple(
        RuleFigures(
            version=one.version,
            rule=one.rule,
            fired=one.fired,
            rerouted=one.rerouted,
            share=round(one.rerouted / one.fired, 4),
        )
        for one in found
    )
    return private(Page(items=shown, next_cursor=None))


async def make_live(
    connection: Connection, wanted: tuple[Rule, ...], version: int, principal: Principal, why: str
) -> RulesVersionRow:
    """Apply rules in the caller's transaction. Raises 409 when another version than `version` is live."""
    try:
        live = await rules_store.apply(connection, wanted, expected=version, by=principal.name, why=why)
    except StaleRules as error:
        detail = "Other rules have gone live since you read them. Read them again."
        raise Problem(409, "stale-version", detail, current_version=error.current) from error
    return RulesVersionRow(
        version=live.version, by=principal.name, at=datetime.now(UTC), why=why, rules=rows(live.rules)
    )


def _version_of(request: Request) -> int:
    given = request.path_params["version"]
    if not re.fullmatch(r"\d{1,9}", given, re.ASCII):
        raise _no_such_version()
    return int(given)


def _no_such_version() -> Problem:
    return Problem(404, "not-found", "There is no such version of the rules.")


def days_of(request: Request) -> int:
    """How far back to look; seven days when it is not said."""
    given = Parameters(request, ("days",)).one("days")
    if given is None:
        return _DEFAULT_DAYS
    if not re.fullmatch(r"[1-9]\d?", given, re.ASCII) or int(given) > _MOST_DAYS:
        raise invalid("days", f"expected a whole number from 1 to {_MOST_DAYS}")
    return int(given)


TYPES: Final = (ApplyRules, RulesPage, RulesVersionRow, Page[RulesVersionRow], Page[RuleFigures])
