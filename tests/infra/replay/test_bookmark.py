"""The mark moves over rows that are settled without a gap, whatever order they end in."""

from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pytest

from infra.local.trouble import Trouble
from infra.replay.bookmark import Bookmark, Fate, Mark, identity
from infra.replay.message import Reader

MARK = Mark(run="r", begun_at=datetime(2026, 11, 22, tzinfo=UTC), shift_s=0.123, settled=0, fates={})


def test_rows_that_end_in_any_order_are_counted_once_and_none_is_skipped(tmp_path: Path) -> None:
    bookmark = Bookmark(tmp_path / "state.json")
    bookmark.begin(MARK)
    order = list(range(200))
    Random(7).shuffle(order)
    ended: set[int] = set()
    for number in order:
        bookmark.settle(number, Fate.TAKEN)
        ended.add(number)
        assert set(range(bookmark.settled)) <= ended
        assert bookmark.settled in {200} | (set(range(200)) - ended)
    assert bookmark.fates == {Fate.TAKEN: 200}


def test_what_was_settled_beyond_a_gap_is_forgotten_by_a_kill(tmp_path: Path) -> None:
    bookmark = Bookmark(tmp_path / "state.json")
    bookmark.begin(MARK)
    for number, fate in ((0, Fate.TAKEN), (1, Fate.BAD), (3, Fate.TAKEN)):
        bookmark.settle(number, fate)
    bookmark.save()
    bookmark.close()
    found = Bookmark(tmp_path / "state.json").found()
    assert found is not None
    assert (found.settled, found.fates, found.shift_s) == (2, {Fate.TAKEN: 1, Fate.BAD: 1}, 0.123)


def test_two_cannot_have_it_at_once(tmp_path: Path) -> None:
    first = Bookmark(tmp_path / "state.json")
    with pytest.raises(Trouble, match="already"):
        Bookmark(tmp_path / "state.json")
    first.close()
    Bookmark(tmp_path / "state.json").close()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"run": 1}'])
def test_a_file_that_is_something_else_is_not_touched(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "state.json"
    path.write_bytes(content)
    with pytest.raises(Trouble, match="not the state of a replay"):
        Bookmark(path).found()
    assert path.read_bytes() == content


def test_other_files_options_or_cities_are_another_replay() -> None:
    ways = [
        identity(["a"], Reader(), shifted=False, target="x"),
        identity(["b"], Reader(), shifted=False, target="x"),
        identity(["a"], Reader(lacking={"lat": 1.0}), shifted=False, target="x"),
        identity(["a"], Reader(), shifted=True, target="x"),
        identity(["a"], Reader(), shifted=False, target="y"),
    ]
    assert len(set(ways)) == len(ways)
