"""The web pages: built files, the headers that keep them safe, and what a page must know before it asks anything."""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec
import structlog
from fastapi import APIRouter, FastAPI, Request
from starlette.responses import Response

from command_center_ui import page_files
from command_center_ui.page_files import BuiltPages, Language, NotBuilt, StaticFile
from command_center_ui.settings import PagesSettings
from infra import tracking_code
from infra.access import COOKIE, Access
from infra.geography import load_geography
from infra.http import Room, answer
from infra.openapi import describe
from infra.postgres import close_pool, open_pool
from infra.problem import Problem
from schemas.geography import BaseMap
from schemas.wire import Record

log = structlog.get_logger()

BASE_MAP_PATH: Final = "/api/v1/map/base.geojson"
_GEOJSON: Final = "application/geo+json"
#: A name or address with an optional port; anything else in `Host` is not written into an answer.
_HOST: Final = re.compile(r"^(?P<name>[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252})|\[[0-9A-Fa-f:.]{2,45}\])(?::\d{1,5})?$")
#: Looking up who opens a page: a wall or two at a time, cached for a minute.
_POOL_SIZE: Final = 2
#: Above every page of a training city, in both languages, whether or not its program runs.
TRAINING_BAND: Final = (
    '<div class="training" role="note">LATIHAN · TRAINING'
    "<small>Tidak ada yang nyata di sini · Nothing here is real</small></div>"
)
_YEAR_S: Final = 31_536_000
_DAY_S: Final = 86_400


class MapConfig(Record, frozen=True):
    """Where the map comes from."""

    #: GeoJSON of the kecamatan: `code`, `name`, `regency_code`, `label_lat`, `label_lon`.
    base_url: str


class Config(Record, frozen=True, kw_only=True):
    """What a page or an app asks first."""

    feed_url: str
    locale: str
    map: MapConfig
    version: str
    #: Nothing here is real: it is a city to practise in.
    training: bool = False


@dataclass(frozen=True, slots=True)
class _Pages:
    """The room's resources."""

    settings: PagesSettings
    #: None when they are not built.
    built: BuiltPages | None
    base_map: StaticFile
    access: Access


