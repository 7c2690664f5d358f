"""By which name a replay knows its city: the port may be another one tomorrow, another data directory never is."""

from pathlib import Path

import pytest

from infra.local.addresses import Addresses, SignIn, kept_in
from infra.local.data_dir import DataDir
from infra.replay import target


def found(data_dir: Path, port: int) -> target.Target:
    """The city that `up` left its addresses of there."""
    with DataDir(data_dir):
        Addresses(
            pid=1, base_url=f"http://127.0.0.1:{port}", feed_url="", kafka_bootstrap="", postgres_dsn="",
            admin=SignIn("admin", ""), device_api_key="pk_x", services=[],
        ).write(kept_in(data_dir))  # fmt: skip
        return target.find(None, None, None, data_dir, None)


def test_two_cities_are_two_and_one_on_another_port_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    first, second = found(tmp_path / "a", 8080), found(tmp_path / "b", 8080)
    assert first.name != second.name
    assert found(Path("a"), 9090).name == first.name
