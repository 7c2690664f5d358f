"""The pages' room over HTTP: what a page is told before it asks, and the headers that keep it safe."""

import gzip
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import httpx
import pytest

from command_center_ui.page_files import PAGES, Template
from command_center_ui.pages import BASE_MAP_PATH, room
from command_center_ui.settings import PagesSettings
from infra import tracking_code
from infra.access import COOKIE, new_token, token_hash
from infra.http import build_app
from infra.local.ports import find_free
from infra.postgres import connect

SECRET = "5a" * 32
SCRIPT = b"console.log('a wall')\n" * 200

Client = AbstractAsyncContextManager[httpx.AsyncClient]
Serve = Callable[..., Client]


@pytest.fixture
def dist(tmp_path: Path) -> Path:
    """As the build leaves it: each page with the root that is finished on the server."""
    for name in PAGES:
        theme = ' data-theme="dark"' if name == "wall" else ""
        (tmp_path / f"{name}.html").write_text(
            f'<!doctype html>\n<html lang="id"{theme}><title>{name}</title><body></body></html>'
        )
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "wall-B1.js").write_bytes(SCRIPT)
    (tmp_path / "assets" / "worker-B2.mjs").write_bytes(b"1")
    (tmp_path / "favicon.svg").write_text("<svg/>")
    return tmp_path


@pytest.fixture
def serve(dist: Path) -> Serve:
    """The room alone; without `database` there is no PostgreSQL at all."""

    @asynccontextmanager
    async def served(
        *, database: str | None = None, built: Path = dist, **changed: object
    ) -> AsyncIterator[httpx.AsyncClient]:
        dsn = database or f"postgresql://127.0.0.1:{find_free('127.0.0.1')}/nowhere"
        settings = PagesSettings(secret=SECRET, postgres_dsn=dsn, feed_port=8081, **changed)  # type: ignore[arg-type]
        app = build_app([room(settings, built)])
        transport = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://city") as http,
        ):
            yield http

    return served


async def test_a_page_is_indonesian_unless_english_is_asked_for(serve: Serve) -> None:
    async with serve() as http:
        assert '<html lang="id">' in (await http.get("/")).text
        assert '<html lang="id">' in (await http.get("/?lang=nl")).text
        assert '<html lang="en">' in (await http.get("/?lang=en")).text
        assert '<html lang="en" data-session="none" data-theme="dark">' in (await http.get("/wall?lang=en")).text


async def test_every_page_forbids_foreign_scripts_and_frames(serve: Serve) -> None:
    async with serve() as http:
        for path in ("/", "/track", "/track/", "/track/AAAA", "/wall", "/officer"):
            answer = await http.get(path)
            assert answer.status_code == 200
            assert answer.headers["content-type"] == "text/html; charset=utf-8"
            policy = answer.headers["content-security-policy"].split("; ")
            assert "default-src 'none'" in policy
            assert "script-src 'self'" in policy
            assert "frame-ancestors 'none'" in policy
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["referrer-policy"] == "same-origin"


async def test_only_the_wall_may_reach_the_feed(serve: Serve) -> None:
    async with serve() as http:
        wall = (await http.get("/wall")).headers["content-security-policy"]
        assert "connect-src 'self' ws://city:8081;" in wall
        assert "connect-src 'self';" in (await http.get("/")).headers["content-security-policy"]


@pytest.mark.parametrize(
    ("host", "changed", "feed"),
    [
        ("127.0.0.1:8080", {}, "ws://127.0.0.1:8081/"),
        ("[::1]:8080", {}, "ws://[::1]:8081/"),
        ("wall.bekasi.example", {}, "ws://wall.bekasi.example:8081/"),
        ("x/; script-src *", {}, "ws://127.0.0.1:8081/"),
        ("a:80", {"public_url": "https://lapor.bekasi.example"}, "wss://lapor.bekasi.example:8081/"),
        ("a:80", {"feed_url": "wss://feed.bekasi.example/"}, "wss://feed.bekasi.example/"),
    ],
)
async def test_the_feed_is_on_the_host_that_was_asked(
    serve: Serve, host: str, changed: dict[str, object], feed: str
) -> None:
    async with serve(**changed) as http:
        config = (await http.get("/api/v1/config", headers={"Host": host})).json()
        assert config["feed_url"] == feed
        assert config["map"] == {"base_url": BASE_MAP_PATH}
        assert set(config) == {"feed_url", "locale", "map", "version", "training"}
        policy = (await http.get("/wall", headers={"Host": host})).headers["content-security-policy"]
        assert f"connect-src 'self' {feed.rstrip('/')};" in policy


