"""What goes out to many: joined pushes, parts of the state, clients that are slow, records that are odd."""

from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from infra.tickets import Viewer
from schemas.vocabulary import FeedChannel, Role
from tests.command_center_ui.watching import DLH, NOON, Node, Topic, row


@pytest.fixture
def node() -> Node:
    return Node()


@pytest.fixture
def topic() -> Topic:
    return Topic()


def test_fast_channels_send_a_row_once_in_5_s_and_never_lose_the_last(node: Node, topic: Topic) -> None:
    node.reads(topic.pulse())
    client = node.client()
    client.subscribes("sensors")
    seen: list[tuple[float, int]] = []
    for n in range(200):
        if n < 150:
            node.reads(topic.put("S-1", {"id": "S-1", "n": n}, channel=FeedChannel.SENSORS))
        node.tick(0.1)
        for said in client.reads():
            seen += [(node.steady, pub["data"]["n"]) for pub in said.get("push", {}).get("pubs", ())]
    times = [moment for moment, _ in seen]
    assert all(later - earlier >= 4.99 for earlier, later in pairwise(times))
    assert seen[0][1] == 0
    assert seen[-1][1] == 149
    assert client.follower.rows["sensors"]["S-1"]["n"] == 149


def test_who_joins_a_fast_channel_while_rows_wait_is_not_set_back(node: Node, topic: Topic) -> None:
    node.reads(topic.pulse())
    first = node.client()
    first.subscribes("sensors")
    node.reads(topic.put("S-1", {"id": "S-1", "n": 1}, channel=FeedChannel.SENSORS))
    node.tick()
    node.reads(topic.put("S-1", {"id": "S-1", "n": 2}, channel=FeedChannel.SENSORS))
    second = node.client()
    second.subscribes("sensors")
    for _ in range(60):
        node.tick(0.1)
        for client in (first, second):
            offsets = [said["push"]["offset"] for said in client.reads() if "push" in said]
            assert all(offset >= client.follower.position["sensors"][1] for offset in offsets[-1:])
    assert first.follower.rows["sensors"] == second.follower.rows["sensors"] == {"S-1": {"id": "S-1", "n": 2}}


def test_state_comes_in_parts_each_when_the_last_has_left(node: Node, topic: Topic) -> None:
    node.reads(*(topic.put(f"INC-{n}", row(f"INC-{n}", text="x" * 9_000)) for n in range(100)))
    client = node.client()
    client.follower.asked[2] = "incidents"
    client.says(subscribe={"channel": "incidents"})
    (answer,) = client.reads(len(client.paper.waiting[0].payload))
    assert (answer["subscribe"]["state"], answer["subscribe"]["more"]) == ([], True)
    parts = 0
    while client.paper.waiting:
        assert len(client.paper.waiting) == 1
        assert client.paper.buffered() <= 256 * 1024
        client.reads(client.paper.buffered() - 1)
        node.tick()
        assert len(client.paper.waiting) == 1, "the next part waits until the last has left"
        client.reads()
        parts += 1
        node.tick()
    assert parts == 4
    assert len(client.rows) == 100


def test_a_part_of_the_state_does_not_make_a_client_slow(node: Node, topic: Topic) -> None:
    node.reads(*(topic.put(f"INC-{n}", row(f"INC-{n}", text="x" * 9_000)) for n in range(60)))
    client = node.client()
    client.follower.asked[2] = "incidents"
    client.says(subscribe={"channel": "incidents"})
    assert client.paper.buffered() > 200_000
    for _ in range(24):
        node.tick(1)
    assert client.close_code is None


def test_a_client_that_is_behind_gets_it_joined_later(node: Node, topic: Topic) -> None:
    node.reads(topic.put("INC-1", row("INC-1", 0)))
    client = node.client()
    client.subscribes()
    for n in range(1, 60):
        node.reads(topic.put("INC-1", row("INC-1", n, text="x" * 9_000)))
        node.tick()
        assert client.paper.buffered() < 64 * 1024 + 20_000
    client.reads()
    node.tick()
    (joined,) = client.reads()
    assert [pub["data"]["version"] for pub in joined["push"]["pubs"]] == [59]
    assert client.close_code is None


