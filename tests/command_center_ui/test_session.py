"""One client's protocol, rule by rule (contract section 3)."""

import json
from datetime import timedelta

import pytest

from infra.tickets import Viewer
from schemas.vocabulary import FeedChannel, Role
from tests.command_center_ui.watching import (
    CAMAT,
    DLH,
    NOON,
    OPERATOR,
    PUBLIC,
    Client,
    Node,
    Paper,
    Topic,
    row,
    ticket,
)

KOTA_DLH = {"agency": "32.75/DLH", "kecamatan": "32.75.05"}


@pytest.fixture
def node() -> Node:
    return Node()


@pytest.fixture
def topic() -> Topic:
    return Topic()


def test_connect_is_answered_with_name_ping_and_ttl(node: Node) -> None:
    client = Client(node)
    client.says(connect={"ticket": ticket(OPERATOR), "name": "wall"})
    (answer,) = client.reads()
    assert answer["id"] == 1
    assert answer["connect"]["client"].startswith("c-")
    assert (answer["connect"]["ping"], answer["connect"]["ttl"]) == (25, 900)


def test_who_does_not_connect_within_5_s_is_closed_with_4502(node: Node) -> None:
    client = Client(node)
    node.tick(4.9)
    assert client.close_code is None
    node.tick(0.6)
    assert client.close_code == 4502


@pytest.mark.parametrize(
    "message",
    [
        b"{}", "", "nonsense", "[]", "null", "7", '"connect"', "{", '{"id":1}', '{"id":1,"publish":{}}',
        '{"connect":{"ticket":"x"}}', '{"id":"1","connect":{"ticket":"x"}}', '{"id":1,"connect":{}}',
        '{"id":1,"connect":{"ticket":"x"},"subscribe":{"channel":"incidents"}}', '{"id":1,"connect":null}',
        '{"id":NaN,"connect":{"ticket":"x"}}', '{"id":1,"connect":{"ticket":"\\ud800"}}', "[" * 50_000, " " * 70_000,
        '{"id":1,"subscribe":{"channel":"incidents"}}', "{}",
    ],
)  # fmt: skip
def test_what_is_not_a_connect_is_4501_at_first(node: Node, message: str | bytes) -> None:
    client = Client(node)
    client.session.received(message, node.now)
    assert client.close_code == 4501


@pytest.mark.parametrize(
    "message",
    [
        b"{}", "[]", '{"id":2,"history":{"channel":"incidents"}}', '{"id":2,"subscribe":{"channel":7}}',
        '{"id":2,"connect":{"ticket":"x"}}',
        *(f'{{"id":2,"subscribe":{{"channel":"incidents","recover":true,"epoch":"e","offset":{offset}}}}}'
          for offset in ("-1", str(2**63), "1.5", '"3"', "true", "1e3", "9" * 5000)),
    ],
)  # fmt: skip
def test_what_is_not_a_command_is_4501_later_on(node: Node, message: str | bytes) -> None:
    client = node.client()
    client.session.received(message, node.now)
    assert client.close_code == 4501


@pytest.mark.parametrize("offered", ["made-up", "", "ä", "A" * 40])
def test_a_ticket_that_is_none_is_4500(node: Node, offered: str) -> None:
    client = Client(node)
    client.says(connect={"ticket": offered})
    assert client.close_code == 4500


def test_a_ticket_opens_once_and_not_after_30_s(node: Node) -> None:
    once, old = ticket(OPERATOR), ticket(OPERATOR, NOON - timedelta(seconds=31))
    for offered, code in ((once, None), (once, 4500), (old, 4500)):
        client = Client(node)
        client.says(connect={"ticket": offered})
        assert client.close_code == code


def test_a_fresh_subscription_gets_the_state(node: Node, topic: Topic) -> None:
    node.reads(topic.put("INC-1", row("INC-1")), topic.put("INC-2", row("INC-2")))
    (answer,) = node.client().subscribes()
    assert answer["subscribe"] == {
        "epoch": "k3T",
        "offset": 1,
        "recovered": False,
        "state": [{"key": "INC-1", "data": row("INC-1")}, {"key": "INC-2", "data": row("INC-2")}],
        "more": False,
    }


