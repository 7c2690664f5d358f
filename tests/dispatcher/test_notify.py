"""Who is told what, when and in which words: pure, by examples and by laws."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.decisions import notify
from dispatcher.decisions.calendar import JAKARTA
from dispatcher.decisions.incident import NEXT, Incident
from dispatcher.decisions.notify import Move, Person, Report, Step, Template
from dispatcher.decisions.notify_text import (
    BUNDLE,
    LANGUAGES,
    MOST_IN_ONE,
    NAMES,
    Fields,
    Language,
    Said,
    fields_of,
    templates,
    words,
)
from dispatcher.decisions.telling import MANNERS, Audience, Manner, QuietHours, send_at, try_again_after
from schemas.place import AgencyRef
from schemas.vocabulary import AssignmentStatus, Category, ClockKind, IncidentStatus, Priority, Role, Told

S = IncidentStatus
NOW = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
DISHUB, DLH, BPBD, DISKOMINFO = (AgencyRef.parse(f"32.75/{code}") for code in ("DISHUB", "DLH", "BPBD", "DISKOMINFO"))
PEOPLE = [
    Person("op", Role.OPERATOR),
    Person("lead", Role.SUPERVISOR),
    Person("lead-dlh", Role.SUPERVISOR, (DLH,)),
    Person("disp", Role.DISPATCHER, (DISHUB,)),
    Person("disp-bpbd", Role.DISPATCHER, (BPBD,)),
    Person("head", Role.EXECUTIVE, (DISHUB,)),
    Person("council", Role.EXECUTIVE),
    Person("center", Role.EXECUTIVE, (DISKOMINFO,)),
    Person("root", Role.ADMIN),
]
REPORTS = [Report("r1", "CODE-1"), Report("r2", "CODE-2")]


def incident(status: IncidentStatus = S.ROUTED, **fields: Any) -> Incident:
    """A jam of Dishub's."""
    return Incident(
        **{
            "id": "INC-1",
            "version": 5,
            "category": Category.TRAFFIC_JAM,
            "status": status,
            "priority": Priority.NORMAL,
            "agency": DISHUB,
            "opened_at": NOW,
            "updated_at": NOW,
            "received_at": NOW,
            "last_report_at": NOW,
            "confidence": 1.0,
            **fields,
        }
    )


def move(change: str, status: IncidentStatus, before: IncidentStatus | None, **detail: str) -> Move:
    return Move("INC-1", 5, change, status, before, detail)


def told(moved: Move, of: Incident | None = None, people: list[Person] = PEOPLE) -> Mapping[str, Template]:
    notices = notify.of_move(moved, of or incident(moved.status), people, REPORTS)
    assert len({one.receiver for one in notices}) == len(notices)
    return {one.receiver: one.template for one in notices}


def reporters(template: Template) -> dict[str, Template]:
    return {"report:r1": template, "report:r2": template}


@pytest.mark.parametrize(
    ("moved", "expected"),
    [
        (move("routed", S.ROUTED, S.NEW), Template.REPORT_ROUTED),
        (move("triaged", S.ROUTED, S.TRIAGE), Template.REPORT_ROUTED),
        (move("assigned", S.ASSIGNED, S.ROUTED), Template.REPORT_ASSIGNED),
        (move("accepted", S.IN_PROGRESS, S.ASSIGNED), Template.REPORT_IN_PROGRESS),
        (move("resolved", S.RESOLVED, S.IN_PROGRESS), Template.REPORT_RESOLVED),
        (move("rejected", S.REJECTED, S.TRIAGE), Template.REPORT_REJECTED),
        (move("transferred", S.TRANSFERRED, S.ROUTED), Template.REPORT_TRANSFERRED),
        (move("reopened", S.ROUTED, S.RESOLVED), Template.REPORT_REOPENED),
    ],
)
def test_every_reporter_is_told_of_each_move_that_is_theirs(moved: Move, expected: Template) -> None:
    assert told(moved) == reporters(expected)


@pytest.mark.parametrize(
    "moved",
    [
        move("opened", S.NEW, None),
        move("sent_to_triage", S.TRIAGE, S.NEW),
        move("noted", S.ROUTED, S.ROUTED),
        move("declined", S.ROUTED, S.ASSIGNED),
        move("expired", S.ROUTED, S.ASSIGNED),
        move("resumed", S.ROUTED, S.ON_HOLD),
        move("closed", S.CLOSED, S.RESOLVED),
        move("merged", S.MERGED, S.ROUTED),
        move("departed", S.IN_PROGRESS, S.IN_PROGRESS),
        move("report_joined", S.TRIAGE, S.TRIAGE, report_id="r1"),
    ],
)
def test_nobody_is_told_of_what_is_nobodys_news(moved: Move) -> None:
    assert told(moved) == {}


def test_only_who_has_just_reported_is_told_that_we_know_of_it() -> None:
    assert told(move("report_joined", S.ROUTED, S.ROUTED, report_id="r2")) == {"report:r2": Template.REPORT_JOINED}


