"""Row-level security beneath the desk: tried with every agency and area, by statements that forget their WHERE."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Final

import asyncpg
import pytest

from dispatcher import incident_store
from dispatcher.decisions.incident import Incident
from dispatcher.desk import reach
from dispatcher.desk.database import Database
from dispatcher.desk.reach import DATABASE_ROLE, Reach, open_incidents
from dispatcher.desk.resources import ROOM, Desk
from dispatcher.desk.scope import Scope
from infra.access import Principal
from infra.postgres import RoleMissing, close_pool, connect, open_pool, sentence
from infra.postgres_roles import ROLES
from schemas.place import AgencyRef
from schemas.vocabulary import Role
from tests.dispatcher.desk.office import DUMPING, PASSWORD, Json, Office, open_office
from tests.dispatcher.factories import CIKARANG, SUMMARECON, north_of

#: What belongs to an incident, and by which column.
OF_INCIDENTS: Final = {
    "incident": "id",
    "report": "incident_id",
    "incident_history": "incident_id",
    "incident_decision": "incident_id",
    "incident_evidence": "incident_id",
    "deadline": "incident_id",
    "offering": "incident_id",
}
#: What the desk may read and is no area's or agency's.
FOR_ALL: Final = {
    "account": "to sign people in; writing it is fenced",
    "device_key": "to know gateways; writing it is fenced",
    "session": "to know who asks",
    "schema_migration": "numbers of files",
    "policy": "what the city has decided",
    "rule_draft": "what it may decide",
    "city": "which city this is",
    "sensor": "shown to everybody",
    "wifi_node": "shown to everybody",
    "consumer_offset": "topics and times",
    "dead_letter": "ids of reports that could not be read",
}


@pytest.fixture(scope="module")
async def fenced(database: str) -> AsyncIterator[Database]:
    """The database as the desk comes to it."""
    pool = await open_pool(database, application="test", size=2, role=DATABASE_ROLE)
    yield Database(pool)
    await close_pool(pool)


@dataclass(frozen=True)
class City:
    """What there is, as the owner sees it."""

    incidents: Mapping[str, Incident]
    #: Some of them by a word.
    known: Mapping[str, Json]


@pytest.fixture(scope="module")
async def city(office: Office) -> City:
    """Incidents of several agencies and areas of both governments, with officers on some, and who reported."""
    known = {
        "jam of Kota": await office.incident(place=SUMMARECON),
        "waste of Kota": await office.incident(DUMPING, north_of(SUMMARECON, 500)),
        "flood of Kota": await office.incident("Banjir setinggi lutut, rumah terendam", north_of(SUMMARECON, 900)),
        "jam of Kabupaten": await office.incident(place=CIKARANG),
        "waste of Kabupaten": await office.incident(DUMPING, north_of(CIKARANG, 700)),
        "unclear": await office.incident("Tolong ya pak", north_of(SUMMARECON, 1500)),
    }
    operator = await office.staff(Role.OPERATOR)
    for agency, word in (("32.75/DISHUB", "jam of Kota"), ("32.75/DLH", "waste of Kota")):
        officer = await office.officer(agency)
        await operator.command(known[word]["id"], "assign", officer_id=officer.username)
    await office.officer("32.16/DISHUB", CIKARANG)
    await office.pool.executemany(
        "INSERT INTO contact (report_id, name, phone, anonymous, given_at) VALUES ($1, 'Siti', '0812', false, now())",
        [(one["report_id"],) for one in known.values()],
    )
    rows = await office.pool.fetch(f"SELECT {incident_store.COLUMNS} FROM incident")
    return City({row["id"]: incident_store.from_row(row) for row in rows}, known)


def asker(
    role: Role = Role.DISPATCHER, *agencies: str, kecamatan: str | None = None, kelurahan: str | None = None
) -> Principal:
    return Principal(
        name="somebody",
        role=role,
        agencies=tuple(AgencyRef.parse(agency) for agency in agencies),
        kecamatan=kecamatan,
        kelurahan=kelurahan,
    )


AGENCIES: Final = [
    f"{regency}/{code}"
    for regency in ("32.75", "32.16")
    for code in ("DISHUB", "DLH", "DBMSDA", "BPBD", "SATPOL_PP", "PJU", "DISKOMINFO")
]
ASKERS: Final = [
    *(asker(Role.DISPATCHER, agency) for agency in AGENCIES),
    *(asker(Role.OFFICER, agency) for agency in AGENCIES),
    asker(Role.OPERATOR),
    asker(Role.OPERATOR, "32.75/DLH", "32.16/DISHUB"),
    asker(Role.SUPERVISOR, "32.75/DISHUB", kecamatan="32.75.03"),
    asker(Role.EXECUTIVE),
    asker(Role.ADMIN),
    asker(Role.AREA_HEAD, kecamatan="32.75.03"),
    asker(Role.AREA_HEAD, kecamatan="32.16.06"),
    asker(Role.AREA_HEAD, kecamatan="32.75.03", kelurahan="32.75.03.1001"),
]


def called(one: Principal) -> str:
    return "-".join([str(one.role), *map(str, one.agencies), one.kelurahan or one.kecamatan or ""]).strip("-")


@pytest.mark.parametrize("who", ASKERS, ids=called)
async def test_a_query_without_a_where_shows_what_the_scope_covers_and_no_more(
    office: Office, city: City, fenced: Database, who: Principal
) -> None:
    scope = Scope(who.agencies, who.kecamatan, who.kelurahan)
    covered = {incident.id for incident in city.incidents.values() if scope.covers(incident)}
    async with fenced.acting(reach.of_principal(who)).connection() as connection:
        for table, column in OF_INCIDENTS.items():
            there = await office.pool.fetch(f"SELECT {column} AS id FROM {table}")
            seen = await connection.fetch(f"SELECT {column} AS id FROM {table}")
            expected = [row["id"] for row in there if row["id"] in covered]
            assert sorted(row["id"] for row in seen) == sorted(expected), table
        officers = {
            row["agency"] for row in await connection.fetch("SELECT regency || '/' || agency AS agency FROM officer")
        }
        if who.role is Role.EXECUTIVE:
            assert officers == set()
        elif who.agencies and not who.kecamatan:
            assert officers <= {str(agency) for agency in who.agencies}
        elif who.kecamatan:
            assert officers == set()
        contacts = {row["report_id"] for row in await connection.fetch("SELECT report_id FROM contact")}
        talks = who.role in (Role.AGENT, Role.OPERATOR, Role.SUPERVISOR)
        assert contacts == {one["report_id"] for one in city.known.values() if talks and one["id"] in covered}


async def test_the_scopes_above_are_not_all_empty_or_all_the_same(city: City) -> None:
    counts = {
        called(who): sum(
            Scope(who.agencies, who.kecamatan, who.kelurahan).covers(one) for one in city.incidents.values()
        )
        for who in ASKERS
    }
    assert counts["operator"] == len(city.incidents) >= 6
    assert 0 < counts["dispatcher-32.75/DLH"] < counts["area_head-32.75.03"] < counts["operator"]
    assert counts["dispatcher-32.75/BPBD"] == 1, "a co-agency"
    assert counts["dispatcher-32.16/PJU"] == 0


async def test_who_said_nothing_sees_nothing_and_nothing_stays_said(city: City, fenced: Database) -> None:
    everything = fenced.acting(reach.of_principal(asker(Role.OPERATOR)))
    for database in (fenced, everything, fenced):
        async with database.connection() as connection:
            counts = [await connection.fetchval(f"SELECT count(*) FROM {table}") for table in OF_INCIDENTS]
        assert any(counts) == (database is everything)
        async with database.transaction() as connection:
            assert bool(await connection.fetchval("SELECT count(*) FROM officer")) == (database is everything)


async def test_a_statement_without_a_where_changes_what_the_scope_covers_and_no_more(
    office: Office, city: City, fenced: Database
) -> None:
    dlh = fenced.acting(reach.of_principal(asker(Role.DISPATCHER, "32.75/DLH")))
    async with dlh.transaction() as connection:
        changed = await connection.fetch("UPDATE incident SET priority = priority RETURNING regency, agency")
        assert {(row["regency"], row["agency"]) for row in changed} == {("32.75", "DLH")}
        assert await connection.fetch("UPDATE officer SET status = status RETURNING agency") != []
        assert {row["agency"] for row in await connection.fetch("SELECT agency FROM officer")} == {"DLH"}
    foreign = city.known["jam of Kota"]["id"]
    with pytest.raises(Exception) as refused:
        async with dlh.transaction() as connection:
            await connection.execute(
                "INSERT INTO incident_history (incident_id, version, change, status, actor, at)"
                " VALUES ($1, 99, 'noted', 'routed', 'somebody', now())",
                foreign,
            )
    assert isinstance(refused.value.__cause__, asyncpg.InsufficientPrivilegeError)
    assert await office.pool.fetchval("SELECT count(*) FROM incident_history WHERE version = 99") == 0


async def test_a_citizen_with_a_code_reaches_the_own_report_and_its_incident_alone(
    city: City, fenced: Database
) -> None:
    mine = city.known["waste of Kota"]
    async with fenced.acting(reach.of_code(mine["code"])).connection() as connection:
        assert [row["id"] for row in await connection.fetch("SELECT id FROM report")] == [mine["report_id"]]
        assert [row["id"] for row in await connection.fetch("SELECT id FROM incident")] == [mine["id"]]
        assert {row["id"] for row in await connection.fetch("SELECT incident_id AS id FROM incident_history")} == {
            mine["id"]
        }
        assert await connection.fetch("SELECT FROM officer") == []
        assert await connection.fetch("SELECT FROM contact") == []


async def test_reports_of_others_in_the_same_incident_are_not_a_citizens(office: Office, fenced: Database) -> None:
    place = north_of(SUMMARECON, 4000)
    first, second = await office.incident(DUMPING, place), await office.incident(DUMPING, place)
    assert first["id"] == second["id"]
    async with fenced.acting(reach.of_code(first["code"])).connection() as connection:
        assert [row["id"] for row in await connection.fetch("SELECT id FROM report")] == [first["report_id"]]


async def test_whether_an_officer_is_busy_does_not_depend_on_who_asks(
    office: Office, city: City, fenced: Database
) -> None:
    """Opened for a flood of DBMSDA with BPBD, DBMSDA's officers are in sight of BPBD, with all that they work on."""
    flood = city.known["flood of Kota"]["id"]
    officer = await office.officer("32.75/DBMSDA")
    elsewhere = await office.incident("Jalan berlubang besar, bahaya", north_of(CIKARANG, 2500))
    await office.pool.execute(
        "INSERT INTO assignment (id, version, incident_id, officer, status, offered_at, updated_at)"
        " VALUES ('ASG-BUSY', 1, $1, $2, 'accepted', now(), now())",
        elsewhere["id"],
        officer.username,
    )
    async with fenced.acting(reach.of_principal(asker(Role.DISPATCHER, "32.75/BPBD"))).transaction() as connection:
        assert await connection.fetch("SELECT FROM officer WHERE username = $1", officer.username) == []
        await open_incidents(connection, [flood])
        assert len(await connection.fetch("SELECT FROM officer WHERE username = $1", officer.username)) == 1
        found = await connection.fetchval("SELECT incident_id FROM assignment WHERE officer = $1", officer.username)
        assert found == elsewhere["id"]
        assert await connection.fetch("SELECT FROM incident WHERE id = $1", elsewhere["id"]) == []


