"""Ports stay the same from one start to the next, unless somebody took them."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.local.options import Port, choose_port
from infra.local.ports import KeptPorts, find_free
from infra.local.trouble import Trouble


@pytest.fixture
def taken() -> Iterator[int]:
    """A port on which somebody listens."""
    port = find_free("127.0.0.1")
    with socket.create_server(("127.0.0.1", port)):
        yield port


def test_a_port_is_kept(tmp_path: Path) -> None:
    first = KeptPorts(tmp_path / "ports.json").take("kafka")
    assert KeptPorts(tmp_path / "ports.json").take("kafka") == first


def test_a_kept_port_that_somebody_took_is_replaced(tmp_path: Path) -> None:
    first = KeptPorts(tmp_path / "ports.json").take("kafka")
    with socket.create_server(("127.0.0.1", first)):
        assert KeptPorts(tmp_path / "ports.json").take("kafka") != first


def test_a_default_port_that_is_taken_is_replaced_by_a_free_one(taken: int) -> None:
    assert choose_port("--port", Port(taken, given=False), "127.0.0.1") != taken


def test_a_given_port_that_is_taken_is_an_error_that_names_the_option(taken: int) -> None:
    with pytest.raises(Trouble, match=rf"Port {taken} .* --port"):
        choose_port("--port", Port(taken, given=True), "127.0.0.1")
