"""The verdict: the ledger against the database, the topics read in full by a client of its own, and three screens."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from tests.faults.ledger import Entry


@dataclass(frozen=True)
class Verdict:
    """What must be nothing; each is a sentence about one thing."""

    #: Acknowledged, and not there; or there, and not told further.
    lost: list[str] = field(default_factory=list)
    #: There, and nobody asked for it (or it was refused).
    ghosts: list[str] = field(default_factory=list)
    #: One wish, more than one effect.
    doubled: list[str] = field(default_factory=list)
    #: A client that was connected does not know what a fresh one is told.
    gaps: list[str] = field(default_factory=list)
    #: Events of one incident in another order than they happened.
    reordered: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        return not (self.lost or self.ghosts or self.doubled or self.gaps or self.reordered)


@dataclass(frozen=True)
class Incident:
    """As the database has it."""

    version: int
    report_count: int
    on_board: bool
    #: (version, change), in the order of versions.
    history: Sequence[tuple[int, str]]


@dataclass(frozen=True)
class Database:
    """What is stored of one load."""

    #: (key, report id, incident id).
    reports: Sequence[tuple[str, str, str]]
    #: Report ids with a contact.
    contacts: frozenset[str]
    #: The incidents of the reports, and every other that changed meanwhile.
    incidents: Mapping[str, Incident]
    readings: frozenset[tuple[str, datetime]]
    #: `topic/partition/offset` of what was set aside meanwhile.
    set_aside: Sequence[str]
    outbox: int = 0


@dataclass(frozen=True)
class Told:
    """An event of an incident, in the order of its topic's partitions."""

    event_id: str
    incident: str
    version: int


@dataclass(frozen=True)
class Shown:
    """A row of the board's topic, in its order; version None: it left."""

    event_id: str
    incident: str
    seq: int
    version: int | None


@dataclass(frozen=True)
class Topics:
    """All that Kafka has."""

    #: (key, report id) of each record.
    reports: Sequence[tuple[str, str]]
    contacts: frozenset[str]
    told: Sequence[Told]
    shown: Sequence[Shown]


@dataclass(frozen=True)
class Seen:
    """What a client of the feed complained of; `gaps`: also what it knows otherwise than a fresh one at the end."""

    name: str
    gaps: Sequence[str] = ()
    reordered: Sequence[str] = ()


def judge(
    entries: Sequence[Entry], database: Database, topics: Topics, screens: Sequence[Seen], fresh: Mapping[str, int]
) -> Verdict:
    """Hold one load against what became of it, once it was drained. `fresh`: the rows a new client is told."""
    verdict = Verdict()
    _reports(verdict, entries, database, topics)
    _readings(verdict, entries, database)
    _set_aside(verdict, entries, database)
    _events(verdict, entries, database)
    for incident_id, incident in database.incidents.items():
        _incident(verdict, incident_id, incident, database)
    _told(verdict, database, topics.told)
    _shown(verdict, database, topics.shown)
    for screen in screens:
        verdict.gaps.extend(f"{screen.name}: {gap}" for gap in screen.gaps)
        verdict.reordered.extend(f"{screen.name}: {sentence}" for sentence in screen.reordered)
    board = {id_: incident.version for id_, incident in database.incidents.items() if incident.on_board}
    left = {id_ for id_, incident in database.incidents.items() if not incident.on_board}
    told = {id_: version for id_, version in fresh.items() if id_ in database.incidents and id_ not in left}
    if told != board:
        verdict.lost.append(f"the board: {_difference(told, board)}")
    verdict.ghosts.extend(f"{id_} has left the board and is on it" for id_ in left & fresh.keys())
    return verdict


def _reports(verdict: Verdict, entries: Sequence[Entry], database: Database, topics: Topics) -> None:
    wishes = {entry.wish.key: entry for entry in entries if entry.wish.kind == "report"}
    stored, sent = _by_key((key, id_) for key, id_, _ in database.reports), _by_key(topics.reports)
    for key, entry in wishes.items():
        if len(set(entry.identities)) > 1:
            verdict.doubled.append(f"{key} was answered with {len(set(entry.identities))} reports")
        for report in set(entry.identities):
            for where, there in (("the database", stored), ("Kafka", sent)):
                if report not in there.get(key, ()):
                    verdict.lost.append(f"report {key} is not in {where}")
    for where, there in (("the database", stored), ("Kafka", sent)):
        for key, reports in there.items():
            if key not in wishes or not wishes[key].may_exist:
                verdict.ghosts.append(f"report {key} is in {where}")
            if len(set(reports)) > 1:
                verdict.doubled.append(f"{key} is {len(set(reports))} reports in {where}")
    verdict.doubled.extend(
        f"report {id_} is stored {count} times"
        for id_, count in Counter(id_ for _, id_, _ in database.reports).items()
        if count > 1
    )
    known = {id_ for _, id_ in topics.reports}
    for key, id_, _ in database.reports:
        if id_ not in known:
            verdict.ghosts.append(f"report {key} is in the database and not in Kafka")
        # acknowledged before its report was sent
        if id_ not in database.contacts or id_ not in topics.contacts:
            verdict.lost.append(f"the contact of report {key}")
    unread = known - {id_ for _, id_, _ in database.reports}
    verdict.lost.extend(
        f"report {key} is in Kafka and not in the database" for key, id_ in topics.reports if id_ in unread
    )