def test_a_change_is_pushed_with_its_range_times_and_tags(node: Node, topic: Topic) -> None:
    node.reads(topic.put("INC-1", row("INC-1")), topic.pulse(as_of=NOON - timedelta(seconds=2)))
    client = node.client()
    client.subscribes()
    topic.hole()
    node.reads(topic.put("INC-1", row("INC-1", 2), {**KOTA_DLH, "status": "routed", "category": "traffic_jam"}))
    node.tick(0.05)
    (push,) = client.reads()
    assert push["push"].pop("at") == "2026-11-22T05:00:00.050000Z"
    assert push["push"] == {
        "channel": "incidents",
        "epoch": "k3T",
        "since": 1,
        "offset": 3,
        "as_of": "2026-11-22T04:59:58Z",
        "pubs": [{"offset": 3, "key": "INC-1", "tags": KOTA_DLH, "data": row("INC-1", 2)}],
    }


def test_what_happens_in_one_tick_is_one_push_with_the_last_word_on_each_row(node: Node, topic: Topic) -> None:
    client = node.client()
    node.reads(topic.pulse())
    client.subscribes()
    node.reads(*(topic.put(f"INC-{n % 2}", row(f"INC-{n % 2}", n)) for n in range(6)))
    node.tick()
    (push,) = client.reads()
    assert [(pub["offset"], pub["key"]) for pub in push["push"]["pubs"]] == [(5, "INC-0"), (6, "INC-1")]


def test_a_row_that_ends_is_removed_by_key_only(node: Node, topic: Topic) -> None:
    node.reads(topic.put("INC-1", row("INC-1"), KOTA_DLH))
    client = node.client()
    client.subscribes()
    node.reads(topic.put("INC-1", None))
    node.tick()
    assert client.reads()[0]["push"]["pubs"] == [{"offset": 1, "key": "INC-1", "removed": True}]


def test_a_push_goes_out_at_least_every_5_s_even_if_empty(node: Node, topic: Topic) -> None:
    node.reads(topic.put("INC-1", row("INC-1")))
    client = node.client()
    for channel in FeedChannel:
        client.subscribes(channel)
    node.tick()
    for _ in range(4):
        client.reads()
        for _ in range(16):
            node.tick(0.3)
        pushes = [said["push"] for said in client.reads() if "push" in said]
        assert {push["channel"] for push in pushes} == set(FeedChannel)
        assert all(push["pubs"] == [] and push["as_of"] is None for push in pushes)


def test_as_of_is_the_least_of_all_shards_and_unknown_before_each_has_spoken(node: Node, topic: Topic) -> None:
    node.reads(topic.pulse(shard=0, shards=2, as_of=NOON))
    client = node.client()
    client.subscribes("kpis")
    node.tick(4)
    assert client.reads()[-1]["push"]["as_of"] is None
    node.reads(topic.pulse(shard=1, shards=2, as_of=NOON - timedelta(seconds=9)))
    node.tick()
    assert client.reads()[-1]["push"]["as_of"] == "2026-11-22T04:59:51Z"


def test_a_pulse_is_pushed_at_once(node: Node, topic: Topic) -> None:
    node.reads(topic.pulse())
    client = node.client()
    client.subscribes()
    node.reads(topic.pulse(as_of=NOON + timedelta(seconds=5)))
    node.tick()
    assert client.reads()[-1]["push"] | {"at": None} == {
        "channel": "incidents", "epoch": "k3T", "since": 0, "offset": 1, "at": None,
        "as_of": "2026-11-22T05:00:05Z", "pubs": [],
    }  # fmt: skip


def test_who_resumes_gets_only_what_it_missed(node: Node, topic: Topic) -> None:
    node.reads(topic.put("INC-1", row("INC-1")), topic.put("INC-2", row("INC-2")))
    before = node.client()
    before.subscribes()
    node.reads(topic.put("INC-2", row("INC-2", 2)), topic.put("INC-1", None), topic.put("INC-3", row("INC-3")))
    after = node.client()
    after.follower = before.follower
    (answer,) = after.subscribes(recover=True)
    assert answer["subscribe"]["recovered"] is True
    assert answer["subscribe"]["offset"] == 4
    assert [pub["key"] for pub in answer["subscribe"]["publications"]] == ["INC-2", "INC-1", "INC-3"]
    assert set(after.rows) == {"INC-2", "INC-3"}


@pytest.mark.parametrize("resume", [{"epoch": "other", "offset": 1}, {"epoch": "k3T"}, {"offset": 1}, {}])
def test_another_epoch_or_none_gets_the_state(node: Node, topic: Topic, resume: dict[str, object]) -> None:
    node.reads(topic.put("INC-1", row("INC-1")), topic.put("INC-1", row("INC-1", 2)))
    (answer,) = node.client().subscribes(**{"recover": True, **resume})
    assert answer["subscribe"]["recovered"] is False
    assert len(answer["subscribe"]["state"]) == 1


