"""Routing rules from draft to live and back: tried on what was, used at once, and measured."""

import asyncio
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result

from dispatcher import rules_store, rules_trial
from dispatcher.decisions.rule import RuleSet
from dispatcher.evaluate import command as evaluate
from dispatcher.rules_cli import command
from schemas.vocabulary import Role
from tests.dispatcher.desk.office import DUMPING, JAM, Json, Office, Person
from tests.dispatcher.factories import CIKARANG, MINUTE

TOLL: Json = {
    "name": "Tol ke pengelolanya",
    "when": {"category": ["traffic_jam"], "road": ["toll"]},
    "transfer_to": "TOLL",
}
JAMS: Json = {
    "name": "Macet ke Satpol PP",
    "when": {"category": ["traffic_jam"]},
    "agency": "SATPOL_PP",
    "priority": "high",
}
REST: Json = {"name": "Sisanya", "agency": "DLH"}
ON_TOLL = "Macet total di tol Jakarta-Cikampek km 12, kendaraan tidak bergerak"


@pytest.fixture(autouse=True)
async def first_day(office: Office) -> None:
    """Nothing that a new report could join."""
    await office.forget_everything()


@pytest.fixture
async def supervisor(office: Office) -> Person:
    return await office.staff(Role.SUPERVISOR)


async def draft(person: Person, *rules: Json, expect: int = 201, **fields: Any) -> Json:
    found: Json = await person.post("/rules/drafts", expect, rules=list(rules), **fields)
    return found


async def go_live(person: Person, *rules: Json) -> int:
    made = await draft(person, *rules)
    version = (await person.get("/rules"))["version"]
    return int((await person.post(f"/rules/drafts/{made['id']}/apply", version=version))["version"])


async def routed(office: Office, person: Person, text: str = JAM, **fields: Any) -> Json:
    """A new incident, with why it was routed so."""
    incident: Json = await person.get(f"/incidents/{(await office.incident(text, **fields))['id']}")
    incident["route"] = [one for one in incident["decisions"] if one["judgement"] == "route"][-1]
    return incident


async def test_a_draft_is_tried_goes_live_and_decides_the_next_report(office: Office, supervisor: Person) -> None:
    before = [await routed(office, supervisor, text) for text in (JAM, ON_TOLL, DUMPING)]
    assert [one["agency"] for one in before] == ["DISHUB", "DISHUB", "DLH"]
    made = await draft(supervisor, TOLL, JAMS, REST, why="Tol bukan urusan kota")
    assert made["based_on"] == (await supervisor.get("/rules"))["version"]
    tried = await supervisor.post(f"/rules/drafts/{made['id']}/try?days=2")
    ways = {(way["from"], way["to"]): way for way in tried["changes"]}
    # both jams count for many reports by now, so their priority is told too
    to_toll = next(way for (_, after), way in ways.items() if after == "TOLL")
    assert to_toll["from"].startswith("32.75/DISHUB") and before[1]["id"] in to_toll["examples"]
    assert any(after.startswith("32.75/SATPOL_PP") for _, after in ways)
    assert tried["complete"] and tried["incidents"] >= 3 and tried["changed"] == sum(w["count"] for w in ways.values())
    assert [rule["fired"] > 0 for rule in tried["rules"]] == [True, True, True]
    # nothing has changed yet
    assert (await routed(office, supervisor))["agency"] == "DISHUB"
    assert (await supervisor.get(f"/rules/drafts/{made['id']}"))["tried_at"] is not None

    live = await supervisor.post(f"/rules/drafts/{made['id']}/apply", version=made["based_on"])
    assert live["version"] == made["based_on"] + 1 and live["by"] == supervisor.username
    jam = await routed(office, supervisor)
    assert (jam["agency"], jam["priority"]) == ("SATPOL_PP", "high")
    assert jam["route"]["because"][0] == f"aturan 2 versi {live['version']}: Macet ke Satpol PP"
    toll = await routed(office, supervisor, ON_TOLL)
    assert (toll["status"], toll["agency"]) == ("transferred", None)
    # once more is refused: it is what is live
    await supervisor.post(f"/rules/drafts/{made['id']}/apply", 409, version=live["version"])


async def test_rules_that_another_process_makes_live_decide_the_next_report(
    office: Office, supervisor: Person, database: str, tmp_path: Path
) -> None:
    version = await go_live(supervisor, JAMS, REST)
    assert (await routed(office, supervisor))["agency"] == "SATPOL_PP"
    file = tmp_path / "rules.yaml"
    file.write_text(f"version: {version}\nrules: [{{name: semua, agency: BPBD}}]\n")
    other = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "infra.local.cli", "rules", "apply", str(file), "--postgres-dsn", database
    )
    assert await other.wait() == 0
    jam = await routed(office, supervisor)
    assert (jam["agency"], jam["route"]["because"][0]) == ("BPBD", f"aturan 1 versi {version + 1}: semua")


