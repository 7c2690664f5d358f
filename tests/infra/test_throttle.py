"""How often one may come, and who one is."""

import ipaddress

import pytest
from fastapi import Request

from infra.throttle import Throttle, client_address

PROXIES = (ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("2001:db8::/64"))


def test_all_of_a_minute_may_come_at_once_and_then_one_at_a_time() -> None:
    throttle = Throttle(20)
    assert [throttle.take("a", 100.0) for _ in range(20)] == [0.0] * 20
    assert throttle.take("a", 100.0) == pytest.approx(3.0)
    assert throttle.take("a", 102.9) > 0
    assert throttle.take("a", 103.0) == 0.0
    assert throttle.take("a", 103.0) > 0


def test_one_caller_does_not_use_up_anothers() -> None:
    throttle = Throttle(1)
    assert throttle.take("a", 0.0) == 0.0
    assert throttle.take("a", 0.0) > 0
    assert throttle.take("b", 0.0) == 0.0


def test_asking_takes_nothing() -> None:
    throttle = Throttle(1)
    assert [throttle.wait("a", 0.0) for _ in range(5)] == [0.0] * 5
    throttle.take("a", 0.0)
    assert throttle.wait("a", 0.0) == pytest.approx(60.0)
    assert throttle.wait("a", 60.0) == 0.0


def test_none_is_no_limit() -> None:
    throttle = Throttle(0)
    assert all(throttle.take("a", 0.0) == 0.0 for _ in range(1000))


def test_it_forgets_who_came_longest_ago() -> None:
    throttle = Throttle(1, callers=2)
    for caller in ("a", "b", "c"):
        throttle.take(caller, 0.0)
    assert throttle.take("c", 0.0) > 0
    assert throttle.take("a", 0.0) == 0.0


def request(peer: str, *forwarded: str) -> Request:
    headers = [(b"x-forwarded-for", value.encode()) for value in forwarded]
    return Request({"type": "http", "client": (peer, 1), "headers": headers})


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("203.0.113.7", [], "203.0.113.7"),
        ("203.0.113.7", ["198.51.100.1"], "203.0.113.7"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["6.6.6.6, 198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["6.6.6.6", "198.51.100.1, 10.0.0.2"], "198.51.100.1"),
        ("10.0.0.1", ["10.9.9.9"], "10.9.9.9"),
        ("10.0.0.1", ["nonsense"], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.1, nonsense"], "10.0.0.1"),
        ("10.0.0.1", [""], "10.0.0.1"),
        ("::ffff:203.0.113.7", [], "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", [], "2001:db8:1:2::/64"),
        ("2001:db8::1", ["2001:db8:1:2::9"], "2001:db8:1:2::/64"),
    ],
)
def test_an_address_is_the_last_one_that_was_not_made_up(peer: str, forwarded: list[str], address: str) -> None:
    assert client_address(request(peer, *forwarded), PROXIES) == address


def test_nobody_is_believed_when_no_proxy_is_named() -> None:
    assert client_address(request("127.0.0.1", "198.51.100.1"), ()) == "127.0.0.1"
