"""The judge is judged: a lost, a ghost, a doubled, a gap and a reordered one are planted, and each must be named."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.faults.checker import Database, Incident, Seen, Shown, Told, Topics, Verdict, judge
from tests.faults.ledger import Entry, Ledger, Outcome, Wish, read

NOON = datetime(2026, 11, 22, 5, 0, tzinfo=UTC)
_OPENED, _JOINED = "opened", "report_joined"


class City:
    """Three reports well taken in, two of them of one event; a reading, a poison; one report refused."""

    def __init__(self) -> None:
        self.entries = [
            entry("a", "r1", event="e"), entry("b", "r2", event="e"), entry("c", "r3"),
            Entry(Wish("d", "report"), [Outcome.REFUSED]),
            Entry(Wish("n", "readings", readings=(("s", NOON),)), [Outcome.OK]),
            Entry(Wish("p", "poison"), [Outcome.OK], ["t/0/7"]),
        ]  # fmt: skip
        self.database = Database(
            reports=[("a", "r1", "i1"), ("b", "r2", "i1"), ("c", "r3", "i2")],
            contacts=frozenset({"r1", "r2", "r3"}),
            incidents={
                "i1": Incident(2, 2, True, [(1, _OPENED), (2, _JOINED)]),
                "i2": Incident(2, 1, False, [(1, _OPENED), (2, "rejected")]),
            },
            readings=frozenset({("s", NOON)}),
            set_aside=["t/0/7"],
        )
        self.topics = Topics(
            reports=[("a", "r1"), ("b", "r2"), ("b", "r2"), ("c", "r3")],
            contacts=frozenset({"r1", "r2", "r3"}),
            told=[Told("1", "i1", 1), Told("2", "i1", 2), Told("2", "i1", 2), Told("3", "i2", 1), Told("4", "i2", 2)],
            shown=[
                Shown("5", "i1", 1, 1), Shown("6", "i1", 2, 2), Shown("6", "i1", 2, 2),
                Shown("7", "i2", 3, 1), Shown("8", "i2", 4, 2), Shown("9", "i2", 5, None),
            ],
        )  # fmt: skip
        self.screens = [Seen("steady"), Seen("slow")]
        self.fresh = {"i1": 2, "elsewhere": 7}

    def judge(self) -> Verdict:
        return judge(self.entries, self.database, self.topics, self.screens, self.fresh)

    def incident(self, name: str, **other: object) -> None:
        changed = {**self.database.incidents, name: replace(self.database.incidents[name], **other)}  # type: ignore[arg-type]
        self.database = replace(self.database, incidents=changed)

    def stored(self, *reports: tuple[str, str, str]) -> None:
        self.database = replace(self.database, reports=list(reports))

    def told(self, *told: Told) -> None:
        self.topics = replace(self.topics, told=list(told))

    def shown(self, *shown: Shown) -> None:
        self.topics = replace(self.topics, shown=list(shown))


def entry(key: str, report: str, event: str | None = None) -> Entry:
    return Entry(Wish(key, "report", event=event), [Outcome.UNKNOWN, Outcome.OK], [report])


def test_a_city_that_kept_its_promises_is_clean() -> None:
    assert City().judge() == Verdict()


def _no_report(city: City) -> None:
    city.stored(*city.database.reports[:2])


def _not_in_kafka(city: City) -> None:
    city.topics = replace(city.topics, reports=city.topics.reports[:-1])


def _no_contact(city: City) -> None:
    city.database = replace(city.database, contacts=frozenset({"r1", "r2"}))


def _no_reading(city: City) -> None:
    city.database = replace(city.database, readings=frozenset())


def _not_set_aside(city: City) -> None:
    city.database = replace(city.database, set_aside=[])


def _set_aside_what_was_well(city: City) -> None:
    city.database = replace(city.database, set_aside=["t/0/7", "t/0/8"])


def _not_told(city: City) -> None:
    city.told(*city.topics.told[:-1])


def _never_shown(city: City) -> None:
    city.shown(*city.topics.shown[3:])


def _shown_old(city: City) -> None:
    city.shown(city.topics.shown[0], *city.topics.shown[3:])


def _history_with_a_hole(city: City) -> None:
    city.incident("i1", history=[(1, _OPENED), (3, _JOINED)])


def _counted_too_few(city: City) -> None:
    city.incident("i1", report_count=1)


def _not_on_the_board(city: City) -> None:
    city.fresh = {}


def _events_mixed(city: City) -> None:
    city.stored(("a", "r1", "i1"), ("b", "r2", "i1"), ("c", "r3", "i1"))


def _refused_and_there(city: City) -> None:
    city.stored(*city.database.reports, ("d", "r4", "i3"))


def _nobody_asked(city: City) -> None:
    city.topics = replace(city.topics, reports=[*city.topics.reports, ("x", "r9")])


def _reading_of_nobody(city: City) -> None:
    city.database = replace(city.database, readings=frozenset({("s", NOON), ("s", NOON.replace(hour=6))}))


def _told_what_never_was(city: City) -> None:
    city.told(*city.topics.told, Told("9", "i2", 3))


def _shown_after_it_left(city: City) -> None:
    city.fresh = {**city.fresh, "i2": 2}


def _two_reports_of_one_key(city: City) -> None:
    city.stored(*city.database.reports, ("c", "r5", "i2"))


def _two_answers(city: City) -> None:
    city.entries[2].identities.append("r5")


def _one_event_two_incidents(city: City) -> None:
    city.stored(("a", "r1", "i1"), ("b", "r2", "i2"), ("c", "r3", "i2"))


def _counted_twice(city: City) -> None:
    city.incident("i1", report_count=3)


def _joined_twice(city: City) -> None:
    city.incident("i1", version=3, history=[(1, _OPENED), (2, _JOINED), (3, _JOINED)])


def _told_under_two_ids(city: City) -> None:
    city.told(*city.topics.told, Told("99", "i1", 2))


def _set_aside_twice(city: City) -> None:
    city.database = replace(city.database, set_aside=["t/0/7", "t/0/7"])


def _left_twice(city: City) -> None:
    city.shown(*city.topics.shown, Shown("10", "i2", 6, None))


def _gap_of_a_screen(city: City) -> None:
    city.screens[1] = Seen("slow", gaps=["stood at 4"])


def _told_backwards(city: City) -> None:
    city.told(Told("2", "i1", 2), Told("1", "i1", 1), *city.topics.told[3:])


def _shown_backwards(city: City) -> None:
    city.shown(Shown("6", "i1", 1, 2), Shown("5", "i1", 2, 1), Shown("7", "i1", 3, 2), *city.topics.shown[3:])


def _older_row_last(city: City) -> None:
    city.shown(*city.topics.shown, city.topics.shown[0])


def _screen_went_back(city: City) -> None:
    city.screens[0] = Seen("steady", reordered=["version 1 after 2"])


@pytest.mark.parametrize(
    ("kind", "plant"),
    [
        *(("lost", plant) for plant in (
            _no_report, _not_in_kafka, _no_contact, _no_reading, _not_set_aside, _set_aside_what_was_well, _not_told,
            _never_shown, _shown_old, _history_with_a_hole, _counted_too_few, _not_on_the_board, _events_mixed,
        )),
        *(("ghosts", plant) for plant in (
            _refused_and_there, _nobody_asked, _reading_of_nobody, _told_what_never_was, _shown_after_it_left,
        )),
        *(("doubled", plant) for plant in (
            _two_reports_of_one_key, _two_answers, _one_event_two_incidents, _counted_twice, _joined_twice,
            _told_under_two_ids, _set_aside_twice, _left_twice,
        )),
        ("gaps", _gap_of_a_screen),
        *(("reordered", plant) for plant in (_told_backwards, _shown_backwards, _older_row_last, _screen_went_back)),
    ],
)  # fmt: skip
def test_what_is_planted_is_named(kind: str, plant: Callable[[City], None]) -> None:
    city = City()
    plant(city)
    verdict = city.judge()
    assert getattr(verdict, kind), verdict
    assert not verdict.clean


def test_what_stays_unknown_may_exist_once_and_need_not() -> None:
    city = City()
    city.entries.append(Entry(Wish("u", "report"), [Outcome.UNKNOWN]))
    assert city.judge().clean
    city.topics = replace(
        city.topics, reports=[*city.topics.reports, ("u", "r6")], contacts=city.topics.contacts | {"r6"},
        told=[*city.topics.told, Told("11", "i6", 1)], shown=[*city.topics.shown, Shown("12", "i6", 9, 1)],
    )  # fmt: skip
    assert city.judge().lost, "Kafka has it, so the city must"
    city.database = replace(
        city.database,
        reports=[*city.database.reports, ("u", "r6", "i6")],
        contacts=city.database.contacts | {"r6"},
        incidents={**city.database.incidents, "i6": Incident(1, 1, True, [(1, _OPENED)])},
    )
    city.fresh["i6"] = 1
    assert city.judge().clean
    city.stored(*city.database.reports, ("u", "r7", "i6"))
    assert city.judge().doubled


def test_a_ledger_that_was_cut_off_knows_what_it_does_not_know(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger")
    wish, other = Wish("a", "report", event="e"), Wish("b", "readings", readings=(("s", NOON),))
    ledger.before(wish)
    ledger.after(wish, Outcome.REFUSED)
    assert not read(ledger.path)[0].may_exist
    ledger.before(wish)
    ledger.before(other)
    ledger.after(other, Outcome.OK)
    first, second = read(ledger.path)
    assert first.wish == wish
    assert first.may_exist, "an attempt was begun and nothing is known of it"
    assert not first.acknowledged
    assert second.wish == other
    assert second.acknowledged
    ledger.after(wish, Outcome.OK, "r1")
    assert read(ledger.path)[0].identities == ["r1"]
    ledger.close()