def test_one_that_stays_behind_for_10_s_is_cut_with_4008(node: Node, topic: Topic) -> None:
    client, reader = node.client(), node.client()
    client.subscribes()
    reader.subscribes()
    node.reads(topic.pulse())
    node.tick()
    client.reads()
    for n in range(260):
        node.reads(topic.put("INC-1", row("INC-1", n, text="x" * 9_000)))
        node.tick()
        reader.reads()
        if client.close_code is not None:
            break
    assert client.close_code == 4008
    assert client.paper.buffered() < 128 * 1024
    assert reader.close_code is None
    assert reader.rows["INC-1"]["version"] == n


def test_a_client_with_256_kib_of_answers_before_it_is_cut(node: Node) -> None:
    client = node.client()
    for _ in range(10_000):
        client.session.received('{"id":7,"unsubscribe":{"channel":"weather"}}', node.now)
        if client.close_code is not None:
            break
        node.tick(0.001)
    assert client.close_code == 4008
    assert client.paper.buffered() < 600 * 1024


def test_a_record_sent_twice_is_invisible_but_its_offset_counts(node: Node, topic: Topic) -> None:
    record = topic.put("INC-1", row("INC-1"))
    gone = topic.put("INC-2", row("INC-2")), topic.put("INC-2", None)
    node.reads(record, *gone)
    client = node.client()
    client.subscribes()
    node.reads(topic.again(record), topic.again(gone[0]))
    node.tick(5)
    (push,) = client.reads()
    assert push["push"]["pubs"] == []
    assert push["push"]["offset"] == 4
    assert set(client.rows) == {"INC-1"}


def test_the_65th_filter_gets_everything(node: Node, topic: Topic) -> None:
    node.reads(topic.put("INC-1", row("INC-1"), {"kecamatan": "nowhere"}))
    clients = []
    for n in range(65):
        client = node.client()
        (answer,) = client.subscribes(filter={"kecamatan": [f"32.75.{n:02}"]})
        assert answer["subscribe"]["filtered"] is (n < 64), "one whose filter is dropped is told"
        node.tick()
        client.reads()
        clients.append(client)
    assert [len(client.rows) for client in clients] == [0] * 64 + [1]
    (again,) = clients[0].subscribes(recover=True, filter={"kecamatan": ["32.75.00"]})
    assert again["subscribe"]["recovered"] is again["subscribe"]["filtered"] is True
    assert "filtered" not in clients[0].subscribes()[0]["subscribe"]
    clients[0].says(unsubscribe={"channel": "incidents"})
    client = node.client()
    client.subscribes(filter={"kecamatan": ["32.75.99"]})
    assert client.rows == {}


def test_a_push_that_grows_too_large_is_split_where_another_node_can_take_over(node: Node, topic: Topic) -> None:
    node.reads(topic.put("INC-0", row("INC-0")))
    client = node.client()
    client.subscribes()
    burst = [topic.put(f"INC-{n % 9}", row(f"INC-{n % 9}", n, text="x" * 9_000)) for n in range(1, 28)]
    node.reads(*burst)
    node.tick()
    (push,) = client.reads(len(client.paper.waiting[0].payload))
    assert len(str(push)) < 128 * 1024
    assert push["push"]["offset"] < node.hub.board.offset
    other = Node()
    other.reads(*topic.records)
    again = other.client()
    again.follower = client.follower
    (answer,) = again.subscribes(recover=True)
    assert answer["subscribe"]["recovered"] is True
    for _ in range(3):
        other.tick()
        again.reads()
    assert {key: held["version"] for key, held in again.rows.items()} == {f"INC-{n % 9}": n for n in range(19, 28)}