def test_what_is_older_than_10_min_of_records_is_not_recovered(node: Node, topic: Topic) -> None:
    node.reads(*(topic.put("INC-1", row("INC-1", n), at=NOON + timedelta(minutes=n)) for n in range(12)))
    node.tick(11 * 60)
    for offset, recovered in ((0, True), (11, True)):
        (answer,) = node.client().subscribes(recover=True, epoch="k3T", offset=offset)
        assert answer["subscribe"]["recovered"] is recovered
    node.tick(60)
    for offset, recovered in ((0, False), (1, True), (11, True)):
        (answer,) = node.client().subscribes(recover=True, epoch="k3T", offset=offset)
        assert answer["subscribe"]["recovered"] is recovered, offset


def test_more_changes_than_the_ring_keeps_are_not_recovered(topic: Topic) -> None:
    node = Node(keep_changes=5)
    node.reads(*(topic.put("INC-1", row("INC-1", n)) for n in range(8)))
    for offset, recovered in ((1, False), (2, True)):
        (answer,) = node.client().subscribes(recover=True, epoch="k3T", offset=offset)
        assert answer["subscribe"]["recovered"] is recovered


def test_a_client_ahead_of_the_node_waits_until_the_node_has_caught_up(node: Node, topic: Topic) -> None:
    node.reads(topic.put("INC-1", row("INC-1")))
    later = [topic.put("INC-1", row("INC-1", 2)), topic.put("INC-1", row("INC-1", 3))]
    client = node.client()
    client.follower.rows["incidents"] = {"INC-1": row("INC-1", 2)}
    client.follower.position["incidents"] = ("k3T", 1)
    assert client.subscribes(recover=True) == []
    node.tick(1)
    assert client.reads() == []
    node.reads(*later)
    node.tick()
    (answer,) = client.reads()
    assert answer["subscribe"]["recovered"] is True
    assert client.rows["INC-1"]["version"] == 3


def test_and_for_2_s_at_most(node: Node, topic: Topic) -> None:
    node.reads(topic.put("INC-1", row("INC-1")))
    client = node.client()
    assert client.subscribes(recover=True, epoch="k3T", offset=2**63 - 1) == []
    node.tick(1.9)
    assert client.reads() == []
    node.tick(0.15)
    (answer,) = client.reads()
    assert (answer["subscribe"]["recovered"], answer["subscribe"]["offset"]) == (False, 0)


def test_before_the_first_record_the_state_stays_open(node: Node, topic: Topic) -> None:
    client = node.client()
    (answer,) = client.subscribes()
    assert answer["subscribe"] == {"epoch": "k3T", "offset": 0, "recovered": False, "state": [], "more": True}
    node.tick(6)
    assert client.reads() == []
    node.reads(topic.put("INC-0", row("INC-0")), topic.put("INC-1", row("INC-1")))
    node.tick()
    client.reads()
    assert set(client.rows) == {"INC-0", "INC-1"}
    node.reads(topic.put("INC-0", None))
    node.tick()
    client.reads()
    assert set(client.rows) == {"INC-1"}


def test_unknown_and_forbidden_channels_are_error_replies(node: Node) -> None:
    client = node.client(PUBLIC)
    for channel, code in (("weather", "unknown_channel"), ("officers", "not_allowed")):
        (answer,) = client.subscribes(channel)
        assert answer["error"]["code"] == code
        assert isinstance(answer["error"]["message"], str)
    assert client.close_code is None


@pytest.mark.parametrize(
    "wanted", ["jams", [], {"colour": ["red"]}, {"category": "flood"}, {"category": ["floods"]}, {"status": ["x"]}]
)
def test_a_filter_that_is_none_is_an_error_reply(node: Node, wanted: object) -> None:
    (answer,) = node.client().subscribes(filter=wanted)
    assert answer["error"]["code"] == "bad_filter"


def test_a_second_subscription_replaces_the_first(node: Node, topic: Topic) -> None:
    node.reads(topic.put("INC-1", row("INC-1"), {"status": "routed"}))
    client = node.client()
    client.subscribes()
    client.subscribes(filter={"status": ["closed"]})
    node.reads(topic.put("INC-2", row("INC-2"), {"status": "routed"}))
    node.tick()
    assert client.reads() == []
    assert client.rows == {}


def test_one_that_waits_is_told_when_it_is_replaced(node: Node, topic: Topic) -> None:
    node.reads(topic.pulse())
    client = node.client()
    client.subscribes(recover=True, epoch="k3T", offset=99)
    refusal, answer = client.subscribes()
    assert refusal["error"]["code"] == "replaced"
    assert answer["subscribe"]["recovered"] is False


