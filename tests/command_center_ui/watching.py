"""Clients, records and wires for tests of the feed: everything that a node meets, without a socket."""

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from command_center_ui.board import Board
from command_center_ui.door import Door
from command_center_ui.frame import Frame
from command_center_ui.hub import Hub
from command_center_ui.instant import Instant
from command_center_ui.places import Places
from command_center_ui.protocol import Close
from command_center_ui.record import PulseRecord, RowRecord, read
from command_center_ui.session import Session
from infra.tickets import Viewer, issue
from schemas.place import AgencyRef
from schemas.topics import FEED_PULSED, ROW_CHANGED, ROW_REMOVED
from schemas.vocabulary import FeedChannel, Role

Json = dict[str, Any]
Record = tuple[bytes, bytes | None, list[tuple[str, bytes]], int, int]

SECRET: Final = bytes(32)
NOON: Final = datetime(2026, 11, 22, 5, 0, tzinfo=UTC)

OPERATOR: Final = Viewer(role=Role.OPERATOR, subject="poc-rina")
DLH: Final = Viewer(role=Role.DISPATCHER, subject="dlh-sari", agencies=(AgencyRef.parse("32.75/DLH"),))
CAMAT: Final = Viewer(role=Role.AREA_HEAD, subject="camat-rawalumbu", kecamatan="32.75.05")
COUNCIL: Final = Viewer(role=Role.EXECUTIVE, subject="dewan-1")
PUBLIC: Final = Viewer()


def row(key: str, version: int = 1, text: str = "", **said: object) -> Json:
    """A whole incident row."""
    return {
        "id": key, "version": version, "category": "traffic_jam", "title": f"Kemacetan {text}", "status": "routed",
        "priority": "normal", "agency": "DISHUB", "regency": "32.75", "kecamatan": "32.75.05", "kelurahan": None,
        "lat": -6.234567, "lon": 106.987654, "address": None, "opened_at": "2026-11-22T04:59:00Z",
        "updated_at": "2026-11-22T05:00:00Z", "received_at": "2026-11-22T04:59:59Z", "due_at": None, "report_count": 1,
        "sources": ["app"], "confidence": 0.9, "officers": [{"id": "o1", "name": "Budi", "status": "offered"}],
        "photo_url": "/api/v1/photos/1", **said,
    }  # fmt: skip


@dataclass
class Topic:
    """`bekasi.feed.v1`: records with rising offsets and, as after transactions, holes between them."""

    records: list[Record] = field(default_factory=list)
    tags: dict[tuple[FeedChannel, str], Mapping[str, str]] = field(default_factory=dict)
    next_offset: int = 0
    seq: int = 0

    def put(
        self, key: str, data: Json | None, tags: Mapping[str, str] | None = None, *,
        channel: FeedChannel = FeedChannel.INCIDENTS, at: datetime = NOON,
    ) -> Record:  # fmt: skip
        """A row's new version; `data` None takes it away."""
        self.seq += 1
        before = self.tags.get((channel, key))
        headers = [("x-seq", str(self.seq).encode())]
        if before is not None:
            headers.append(("x-tags-before", json.dumps(before).encode()))
        if data is None:
            self.tags.pop((channel, key), None)
            headers.append(("ce_type", ROW_REMOVED.encode()))
        else:
            self.tags[channel, key] = tags or {}
            headers += [("ce_type", ROW_CHANGED[channel].encode()), ("x-tags", json.dumps(tags or {}).encode())]
        value = None if data is None else json.dumps(data).encode()
        return self._append(f"{channel}:{key}", value, headers, at)

    def pulse(self, *, shard: int = 0, shards: int = 1, at: datetime = NOON, as_of: datetime | None = None) -> Record:
        """A shard's word of how far it is."""
        told = (as_of or at).isoformat()
        value = {"shard": shard, "shards": shards, "as_of": {channel.value: told for channel in FeedChannel}}
        return self._append(f"pulse:{shard}", json.dumps(value).encode(), [("ce_type", FEED_PULSED.encode())], at)

    def again(self, record: Record) -> Record:
        """The record once more, as a relay sends it that did not see the acknowledgement."""
        key, value, headers, _, at = record
        self.records.append((key, value, headers, self.next_offset, at))
        self.next_offset += 1
        return self.records[-1]

    def hole(self) -> None:
        """The marker of a transaction."""
        self.next_offset += 1

    def compacted(self, now: datetime) -> list[Record]:
        """What is left for a node that starts now: of each key older than 30 min only the last record, and of
        those that took a row away none that is older than a day."""
        old, older = ((now - timedelta(minutes=age)).timestamp() * 1000 for age in (30, 24 * 60))
        last = {record[0]: record[3] for record in self.records if record[4] <= old}
        return [
            record
            for record in self.records
            if record[4] > old or (last[record[0]] == record[3] and (record[1] is not None or record[4] > older))
        ]

    def _append(self, key: str, value: bytes | None, headers: list[tuple[str, bytes]], at: datetime) -> Record:
        record = (key.encode(), value, headers, self.next_offset, int(at.timestamp() * 1000))
        self.records.append(record)
        self.next_offset += 1
        return record