def test_more_at_once_than_the_ring_keeps_sends_watchers_back_to_the_state(topic: Topic) -> None:
    node = Node(keep_changes=5)
    node.reads(topic.pulse())
    client = node.client()
    client.subscribes()
    node.reads(*(topic.put(f"INC-{n}", row(f"INC-{n}")) for n in range(8)))
    node.tick()
    assert client.close_code == 4008
    again = node.client()
    again.follower = client.follower
    assert again.subscribes(recover=True)[0]["subscribe"]["recovered"] is False
    assert len(again.rows) == 8


def test_what_arrives_older_than_10_min_is_still_told(node: Node, topic: Topic) -> None:
    node.reads(topic.pulse())
    clients = [(node.client(), channel) for channel in (FeedChannel.INCIDENTS, FeedChannel.SENSORS)]
    for client, channel in clients:
        client.subscribes(channel)
    for n in (1, 2):
        for _, channel in clients:
            node.reads(topic.put("X-1", row("X-1", n), channel=channel, at=NOON - timedelta(hours=1)))
        node.tick()
    for _ in range(60):
        node.tick(0.1)
    for client, channel in clients:
        client.reads()
        assert client.close_code is None
        assert client.follower.rows[channel]["X-1"]["version"] == 2


def test_a_row_that_comes_and_goes_while_a_late_joiner_holds_it_is_removed_for_it(node: Node, topic: Topic) -> None:
    """The group is told of (0, 3] as a whole; the joiner stands in the middle, where the row was in its scope."""
    node.reads(topic.pulse())
    first = node.client(DLH)
    first.subscribes()
    node.reads(topic.put("INC-1", row("INC-1"), {"agency": "32.75/DLH"}))
    second = node.client(DLH)
    second.subscribes()
    assert set(second.rows) == {"INC-1"}
    node.reads(topic.put("INC-1", row("INC-1", 2), {"agency": "32.75/DISHUB"}))
    node.tick()
    for client in (first, second):
        client.reads()
        assert client.rows == {}


def test_a_group_shares_one_frame(node: Node, topic: Topic) -> None:
    clients = [node.client() for _ in range(5)]
    node.reads(topic.pulse())
    for client in clients:
        client.subscribes()
    node.reads(topic.put("INC-1", row("INC-1")))
    node.tick()
    assert len({id(client.paper.waiting[0]) for client in clients}) == 1


def test_who_comes_together_shares_the_parts_of_the_state(node: Node, topic: Topic) -> None:
    node.reads(*(topic.put(f"INC-{n}", row(f"INC-{n}", text="x" * 9_000)) for n in range(40)))
    clients = [node.client() for _ in range(5)]
    for client in clients:
        client.follower.asked[2] = "incidents"
        client.says(subscribe={"channel": "incidents"})
    assert len({id(client.paper.waiting[1]) for client in clients}) == 1


def test_a_herd_is_served_a_few_portions_at_a_time(node: Node, topic: Topic) -> None:
    tags = [{"kecamatan": f"32.75.{n:02}"} for n in range(60)]
    node.reads(*(topic.put(f"INC-{n}", row(f"INC-{n}"), tags[n]) for n in range(60)))
    clients = [node.client(Viewer(role=Role.AREA_HEAD, subject="camat", kecamatan=tag["kecamatan"])) for tag in tags]
    for client in clients:
        client.subscribes()
    answered = [sum(len(client.rows) for client in clients)]
    while answered[-1] < 60:
        node.tick()
        for client in clients:
            client.reads()
        answered.append(sum(len(client.rows) for client in clients))
    assert all(later - earlier <= 8 for earlier, later in pairwise([0, *answered]))
    assert [len(client.rows) for client in clients] == [1] * 60


def test_a_group_ends_with_its_last_member(node: Node, topic: Topic) -> None:
    node.reads(topic.pulse())
    client = node.client()
    client.subscribes()
    assert len(list(node.hub._groups)) == 1
    node.hub.gone(client.session)
    assert list(node.hub._groups) == []


