"""What one client of the feed was told, held against the contract (section 3). Plain: frames in, judgement out."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]
Rows = dict[str, dict[str, Json]]


@dataclass
class Told:
    """Rows as a wall keeps them, and everything that was wrong with how they came.

    `gaps`, `reordered` and `broken` must be empty whatever is done to the system; sentences, each with its channel.
    """

    rows: Rows = field(default_factory=dict)
    #: Epoch and offset by channel.
    position: dict[str, tuple[str, int]] = field(default_factory=dict)
    #: (epoch, since, offset] of every push, by channel, in their order.
    ranges: dict[str, list[tuple[str, int, int]]] = field(default_factory=dict)
    #: Versions of each incident in the order in which they were shown.
    versions: dict[str, list[int]] = field(default_factory=dict)
    #: Stretches that were left out.
    gaps: list[str] = field(default_factory=list)
    #: Rows that went back to an older version within one stretch of pushes.
    reordered: list[str] = field(default_factory=list)
    #: What else the contract does not allow.
    broken: list[str] = field(default_factory=list)
    #: Channels whose state is complete.
    whole: set[str] = field(default_factory=set)
    #: How often a subscription was answered, by `recovered`, `state` and `set_back`: a state from before what the
    #: client knew already, which a node may give that has not caught up within 2 s.
    answers: Counter[str] = field(default_factory=Counter)
    #: What no later version of a row may fall behind.
    _newest: dict[str, int] = field(default_factory=dict)
    #: Channels whose state came in parts: its rows are newer than its offset, so that a node which has read less may
    #: rightly show an older version to who comes back with that offset.
    _ahead: set[str] = field(default_factory=set)

    @property
    def clean(self) -> bool:
        return not (self.gaps or self.reordered or self.broken)

    def where(self, channel: str) -> Json:
        """What to add to `subscribe`, so that it goes on where this stopped; nothing before the state is complete."""
        if channel not in self.whole:
            return {}
        epoch, offset = self.position[channel]
        return {"recover": True, "epoch": epoch, "offset": offset}

    def begin(self, channel: str, reply: Json) -> None:
        """The answer to `subscribe`."""
        before = self.position.get(channel)
        epoch, offset = reply["epoch"], reply["offset"]
        if reply["recovered"]:
            self.answers["recovered"] += 1
            if before is None or before[0] != epoch or offset < before[1]:
                self.broken.append(f"{channel}: recovered at {epoch}/{offset} from {before}")
            if channel in self._ahead:
                self._ahead.discard(channel)
                if channel == "incidents":
                    self._newest.clear()
            self._publish(channel, reply["publications"], before[1] if before else -1, offset)
            self.whole.add(channel)
        else:
            back = before is not None and before[0] == epoch and offset < before[1]
            self.answers["set_back" if back else "state"] += 1
            if channel == "incidents" and (back or channel not in self.whole or before is None or before[0] != epoch):
                self._newest.clear()
            self.rows[channel] = {}
            self.whole.discard(channel)
            self._ahead.discard(channel)
            self.part(channel, reply)
        self.position[channel] = (epoch, offset)

    def part(self, channel: str, part: Json) -> None:
        """A part of the state."""
        if channel in self.whole:
            self.broken.append(f"{channel}: a part of the state after its last")
        for entry in part["state"]:
            if entry["key"] in self.rows[channel]:
                self.broken.append(f"{channel}: {entry['key']} is in two parts of the state")
            self._put(channel, entry["key"], entry["data"])
        if part["more"]:
            self._ahead.add(channel)
        else:
            self.whole.add(channel)

    def push(self, push: Json) -> bool:
        """A push; False when it does not follow what is known: the client has to subscribe again."""
        channel, since, until = push["channel"], push["since"], push["offset"]
        self.ranges.setdefault(channel, []).append((push["epoch"], since, until))
        epoch, offset = self.position[channel]
        if channel not in self.whole:
            self.broken.append(f"{channel}: a push before the state was complete")
        if push["epoch"] != epoch or since > offset:
            self.gaps.append(f"{channel}: stood at {epoch}/{offset}, was told {push['epoch']}/({since}, {until}]")
            return False
        if until < since or any(not since < each["offset"] <= until for each in push["pubs"]):
            self.broken.append(f"{channel}: publications outside ({since}, {until}]")
        self._publish(channel, push["pubs"], offset, until)
        self.position[channel] = (epoch, max(offset, until))
        return True

    def differs(self, fresh: Rows) -> list[str]:
        """Rows that are not as in a fresh snapshot, one sentence each."""
        return sorted(
            f"{channel}: {key} is {_said(held.get(key))}, a fresh snapshot says {_said(rows.get(key))}"
            for channel, rows in fresh.items()
            for held in [self.rows.get(channel, {})]
            for key in rows.keys() | held.keys()
            if held.get(key) != rows.get(key)
        )

    def _publish(self, channel: str, pubs: list[Json], known: int, until: int) -> None:
        offsets = [each["offset"] for each in pubs]
        if offsets != sorted(set(offsets)) or (offsets and offsets[-1] > until):
            self.broken.append(f"{channel}: offsets {offsets} up to {until}")
        for each in pubs:
            if each["offset"] <= known:
                continue
            if each.get("removed"):
                self.rows[channel].pop(each["key"], None)
            else:
                self._put(channel, each["key"], each["data"])

    def _put(self, channel: str, key: str, row: Json) -> None:
        self.rows[channel][key] = row
        if channel != "incidents":
            return
        version = row["version"]
        if version < self._newest.get(key, version):
            self.reordered.append(f"{channel}: {key} went from version {self._newest[key]} to {version}")
        self._newest[key] = version
        self.versions.setdefault(key, []).append(version)


def _said(row: Json | None) -> str:
    return "not there" if row is None else f"version {row['version']}" if "version" in row else str(row)
