"""Agency dispatchers: they send the officer whom the recommender puts first, and wait where nobody suits."""

from typing import Final

from infra.simulate.desk import Desk

_LOOK_EVERY_MIN: Final = 1.5


class Dispatcher(Desk):
    """One who sends the officers of an agency."""

    async def work(self) -> None:
        """Send somebody to whatever has come to the agency, for ever."""
        while True:
            for incident in await self.incidents(status="routed"):
                answer = await self.api.send("GET", f"/api/v1/incidents/{incident['id']}/recommendations")
                if answer is not None and answer.status_code == 200 and answer.json()["items"]:
                    await self.say(incident, "assign")
            await self.day.sleep(_LOOK_EVERY_MIN)