async def test_an_incident_that_is_given_away_stays_in_sight_for_the_command_that_does_it(office: Office) -> None:
    incident = await office.incident(DUMPING)
    dispatcher = await office.staff(Role.OPERATOR, "32.75/DLH")
    moved = await dispatcher.command(incident["id"], "reroute", agency="DISHUB", reason="Kendaraan mogok, bukan sampah")
    assert moved["agency"] == "DISHUB" and moved["history"][-1]["note"] is not None
    await dispatcher.get(f"/incidents/{incident['id']}", 404)


async def test_only_administrators_write_accounts_and_everybody_the_own(office: Office, fenced: Database) -> None:
    victim = await office.hire(Role.OPERATOR)
    steal = "UPDATE account SET role = 'admin' WHERE username = $1 RETURNING username"
    for role in Role:
        async with fenced.acting(Reach(role=role, name="somebody", agencies="*", area="*")).transaction() as connection:
            changed = await connection.fetch(steal.replace("'admin'", "role"), victim)
            assert bool(changed) == (role is Role.ADMIN)
    async with fenced.acting(reach.of_account(victim)).transaction() as connection:
        changed = await connection.fetch("UPDATE account SET display_name = display_name RETURNING username")
        assert [row["username"] for row in changed] == [victim]


async def test_the_engine_and_the_owner_see_everything(database: str, city: City) -> None:
    owner = await connect(database, application="test")
    for role in ("none", "patriot_dispatcher"):
        await owner.execute(f"SET ROLE {role}")
        assert await owner.fetchval("SELECT count(*) FROM incident") >= len(city.incidents)
        assert await owner.fetchval("SELECT count(*) FROM contact") >= len(city.known)
    await owner.close()


