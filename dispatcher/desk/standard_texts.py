"""Standard texts: what is said often, per verb, category and language; shift leads write them, everybody uses them."""

from typing import Annotated, Final, Literal

import msgspec
from fastapi import APIRouter, Request
from msgspec import Meta
from starlette.responses import Response

from dispatcher import audit_store
from dispatcher.decisions.incident import VERBS, new_id
from dispatcher.desk import incident_query, standard_text_store
from dispatcher.desk.page import NameMark, Page, cursor_of
from dispatcher.desk.query import CURSOR, LIMIT, Parameters
from dispatcher.desk.resources import ALL_STAFF, BODY_ERRORS, SIGNED_IN, STAFF_ERRORS, desk_of, private
from dispatcher.desk.standard_text_store import StandardText
from infra.access import Principal
from infra.http import answer, read_json
from infra.openapi import describe, parameter
from infra.postgres import Connection
from infra.problem import Problem, invalid
from schemas.vocabulary import Category, Role
from schemas.wire import SEEN, Inbound, Note

router = APIRouter(tags=["standard-texts"])

WRITERS: Final = frozenset({Role.SUPERVISOR, Role.ADMIN})
#: Those that a text may be for.
SPOKEN: Final = tuple(sorted(VERBS))

_ID: Final = (parameter("text_id", "path", "Its id", {"type": "string"}, required=True),)
_LANGUAGES: Final = ("id", "en")
Name = Annotated[str, Meta(min_length=1, max_length=80, pattern=SEEN)]


class NewText(Inbound, frozen=True):
    """A standard text as it is to be; without a verb or category it is for any."""

    name: Name
    language: Literal["id", "en"]
    body: Note
    verb: str | None = None
    category: Category | None = None


class EditedText(NewText, frozen=True, kw_only=True):
    """The same for one that is there, with the version that was read."""

    version: Annotated[int, Meta(ge=1, le=2**31 - 1)]


@router.get(
    "/api/v1/standard-texts",
    **describe(
        summary="Standard texts, by id",
        returns=Page[StandardText],
        errors=(*STAFF_ERRORS, 422),
        parameters=(
            parameter("verb", "query", "For this verb, or for any", {"type": "string", "enum": list(SPOKEN)}),
            parameter("category", "query", "For this one, or for any", {"type": "string", "enum": list(Category)}),
            parameter("language", "query", "In this one", {"type": "string", "enum": list(_LANGUAGES)}),
            LIMIT,
            CURSOR,
        ),
        security=SIGNED_IN,
    ),
)
async def list_texts(request: Request) -> Response:
    """A page."""
    desk = desk_of(request)
    await desk.staff(request, ALL_STAFF)
    given = Parameters(request, ("verb", "category", "language", "limit", "cursor"))
    limit, after = given.limit(), given.cursor(NameMark)
    verb, language = given.one("verb"), given.one("language")
    _require(verb, language)
    category = given.member("category", Category)
    async with desk.database.connection() as connection:
        found = await standard_text_store.select_page(
            connection,
            verb=verb,
            category=category,
            language=language,
            after=after.id if after else "",
            limit=limit + 1,
        )
    page = tuple(found[:limit])
    cursor = cursor_of(NameMark(id=page[-1].id)) if len(found) > limit else None
    return private(Page(items=page, next_cursor=cursor))


@router.post(
    "/api/v1/standard-texts",
    **describe(
        summary="Add a standard text",
        body=NewText,
        returns=StandardText,
        status=201,
        errors=(*BODY_ERRORS, *STAFF_ERRORS),
        security=SIGNED_IN,
    ),
)
async def add_text(request: Request) -> Response:
    """Told to the audit."""
    desk = desk_of(request)
    principal = await desk.staff(request, WRITERS)
    body = await read_json(request, NewText)
    _require(body.verb, body.language)
    async with desk.database.transaction() as connection:
        made = await _put(connection, principal, new_id("TXT"), 1, body, "standard_text_added")
    return answer(made, 201, headers={"Cache-Control": "no-store"})


@router.put(
    "/api/v1/standard-texts/{text_id}",
    **describe(
        summary="Change a standard text",
        body=EditedText,
        returns=StandardText,
        errors=(*BODY_ERRORS, *STAFF_ERRORS, 404, 409),
        parameters=_ID,
        security=SIGNED_IN,
    ),
)
async def edit_text(request: Request) -> Response:
    """409 when somebody else has changed it."""
    desk = desk_of(request)
    principal = await desk.staff(request, WRITERS)
    body = await read_json(request, EditedText)
    _require(body.verb, body.language)
    async with desk.database.transaction() as connection:
        text_id = _id_of(request)
        before = await standard_text_store.select_for_update(connection, text_id)
        if before is None:
            raise _no_such_text()
        if before.version != body.version:
            raise Problem(
                409,
                "stale-version",
                "Somebody has changed it since you read it. Read it again.",
                current_version=before.version,
            )
        made = await _put(connection, principal, text_id, before.version + 1, body, "standard_text_changed")
    return private(made)


@router.delete(
    "/api/v1/standard-texts/{text_id}",
    **describe(
        summary="Remove a standard text",
        status=204,
        errors=(*STAFF_ERRORS, 404),
        parameters=_ID,
        security=SIGNED_IN,
    ),
)
async def delete_text(request: Request) -> Response:
    """What was said with it stays said."""
    desk = desk_of(request)
    principal = await desk.staff(request, WRITERS)
    async with desk.database.transaction() as connection:
        text_id = _id_of(request)
        if not await standard_text_store.delete(connection, text_id):
            raise _no_such_text()
        await audit_store.record(connection, actor=principal.name, action="standard_text_removed", subject=text_id)
    return Response(status_code=204)


async def _put(
    connection: Connection, principal: Principal, text_id: str, version: int, body: NewText, action: str
) -> StandardText:
    made = StandardText(
        id=text_id,
        version=version,
        name=body.name,
        verb=body.verb,
        category=body.category,
        language=body.language,
        body=body.body,
        updated_by=principal.name,
        updated_at=await connection.fetchval("SELECT clock_timestamp()"),
    )
    await standard_text_store.put(connection, made)
    await audit_store.record(
        connection, actor=principal.name, action=action, subject=text_id, detail={"version": version}
    )
    return made


def _require(verb: str | None, language: str | None) -> None:
    if verb is not None and verb not in SPOKEN:
        raise invalid("verb", "not one of the allowed words")
    if language is not None and language not in _LANGUAGES:
        raise invalid("language", "not one of the allowed words")


def _id_of(request: Request) -> str:
    text = str(request.path_params["text_id"])
    if not incident_query.is_id(text):
        raise _no_such_text()
    return text


def _no_such_text() -> Problem:
    return Problem(404, "no-such-text", "There is no such standard text.")


TYPES: Final[tuple[type[msgspec.Struct], ...]] = (Page[StandardText], StandardText, NewText, EditedText)
