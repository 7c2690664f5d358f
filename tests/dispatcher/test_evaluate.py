"""`patriot evaluate`: a line per row to standard output, a summary to standard error, one line when it cannot."""

from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from dispatcher.evaluate import command


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


def lines(text: str) -> list[dict[str, object]]:
    return [msgspec.json.decode(line) for line in text.splitlines()]


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    path = tmp_path / "texts.csv"
    path.write_text('nomor,text,label\n7,"macet total, kalimalang",traffic_jam\n8,apa kabar,\n', encoding="utf-8-sig")
    return path


def test_texts_are_answered_row_by_row_with_further_columns_and_a_byte_order_mark(texts: Path) -> None:
    result = run("classify", texts)
    assert result.exit_code == 0
    answers = lines(result.stdout)
    assert [(answer["row"], answer["category"], answer["action"]) for answer in answers] == [
        (0, "traffic_jam", "dispatch"),
        (1, "other", "triage"),
    ]
    assert set(answers[0]) == {"row", "category", "confidence", "action"}
    assert result.stderr.startswith("precision of dispatched 1.000 (1 of 1), coverage 1.000 (1 of 1)")


def test_answers_go_to_a_file_where_one_is_given(texts: Path, tmp_path: Path) -> None:
    result = run("classify", texts, "--out", tmp_path / "out.jsonl")
    assert (result.exit_code, result.stdout) == (0, "")
    assert len(lines((tmp_path / "out.jsonl").read_text())) == 2


def test_pairs_are_answered_the_same_when_swapped_and_without_labels_there_is_no_summary(tmp_path: Path) -> None:
    path = tmp_path / "pairs.csv"
    path.write_text(
        "time,text,time2,text2\n"
        "2026-11-22 07:00:00,macet simpang pekayon,2026-11-22T07:05:00+07:00,pekayon mcet\n"
        "2026-11-22T07:05:00+07:00,pekayon mcet,2026-11-22 07:00:00,macet simpang pekayon\n"
        "2026-11-22 07:00:00,macet simpang pekayon,2026-11-22 07:05:00,macet simpang caman\n"
    )
    result = run("duplicates", path)
    there, back, other = lines(result.stdout)
    assert there["same"] is True
    assert there["score"] == back["score"]
    assert other["same"] is False
    assert result.stderr == ""


@pytest.mark.parametrize(
    ("subcommand", "content", "sentence"),
    [
        ("classify", None, "cannot be read"),
        ("classify", b"kata\nmacet\n", "has no column text"),
        ("classify", b"text\n\xff\xfe\n", "is not UTF-8"),
        ("classify", b"", "has no column text"),
        ("classify", b"nomor,text\n7\n", "row 0 ends before its text"),
        ("classify", b"text,label\nmacet,kemacetan\n", "Row 0 has the label 'kemacetan'"),
        ("duplicates", b"time,text\n", "has no column time2, text2"),
        ("duplicates", b"time,text,time2,text2\nkemarin,a,2026-11-22,b\n", "Row 0 has the time 'kemarin'"),
        ("duplicates", b"time,text,time2,text2,label\n2026-11-22,a,2026-11-22,b,ya\n", "Row 0 has the label 'ya'"),
    ],
)
def test_what_is_amiss_is_said_in_one_line(
    tmp_path: Path, subcommand: str, content: bytes | None, sentence: str
) -> None:
    path = tmp_path / "file.csv"
    if content is not None:
        path.write_bytes(content)
    result = run(subcommand, path)
    assert (result.exit_code, result.stdout) == (1, "")
    assert sentence in result.stderr
    assert result.stderr.count("\n") == 1


def test_routes_are_by_the_rules_in_code_where_no_database_is_given(tmp_path: Path) -> None:
    path = tmp_path / "reports.csv"
    path.write_text(
        "text,address,lat,lon,time,channel,label\n"
        "Banjir selutut di Kranji,,,,2026-11-22 20:00:00,whatsapp,32.75/DBMSDA\n"
        "Tumpukan sampah liar bau sekali,Cikarang Pusat,,,,,32.75/DLH\n"
        "Macet total tidak bergerak,,-6.1754,106.8272,,,OTHER_GOV\n"
        "apa kabar,,,,,,triage\n"
    )
    result = run("route", path)
    assert result.exit_code == 0, result.output
    answers = lines(result.stdout)
    assert [answer["outcome"] for answer in answers] == ["32.75/DBMSDA", "32.16/DLH", "OTHER_GOV", "triage"]
    assert (answers[0]["rule"], answers[0]["version"], answers[0]["priority"]) == (
        "banjir ke DBMSDA dengan BPBD", 0, "high",
    )  # fmt: skip
    assert answers[3]["rule"] is None
    assert result.stderr == "right 0.750 (3 of 4)\n"


@pytest.mark.parametrize("row", ["macet,abc,106.9,,", "macet,,,gestern,", "macet,,,,carrier_pigeon"])
def test_a_report_that_cannot_be_is_told_by_its_row(tmp_path: Path, row: str) -> None:
    path = tmp_path / "reports.csv"
    path.write_text(f"text,lat,lon,time,channel\nmacet,,,,\n{row}\n")
    result = run("route", path)
    assert result.exit_code == 1 and "Row 1 has" in result.output


def test_a_database_that_is_given_must_answer(texts: Path) -> None:
    result = run("route", texts, "--postgres-dsn", "postgresql://127.0.0.1:1/none")
    assert result.exit_code == 1 and "the database does not answer" in result.output