def decoded(record: Record) -> RowRecord | PulseRecord:
    """A record as the board takes it."""
    return read(*record)


class Paper:
    """A wire that keeps what is written to it until the client reads, `room` bytes at a time."""

    def __init__(self) -> None:
        self.waiting: list[Frame] = []
        self.closed: tuple[int, str] | None = None
        self._read_of_first = 0

    def write(self, frame: Frame) -> int:
        assert self.closed is None, "nothing is written after the close frame"
        assert len(frame.payload) <= 512 * 1024
        self.waiting.append(frame)
        return len(frame.payload)

    def buffered(self) -> int:
        return sum(len(frame.payload) for frame in self.waiting) - self._read_of_first

    def close(self, code: Close, reason: str) -> None:
        assert len(reason.encode()) <= 123
        self.closed = (int(code), reason)

    def take(self, room: int = 1 << 40) -> list[Json]:
        """Read up to `room` bytes; the frames that are complete."""
        found = []
        while self.waiting and room >= (rest := len(self.waiting[0].payload) - self._read_of_first):
            room -= rest
            self._read_of_first = 0
            found.append(json.loads(self.waiting.pop(0).payload))
        if self.waiting:
            self._read_of_first += room
        return found


class Follower:
    """A client that does exactly what the contract says, and insists that the node does too."""

    def __init__(self) -> None:
        self.rows: defaultdict[str, dict[str, Json]] = defaultdict(dict)
        self.position: dict[str, tuple[str, int]] = {}
        self.whole: set[str] = set()
        self.asked: dict[int, str] = {}
        self.heard: list[Json] = []

    def hear(self, frames: list[Json]) -> None:
        """Take frames in, in their order."""
        for said in frames:
            self.heard.append(said)
            if "epoch" in said.get("subscribe", {}):
                self._begin(self.asked.pop(said["id"]), said["subscribe"])
            elif "state" in said.get("push", {}):
                self._part(said["push"]["channel"], said["push"])
            elif "pubs" in said.get("push", {}):
                self._apply(said["push"])

    def _begin(self, channel: str, reply: Json) -> None:
        self.position[channel] = (reply["epoch"], reply["offset"])
        if reply["recovered"]:
            self._publish(channel, reply["publications"], -1, reply["offset"])
            self.whole.add(channel)
        else:
            self.rows[channel] = {}
            self.whole.discard(channel)
            self._part(channel, reply)

    def _part(self, channel: str, part: Json) -> None:
        assert channel not in self.whole
        assert part.get("epoch", self.position[channel][0]) == self.position[channel][0]
        assert len(json.dumps(part, separators=(",", ":"))) <= 256 * 1024
        for entry in part["state"]:
            assert entry["key"] not in self.rows[channel], "a key is in one part only"
            self.rows[channel][entry["key"]] = entry["data"]
        if not part["more"]:
            self.whole.add(channel)

    def _apply(self, push: Json) -> None:
        channel = push["channel"]
        assert channel in self.whole, "live pushes follow the last part"
        epoch, offset = self.position[channel]
        assert push["epoch"] == epoch
        assert 0 <= push["since"] <= offset, "a gap"
        assert push["since"] <= push["offset"]
        self._publish(channel, push["pubs"], offset, push["offset"], since=push["since"])
        self.position[channel] = (epoch, max(offset, push["offset"]))

    def _publish(self, channel: str, pubs: list[Json], known: int, until: int, since: int = -1) -> None:
        offsets = [pub["offset"] for pub in pubs]
        assert offsets == sorted(set(offsets))
        assert all(since < offset <= until for offset in offsets)
        for pub in pubs:
            if pub["offset"] <= known:
                continue
            if pub.get("removed"):
                assert set(pub) == {"offset", "key", "removed"}
                self.rows[channel].pop(pub["key"], None)
            else:
                self.rows[channel][pub["key"]] = pub["data"]