def _readings(verdict: Verdict, entries: Sequence[Entry], database: Database) -> None:
    must: set[tuple[str, datetime]] = set()
    may: set[tuple[str, datetime]] = set()
    for entry in entries:
        must.update(entry.wish.readings if entry.acknowledged else ())
        may.update(entry.wish.readings if entry.may_exist else ())
    verdict.lost.extend(f"reading {sensor} {at}" for sensor, at in must - database.readings)
    verdict.ghosts.extend(f"reading {sensor} {at}" for sensor, at in database.readings - may)


def _set_aside(verdict: Verdict, entries: Sequence[Entry], database: Database) -> None:
    poison = {identity for entry in entries if entry.wish.kind == "poison" for identity in entry.identities}
    letters = Counter(database.set_aside)
    verdict.lost.extend(f"poison at {place} is not set aside" for place in poison - letters.keys())
    verdict.lost.extend(f"what is at {place} was set aside" for place in letters.keys() - poison)
    verdict.doubled.extend(f"what is at {place} was set aside {n} times" for place, n in letters.items() if n > 1)


def _events(verdict: Verdict, entries: Sequence[Entry], database: Database) -> None:
    """One event in the city, one incident; and no two events in one."""
    event_of = {entry.wish.key: entry.wish.event or entry.wish.key for entry in entries}
    incidents: dict[str, set[str]] = {}
    events: dict[str, set[str]] = {}
    for key, _, incident in database.reports:
        event = event_of.get(key, key)
        incidents.setdefault(event, set()).add(incident)
        events.setdefault(incident, set()).add(event)
    verdict.doubled.extend(f"event {event} is {len(ids)} incidents" for event, ids in incidents.items() if len(ids) > 1)
    verdict.lost.extend(f"{incident} swallowed {len(of)} events" for incident, of in events.items() if len(of) > 1)


def _incident(verdict: Verdict, incident_id: str, incident: Incident, database: Database) -> None:
    reports = sum(1 for _, _, of in database.reports if of == incident_id)
    if reports == 0:
        return  # of a sensor, or of another load
    changes = Counter(change for _, change in incident.history)
    told = changes["opened"] + changes["report_joined"]
    if incident.report_count != reports or told != reports:
        which = verdict.lost if min(incident.report_count, told) < reports else verdict.doubled
        which.append(f"{incident_id} has {reports} reports, counts {incident.report_count}, and its history {told}")
    if [version for version, _ in incident.history] != list(range(1, incident.version + 1)):
        verdict.lost.append(f"{incident_id}: its history has holes")


def _told(verdict: Verdict, database: Database, told: Iterable[Told]) -> None:
    ids: dict[tuple[str, int], set[str]] = {}
    order: dict[str, list[int]] = {}
    for event in told:
        known = ids.setdefault((event.incident, event.version), set())
        if event.event_id not in known:  # sent once more under the same id: who reads knows that
            known.add(event.event_id)
            order.setdefault(event.incident, []).append(event.version)
    for incident_id, incident in database.incidents.items():
        versions = order.get(incident_id, [])
        verdict.lost.extend(
            f"{incident_id} version {version} was not told"
            for version, _ in incident.history
            if version not in versions
        )
        if versions != sorted(versions):
            verdict.reordered.append(f"{incident_id} was told as {versions}")
        written = {version for version, _ in incident.history}
        verdict.ghosts.extend(f"{incident_id} version {v} was told" for v in versions if v not in written)
        verdict.doubled.extend(
            f"{incident_id} version {v} was told under {len(ids[incident_id, v])} ids"
            for v in set(versions)
            if len(ids[incident_id, v]) > 1
        )


def _shown(verdict: Verdict, database: Database, shown: Iterable[Shown]) -> None:
    highest: dict[str, int] = {}
    last: dict[str, Shown] = {}
    versions: dict[str, list[int]] = {}
    left: dict[str, set[str]] = {}
    for row in shown:
        last[row.incident] = row
        if row.seq <= highest.get(row.incident, 0):
            continue  # a node drops what it has seen
        highest[row.incident] = row.seq
        if row.version is None:
            left.setdefault(row.incident, set()).add(row.event_id)
        else:
            versions.setdefault(row.incident, []).append(row.version)
    for incident_id, incident in database.incidents.items():
        row = last.get(incident_id)
        if row is None:
            verdict.lost.append(f"{incident_id} was never shown")
            continue
        order = versions.get(incident_id, [])
        if order != sorted(order):
            verdict.reordered.append(f"{incident_id} was shown as {order}")
        # compaction keeps the last record of a key: that has to be the newest
        if row.seq != highest[incident_id]:
            verdict.reordered.append(f"{incident_id}: an older row was written last")
        if row.version != (incident.version if incident.on_board else None):
            verdict.lost.append(f"{incident_id} is {incident.version}, last shown {row.version}")
        if len(left.get(incident_id, ())) > 1:
            verdict.doubled.append(f"{incident_id} left the board {len(left[incident_id])} times")


def _by_key(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for key, identity in pairs:
        found.setdefault(key, []).append(identity)
    return found


def _difference(found: Mapping[str, int], expected: Mapping[str, int]) -> str:
    missing = [key for key in expected if key not in found]
    more = [key for key in found if key not in expected]
    other = [f"{key} {found[key]}≠{expected[key]}" for key in expected if key in found and found[key] != expected[key]]
    parts = (("misses", missing), ("has too many", more), ("has other versions of", other))
    return ", ".join(f"{what} {len(which)} ({', '.join(which[:3])})" for what, which in parts if which)
