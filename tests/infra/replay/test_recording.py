"""Files as they come: every row with its line, a bad one named and alone."""

from pathlib import Path

import pytest

from infra.replay.recording import Recording, Row


def rows(tmp_path: Path, content: bytes) -> list[Row]:
    path = tmp_path / "recording"
    path.write_bytes(content)
    return list(Recording(path).rows())


def test_csv_rows_have_their_fields_and_the_line_they_begin_on(tmp_path: Path) -> None:
    found = rows(tmp_path, b'\xef\xbb\xbftime, text\n1,"two\nlines"\n\n2,"a, ""b"""\n')
    assert found == [Row(2, {"time": "1", "text": "two\nlines"}), Row(5, {"time": "2", "text": 'a, "b"'})]


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (b"1", "has 1 columns, the header has 2"),
        (b"1,2,3", "has 3 columns, the header has 2"),
        (b'"a"b,2', "is not CSV"),
        (b"\xff\xfe,2", "is not UTF-8"),
        (b'"' + b"x" * 200_000 + b'",2', "is not CSV"),
    ],
)
def test_a_bad_line_of_csv_is_named_and_the_next_one_is_good(tmp_path: Path, bad: bytes, why: str) -> None:
    found = rows(tmp_path, b"a,b\n" + bad + b"\n3,4\n")
    assert [row.line for row in found] == [2, 3]
    assert found[0].fault is not None and why in found[0].fault
    assert found[1] == Row(3, {"a": "3", "b": "4"})


def test_json_lines_are_known_by_their_first_character(tmp_path: Path) -> None:
    found = rows(tmp_path, b'{"a": 1}\n\n[1]\n{"a"\n{"a": "\xff"}\n{"a": 2}\n' + b"[" * 100_000 + b"\n")
    assert [(row.line, row.fault is None) for row in found] == [
        (1, True), (3, False), (4, False), (5, False), (6, True), (7, False),
    ]  # fmt: skip
    assert found[0].fields == {"a": 1}


def test_half_a_character_spoils_its_own_row_escaped_or_not(tmp_path: Path) -> None:
    found = rows(tmp_path, b'{"a": "\\ud83d"}\n{"a": "\\ud83d\\ude97"}\n{"\\udfff": 1}\n')
    assert [(row.line, row.fault is None) for row in found] == [(1, False), (2, True), (3, False)]


@pytest.mark.parametrize("content", [b"", b"\n\n", b"a,b\n"])
def test_a_file_without_rows_has_none(tmp_path: Path, content: bytes) -> None:
    assert rows(tmp_path, content) == []


def test_the_digest_is_of_every_byte(tmp_path: Path) -> None:
    first, second = tmp_path / "a.csv", tmp_path / "b.csv"
    first.write_bytes(b"a\n1\n")
    second.write_bytes(b"a\n2\n")
    assert Recording(first).digest() != Recording(second).digest()
