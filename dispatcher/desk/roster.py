"""A whole roster from an agency's file."""

from collections.abc import Mapping, Sequence
from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from dispatcher import officer_store, shift_store
from dispatcher.decisions.incident import new_id
from dispatcher.decisions.roster import LineError, Shift, Wanted, clash, mistake, read_roster, same
from dispatcher.desk.resources import BODY_ERRORS, SIGNED_IN, STAFF_ERRORS, desk_of, private, scope_of
from dispatcher.desk.shifts import WRITERS, others_of, shift_of, taken, told
from dispatcher.officer_store import Officer
from infra.http import Body, read_body
from infra.openapi import describe
from infra.problem import FieldError, Problem
from schemas.wire import Record

router = APIRouter(tags=["officers"])

_CSV: Final = "text/csv"
_MAX_CSV_BYTES: Final = 1024 * 1024
_MOST_ERRORS: Final = 100


class Imported(Record, frozen=True):
    """What came of a roster file: shifts that are new, and lines that said what was known already."""

    added: int
    unchanged: int


@router.post(
    "/api/v1/shifts/import",
    **describe(
        summary="Put a roster file on the roster: all of it, or with one mistake nothing",
        body_content={_CSV: {"schema": {"type": "string"}}},
        returns=Imported,
        errors=(*BODY_ERRORS, *STAFF_ERRORS),
        security=SIGNED_IN,
    ),
)
async def import_roster(request: Request) -> Response:
    """CSV with the header `officer_id,starts_at,ends_at` and perhaps `kecamatan`.

    Times without an offset are Jakarta's. 422 names the lines (`3.ends_at`; the header is line 1).
    The same file again changes nothing.
    """
    desk = desk_of(request)
    principal = await desk.staff(request, WRITERS)
    lines, errors = read_roster(await _csv(request))
    if errors:
        raise _lines(errors)
    async with desk.database.transaction() as connection:
        officers = await officer_store.select_for_update(connection, sorted({one.officer for one in lines}))
        theirs = {name: one for name, one in officers.items() if scope_of(principal).covers_agency(one.agency)}
        known = await others_of(connection, theirs, lines)
        new, errors = _checked(lines, theirs, known)
        if errors:
            raise _lines(errors)
        now = await connection.fetchval("SELECT now()")
        shifts = [shift_of(one, theirs[one.officer], new_id("SHF"), principal, now) for one in new]
        await shift_store.insert(connection, shifts)
        await told(connection, principal, "roster_put", f"{len(shifts)} shifts")
    return private(Imported(added=len(shifts), unchanged=len(lines) - len(shifts)))


async def _csv(request: Request) -> str:
    media, _, charset = request.headers.get("content-type", "").partition(";")
    if media.strip().lower() != _CSV or charset.strip().lower() not in ("", "charset=utf-8"):
        raise await Body(request).refused(Problem(415, "not-csv", "Send Content-Type: text/csv, in UTF-8."))
    try:
        text = (await read_body(request, _MAX_CSV_BYTES)).decode()
    except UnicodeDecodeError as error:
        raise Problem(400, "not-csv", "The file is not text in UTF-8.") from error
    if "\x00" in text:
        raise Problem(400, "not-csv", "The file is not text: it has NUL in it.")
    return text


def _lines(errors: Sequence[LineError]) -> Problem:
    first = errors[0]
    shown = [FieldError(field=f"{one.line}.{one.field}".strip("."), message=one.message) for one in errors]
    return Problem(
        422,
        "invalid",
        f"Line {first.line}: {first.field}: {first.message}. {len(errors)} lines cannot be used; nothing was changed."
        if first.field
        else f"Line {first.line}: {first.message}. Nothing was changed.",
        errors=shown[:_MOST_ERRORS],
    )


def _checked(
    lines: Sequence[Wanted], officers: Mapping[str, Officer], known: Sequence[Shift]
) -> tuple[list[Wanted], list[LineError]]:
    """The lines that are new, and what is wrong with any."""
    new: list[Wanted] = []
    errors: list[LineError] = []
    for one in lines:
        officer = officers.get(one.officer)
        if officer is None:
            errors.append(LineError(one.line, "officer_id", "not an officer of your agencies"))
        elif wrong := mistake(one, officer.agency):
            errors.append(LineError(one.line, *wrong))
        elif same(one, known):
            continue
        elif other := clash(one, known):
            errors.append(LineError(one.line, "starts_at", taken(other)))
        else:
            new.append(one)
    return new, errors


TYPES: Final = (Imported,)
