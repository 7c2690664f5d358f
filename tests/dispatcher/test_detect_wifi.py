"""A wifi node is down when it says so or is silent too long, and back after three good beats."""

from datetime import UTC, datetime, timedelta

from dispatcher.decisions.detect_wifi import Beaten, BeatState, Heard, beat, silent
from schemas.vocabulary import DeviceState

START = datetime(2026, 11, 20, 7, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def run(ups: str) -> list[Beaten]:
    """A beat a minute: `+` up, `-` down."""
    state, after = BeatState(), []
    for minute, sign in enumerate(ups):
        beaten = beat(state, START + minute * MINUTE, up=sign == "+")
        assert beaten is not None
        after.append(beaten)
        state = beaten.state
    return after


def heard(node_id: str = "taman-1", beats: str = "+++", at: datetime = START) -> Heard:
    return Heard(node_id, run(beats)[-1].state, at)


def test_a_node_that_says_down_is_down_at_once_and_only_once() -> None:
    assert [beaten.turn for beaten in run("+--")] == [None, "down", None]


def test_a_node_is_back_after_three_good_beats_in_a_row() -> None:
    assert [beaten.turn for beaten in run("-++-+++")] == ["down", None, None, None, None, None, "back"]
    assert run("-++")[-1].state.state is DeviceState.DOWN


def test_an_older_beat_changes_nothing() -> None:
    assert beat(run("++")[-1].state, START, up=False) is None


def test_a_node_is_suspect_after_three_missed_beats_and_down_after_five_minutes() -> None:
    def judged(silence: timedelta) -> Beaten | None:
        return silent([heard()], START + silence, START - 60 * MINUTE).get("taman-1")

    assert judged(2.9 * MINUTE) is None
    suspect, down = judged(3 * MINUTE), judged(5 * MINUTE)
    assert suspect and (suspect.state.state, suspect.turn) == (DeviceState.SUSPECT, None)
    assert down and (down.state.state, down.turn) == (DeviceState.DOWN, "down")
    assert down.because == ("tidak terdengar selama 5 menit",)


def test_a_suspect_node_that_beats_is_up_again() -> None:
    suspect = silent([heard()], START + 3 * MINUTE, START - 60 * MINUTE)["taman-1"].state
    beaten = beat(suspect, START + 4 * MINUTE, up=True)
    assert beaten and (beaten.state.state, beaten.turn) == (DeviceState.UP, None)


def test_what_we_missed_while_deaf_is_not_held_against_a_node() -> None:
    hour = 60 * MINUTE
    assert silent([heard()], START + hour, START + hour - MINUTE) == {}


def test_a_node_without_a_rhythm_cannot_lose_it() -> None:
    assert silent([heard(beats="++")], START + 60 * MINUTE, START) == {}


def test_when_nobody_at_all_is_heard_it_is_not_the_nodes() -> None:
    nodes = [heard(f"node-{n}") for n in range(3)]
    assert silent(nodes, START + 10 * MINUTE, None) == {}
    assert set(silent(nodes[:2], START + 10 * MINUTE, None)) == {"node-0", "node-1"}
