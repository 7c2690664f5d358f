"""Promise 4: stale snapshot + pushes = fresh snapshot, for every client, on any node, whatever is cut and when.

Two nodes read one log in batches of their own; clients with different scopes and filters read as slowly as they like,
are cut in the middle of a frame, and resume on either node; rows change hands, leave scopes, end and come back; nodes
are started anew from a compacted log. At the end everybody is let read to the end and must hold what the log says.
"""

import os
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import hypothesis.strategies as st
from hypothesis import HealthCheck, Phase, given, settings

from infra.tickets import Viewer
from schemas.vocabulary import FeedChannel
from tests.command_center_ui.watching import (
    CAMAT,
    COUNCIL,
    DLH,
    NOON,
    OPERATOR,
    PUBLIC,
    Client,
    Follower,
    Json,
    Node,
    Record,
    Topic,
    row,
    ticket,
)

Row = tuple[FeedChannel, str]
Tags = dict[str, str]
Step = tuple[Callable[..., None], dict[str, Any]]

#: A ring that is soon full.
RING = 25
KEYS = [f"INC-{n}" for n in range(4)]
ROWS = st.tuples(st.sampled_from([FeedChannel.INCIDENTS] * 3 + [FeedChannel.SENSORS]), st.sampled_from(KEYS))
WATCHERS: list[tuple[Viewer, FeedChannel, dict[str, list[str]] | None]] = [
    (OPERATOR, FeedChannel.INCIDENTS, None),
    (DLH, FeedChannel.INCIDENTS, None),
    (CAMAT, FeedChannel.INCIDENTS, None),
    (PUBLIC, FeedChannel.INCIDENTS, None),
    (COUNCIL, FeedChannel.INCIDENTS, {"status": ["routed", "assigned"]}),
    (OPERATOR, FeedChannel.INCIDENTS, {"agency": ["32.75/DLH"], "kecamatan": ["32.75.05"]}),
    (OPERATOR, FeedChannel.SENSORS, None),
]
TAGS = st.fixed_dictionaries(
    {
        "agency": st.sampled_from(["32.75/DLH", "32.75/DISHUB"]),
        "kecamatan": st.sampled_from(["32.75.05", "32.75.01"]),
        "status": st.sampled_from(["routed", "assigned", "closed"]),
    }
)
#: A failure is shown as it was found when PATRIOT_TEST_SHRINK is 0: shrinking it takes minutes.
PHASES = tuple(phase for phase in Phase if phase is not Phase.shrink or os.environ.get("PATRIOT_TEST_SHRINK") != "0")


def sees(viewer: Viewer, channel: FeedChannel, wanted: dict[str, list[str]] | None, tags: Tags) -> bool:
    """Who sees what, said again in other words than the node's."""
    if channel == FeedChannel.INCIDENTS:
        if viewer is DLH and tags["agency"] != "32.75/DLH":
            return False
        if viewer is CAMAT and tags["kecamatan"] != "32.75.05":
            return False
    return all(tags[name] in values for name, values in (wanted or {}).items())


class Watcher:
    """A follower that outlives its sockets."""

    def __init__(self, viewer: Viewer, channel: FeedChannel, wanted: dict[str, list[str]] | None) -> None:
        self.viewer, self.channel, self.wanted = viewer, channel, wanted
        self.follower = Follower()
        self.client: Client | None = None

    def comes(self, node: Node, *, recover: bool) -> None:
        self.client = Client(node, self.follower)
        self.client.says(connect={"ticket": ticket(self.viewer, node.wall)})
        more: dict[str, Any] = {} if self.wanted is None else {"filter": self.wanted}
        self.client.reads()
        self.follower.asked.clear()
        self.follower.asked[self.client._next_id + 1] = self.channel
        said: Json = {"channel": self.channel, **more}
        if recover and self.channel in self.follower.position and self.channel in self.follower.whole:
            epoch, offset = self.follower.position[self.channel]
            said |= {"recover": True, "epoch": epoch, "offset": offset}
        self.client.says(subscribe=said)

    def leaves(self) -> None:
        """Cut: what was not read is lost."""
        if self.client is not None:
            self.client.node.hub.gone(self.client.session)
        self.client = None