def room(settings: PagesSettings, dist: Path = page_files.DIST) -> Room:
    """The pages built in `dist` as a room of the web process. Where there are none it answers what to do."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        pool = await open_pool(
            settings.postgres_dsn, application="patriot pages", size=_POOL_SIZE, training=settings.training
        )
        try:
            built, base_map = await asyncio.gather(
                asyncio.to_thread(_built, dist), asyncio.to_thread(_base_map, settings.boundaries)
            )
            app.state.pages = _Pages(settings, built, base_map, Access(pool))
            yield
        finally:
            await close_pool(pool)

    async def check(_: FastAPI) -> Mapping[str, str]:
        # pages that are not built must not keep citizens' apps and gateways from being served
        return {}

    return Room("pages", _router(), lifespan, check, types=(Config, MapConfig, BaseMap))


def _built(dist: Path) -> BuiltPages | None:
    try:
        return page_files.load(dist)
    except NotBuilt as error:
        log.warning("pages_not_built", detail=str(error))
        return None


def _base_map(boundaries: Path | None) -> StaticFile:
    """Raises `BoundaryFileError` or OSError for a boundary file that cannot serve."""
    source = load_geography(boundaries)
    return page_files.static_file(msgspec.json.encode(source.base_map()), _GEOJSON)


def _router() -> APIRouter:
    router = APIRouter()

    def page(path: str) -> None:
        router.add_api_route(path, _page, methods=["GET", "HEAD"], include_in_schema=False)

    for path in ("/", "/track", "/track/", "/track/{code}", "/wall", "/officer"):
        page(path)
    router.add_api_route("/assets/{name}", _asset, methods=["GET", "HEAD"], include_in_schema=False)
    router.add_api_route("/favicon.svg", _plain_file, methods=["GET", "HEAD"], include_in_schema=False)
    router.add_api_route("/third-party-licences.md", _plain_file, methods=["GET", "HEAD"], include_in_schema=False)
    router.add_api_route(
        "/api/v1/config", _config, **describe(summary="Where the feed and the map are", returns=Config)
    )
    described = describe(
        summary="The kecamatan as polygons", content={_GEOJSON: {"schema": {"$ref": "#/components/schemas/BaseMap"}}}
    )
    described["responses"][304] = {"description": "It is as If-None-Match says"}
    router.add_api_route(BASE_MAP_PATH, _base_layer, **described)
    return router


async def _page(request: Request) -> Response:
    pages: _Pages = request.app.state.pages
    language: Language = "en" if request.query_params.get("lang") == "en" else "id"
    name = request.url.path.strip("/").split("/")[0] or "index"
    headers = _headers(_feed_url(request) if name == "wall" else None)
    if pages.built is None:
        return Response(_NOT_BUILT[language], 503, headers=headers, media_type="text/html")
    attributes: dict[str, str] = {}
    if name in ("wall", "officer"):
        attributes.update(await _session(request, pages.access))
    code = request.path_params.get("code")
    training = pages.settings.training
    if code is not None and tracking_code.check(pages.settings.secret_bytes, code, training=training) is None:
        attributes["data-code"] = "unknown"
    if training:
        attributes["data-training"] = "true"
    page = pages.built.templates[name].page(language, attributes, band=TRAINING_BAND if training else "")
    return Response(page, headers=headers, media_type="text/html")


async def _session(request: Request, access: Access) -> Mapping[str, str]:
    """Who opens the page, so that it need not ask and be told 401: `none`, `staff`, or `unsure` without PostgreSQL."""
    if COOKIE not in request.cookies:
        return {"data-session": "none"}
    try:
        found = await access.principal(request)
    except Problem as problem:
        return {"data-session": "unsure" if problem.status == 503 else "none"}
    if found is None or found.role is None:
        return {"data-session": "none"}
    return {"data-session": "staff", "data-username": found.name, "data-role": found.role.value}


async def _asset(request: Request, name: str) -> Response:
    # the build puts a hash of the content into each name
    return _file(request, f"assets/{name}", f"public, max-age={_YEAR_S}, immutable")


async def _plain_file(request: Request) -> Response:
    return _file(request, request.url.path.strip("/"), f"public, max-age={_DAY_S}")


def _file(request: Request, path: str, caching: str) -> Response:
    pages: _Pages = request.app.state.pages
    found = pages.built.files.get(path) if pages.built is not None else None
    if found is None:
        raise Problem(404, "not-found", "There is no such file. Reload the page.")
    return _sent(request, found, caching)


async def _base_layer(request: Request) -> Response:
    pages: _Pages = request.app.state.pages
    return _sent(request, pages.base_map, "public, no-cache")


def _sent(request: Request, file: StaticFile, caching: str) -> Response:
    pressed = file.gzipped if "gzip" in request.headers.get("accept-encoding", "") else None
    # another representation is another strong ETag (RFC 9110, 8.8.3)
    etag = file.etag if pressed is None else f'{file.etag[:-1]}-gzip"'
    headers = {
        "Cache-Control": caching,
        "ETag": etag,
        "Vary": "Accept-Encoding",
        "X-Content-Type-Options": "nosniff",
    }
    known = [tag.strip() for tag in request.headers.get("if-none-match", "").split(",")]
    if etag in known or "*" in known:
        return Response(status_code=304, headers=headers)
    if pressed is not None:
        headers["Content-Encoding"] = "gzip"
    return Response(file.content if pressed is None else pressed, headers=headers, media_type=file.media_type)


async def _config(request: Request) -> Response:
    config = Config(
        feed_url=_feed_url(request),
        locale="id-ID",
        map=MapConfig(base_url=BASE_MAP_PATH),
        version=request.app.version,
        training=request.app.state.pages.settings.training,
    )
    return answer(config, headers={"Cache-Control": "no-cache"})


def _feed_url(request: Request) -> str:
    """Where this browser finds the feed: as set, on the public host, or on the host that it asked."""
    settings = request.app.state.pages.settings
    if settings.feed_url is not None:
        return str(settings.feed_url)
    if settings.public_url is not None:
        public = urlsplit(settings.public_url)
        host, secure = public.hostname or settings.host, public.scheme == "https"
    else:
        asked = _HOST.match(request.headers.get("host", ""))
        host, secure = asked["name"] if asked else settings.host, request.url.scheme == "https"
    if ":" in host and not host.startswith("["):
        host = f"[{host}]"
    return f"{'wss' if secure else 'ws'}://{host}:{settings.feed_port}/"


def _headers(feed_url: str | None) -> dict[str, str]:
    """The headers of every page; only the wall may reach the feed."""
    feed = ""
    if feed_url is not None:
        parts = urlsplit(feed_url)
        feed = f" {parts.scheme}://{parts.netloc}"
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; worker-src 'self'; "
        f"img-src 'self' blob:; connect-src 'self'{feed}; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )
    return {
        "Content-Security-Policy": policy,
        "Cache-Control": "no-cache",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Permissions-Policy": "geolocation=(self), camera=(self), microphone=()",
        # a tracking code is in the address: it goes to nobody else
        "Referrer-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
    }


_NOT_BUILT: Final[Mapping[Language, str]] = {
    "id": '<!doctype html><html lang="id"><title>Halaman belum dibangun</title><h1>Halaman belum dibangun</h1>'
    "<p>Jalankan <code>make install</code>, lalu muat ulang. Laporan lewat API tetap diterima.</p></html>",
    "en": '<!doctype html><html lang="en"><title>The pages are not built</title><h1>The pages are not built</h1>'
    "<p>Run <code>make install</code>, then reload. Reports by the API are taken all the same.</p></html>",
}