async def test_a_code_that_was_never_given_out_is_known_before_it_is_asked_for(serve: Serve) -> None:
    code = tracking_code.new(bytes.fromhex(SECRET))
    async with serve() as http:
        assert "data-code" not in (await http.get(f"/track/{code}")).text
        assert "data-code" not in (await http.get(f"/track/{code.lower().replace('-', '')}")).text
        unknown = await http.get("/track/AAAA-AAAA-AAAA-AAAA-AAAA")
        assert unknown.status_code == 200
        assert '<html lang="id" data-code="unknown">' in unknown.text
        hostile = await http.get("/track/%22%3E%3Cscript%3E")
        assert "<script>" not in hostile.text


async def test_a_page_knows_who_has_signed_in(serve: Serve, database: str) -> None:
    token = new_token("ps_")
    connection = await connect(database, application="test")
    await connection.execute(
        "INSERT INTO account (username, display_name, role, password_hash) VALUES ('rina', 'Rina', 'operator', '-')"
    )
    await connection.execute(
        "INSERT INTO session VALUES ($1, 'rina', now(), now() + interval '1 hour')", token_hash(token)
    )
    await connection.close()
    async with serve(database=database) as http:
        wall = (await http.get("/wall", headers={"Cookie": f"{COOKIE}={token}"})).text
        assert 'data-session="staff" data-username="rina" data-role="operator"' in wall
        ended = (await http.get("/officer", headers={"Cookie": f"{COOKIE}=ps_ended"})).text
        assert 'data-session="none"' in ended
        assert "data-session" not in (await http.get("/", headers={"Cookie": f"{COOKIE}={token}"})).text


def test_a_value_cannot_leave_its_attribute() -> None:
    page = Template("<!doctype html>", "></html>").page("id", {"data-x": '"><script>'})
    assert page == b'<!doctype html><html lang="id" data-x="&quot;&gt;&lt;script&gt;"></html>'


async def test_without_postgresql_a_page_opens_and_is_unsure_who_it_is(serve: Serve) -> None:
    async with serve() as http:
        assert 'data-session="none"' in (await http.get("/wall")).text
        unsure = await http.get("/wall", headers={"Cookie": f"{COOKIE}=ps_x"})
        assert unsure.status_code == 200
        assert 'data-session="unsure"' in unsure.text


async def test_built_files_are_pressed_and_kept_for_ever(serve: Serve) -> None:
    async with serve() as http:
        async with http.stream("GET", "/assets/wall-B1.js", headers={"Accept-Encoding": "gzip"}) as pressed:
            raw = b"".join([part async for part in pressed.aiter_raw()])
        assert pressed.headers["content-encoding"] == "gzip"
        assert gzip.decompress(raw) == SCRIPT
        plain = await http.get("/assets/wall-B1.js", headers={"Accept-Encoding": "identity"})
        assert plain.content == SCRIPT
        assert plain.headers["content-type"].startswith("text/javascript")
        assert plain.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert plain.headers["etag"] != pressed.headers["etag"]
        again = await http.get(
            "/assets/wall-B1.js", headers={"Accept-Encoding": "identity", "If-None-Match": plain.headers["etag"]}
        )
        assert again.status_code == 304
        worker = await http.get("/assets/worker-B2.mjs")
        assert worker.headers["content-type"].startswith("text/javascript")


@pytest.mark.parametrize("path", ["/assets/no.js", "/assets/..%2Findex.html", "/assets/", "/index.html"])
async def test_what_was_not_built_is_a_plain_404(serve: Serve, path: str) -> None:
    async with serve() as http:
        answer = await http.get(path)
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"


async def test_the_base_map_has_every_kecamatan_and_a_strong_etag(serve: Serve) -> None:
    async with serve() as http:
        answer = await http.get(BASE_MAP_PATH)
        assert answer.headers["content-type"] == "application/geo+json"
        found = answer.json()
        assert found["type"] == "FeatureCollection"
        assert found["approximate"] is True
        assert len(found["features"]) == 35
        assert {feature["properties"]["regency_code"] for feature in found["features"]} == {"32.75", "32.16"}
        tag = answer.headers["etag"]
        assert tag.startswith('"')
        assert (await http.get(BASE_MAP_PATH, headers={"If-None-Match": tag})).status_code == 304


async def test_without_built_pages_each_says_what_to_do(serve: Serve, tmp_path: Path) -> None:
    async with serve(built=tmp_path / "nothing") as http:
        answer = await http.get("/?lang=en")
        assert answer.status_code == 503
        assert "make install" in answer.text
        assert (await http.get("/api/v1/config")).status_code == 200
        assert (await http.get("/readyz")).status_code == 200