def test_unsubscribing_ends_the_pushes(node: Node, topic: Topic) -> None:
    node.reads(topic.pulse())
    client = node.client()
    client.subscribes()
    number = client.says(unsubscribe={"channel": "incidents"})
    assert client.reads() == [{"id": number, "unsubscribe": {}}]
    node.reads(topic.put("INC-1", row("INC-1")))
    node.tick(5)
    assert client.reads() == []


def test_a_ping_comes_every_25_s_and_silence_is_4502(node: Node) -> None:
    talker, mute = node.client(), node.client()
    pings = []
    for second in range(1, 101):
        node.tick(1)
        if {} in talker.reads():
            pings.append(second)
            talker.session.received("{}", node.now)
    assert pings == [25, 50, 75, 100]
    assert talker.close_code is None
    assert mute.close_code == 4502


def test_a_node_that_was_stopped_does_not_blame_its_clients(node: Node) -> None:
    client = node.client()
    node.tick(25)
    assert {} in client.reads()
    node.tick(60)
    assert client.close_code is None
    client.session.received("{}", node.now)
    node.tick(1)
    assert client.close_code is None


def test_the_connection_ends_after_900_s_without_a_new_ticket(node: Node) -> None:
    fresh, stale = node.client(), node.client()
    for _ in range(60):
        node.tick(15)
        for client in (fresh, stale):
            client.session.received("{}", node.now)
        if node.steady == 1000 + 600:
            number = fresh.says(refresh={"ticket": ticket(OPERATOR, node.wall)})
            assert {"id": number, "refresh": {"ttl": 900}} in fresh.reads()
    assert stale.close_code == 4005
    assert fresh.close_code is None


@pytest.mark.parametrize(
    ("offered", "code"),
    [
        (OPERATOR, None),
        (Viewer(role=Role.AGENT, subject="poc-rina"), 4005),  # their role has changed: come back as what you are
        (DLH, 4507),  # somebody else's
    ],
)
def test_a_refresh_carries_on_only_as_the_same(node: Node, offered: Viewer, code: int | None) -> None:
    client = node.client(OPERATOR)
    client.says(refresh={"ticket": ticket(offered)})
    assert client.close_code == code


def test_a_refresh_with_a_bad_ticket_is_4500(node: Node) -> None:
    client = node.client()
    client.says(refresh={"ticket": "made-up"})
    assert client.close_code == 4500


def test_a_row_that_leaves_the_scope_is_removed_there_and_what_never_was_in_it_is_not_mentioned(
    node: Node, topic: Topic
) -> None:
    node.reads(topic.put("INC-1", row("INC-1"), KOTA_DLH), topic.put("INC-2", row("INC-2"), {"agency": "32.16/DLH"}))
    dlh, camat = node.client(DLH), node.client(CAMAT)
    for client in (dlh, camat):
        client.subscribes()
        assert set(client.rows) == {"INC-1"}
    node.reads(
        topic.put("INC-1", row("INC-1", 2), {**KOTA_DLH, "agency": "32.75/DISHUB"}),
        topic.put("INC-2", row("INC-2", 2), {"agency": "32.16/DISHUB"}),
        topic.put("INC-2", None),
    )
    node.tick()
    assert dlh.reads()[0]["push"]["pubs"] == [{"offset": 2, "key": "INC-1", "removed": True}]
    assert [pub["data"]["version"] for pub in camat.reads()[0]["push"]["pubs"]] == [2]


def test_an_agency_sees_what_it_helps_with(node: Node, topic: Topic) -> None:
    node.reads(topic.put("INC-1", row("INC-1"), {"agency": "32.75/DISHUB", "co_agencies": "32.75/BPBD,32.75/DLH"}))
    client = node.client(DLH)
    client.subscribes()
    assert set(client.rows) == {"INC-1"}


def test_the_ring_is_scoped_like_the_pushes(node: Node, topic: Topic) -> None:
    node.reads(topic.put("INC-1", row("INC-1"), KOTA_DLH), topic.put("INC-2", row("INC-2"), KOTA_DLH))
    before = node.client(DLH)
    before.subscribes()
    elsewhere = {"agency": "32.16/DLH"}
    node.reads(
        topic.put("INC-1", row("INC-1", 2), elsewhere),
        topic.put("INC-3", row("INC-3"), elsewhere),
        topic.put("INC-3", None),
        topic.put("INC-2", row("INC-2", 2), KOTA_DLH),
    )
    after = Client(node, before.follower)
    after.says(connect={"ticket": ticket(DLH), "name": "again"})
    after.reads()
    (answer,) = after.subscribes(recover=True)
    assert [(pub["key"], pub.get("removed")) for pub in answer["subscribe"]["publications"]] == [
        ("INC-1", True),
        ("INC-2", None),
    ]


