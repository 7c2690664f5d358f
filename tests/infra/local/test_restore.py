"""A restore that breaks off, and records that are nobody's."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from infra.local import backup
from infra.local.backup import FORMAT, MANIFEST, Manifest
from infra.local.restore import _incident, _Outgoing, restore
from infra.local.stack import Stack
from infra.local.topic_file import Kept
from infra.local.trouble import Trouble


def test_where_a_restore_broke_off_nothing_starts(tmp_path: Path) -> None:
    saved, data_dir = tmp_path / "saved", tmp_path / "data"
    saved.mkdir()
    (saved / MANIFEST).write_bytes(msgspec.json.encode(Manifest(FORMAT, datetime.now(UTC), 1, {}, 0)))
    with pytest.raises(Trouble, match="restoring from"):  # it has lost its secrets
        asyncio.run(restore(saved, data_dir, print))
    with pytest.raises(Trouble, match="broke off"):
        asyncio.run(Stack(data_dir).take())


@pytest.mark.parametrize("value", [None, b"", b"\xff", b'{"hello": 1}'])
def test_a_tombstone_or_a_strangers_record_is_not_known(value: bytes | None) -> None:
    outgoing = _Outgoing({("inc_1", 1)}, _incident, [])
    assert not outgoing.is_known(Kept(0, 0, 0, b"inc_1", value, []))


def test_a_database_that_takes_too_long_is_not_told_as_kafkas_trouble(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backup, "_DUMP_TIMEOUT", 0.0)
    (tmp_path / "data").mkdir()
    with pytest.raises(Trouble, match="database could not be saved"):
        asyncio.run(
            backup.save("127.0.0.1:1", "postgresql://127.0.0.1:1/x", tmp_path / "data", tmp_path / "saved", print)
        )