async def test_the_desk_works_as_a_role_that_cannot_get_past_it(office: Office, fenced: Database) -> None:
    attributes = await office.pool.fetchrow(
        "SELECT rolsuper, rolbypassrls, rolcreaterole, rolcanlogin FROM pg_roles WHERE rolname = $1", DATABASE_ROLE
    )
    assert not any(attributes.values())
    owned = await office.pool.fetch(
        "SELECT relname FROM pg_class WHERE relowner = $1::regrole AND relnamespace = 'public'::regnamespace",
        DATABASE_ROLE,
    )
    assert owned == []
    desk: Desk = getattr(office.app.state, ROOM)
    async with desk.database.connection() as connection:
        assert await connection.fetchval("SELECT current_user") == DATABASE_ROLE
        assert await connection.fetchval("SELECT row_security_active('incident')")
        assert await connection.fetch("SELECT FROM incident") == []


async def test_every_table_that_the_desk_reads_is_fenced_or_for_all(office: Office) -> None:
    rows = await office.pool.fetch(
        "SELECT c.relname AS name, c.relrowsecurity AS fenced FROM pg_class c"
        " WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition"
        "   AND (has_table_privilege($1, c.oid, 'SELECT') OR has_any_column_privilege($1, c.oid, 'SELECT'))",
        DATABASE_ROLE,
    )
    open_to_all = {row["name"] for row in rows if not row["fenced"]} | {"account", "device_key"}
    assert open_to_all == set(FOR_ALL)


