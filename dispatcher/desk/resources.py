"""What the desk's handlers work with: the database, who is asking, and the limits."""

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Final, cast

from fastapi import Request
from starlette.responses import Response

from dispatcher.desk import reach
from dispatcher.desk.database import Database
from dispatcher.desk.passwords import Passwords
from dispatcher.desk.reach import Reach
from dispatcher.desk.scope import Scope
from dispatcher.desk.settings import DeskSettings
from infra.access import Access, Principal
from infra.http import answer
from infra.photos import Photos
from infra.problem import Problem, too_many
from infra.staff_photos import StaffPhotos
from infra.throttle import Throttle, client_address
from schemas.geography import Geography
from schemas.vocabulary import Role

#: Where the desk is kept in an app's state.
ROOM: Final = "desk"


@dataclass(frozen=True)
class Throttles:
    """How often one address may be wrong."""

    sign_in: Throttle
    sign_in_address: Throttle
    second_factor: Throttle
    wrong_code: Throttle


@dataclass(frozen=True)
class Desk:
    """The desk of one process."""

    settings: DeskSettings
    database: Database
    access: Access
    passwords: Passwords
    photos: Photos
    staff_photos: StaffPhotos
    geography: Geography
    throttles: Throttles

    def address(self, request: Request) -> str:
        """Where a request comes from."""
        return client_address(request, self.settings.trusted_proxies)

    async def staff(self, request: Request, roles: Collection[Role], *, owing: bool = False) -> Principal:
        """A signed-in person with one of these roles, who owes nothing unless `owing`. Raises 401, 403 or 503."""
        principal = await self.access.staff(request, owing=owing)
        if principal.role not in roles:
            raise Problem(403, "role", "Your role does not include this.")
        return principal


def desk_of(request: Request) -> Desk:
    """The desk that a request has come to; its database is asked in the name of whoever asks (`reach_of`)."""
    desk = cast(Desk, getattr(request.app.state, ROOM))
    return replace(desk, database=desk.database.acting(lambda: reach_of(request)))


def reach_of(request: Request) -> Reach:
    """How far the request reaches: as far as the person whom `Access` has found, or the code that was found good
    (`came_with_code`); nowhere before that."""
    code: str | None = getattr(request.state, "code", None)
    if code is not None:
        return reach.of_code(code)
    return reach.of_principal(getattr(request.state, "principal", None))


def came_with_code(request: Request, code: str) -> None:
    """The request comes from who has this tracking code, which is one of ours."""
    request.state.code = code


def private(value: object, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON answer that is for this person alone: nothing between us and the screen may keep it."""
    return answer(value, headers={"Cache-Control": "no-store", **(headers or {})})


def role_of(principal: Principal) -> Role:
    """The role of somebody who has signed in."""
    if principal.role is None:
        raise Problem(401, "sign-in", "Sign in first.")
    return principal.role


def scope_of(principal: Principal) -> Scope:
    """What this person may see."""
    return Scope(principal.agencies, principal.kecamatan, principal.kelurahan)


def refuse_when_late(throttle: Throttle, caller: str, what: str) -> None:
    """Raises 429 while `caller` has to wait; takes nothing."""
    if wait := throttle.wait(caller, time.monotonic()):
        raise too_many(what, retry_after_s=int(wait) + 1)


#: What every staff route may answer beside its own errors.
STAFF_ERRORS: Final = (401, 403, 503)
#: And one that reads a JSON body.
BODY_ERRORS: Final = (400, 408, 413, 415, 422)
SIGNED_IN: Final = ({"cookie": ()}, {"bearer": ()})
ALL_STAFF: Final = frozenset(Role)