async def test_of_two_who_apply_at_once_one_is_told_to_read_again(office: Office, supervisor: Person) -> None:
    other = await office.staff(Role.ADMIN)
    drafts = [await draft(person, rules, REST) for person, rules in ((supervisor, JAMS), (other, TOLL))]
    version = (await supervisor.get("/rules"))["version"]
    answers = await asyncio.gather(
        *(
            person.http.post(f"/api/v1/rules/drafts/{made['id']}/apply", json={"version": version})
            for person, made in zip((supervisor, other), drafts, strict=True)
        )
    )
    assert sorted(answer.status_code for answer in answers) == [200, 409]
    [refused] = [answer.json() for answer in answers if answer.status_code == 409]
    assert refused["current_version"] == version + 1
    assert (await supervisor.get("/rules"))["version"] == version + 1


async def test_an_older_version_is_taken_back_as_a_new_one(office: Office, supervisor: Person) -> None:
    first = await go_live(supervisor, JAMS, REST)
    second = await go_live(supervisor, TOLL, REST)
    await supervisor.post(f"/rules/versions/{first}/apply", 409, version=first)
    back = await supervisor.post(f"/rules/versions/{first}/apply", version=second)
    assert (back["version"], [rule["name"] for rule in back["rules"]]) == (second + 1, [JAMS["name"], REST["name"]])
    assert (await routed(office, supervisor))["agency"] == "SATPOL_PP"
    newest = await supervisor.get("/rules/versions", limit=2)
    assert [one["version"] for one in newest["items"]] == [second + 1, second]
    assert newest["items"][0]["why"] == f"version {first} again"
    older = await supervisor.get("/rules/versions", cursor=newest["next_cursor"])
    assert [one["version"] for one in older["items"]] == list(range(first, -1, -1))
    defaults = await supervisor.post("/rules/versions/0/apply", version=second + 1)
    assert defaults["rules"] == (await supervisor.get("/rules/versions/0"))["rules"]
    assert (await routed(office, supervisor))["agency"] == "DISHUB"
    await supervisor.get("/rules/versions/999", 404)
    await supervisor.get("/rules/versions/x", 404)