async def test_every_fenced_table_lets_the_engine_through(office: Office) -> None:
    """A table with row-level security and no policy for the engine would be empty to it, where it does not own it."""
    rows = await office.pool.fetch(
        "SELECT c.relname AS name FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relrowsecurity"
        "   AND has_table_privilege('patriot_dispatcher', c.oid, 'SELECT')"
        "   AND NOT EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND (p.polroles = '{0}'"
        "        OR 'patriot_dispatcher'::regrole = ANY (p.polroles)))"
    )
    assert [row["name"] for row in rows] == []


async def test_a_login_that_is_not_the_roles_is_not_ready_and_says_why(
    database: str, office: Office, tmp_path_factory: pytest.TempPathFactory
) -> None:
    await office.pool.execute(f"CREATE ROLE stranger LOGIN PASSWORD '{PASSWORD}'")
    try:
        host = database.rpartition("@")[2]
        dsn = f"postgresql://stranger:{PASSWORD}@{host}"
        async with open_office(dsn, tmp_path_factory.mktemp("stranger")) as other:
            answer = await (await other.anyone()).http.get("/readyz")
            assert answer.status_code == 503 and "patriot migrate" in answer.json()["missing"]["postgres"]
        pool = await open_pool(dsn, application="test", size=1, role=DATABASE_ROLE)
        with pytest.raises(RoleMissing) as missing:
            await pool.acquire()
        assert "does not let us work in our role" in sentence(missing.value)
        await close_pool(pool)
    finally:
        await office.pool.execute("DROP ROLE stranger")


async def test_every_role_of_ours_is_there_and_none_is_more_than_a_role(office: Office) -> None:
    rows = await office.pool.fetch(
        "SELECT rolname, rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb AS more FROM pg_roles"
        " WHERE rolname = ANY($1)",
        list(ROLES),
    )
    assert {row["rolname"]: row["more"] for row in rows} == dict.fromkeys(ROLES, False)
