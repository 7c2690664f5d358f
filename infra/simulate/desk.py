"""What everybody at a desk does: look at a list, say a verb on an incident as it was read."""

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any, Final

from infra.public_api import Api
from infra.simulate.day import Day

Row = Mapping[str, Any]
#: Incidents that somebody at a desk looks at in one go.
_PAGE: Final = 20


class Desk:
    """A member of staff with a screen; what each kind of staff does there is its `work`."""

    def __init__(self, api: Api, rng: Random, day: Day, username: str) -> None:
        self.api = api
        self.rng = rng
        self.day = day
        self.username = username

    async def incidents(self, **which: str) -> Sequence[Row]:
        """The newest incidents of that kind in one's scope."""
        return await self.api.items("/api/v1/incidents", limit=_PAGE, **which)

    async def read(self, incident: Row) -> Row | None:
        """The whole incident; None when it cannot be had."""
        answer = await self.api.send("GET", f"/api/v1/incidents/{incident['id']}")
        return answer.json() if answer is not None and answer.status_code == 200 else None

    async def say(self, incident: Row, verb: str, **body: object) -> bool:
        """A verb on an incident; whether it was done. Somebody else may have been faster, which is no trouble."""
        answer = await self.api.send(
            "POST", f"/api/v1/incidents/{incident['id']}/{verb}", json={"version": incident["version"], **body}
        )
        return answer is not None and answer.status_code == 200