def test_the_third_officer_who_is_asked_is_no_news() -> None:
    heard = [Report("r1", "CODE-1", (Template.REPORT_ASSIGNED, "32.75/DISHUB")), REPORTS[1]]
    notices = notify.of_move(move("assigned", S.ASSIGNED, S.ROUTED), incident(S.ASSIGNED), [], heard)
    assert [one.receiver for one in notices] == ["report:r2"]


@pytest.mark.parametrize(
    ("change", "tell", "expected"),
    [
        ("due_soon", "dispatcher", {"user:disp"}),
        ("overdue", "dispatcher,shift_lead", {"user:disp", "user:lead"}),
        ("escalated", "shift_lead,agency_head", {"user:lead", "user:head"}),
        ("escalated", "shift_lead,center_head", {"user:lead", "user:center"}),
        ("due_soon", "operator", {"user:op"}),
    ],
)
def test_the_ladder_says_who_is_told(change: str, tell: str, expected: set[str]) -> None:
    found = told(move(change, S.ROUTED, S.ROUTED, clock="resolved", tell=tell))
    assert set(found) == expected
    assert set(found.values()) == {Template(change)}


def test_a_breach_is_never_told_to_nobody_while_there_is_somebody() -> None:
    for there in PEOPLE:
        for word in Told:
            found = notify.named(word, incident(), [there, PEOPLE[-1]])
            assert found, f"{word} with {there.username}"
    assert notify.named(Told.AGENCY_HEAD, incident(), [PEOPLE[0], PEOPLE[1]]) == ["lead"]


def test_when_nobody_is_left_to_ask_the_shift_lead_is_told_and_then_the_head() -> None:
    assert told(move("escalated", S.ROUTED, S.ROUTED, to="shift_lead")) == {"user:lead": Template.NOBODY_TO_ASK}
    assert told(move("escalated", S.ROUTED, S.ROUTED, to="agency_head")) == {"user:head": Template.NOBODY_TO_ASK}


def test_co_agencies_are_told_that_they_help_and_that_it_is_done() -> None:
    flood = incident(co_agencies=(BPBD,))
    assert told(move("routed", S.ROUTED, S.NEW), flood)["user:disp-bpbd"] is Template.CO_AGENCY
    done = msgspec.structs.replace(flood, status=S.RESOLVED)
    assert told(move("resolved", S.RESOLVED, S.IN_PROGRESS), done)["user:disp-bpbd"] is Template.CO_AGENCY_DONE
    assert "user:disp-bpbd" not in told(move("declined", S.ROUTED, S.ASSIGNED), flood)


def test_who_gets_it_by_hand_is_told_and_so_are_reporters() -> None:
    found = told(move("rerouted", S.ROUTED, S.ROUTED, custody="32.75/DISHUB"))
    assert found == {"user:disp": Template.HANDED_OVER, **reporters(Template.REPORT_ROUTED)}


def test_doubtful_proof_is_told_to_the_shift_lead() -> None:
    found = told(move("resolved", S.RESOLVED, S.IN_PROGRESS), incident(S.RESOLVED, flags=("no_photo",)))
    assert found["user:lead"] is Template.PROOF_DOUBTFUL


def test_an_officer_is_asked_and_told_when_it_is_taken_back() -> None:
    offered = Step("ASG-1", "INC-1", 1, AssignmentStatus.OFFERED, None, "dispatcher", "budi")
    (asked,) = notify.of_step(offered)
    assert (asked.receiver, asked.template, asked.urgent, asked.matter) == ("user:budi", Template.OFFER, True, "ASG-1")
    released = Step("ASG-1", "INC-1", 2, AssignmentStatus.RELEASED, AssignmentStatus.OFFERED, "dispatcher", "budi")
    assert [one.template for one in notify.of_step(released)] == [Template.TAKEN_BACK]
    said_no = Step("ASG-1", "INC-1", 2, AssignmentStatus.DECLINED, AssignmentStatus.OFFERED, "budi", "budi")
    assert notify.of_step(said_no) == ()
    assert notify.settles(said_no)


def test_a_warning_and_a_breach_are_two_matters_and_a_reopening_begins_a_third() -> None:
    def matter(change: str, of: Incident) -> str | None:
        moved = move(change, S.ROUTED, S.ROUTED, clock="resolved", tell="dispatcher")
        return notify.of_move(moved, of, PEOPLE, [])[0].matter

    again = incident(reopened_at=NOW)
    found = [matter("due_soon", incident()), matter("overdue", incident()), matter("overdue", again)]
    assert len(set(found)) == 3
    assert matter("escalated", incident()) == found[1]


@given(st.sampled_from(sorted(NEXT)), st.data())
def test_what_is_noted_beforehand_is_all_that_is_ever_told(before: IncidentStatus, data: st.DataObject) -> None:
    """`is_told` is asked in the transaction of the move; a move that it passes over must have no receiver."""
    status = data.draw(st.sampled_from(sorted({before, *NEXT[before]})))
    changes = (
        "routed assigned declined expired released resumed unmerged rerouted received reopened noted report_joined"
    )
    change = data.draw(st.sampled_from(changes.split()))
    event = notify.Event(
        incident_id="INC-1", version=5, change=change, status=status, actor="x", at=NOW, detail={"report_id": "r1"}
    )
    if not notify.is_told(before, event):
        moved = Move("INC-1", 5, change, status, before, event.detail)
        assert told(moved, incident(status, co_agencies=(BPBD,), flags=("far",))) == {}