class City:
    """Two nodes, one log, and those who watch."""

    def __init__(self) -> None:
        self.topic = Topic()
        self.wall = NOON
        self.nodes = [Node(keep_changes=RING), Node(keep_changes=RING)]
        self.read = [0, 0]
        self.watchers = [Watcher(*watcher) for watcher in WATCHERS]
        self.data: dict[Row, tuple[Json, Tags]] = {}
        #: Every version there ever was, for what a client may have learnt.
        self.versions: dict[Row, list[Tags]] = {}
        self.version = 0
        for watcher in self.watchers:
            watcher.comes(self.nodes[0], recover=False)

    # What may happen

    def rows_change(self, changes: list[tuple[Row, Tags, int]]) -> None:
        for row_, tags, filler in changes:
            self._a_row_changes(row_, tags, filler)

    def _a_row_changes(self, row_: Row, tags: Tags, filler: int) -> None:
        self.version += 1
        channel, key = row_
        data = row(key, self.version, "x" * filler)
        self.topic.put(key, data, tags, channel=channel, at=self.wall)
        self.data[row_] = data, tags
        self.versions.setdefault(row_, []).append(tags)

    def a_row_ends(self, row_: Row) -> None:
        if self.data.pop(row_, None) is not None:
            self.topic.put(row_[1], None, channel=row_[0], at=self.wall)

    def a_record_is_sent_twice(self, back: int) -> None:
        rows = [record for record in self.topic.records if record[0] != b"pulse:0"]
        if len(rows) >= back:
            record = rows[-back]
            # A relay sends a batch again in its order: an older version of a row is never last in the log.
            newest: Record = next(other for other in reversed(rows) if other[0] == record[0])
            if newest[2] == record[2]:
                self.topic.again(record)

    def a_transaction_ends(self) -> None:
        self.topic.hole()
        self.topic.pulse(at=self.wall)

    def a_node_reads(self, which: int, count: int, seconds: float | None) -> None:
        node = self.nodes[which]
        node.reads(*self.topic.records[self.read[which] : self.read[which] + count])
        self.read[which] = min(self.read[which] + count, len(self.topic.records))
        if seconds is not None:  # else its tick is yet to come
            self.tick(node, seconds)

    def a_node_is_started_anew_from_a_compacted_log(self, which: int) -> None:
        for watcher in self.watchers:
            if watcher.client is not None and watcher.client.node is self.nodes[which]:
                watcher.leaves()
        node = self.nodes[which] = Node(keep_changes=RING)
        node.wall = self.wall
        node.reads(*self.topic.compacted(self.wall))
        node.hub.board.trim(self.wall)
        self.read[which] = len(self.topic.records)

    def time_passes(self, seconds: float) -> None:
        self.wall += timedelta(seconds=seconds)
        for node in self.nodes:
            self.tick(node, 0.05)

    def a_client_comes(self, who: int, which: int, recover: bool) -> None:
        self.watchers[who].leaves()
        self.watchers[who].comes(self.nodes[which], recover=recover)

    def everybody_comes_back_to_one_node(self, which: int) -> None:
        for who in range(len(self.watchers)):
            self.a_client_comes(who, which, recover=True)

    def a_client_reads(self, who: int, room: int) -> None:
        client = self.watchers[who].client
        if client is not None:
            client.reads(room)

    def everybody_reads(self) -> None:
        for who in range(len(self.watchers)):
            self.a_client_reads(who, 1 << 40)

    # What must hold

    def nobody_learns_of_a_row_it_could_never_see(self) -> None:
        for watcher in self.watchers:
            for said in watcher.follower.heard:
                part = said.get("push") or said.get("subscribe") or {}
                for entry in [*part.get("pubs", ()), *part.get("publications", ()), *part.get("state", ())]:
                    ever = self.versions[watcher.channel, entry["key"]]
                    assert any(sees(watcher.viewer, watcher.channel, watcher.wanted, tags) for tags in ever)
            watcher.follower.heard.clear()

    def at_last_everybody_holds_what_the_log_says(self) -> None:
        for which, node in enumerate(self.nodes):
            node.reads(*self.topic.records[self.read[which] :])
        for _ in range(200):
            for node in self.nodes:
                self.tick(node, 0.5)
            for watcher in self.watchers:
                if watcher.client is None or watcher.client.close_code is not None:
                    watcher.leaves()
                    watcher.comes(self.nodes[0], recover=True)
                else:
                    watcher.client.reads()
            self.nobody_learns_of_a_row_it_could_never_see()
            if all(self._is_at_the_end(watcher) for watcher in self.watchers):
                break
        for watcher in self.watchers:
            held = watcher.follower.rows[watcher.channel]
            assert {key: data["version"] for key, data in held.items()} == self._expected(watcher)
            if watcher.viewer is PUBLIC:
                assert all("officers" not in data and "priority" not in data for data in held.values())
            for node in self.nodes:
                assert self._fresh_snapshot(node, watcher) == held

    def _is_at_the_end(self, watcher: Watcher) -> bool:
        last = self.topic.records[-1][3] if self.topic.records else 0
        known = watcher.follower.position.get(watcher.channel, ("", -1))[1]
        return watcher.channel in watcher.follower.whole and known >= last

    def _expected(self, watcher: Watcher) -> dict[str, int]:
        return {
            key: data["version"]
            for (channel, key), (data, tags) in self.data.items()
            if channel == watcher.channel and sees(watcher.viewer, channel, watcher.wanted, tags)
        }

    def _fresh_snapshot(self, node: Node, like: Watcher) -> dict[str, Json]:
        fresh = Watcher(like.viewer, like.channel, like.wanted)
        fresh.comes(node, recover=False)
        assert fresh.client is not None
        fresh.client.reads()
        while like.channel not in fresh.follower.whole and self.topic.records:
            self.tick(node, 0.05)
            fresh.client.reads()
        fresh.leaves()
        return fresh.follower.rows[like.channel]

    def tick(self, node: Node, seconds: float) -> None:
        node.steady += seconds
        self.wall += timedelta(seconds=seconds)
        for other in self.nodes:
            other.wall = self.wall
        node.hub.tick(node.now)