class Node:
    """A feed node and its clock."""

    def __init__(self, epoch: str = "k3T", *, keep_changes: int = 50_000) -> None:
        self.hub = Hub(
            Board(epoch, keep_changes=keep_changes), Door(SECRET).admit, ttl_s=900, places=Places(5_000, 1_000)
        )
        self.steady = 1000.0
        self.wall = NOON

    @property
    def now(self) -> Instant:
        return Instant(self.steady, self.wall)

    def reads(self, *records: Record) -> None:
        for record in records:
            self.hub.board.apply(decoded(record))

    def tick(self, seconds: float = 0.05) -> None:
        """Time passes, then the hub looks."""
        self.steady += seconds
        self.wall += timedelta(seconds=seconds)
        self.hub.tick(self.now)

    def client(self, viewer: Viewer = OPERATOR) -> "Client":
        """Somebody who has connected."""
        client = Client(self)
        client.says(connect={"ticket": ticket(viewer, self.wall), "name": "test"})
        assert client.reads()[0]["connect"]["ttl"] == 900
        return client


class Client:
    """A socket's two ends: what is said, and what a client would do with the answer."""

    def __init__(self, node: Node, follower: Follower | None = None) -> None:
        self.node = node
        self.paper = Paper()
        self.follower = follower or Follower()
        self.session: Session = node.hub.come(self.paper, node.now)
        self._next_id = 0

    def says(self, **command: object) -> int:
        self._next_id += 1
        self.session.received(json.dumps({"id": self._next_id, **command}), self.node.now)
        return self._next_id

    def subscribes(self, channel: str = "incidents", *, recover: bool = False, **more: object) -> list[Json]:
        """Subscribe (resuming where the follower stopped, with `recover`) and read what comes at once."""
        said: Json = {"channel": channel, "recover": recover}
        if recover and channel in self.follower.position:
            said["epoch"], said["offset"] = self.follower.position[channel]
        said |= more
        self.follower.asked[self._next_id + 1] = channel
        self.says(subscribe=said)
        return self.reads()

    def reads(self, room: int = 1 << 40) -> list[Json]:
        """Read and follow."""
        frames = self.paper.take(room)
        self.follower.hear(frames)
        return frames

    @property
    def rows(self) -> dict[str, Json]:
        return self.follower.rows.get("incidents", {})

    @property
    def close_code(self) -> int | None:
        return self.paper.closed[0] if self.paper.closed else None


def ticket(viewer: Viewer, now: datetime = NOON) -> str:
    """A fresh ticket."""
    return issue(SECRET, viewer, now)[0]