async def test_a_trial_reads_every_incident_once_however_they_are_parted(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [(await office.incident())["id"] for _ in range(5)]
    # opened in one moment, all but the last
    await office.pool.execute("UPDATE incident SET opened_at = '2026-11-20' WHERE id = ANY($1)", made[:4])
    monkeypatch.setattr(rules_trial, "_PAGE", 2)
    rows, _ = await rules_trial.read(office.pool.acquire, datetime(2026, 11, 1, tzinfo=UTC))
    assert [row["id"] for row in rows] == [made[4], *sorted(made[:4], reverse=True)]
    monkeypatch.setattr(rules_trial, "MOST_INCIDENTS", 4)
    rows, _ = await rules_trial.read(office.pool.acquire, datetime(2026, 11, 1, tzinfo=UTC))
    assert len(rows) == 4
    assert not (await rules_trial.read(office.pool.acquire, datetime.now(UTC) + MINUTE))[0]


async def test_what_is_wrong_with_a_draft_is_told_field_by_field(supervisor: Person) -> None:
    refused = await draft(
        supervisor, {**TOLL, "transfer_to": "DLH"}, {**REST, "when": {"kecamatan": ["9"]}}, expect=422
    )
    assert [error["field"] for error in refused["errors"]] == ["rules.0.transfer_to", "rules.1.when.kecamatan.0"]
    for rule in ({"name": "x"}, {**REST, "officers": 0}, {**REST, "when": {"time": ["6-9"]}}, {**REST, "unknown": 1}):
        await draft(supervisor, rule, expect=422)
    await supervisor.post("/rules/drafts", 422, rules=[])
    await supervisor.post("/rules/drafts/RUL-0000000000/try", 404)
    made = await draft(supervisor, REST)
    for days in ("0", "91", "x", "1.5"):
        await supervisor.post(f"/rules/drafts/{made['id']}/try?days={days}", 422)


async def test_a_rule_that_never_fires_and_two_that_cross_are_told_with_an_example(supervisor: Person) -> None:
    night = {"name": "Malam", "when": {"time": ["22:00-05:00"]}, "agency": "BPBD"}
    dead = {"name": "Mati", "when": {"category": ["flood"]}, "agency": "DISHUB"}
    found = (await draft(supervisor, TOLL, night, REST, dead))["findings"]
    assert [(one["number"], one["by"]) for one in found["never_fire"]] == [(4, [3])]
    [crossing] = [one for one in found["conflicts"] if (one["first"], one["second"]) == (1, 2)]
    assert crossing["example"]["road"] == "toll" and crossing["example"]["time"] == "00:00"


async def test_what_a_person_sends_elsewhere_counts_against_its_rule(office: Office, supervisor: Person) -> None:
    version = await go_live(supervisor, JAMS, REST)
    right, wrong, judged = [await routed(office, supervisor) for _ in range(3)]
    await supervisor.command(wrong["id"], "reroute", agency="DISHUB", reason="Bukan tugas Satpol PP")
    # a person who only says it better leaves it where it is
    await supervisor.command(right["id"], "triage", priority="critical")
    await supervisor.command(judged["id"], "triage", category="illegal_dumping")
    figures = {(one["version"], one["rule"]): one for one in (await supervisor.get("/rules/figures", days=1))["items"]}
    jams, rest = figures[version, JAMS["name"]], figures[version, REST["name"]]
    # the second judgement of `right` fired it again
    assert (jams["fired"], jams["rerouted"], jams["share"]) == (4, 2, 0.5)
    assert (rest["fired"], rest["rerouted"]) == (1, 0)


async def test_the_rule_tells_how_many_officers_go_and_what_they_can(office: Office, supervisor: Person) -> None:
    await go_live(supervisor, {**JAMS, "officers": 2, "skills": ["derek"]}, REST)
    incident = await routed(office, supervisor)
    row = await office.pool.fetchrow("SELECT skills, officers_needed FROM incident WHERE id = $1", incident["id"])
    assert (row["skills"], row["officers_needed"]) == (["derek"], 2)
    # another agency's officers have skills of their own
    await supervisor.command(incident["id"], "reroute", agency="DISHUB", reason="Bukan tugas Satpol PP")
    row = await office.pool.fetchrow("SELECT skills, officers_needed FROM incident WHERE id = $1", incident["id"])
    assert (row["skills"], row["officers_needed"]) == ([], 1)


async def test_kinds_of_day_and_hours_count_when_the_report_came(office: Office, supervisor: Person) -> None:
    now = datetime.now(UTC) + timedelta(hours=7)
    hours = f"{now - 5 * MINUTE:%H:%M}-{now + 30 * MINUTE:%H:%M}"
    await go_live(supervisor, {"name": "Sekarang", "when": {"time": [hours]}, "agency": "BPBD"}, REST)
    assert (await routed(office, supervisor))["agency"] == "BPBD"


async def test_the_regency_is_asked_for(office: Office, supervisor: Person) -> None:
    await go_live(supervisor, {**JAMS, "when": {"regency": ["32.16"]}}, REST)
    assert (await routed(office, supervisor, place=CIKARANG))["agency"] == "SATPOL_PP"
    assert (await routed(office, supervisor))["agency"] == "DLH"


def patriot(*arguments: str) -> Result:
    return CliRunner().invoke(command, list(arguments))


async def test_a_file_is_exported_tried_and_made_live(
    office: Office, supervisor: Person, database: str, tmp_path: Path
) -> None:
    await go_live(supervisor, JAMS, REST)
    await routed(office, supervisor)
    file = tmp_path / "rules.yaml"

    async def run(*arguments: str) -> Result:
        return await asyncio.to_thread(patriot, *arguments)

    exported = await run("export", "--postgres-dsn", database)
    assert exported.exit_code == 0
    file.write_text(exported.stdout.replace("SATPOL_PP", "BPBD"))
    tried = await run("try", str(file), "--days", "2", "--postgres-dsn", database)
    assert tried.exit_code == 0 and "-> 32.75/BPBD, high" in tried.stdout
    applied = await run("apply", str(file), "--postgres-dsn", database, "--why", "BPBD membantu")
    version = (await supervisor.get("/rules"))["version"]
    assert applied.stdout == f"version {version} is live\n"
    assert (await routed(office, supervisor))["agency"] == "BPBD"
    # the file still says what was live before
    again = await run("apply", str(file), "--postgres-dsn", database)
    assert again.exit_code == 1 and f"version {version} has gone live meanwhile" in again.output
    older = await run("export", "--version", "0", "--postgres-dsn", database)
    assert older.stdout.startswith(f"version: {version}\n") and "kemacetan ke Dishub" in older.stdout
    missing = await run("export", "--version", "99", "--postgres-dsn", database)
    assert missing.exit_code == 1 and "there is no version 99" in missing.output


async def test_a_file_of_reports_is_evaluated_by_what_is_live(
    supervisor: Person, database: str, tmp_path: Path
) -> None:
    version = await go_live(supervisor, JAMS, REST)
    file = tmp_path / "reports.csv"
    file.write_text(f"text,lat,lon\n{JAM.replace(',', '')},-6.2253,107.0010\n")
    said = await asyncio.to_thread(CliRunner().invoke, evaluate, ["route", str(file), "--postgres-dsn", database])
    answer = msgspec.json.decode(said.stdout)
    assert (answer["outcome"], answer["version"]) == ("32.75/SATPOL_PP", version)


async def test_a_version_that_a_database_does_not_have_is_the_default(office: Office) -> None:
    async with office.pool.acquire() as connection, connection.transaction():
        await connection.execute("DELETE FROM policy WHERE part = 'rules'")
        found = await rules_store.live(connection)
        assert isinstance(found, RuleSet) and found.version == 0