def step(action: Callable[..., None], **arguments: st.SearchStrategy[Any]) -> st.SearchStrategy[Step]:
    return st.tuples(st.just(action), st.fixed_dictionaries(arguments))


who, which = st.integers(0, len(WATCHERS) - 1), st.integers(0, 1)
#: Small rows share frames; large ones fill buffers, so that clients fall behind and what they get is split.
changes = st.lists(st.tuples(ROWS, TAGS, st.sampled_from([0, 0, 0, 9_000, 40_000])), min_size=1, max_size=6)
change = step(City.rows_change, changes=changes)
reads = step(City.a_node_reads, which=which, count=st.integers(1, 12), seconds=st.sampled_from([None, 0.05, 0.05, 4.5]))
listens = step(City.a_client_reads, who=who, room=st.sampled_from([10, 300, 5_000, 70_000, 1 << 40]))
comes = step(City.a_client_comes, who=who, which=which, recover=st.sampled_from([True, True, False]))
#: How often each happens is told by how often it stands here.
STEPS = st.one_of(
    *[change] * 8,
    *[reads] * 10,
    *[listens] * 2,
    *[comes] * 2,
    *[step(City.everybody_reads)] * 3,
    step(City.a_row_ends, row_=ROWS),
    step(City.a_record_is_sent_twice, back=st.integers(1, 3)),
    step(City.a_transaction_ends),
    st.one_of(
        step(City.everybody_comes_back_to_one_node, which=which),
        step(City.a_node_is_started_anew_from_a_compacted_log, which=which),
        step(City.time_passes, seconds=st.sampled_from([6.0, 6.0, 300.0, 700.0, 2_000.0, 90_000.0])),
    ),
)


@settings(
    max_examples=60,
    deadline=None,
    phases=PHASES,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(steps=st.lists(STEPS, min_size=60, max_size=120))
def test_stale_snapshot_and_pushes_make_a_fresh_snapshot(steps: list[Step]) -> None:
    city = City()
    for action, arguments in steps:
        action(city, **arguments)
        city.nobody_learns_of_a_row_it_could_never_see()
    city.at_last_everybody_holds_what_the_log_says()
