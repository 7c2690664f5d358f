"""The page of faults shows the two runs that came last, each fault once, as it was last."""

from datetime import UTC, datetime, timedelta

from tests.faults.scenario import Row
from tests.faults.table import render

NOON = datetime(2026, 11, 22, 5, 0, tzinfo=UTC)


def row(fault: str, seed: int, minute: int, lost: int = 0) -> Row:
    return Row(
        fault=fault, seed=seed, at=NOON + timedelta(minutes=minute), machine="2 cores", load=0.5, goal_s=5,
        recovered_s=1.25, drained_s=2.5, reports=100, readings=200, ok=90, refused=5, unknown=5, lost=lost, ghosts=0,
        doubled=0, gaps=0, reordered=0, surprises=0, findings=[],
    )  # fmt: skip


def test_the_newest_two_runs_are_shown_each_fault_as_it_was_last() -> None:
    shown = render([row("a", 1, 0), row("a", 2, 1, lost=3), row("b", 2, 2), row("a", 3, 3), row("a", 2, 4)])
    assert "Seed 1," not in shown
    assert shown.index("Seed 3,") < shown.index("Seed 2,")
    assert "22 November 2026, 2 cores" in shown
    assert "200 reports and 400 readings" in shown
    assert shown.count("| a | 0 | 0 | 0 | 0 | 0 | 1.2 s (5 s) | 2.5 s |") == 2
    assert "| a | 3 |" not in shown
    assert shown.count("| b |") == 1


def test_a_row_is_clean_when_nothing_was_found() -> None:
    assert row("a", 1, 0).clean
    assert not row("a", 1, 0, lost=1).clean