def test_who_comes_back_with_another_scope_or_filter_starts_afresh(node: Node, topic: Topic) -> None:
    node.reads(topic.put("INC-1", row("INC-1"), {"agency": "32.75/DISHUB", "status": "routed"}))
    before = node.client()
    before.subscribes()
    for viewer, more in ((DLH, {}), (OPERATOR, {"filter": {"status": ["closed"]}}), (PUBLIC, {})):
        after = node.client(viewer)
        after.follower.position = dict(before.follower.position)
        (answer,) = after.subscribes(recover=True, **more)
        assert answer["subscribe"]["recovered"] is False


def test_the_public_view_is_the_contracts_and_rounded(node: Node, topic: Topic) -> None:
    tags = {"agency": "32.75/DISHUB", "kecamatan": "32.75.05", "co_agencies": "32.75/DLH"}
    node.reads(topic.put("INC-1", row("INC-1"), tags))
    client = node.client(PUBLIC)
    client.subscribes()
    node.reads(topic.put("INC-1", row("INC-1", 2), tags))
    node.tick()
    client.reads()
    assert client.rows["INC-1"] == {
        "id": "INC-1", "version": 2, "category": "traffic_jam", "title": "Kemacetan ", "status": "routed",
        "agency": "DISHUB", "regency": "32.75", "kecamatan": "32.75.05", "lat": -6.235, "lon": 106.988,
        "opened_at": "2026-11-22T04:59:00Z", "updated_at": "2026-11-22T05:00:00Z", "report_count": 1,
    }  # fmt: skip
    assert "co_agencies" not in json.dumps(client.follower.heard)


def test_who_reads_and_does_not_operate_sees_no_people(node: Node, topic: Topic) -> None:
    node.reads(topic.put("INC-1", row("INC-1")))
    council = node.client(Viewer(role=Role.EXECUTIVE, subject="dewan"))
    council.subscribes()
    assert council.rows["INC-1"]["officers"] == []
    assert council.rows["INC-1"]["priority"] == "normal"
    assert council.subscribes("officers")[0]["error"]["code"] == "not_allowed"


def test_a_lurah_sees_the_own_kelurahan_and_what_moves_away_leaves(node: Node, topic: Topic) -> None:
    own = {"agency": "32.75/DISHUB", "kecamatan": "32.75.05", "kelurahan": "32.75.05.1001"}
    next_door = {**own, "kelurahan": "32.75.05.1002"}
    node.reads(topic.put("INC-1", row("INC-1"), own), topic.put("INC-2", row("INC-2"), next_door))
    node.reads(topic.put("INC-3", row("INC-3"), {"kecamatan": "32.75.05"}))
    viewer = Viewer(role=Role.AREA_HEAD, subject="lurah", kecamatan="32.75.05", kelurahan="32.75.05.1001")
    lurah, camat = node.client(viewer), node.client(CAMAT)
    lurah.subscribes()
    camat.subscribes()
    assert set(lurah.rows) == {"INC-1"} and set(camat.rows) == {"INC-1", "INC-2", "INC-3"}
    node.reads(topic.put("INC-1", row("INC-1", 2), next_door))
    node.reads(topic.put("INC-2", row("INC-2", 2), own))
    node.tick()
    lurah.reads()
    assert set(lurah.rows) == {"INC-2"}
    assert lurah.follower.position != camat.follower.position, "another view, another epoch"


def test_at_shutdown_each_is_told_when_to_come_back(node: Node) -> None:
    clients = [node.client() for _ in range(3)]
    for client in clients:
        client.session.disconnect("shutdown", 3120)
    for client in clients:
        (said,) = client.reads()
        assert said == {"push": {"disconnect": {"code": 4001, "reason": "shutdown", "reconnect_after_ms": 3120}}}
        assert client.close_code == 4001


def test_nothing_is_written_to_who_has_gone(node: Node, topic: Topic) -> None:
    client = node.client()
    client.subscribes()
    client.paper = Paper()
    node.hub.gone(client.session)
    client.session.received('{"id":5,"subscribe":{"channel":"kpis"}}', node.now)
    node.reads(topic.put("INC-1", row("INC-1")))
    node.tick(30)
    assert client.paper.waiting == []
