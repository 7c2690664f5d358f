"""POC operators: they read what waits, judge it, join what is one event, and end what nobody else ends."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from infra.simulate.city import metres_between
from infra.simulate.desk import Desk, Row
from infra.simulate.texts import meant
from schemas.vocabulary import Category

#: Minutes between two looks at the queue.
_LOOK_EVERY_MIN: Final = 2.0
#: What nobody has taken up after so many looks is settled by telephone.
_LOOKS_BEFORE_PHONE: Final = 25
_SAME_EVENT_M: Final = 120.0
_CLOSE_SHARE: Final = 0.02
_NOTE_SHARE: Final = 0.04
_REROUTE_SHARE: Final = 0.02


class Operator(Desk):
    """One of the operations room."""

    async def work(self) -> None:
        """Go through the queue again and again, for ever."""
        looks: dict[str, int] = {}
        while True:
            for incident in await self.incidents(status="triage"):
                await self._judge(incident)
            routed = await self.incidents(status="routed")
            await self._join(routed)
            looks = {one["id"]: looks.get(one["id"], 0) + 1 for one in routed}
            for incident in routed:
                await self._help(incident, looks[incident["id"]])
            for incident in await self.incidents(status="resolved"):
                if self.rng.random() < _CLOSE_SHARE:
                    await self.say(incident, "close")
            await self.day.sleep(_LOOK_EVERY_MIN)

    async def _judge(self, incident: Row) -> None:
        """Read what was written: it is something for an agency, or nothing that an agency could do."""
        whole = await self.read(incident)
        texts = [report["description"] for report in whole["reports"]] if whole else []
        category = next((found for text in texts if (found := meant(text or ""))), Category(incident["category"]))
        if category is Category.OTHER:
            await self.say(incident, "reject", reason="Bukan laporan kejadian; silakan hubungi 1500444.")
        else:
            await self.say(incident, "triage", category=category)

    async def _join(self, routed: Sequence[Row]) -> None:
        """Two of a kind that stand next to each other are one event."""
        placed = [one for one in routed if one["lat"] is not None]
        for one, other in pairwise(sorted(placed, key=lambda row: (row["category"], row["lat"], row["lon"]))):
            apart = metres_between((one["lat"], one["lon"]), (other["lat"], other["lon"]))
            if one["category"] == other["category"] and one["agency"] == other["agency"] and apart < _SAME_EVENT_M:
                older, newer = sorted((one, other), key=lambda row: str(row["opened_at"]))
                await self.say(newer, "merge", into=older["id"], reason="Kejadian yang sama, dilaporkan dua kali")
                return  # versions have changed; the next look goes on

    async def _help(self, incident: Row, looks: int) -> None:
        if looks >= _LOOKS_BEFORE_PHONE:
            await self.say(incident, "resolve", note="Diselesaikan lewat telepon dengan dinas terkait")
        elif looks == 1 and self.rng.random() < _NOTE_SHARE:
            await self.say(incident, "note", text="Laporan Anda sudah diteruskan ke dinas terkait.", public=True)
        elif looks == 1 and incident["category"] == Category.FLOOD and self.rng.random() < _REROUTE_SHARE:
            await self.say(incident, "reroute", agency="BPBD", reason="Air masih naik, perlu BPBD")
