"""Reference data, devices, and tickets for the feed."""

from datetime import UTC, datetime, timedelta

from infra import tickets
from infra.postgres import Pool
from schemas.gazetteer import gazetteer
from schemas.vocabulary import Role
from tests.dispatcher.desk.office import SECRET, Office


async def test_agencies_are_pairs_and_outside_bodies(office: Office) -> None:
    operator = await office.staff(Role.OPERATOR)
    items = (await operator.get("/agencies"))["items"]
    names = {(one["regency"], one["code"]): one["name"] for one in items}
    assert names["32.16", "DLH"] == "Dinas Lingkungan Hidup Kabupaten Bekasi"
    assert names[None, "TOLL"] == "Operator jalan tol"
    assert len(items) == 2 * 7 + 3


async def test_categories_kecamatan_and_rules_are_lists_in_pages(office: Office) -> None:
    operator = await office.staff(Role.OPERATOR)
    assert len((await operator.get("/categories"))["items"]) == 8
    live = await operator.get("/rules", limit=3)
    assert live["version"] == 0
    assert live["items"][0]["number"] == 1 and live["items"][0]["agency"] == "DISHUB"
    rest = await operator.get("/rules", cursor=live["next_cursor"])
    assert [rule["number"] for rule in rest["items"]] == [4, 5, 6, 7, 8] and rest["next_cursor"] is None
    first = await operator.get("/kecamatan", limit=20)
    second = await operator.get("/kecamatan", limit=20, cursor=first["next_cursor"])
    codes = [one["code"] for one in first["items"] + second["items"]]
    assert codes == [area.code for area in gazetteer().kecamatan] and second["next_cursor"] is None
    await operator.get("/kecamatan", 422, limit=0)
    await operator.get("/kecamatan", 422, regency="32.75")


async def _devices(pool: Pool) -> None:
    now = datetime.now(UTC)
    for n in range(3):
        await pool.execute(
            "INSERT INTO sensor (id, lat, lon, speed_kmh, level, observed_at, received_at)"
            " VALUES ($1, $2, $3, 12, 'slow', $4, $4)",
            f"cctv-{n}", -6.2, 107.0, now,
        )  # fmt: skip
        await pool.execute(
            "INSERT INTO wifi_node (id, state, clients, observed_at, received_at) VALUES ($1, 'up', 4, $2, $2)",
            f"wifi-{n}", now,
        )  # fmt: skip


async def test_devices_are_listed_by_id_with_their_newest_reading(office: Office) -> None:
    operator = await office.staff(Role.OPERATOR)
    await _devices(office.pool)
    for path, prefix in (("/sensors", "cctv"), ("/wifi-nodes", "wifi")):
        first = await operator.get(path, limit=2)
        second = await operator.get(path, limit=2, cursor=first["next_cursor"])
        assert [one["id"] for one in first["items"] + second["items"]] == [f"{prefix}-{n}" for n in range(3)]
        assert second["next_cursor"] is None
    [sensor] = (await operator.get("/sensors", limit=1))["items"]
    assert (sensor["level"], sensor["speed_kmh"], sensor["state"]) == ("slow", 12, "up")


async def test_a_ticket_carries_ones_own_scope(office: Office) -> None:
    officer = await office.staff(Role.OFFICER, "32.75/DLH")
    given = await officer.post("/feed/ticket")
    admitted = tickets.verify(bytes.fromhex(SECRET), given["ticket"], datetime.now(UTC))
    assert (admitted.viewer.role, admitted.viewer.subject) == (Role.OFFICER, officer.username)
    assert [str(agency) for agency in admitted.viewer.agencies] == ["32.75/DLH"]
    left = datetime.fromisoformat(given["expires_at"]) - datetime.now(UTC)
    assert timedelta(seconds=25) < left <= timedelta(seconds=30)


async def test_anyone_gets_a_ticket_for_the_public_view(office: Office) -> None:
    given = await (await office.anyone()).http.post("/api/v1/feed/ticket")
    assert given.status_code == 200 and given.headers["cache-control"] == "no-store"
    admitted = tickets.verify(bytes.fromhex(SECRET), given.json()["ticket"], datetime.now(UTC))
    assert admitted.viewer == tickets.Viewer()
    stranger = await office.anyone(Authorization="Bearer ps_unknown")
    assert (await stranger.http.post("/api/v1/feed/ticket")).status_code == 401


async def test_the_desk_is_ready_and_says_what_it_serves(office: Office) -> None:
    anyone = await office.anyone()
    assert (await anyone.http.get("/readyz")).json() == {"status": "ok", "missing": {}}
    assert (await anyone.http.get("/healthz")).status_code == 200
    assert "patriot_desk_sign_ins_total" in (await anyone.http.get("/metrics")).text
    document = (await anyone.http.get("/api/v1/openapi.json")).json()
    assert document["openapi"].startswith("3.1")
    schemas = document["components"]["schemas"]
    references = [part.partition('"')[0] for part in str(document).replace("'", '"').split("#/components/schemas/")[1:]]
    assert set(references) <= set(schemas)
    assign = document["paths"]["/api/v1/incidents/{incident_id}/assign"]["post"]
    assert set(assign["responses"]) == {
        "200", "400", "401", "403", "404", "405", "408", "409", "413", "415", "422", "500", "503",
    }  # fmt: skip
    assert [one["name"] for one in assign["parameters"]] == ["incident_id"]
