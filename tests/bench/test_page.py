"""The benchmark's page: goals are judged by computation, and a chapter takes the place of its former self alone."""

from tests.bench import page
from tests.bench.rounds import rotated
from tests.bench.row import Goal, Row, Section, percentile, ratio


def test_a_goal_is_met_or_missed_by_the_median() -> None:
    assert page.verdict(Row("a", "×", (0.4, 0.6, 0.9), "", Goal("least", 0.5))) == "at least 0.50: met"
    assert page.verdict(Row("a", "×", (0.4, 0.45, 0.9), "", Goal("least", 0.5))) == "at least 0.50: **missed**"
    assert page.verdict(Row("a", "ms", (300, 20, 10), "", Goal("most", 19))) == "at most 19.0: **missed**"
    assert page.verdict(Row("a", "ms", (1.0,))) == ""


def test_a_ratio_is_made_of_values_of_the_same_round() -> None:
    (row,) = ratio("a", [10, 30], [20, 30])
    assert row.values == (0.5, 1.0)
    assert ratio("a", [10], []) == []


def test_percentiles_are_values_that_occurred() -> None:
    assert percentile([5, 1, 4, 2, 3], 0.5) == 3
    assert percentile([5, 1, 4, 2, 3], 0.99) == 5


def test_each_contender_is_in_each_round_and_begins_one() -> None:
    turns = list(rotated("abc", 3))
    assert sorted(turns) == [(number, name) for number in range(3) for name in "abc"]
    assert [next(name for turn, name in turns if turn == number) for number in range(3)] == ["a", "b", "c"]


def test_a_chapter_takes_the_place_of_its_former_self_and_the_others_stay() -> None:
    order = ["Sink", "Ingest"]
    first = page.merged("", {"Ingest": (Section("Ingest", [Row("old", "s", (1.0,))], ["ours: so"]), "then")}, order)
    second = page.merged(first, {"Sink": (Section("Sink", [Row("new", "s", (2.0, 4.0))]), "now")}, order)
    assert second.index("## Sink") < second.index("## Ingest")
    assert "| old | 1.00 |" in second and "- ours: so" in second
    assert "| new | 3.00 | 2.00 – 4.00 | s |" in second
    third = page.merged(second, {"Ingest": (Section("Ingest", [Row("newer", "s", (1.0,))]), "later")}, order)
    assert "| old |" not in third and "| new |" in third
    assert page.merged(third, {}, order) == third
