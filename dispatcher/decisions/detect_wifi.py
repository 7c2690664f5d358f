"""Whether a public wifi node is heard: down when it says so or is silent for too long, back after three good beats."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final, Literal

import msgspec

from schemas.vocabulary import DeviceState

# domain.md, Traffic and wifi.
BEAT: Final = timedelta(seconds=60)
SUSPECT_AFTER: Final = 3 * BEAT
DOWN_AFTER: Final = timedelta(minutes=5)
GOOD_BEATS: Final = 3
#: From so many nodes on that fall silent while nobody at all is heard, it is our ears and not the nodes.
NODES_OF_DEAFNESS: Final = 3

WifiTurn = Literal["down", "back"]


class BeatState(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is remembered of a node between two beats. Kept as JSON beside its newest beat."""

    #: Of the newest beat; an older one changes nothing.
    observed_at: datetime | None = None
    #: Good beats in a row, counted up to three.
    good: int = 0
    state: DeviceState = DeviceState.UP


class Beaten(msgspec.Struct, frozen=True):
    """A node after one beat, or after a silence."""

    state: BeatState
    turn: WifiTurn | None = None
    because: tuple[str, ...] = ()


class Heard(msgspec.Struct, frozen=True):
    """When a node was last heard, by the broker's clock."""

    node_id: str
    state: BeatState
    received_at: datetime


def beat(before: BeatState, observed_at: datetime, *, up: bool) -> Beaten | None:
    """A node after a beat that says up or down. None for a beat not newer than the newest: it changes nothing."""
    if before.observed_at is not None and observed_at <= before.observed_at:
        return None
    was_down = before.state is DeviceState.DOWN
    if not up:
        after = BeatState(observed_at, 0, DeviceState.DOWN)
        return Beaten(after) if was_down else Beaten(after, "down", ("titik wifi melapor mati",))
    good = min(before.good + 1, GOOD_BEATS)
    if was_down and good < GOOD_BEATS:
        return Beaten(BeatState(observed_at, good, DeviceState.DOWN))
    after = BeatState(observed_at, good, DeviceState.UP)
    return Beaten(after, "back", (f"{GOOD_BEATS} detak baik berturut-turut",)) if was_down else Beaten(after)


def silent(nodes: Iterable[Heard], as_of: datetime, listening_since: datetime | None) -> dict[str, Beaten]:
    """Nodes that have become suspect or down by silence, by id.

    `as_of`: everything sent until then has been read. `listening_since`: since when we hear without a gap ourselves,
    None when nobody is heard; what was missed while we were deaf is not held against a node. A node that was heard
    fewer than three times in a row has no rhythm that it could have lost.
    """
    found: dict[str, Beaten] = {}
    for node in nodes:
        if node.state.state is DeviceState.DOWN or node.state.good < GOOD_BEATS:
            continue
        silence = as_of - max(node.received_at, listening_since or node.received_at)
        if silence >= DOWN_AFTER:
            because = (f"tidak terdengar selama {silence.total_seconds() / 60:.0f} menit",)
            after = msgspec.structs.replace(node.state, state=DeviceState.DOWN, good=0)
            found[node.node_id] = Beaten(after, "down", because)
        elif silence >= SUSPECT_AFTER and node.state.state is DeviceState.UP:
            found[node.node_id] = Beaten(msgspec.structs.replace(node.state, state=DeviceState.SUSPECT))
    fallen = sum(beaten.turn == "down" for beaten in found.values())
    return {} if listening_since is None and fallen >= NODES_OF_DEAFNESS else found
