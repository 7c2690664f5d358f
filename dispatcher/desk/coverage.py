"""Where nobody could be in time, agency by agency, and who should move."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from dispatcher import choosing, policy_store
from dispatcher.decisions.coverage import Coverage, Near, cover
from dispatcher.decisions.policy import Policy
from dispatcher.desk.query import Parameters
from dispatcher.desk.resources import SIGNED_IN, STAFF_ERRORS, desk_of, private, scope_of
from infra.openapi import describe, parameter
from infra.problem import invalid
from schemas.gazetteer import gazetteer
from schemas.place import AgencyRef
from schemas.vocabulary import AgencyCode, Category, ClockKind, Priority, Regency, Role
from schemas.wire import Record

router = APIRouter(tags=["officers"])

#: Who sends officers.
READERS: Final = frozenset({Role.DISPATCHER, Role.OPERATOR, Role.SUPERVISOR, Role.ADMIN})
#: Where nothing shorter than a day is promised: what a jam is promised by default (domain.md, Times).
_REACH: Final = timedelta(minutes=30)
_MAX_REACH_MIN: Final = 24 * 60


class NearOfficer(Record, frozen=True):
    """An officer and the minutes to the middle of the kecamatan: by road, plus the age of the position."""

    officer_id: str
    name: str
    minutes: float


class CoveredKecamatan(Record, frozen=True):
    """A kecamatan and the free officers nearest to its middle."""

    code: str
    name: str
    covered: bool
    nearest: tuple[NearOfficer, ...]


class SuggestedMove(Record, frozen=True):
    """Somebody who is not missed where they are, to a kecamatan that nobody covers."""

    officer_id: str
    name: str
    to: str
    minutes: float
    #: In Indonesian.
    because: str


class AgencyCoverage(Record, frozen=True):
    """What the free officers of one agency cover of its regency."""

    agency: AgencyCode
    regency: Regency
    reach_minutes: int
    #: Available, with a position of the last 30 minutes.
    free_officers: int
    kecamatan: tuple[CoveredKecamatan, ...]
    #: Codes.
    gaps: tuple[str, ...]
    #: In their order: each counts on those before it. Fewer than gaps: nobody else can be spared.
    moves: tuple[SuggestedMove, ...]


class CoverageOfAll(Record, frozen=True):
    """One entry per agency that has officers."""

    items: tuple[AgencyCoverage, ...]


_PARAMETERS: Final = (
    parameter("agency", "query", "Of this dinas", {"type": "string", "enum": list(AgencyCode)}),
    parameter("regency", "query", "Of this regency", {"type": "string", "enum": list(Regency)}),
    parameter(
        "reach_minutes",
        "query",
        "Covered is what somebody reaches in that time; else the promise of being there for a jam, or 30",
        {"type": "integer", "minimum": 1, "maximum": _MAX_REACH_MIN},
    ),
)


@router.get(
    "/api/v1/coverage",
    **describe(
        summary="Which kecamatan nobody could reach in time, and who should move",
        returns=CoverageOfAll,
        errors=(*STAFF_ERRORS, 422),
        parameters=_PARAMETERS,
        security=SIGNED_IN,
    ),
)
async def show_coverage(request: Request) -> Response:
    """Of one's agencies, as far as they have officers."""
    desk = desk_of(request)
    principal = await desk.staff(request, READERS)
    given = Parameters(request, [str(one["name"]) for one in _PARAMETERS])
    agency, regency, reach = given.member("agency", AgencyCode), given.member("regency", Regency), _reach(given)
    async with desk.database.connection() as connection:
        now: datetime = await connection.fetchval("SELECT now()")
        free = await choosing.select_free(connection, scope_of(principal).agencies)
        policy = await policy_store.live(connection)
    shown = [one for one in sorted(free) if agency in (None, one.agency) and regency in (None, one.regency)]
    areas = gazetteer().kecamatan
    items = []
    for one in shown:
        limit = reach or _promised(policy, one)
        own = [area for area in areas if area.regency is one.regency]
        items.append(_row(one, limit, len(free[one]), cover(own, free[one], limit, now)))
    return private(CoverageOfAll(items=tuple(items)))


def _reach(given: Parameters) -> timedelta | None:
    numbers = given.numbers("reach_minutes", 1)
    if numbers is None:
        return None
    if not (1 <= numbers[0] <= _MAX_REACH_MIN and numbers[0].is_integer()):
        raise invalid("reach_minutes", f"expected a whole number from 1 to {_MAX_REACH_MIN}")
    return timedelta(minutes=numbers[0])


def _promised(policy: Policy, agency: AgencyRef) -> timedelta:
    promise = policy.promise(ClockKind.ON_SCENE, Category.TRAFFIC_JAM, Priority.NORMAL, agency)
    return timedelta(minutes=promise.within.minutes) if promise and promise.within.minutes else _REACH


def _row(agency: AgencyRef, reach: timedelta, free: int, found: Coverage) -> AgencyCoverage:
    return AgencyCoverage(
        agency=agency.agency,
        regency=agency.regency,
        reach_minutes=round(reach.total_seconds() / 60),
        free_officers=free,
        kecamatan=tuple(
            CoveredKecamatan(
                code=one.kecamatan.code,
                name=one.kecamatan.name,
                covered=one.within_reach,
                nearest=_near(one.nearest),
            )
            for one in found.kecamatan
        ),
        gaps=found.gaps,
        moves=tuple(
            SuggestedMove(officer_id=one.username, name=one.name, to=one.to, minutes=one.minutes, because=one.because)
            for one in found.moves
        ),
    )


def _near(nearest: Sequence[Near]) -> tuple[NearOfficer, ...]:
    return tuple(NearOfficer(officer_id=one.username, name=one.name, minutes=one.minutes) for one in nearest)


TYPES: Final = (CoverageOfAll,)