# When ---------------------------------------------------------------------------------------------------------------

_times = st.integers(0, 366 * 86_400).map(lambda seconds: NOW + timedelta(seconds=seconds))
_of_day = st.builds(lambda hour, minute: f"{hour:02}:{minute:02}", st.integers(0, 23), st.integers(0, 59))
_quiet = st.builds(lambda since, until: QuietHours(since=since, until=until), _of_day, _of_day)


def _is_quiet(quiet: QuietHours, at: datetime) -> bool:
    """Minute by minute, as a person would say it."""
    now = f"{at.astimezone(JAKARTA):%H:%M}"
    if quiet.since <= quiet.until:
        return quiet.since <= now < quiet.until
    return now >= quiet.since or now < quiet.until


@given(_quiet, _times, st.integers(0, 3600))
def test_nobody_is_disturbed_in_quiet_hours_and_nobody_waits_longer_than_them(
    quiet: QuietHours, now: datetime, window: int
) -> None:
    manner = Manner(quiet=quiet, bundle_s=window)
    at = send_at(manner, now, urgent=False)
    earliest = now + timedelta(seconds=window)
    assert not _is_quiet(quiet, at)
    assert earliest <= at < earliest + timedelta(days=1)
    assert at == earliest or _is_quiet(quiet, earliest)
    assert quiet.end(at) == at
    assert send_at(manner, now, urgent=True) == now


@given(st.integers(1, 60), st.one_of(st.none(), st.integers(1, 10**7)))
def test_pauses_grow_and_respect_what_was_asked(attempts: int, asked: int | None) -> None:
    wanted = timedelta(seconds=asked) if asked else None
    pause = try_again_after(attempts, wanted)
    assert timedelta(seconds=15) <= pause <= timedelta(days=1)
    assert try_again_after(attempts + 1, wanted) >= pause
    if wanted:
        assert pause >= min(wanted, timedelta(days=1))


def test_each_audience_has_a_manner() -> None:
    assert set(MANNERS) == set(Audience)


# Words --------------------------------------------------------------------------------------------------------------

EVERYTHING = Fields(
    incident="INC-1",
    category=Category.FLOOD,
    status=S.ROUTED,
    place="Jl Ahmad Yani",
    holder="32.75/DBMSDA",
    clock=ClockKind.RESOLVED,
    due_at=NOW,
    tracking_code="CODE-1",
)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_texts_are_complete_and_use_only_their_fields(language: Language) -> None:
    found = templates(language)
    assert set(found) == {*Template, BUNDLE}
    assert {name: fields_of(text) for name, text in found[BUNDLE].items()} == {"subject": {"count"}, "more": {"count"}}
    for template in Template:
        texts = found[template]
        assert {"subject", "text"} <= set(texts) <= {"subject", "text", "reason"}
        assert fields_of(texts["subject"]) | fields_of(texts["text"]) <= NAMES[template], template
        assert "link" in fields_of(texts["text"]), template
        assert fields_of(texts.get("reason", "{reason}")) == {"reason"}


@pytest.mark.parametrize("template", Template)
def test_both_languages_say_the_same_with_the_same_fields(template: Template) -> None:
    both = [templates(language)[template] for language in LANGUAGES]
    assert both[0].keys() == both[1].keys()
    for part in both[0]:
        assert fields_of(both[0][part]) == fields_of(both[1][part])
        assert both[0][part] != both[1][part] or template.value.startswith("report_")
    for language in LANGUAGES:
        for fields in (EVERYTHING, Fields(incident="INC-1", category=Category.OTHER, status=S.TRIAGE)):
            said = words([Said(template, fields, "sebab")], language, "https://city.example")
            assert said.subject and "{" not in said.subject + said.text
            assert "\n" not in said.subject


def test_several_things_are_said_in_one_message() -> None:
    said = words([Said(Template.REPORT_ROUTED, EVERYTHING), Said(Template.REPORT_ASSIGNED, EVERYTHING)], "en")
    assert said.subject == "2 messages from the Command Center of Bekasi"
    assert said.text.count("Report CODE-1") == 2


def test_nobody_has_to_read_a_thousand_lines() -> None:
    said = words([Said(Template.OVERDUE, EVERYTHING)] * 1_000, "en")
    assert said.subject.startswith("1000 messages")
    assert said.text.count("Overdue:") == MOST_IN_ONE
    assert said.text.endswith(f"and {1_000 - MOST_IN_ONE} more.")


def test_a_text_that_is_missing_is_an_error() -> None:
    with pytest.raises(KeyError):
        words([Said("no_such_thing", EVERYTHING)], "id")  # type: ignore[arg-type]
