"""One sighting against the incidents around it: what opens, what joins, and why; told without a database."""

from datetime import timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from dispatcher.decisions.all_clear import all_clear
from dispatcher.decisions.casebook import Casebook
from dispatcher.decisions.change import Change
from dispatcher.decisions.clock import timed
from dispatcher.decisions.device import Sensor
from dispatcher.decisions.place_names import landmarks
from dispatcher.decisions.policy import DEFAULT_POLICY
from dispatcher.decisions.sighting import Sighting, of_report, of_sensor
from schemas.gazetteer import gazetteer
from schemas.vocabulary import CATEGORY_LABEL, IncidentStatus, Priority, ReportChannel
from tests.dispatcher.factories import BANTARGEBANG, MINUTE, MONAS, NOW, SUMMARECON, a_report

JAM = "Macet total, kendaraan tidak bergerak"
WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=200)
#: Each example goes through all judgements.
few = settings(max_examples=40)


def sighting(text: str = JAM, after: timedelta = timedelta(), **fields: Any) -> Sighting:
    if "address" not in fields:
        fields.setdefault("place", SUMMARECON)
    return of_report(a_report(text, **fields), NOW + after, gazetteer(), "")


def seen_by(sensor_id: str = "s-1", segment: str | None = None) -> Sighting:
    lat, lon = SUMMARECON
    sensor = Sensor(id=sensor_id, lat=lat, lon=lon, segment=segment, observed_at=NOW, received_at=NOW)
    return of_sensor(sensor, NOW, ("6 km/jam",), gazetteer())


def change_of(*sightings: Sighting) -> Change:
    """The change of the one incident that all of them are in."""
    casebook = Casebook()
    for each in sightings:
        casebook.take(each, NOW)
    (change,) = casebook.changes
    return change


@few
@given(WORDS)
def test_any_words_lead_to_one_incident_with_its_reasons(text: str) -> None:
    change = change_of(sighting(text))
    assert change.after.status in (IncidentStatus.ROUTED, IncidentStatus.TRIAGE, IncidentStatus.TRANSFERRED)
    assert [event.version for event in change.events] == [1, 2]
    assert change.after.version == 2
    assert {decision.judgement for decision in change.decisions} >= {"classify", "locate", "correlate", "route"}
    assert change.after.report_count == len(change.evidence) == 1


@given(st.lists(st.sampled_from([JAM, "Macet parah di sini", "Padat merayap, macet"]), min_size=1, max_size=8))
def test_every_report_is_a_history_entry_an_evidence_and_counted(texts: list[str]) -> None:
    change = change_of(*(sighting(text, after=n * MINUTE) for n, text in enumerate(texts)))
    assert change.after.report_count == len(texts) == len(change.evidence)
    assert [event.version for event in change.events] == list(range(1, len(texts) + 2))
    assert change.before is None
    assert change.after.received_at == NOW + (len(texts) - 1) * MINUTE


@few
@given(WORDS)
def test_a_title_is_made_of_our_names_and_has_nothing_of_the_citizens_words(words: str) -> None:
    incident = change_of(sighting(f"Macet total di rumah Pak {words}")).after
    category, _, place = incident.title.partition(" · ")
    assert category in {names[0] for names in CATEGORY_LABEL.values()}
    name = place.removesuffix(", Bekasi Utara")
    assert name == "Margamulya" or name in {landmark.name for landmark in landmarks()}


def test_a_landmark_that_is_named_and_near_is_in_the_title() -> None:
    near = sighting("Macet total di Simpang Pekayon", place=(-6.2600, 106.9890))
    far = sighting("Macet total, antre sampai Simpang Pekayon", place=BANTARGEBANG)
    assert change_of(near).after.title.startswith("Kemacetan · Simpang Pekayon, ")
    assert "Pekayon" not in change_of(far).after.title


def test_a_sensors_road_is_in_the_title() -> None:
    assert change_of(seen_by(segment="Jl Ahmad Yani")).after.title.startswith("Kemacetan · Jl Ahmad Yani, ")


def test_what_waits_for_a_person_is_routed_when_a_sure_report_tells_the_same() -> None:
    unsure = sighting("Padat sekali di simpang Pekayon", address="simpang Pekayon")
    assert not unsure.sure
    sure = sighting("Macet total di simpang Pekayon, kendaraan tidak bergerak", address="simpang Pekayon")
    change = change_of(unsure, sure)
    assert [event.change for event in change.events] == ["opened", "sent_to_triage", "report_joined", "routed"]
    assert str(change.after.agency) == "32.75/DISHUB"


def test_an_emergency_told_later_makes_the_whole_incident_critical() -> None:
    change = change_of(sighting(), sighting("Macet total karena kecelakaan, ada korban luka parah"))
    assert change.after.priority is Priority.CRITICAL
    assert [d.outcome for d in change.decisions if d.judgement == "prioritise"][-1] == "critical"


def test_what_is_handed_over_has_no_due_time_and_says_where_it_went() -> None:
    change = timed(change_of(sighting(place=MONAS)), DEFAULT_POLICY)
    assert (change.after.due_at, change.after.transferred_to) == (None, "OTHER_GOV")
    assert change.after.title == "Kemacetan · Jakarta Pusat"
    assert change.events[-1].public


def test_the_clock_of_a_jam_runs_three_hours_from_when_we_have_it() -> None:
    incident = timed(change_of(sighting()), DEFAULT_POLICY).after
    assert incident.due_at == NOW + timedelta(hours=3)
    assert incident.first_look_due_at == NOW + timedelta(minutes=5)


def test_sources_are_named_once_in_the_order_in_which_they_came() -> None:
    change = change_of(sighting(), seen_by(), sighting(channel=ReportChannel.WHATSAPP), sighting())
    assert change.after.sources == ("app", "sensor", "whatsapp")


def clear(change: Change, still_seen_by: set[str]) -> Change | None:
    return all_clear(
        change.after,
        "sensor",
        "s-1",
        still_seen_by=still_seen_by,
        because=("38 km/jam",),
        arrived_at=NOW + 10 * MINUTE,
        now=NOW + 10 * MINUTE,
    )


def test_a_jam_known_from_sensors_alone_settles_with_the_last_of_them() -> None:
    seen = change_of(seen_by("s-1"), seen_by("s-2"))
    waiting, settled = clear(seen, {"s-2"}), clear(seen, set())
    assert waiting and waiting.after.status is IncidentStatus.ROUTED
    assert settled and settled.after.status is IncidentStatus.RESOLVED
    assert [event.change for event in settled.events] == ["sensor_cleared", "resolved"]


def test_a_jam_that_a_person_reported_is_settled_by_a_person() -> None:
    cleared = clear(change_of(seen_by(), sighting()), set())
    assert cleared and cleared.after.status is IncidentStatus.ROUTED
    assert cleared.after.evidence < change_of(seen_by(), sighting()).after.evidence


def test_what_has_ended_is_not_touched() -> None:
    assert clear(change_of(sighting(place=MONAS)), set()) is None