def test_as_of_of_a_fast_channel_waits_for_its_rows(node: Node, topic: Topic) -> None:
    node.reads(topic.pulse(as_of=NOON))
    client = node.client()
    client.subscribes(FeedChannel.SENSORS)
    for n in (1, 2):
        node.reads(topic.put("S-1", row("S-1", n), channel=FeedChannel.SENSORS))
        node.tick()
    later = NOON + timedelta(seconds=3)
    node.reads(topic.pulse(as_of=later))
    told = []
    while len(told) < 3:
        node.tick(0.5)
        told += client.reads()
    first, waiting, second = (said["push"] for said in told)
    assert [pub["data"]["version"] for pub in first["pubs"]] == [1]
    assert waiting["pubs"] == []
    assert datetime.fromisoformat(waiting["as_of"]) == NOON, "version 2 is on its way"
    assert [pub["data"]["version"] for pub in second["pubs"]] == [2]
    assert datetime.fromisoformat(second["as_of"]) == later


def test_as_of_of_half_of_what_was_missed_is_that_of_the_half(node: Node, topic: Topic) -> None:
    node.reads(topic.pulse(as_of=NOON))
    client = node.client()
    client.subscribes()
    node.tick(0.5)
    client.reads()
    burst = [topic.put(f"INC-{n}", row(f"INC-{n}", text="x" * 9_000)) for n in range(24)]
    later = NOON + timedelta(seconds=3)
    node.reads(*burst, topic.pulse(as_of=later))
    told = []
    for _ in range(5):
        node.tick()
        told += [said["push"] for said in client.reads()]
    assert len(told) > 1
    assert [datetime.fromisoformat(push["as_of"]) for push in told] == [NOON] * (len(told) - 1) + [later]


def test_who_got_a_newer_row_with_the_state_is_not_set_back_by_what_it_missed_meanwhile(
    node: Node, topic: Topic
) -> None:
    """The last part of the state comes after the row has changed; what changed meanwhile fills several frames."""
    node.reads(*(topic.put(f"INC-{n:02}", row(f"INC-{n:02}", text="x" * 9_000)) for n in range(60)))
    client = node.client()
    client.follower.asked[2] = "incidents"
    client.says(subscribe={"channel": "incidents"})
    client.reads(len(client.paper.waiting[0].payload))  # the answer, and not yet a part
    for version in (2, 3):
        node.reads(topic.put("INC-59", row("INC-59", version)))
        node.reads(*(topic.put(f"INC-{n:02}", row(f"INC-{n:02}", version, text="x" * 9_000)) for n in range(20)))
        node.tick()
    shown = []
    while client.paper.waiting:
        client.reads(len(client.paper.waiting[0].payload))
        if "INC-59" in client.rows:
            shown.append(client.rows["INC-59"]["version"])
        node.tick()
    assert shown == sorted(shown)
    assert shown[-1] == 3


def test_many_who_stopped_at_different_places_are_told_and_little_is_kept_for_them(node: Node, topic: Topic) -> None:
    node.reads(topic.pulse())
    clients = [node.client() for _ in range(40)]
    for client in clients:
        client.subscribes()
    for n, _ in enumerate(clients):
        node.reads(topic.put("INC-1", row("INC-1", n, text="x" * 9_000)))
        node.tick()
        for reader in clients[n:]:  # one more stops reading each time
            reader.reads()
    for _ in range(10):
        node.reads(topic.put("INC-1", row("INC-1", 99, text="x" * 9_000)))
        node.tick()
    for client in clients:
        client.reads()
        assert client.close_code is None
    (group,) = node.hub._groups
    node.hub.tick(node.now)
    assert len(group._catch_ups) <= 32
    for client in clients:
        client.reads()
        assert client.rows["INC-1"]["version"] == 99
