"""What every HTTP room shares: reading a strict JSON body, composing rooms to one app, health, metrics, OpenAPI."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import msgspec
from fastapi import APIRouter, FastAPI, Request
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from infra import metrics, problem
from infra.problem import FieldError, Problem, ProblemBody
from schemas.wire import encode

T = TypeVar("T")

#: A body that is not photos: 5,000 readings of 200 bytes with room to spare.
MAX_JSON_BYTES: Final = 2 * 1024 * 1024
#: A body must be here within this time; one byte a second is not a client, it is a siege.
BODY_TIMEOUT_S: Final = 15.0

#: Names what a service cannot do its work without right now; empty when it is able to work.
Check = Callable[[], Awaitable[Mapping[str, str]]]


@dataclass(frozen=True)
class Room:
    """One room's HTTP. `lifespan` opens its resources, puts them into `app.state` and closes them."""

    name: str
    router: APIRouter
    lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]]
    #: Readiness: {what is not able to work: why}.
    check: Callable[[FastAPI], Awaitable[Mapping[str, str]]]
    #: Struct types that answers and bodies are made of, for OpenAPI.
    types: Sequence[type[Any]] = field(default=())


def answer(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A struct or plain value as a JSON answer."""
    return Response(encode(value), status, headers=dict(headers or {}), media_type="application/json")


async def read_body(request: Request, limit: int = MAX_JSON_BYTES, timeout: float = BODY_TIMEOUT_S) -> bytes:
    """The whole body. Raises 413 above `limit` bytes, 408 after `timeout` s, 415 for any Content-Encoding."""
    if request.headers.get("content-encoding"):
        raise Problem(415, "content-encoding", "Send the body as it is, without Content-Encoding.")
    declared = request.headers.get("content-length", "")
    too_large = Problem(413, "too-large", f"The body is larger than {limit} bytes.", headers={"Connection": "close"})
    if declared.isdigit() and int(declared) > limit:
        raise too_large
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(timeout):
            async for part in request.stream():
                size += len(part)
                if size > limit:
                    raise too_large
                parts.append(part)
    except TimeoutError as error:
        raise Problem(408, "too-slow", "The body did not arrive in time.", headers={"Connection": "close"}) from error
    except ClientDisconnect as error:
        raise Problem(400, "disconnected", "The connection ended before the body did.") from error
    return b"".join(parts)


def decode_json(body: bytes, kind: type[T]) -> T:
    """Strict JSON as `kind`. Raises 400 for what is not UTF-8 JSON and 422 for what does not fit."""
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        found = problem.field_error(error)
        raise Problem(422, "invalid", f"{found.field}: {found.message}", errors=[found]) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Problem(400, "not-json", "The body is not valid JSON in UTF-8.") from error


def require_json(request: Request) -> None:
    """415 unless the body says it is JSON (in UTF-8)."""
    media, _, parameters = request.headers.get("content-type", "").partition(";")
    charset = parameters.strip().lower().replace('"', "")
    if media.strip().lower() != "application/json" or charset not in ("", "charset=utf-8"):
        raise Problem(415, "not-json", "Send Content-Type: application/json, in UTF-8.")


async def read_json(request: Request, kind: type[T], *, limit: int = MAX_JSON_BYTES) -> T:
    """The body as `kind`: 400, 408, 413, 415 or 422 as problem+json when it is not."""
    require_json(request)
    return decode_json(await read_body(request, limit), kind)


def _reference(kind: Any) -> dict[str, Any]:
    (schema,), _ = msgspec.json.schema_components([kind], ref_template="#/components/schemas/{name}")
    return schema


_MEANING: Final = {
    400: "Not UTF-8 JSON, or not a request we can read",
    401: "Sign in first, or the key is not known",
    403: "Signed in, but this is not yours to do",
    404: "No such thing, or outside your scope",
    405: "Method not allowed",
    408: "The body did not arrive in time",
    409: "A stale version, an illegal move or an Idempotency-Key used with another body",
    413: "Too large",
    415: "Not the media type this takes, or a Content-Encoding",
    422: "A field is not as it should be",
    429: "Too many; see Retry-After",
    500: "A mistake of ours",
    503: "Not able to work right now; see Retry-After",
}


def describe(
    *,
    summary: str,
    body: Any = None,
    body_content: Mapping[str, Any] | None = None,
    returns: Any = None,
    status: int = 200,
    content: Mapping[str, Any] | None = None,
    errors: Sequence[int] = (),
    parameters: Sequence[Mapping[str, Any]] = (),
    security: Sequence[Mapping[str, Sequence[str]]] = (),
) -> dict[str, Any]:
    """Keyword arguments for a route that make its OpenAPI truthful: struct types in, struct types out, each status."""
    answers: dict[int | str, dict[str, Any]] = {}
    for code in sorted({*errors, 405, 500}):
        answers[code] = {
            "description": _MEANING[code],
            "content": {problem.MEDIA_TYPE: {"schema": _reference(ProblemBody)}},
        }
        if code in (429, 503):
            answers[code]["headers"] = {"Retry-After": {"schema": {"type": "integer"}, "description": "seconds"}}
    good: dict[str, Any] = {"description": summary}
    if content is not None:
        good["content"] = dict(content)
    elif returns is not None:
        good["content"] = {"application/json": {"schema": _reference(returns)}}
    answers[status] = good
    extra: dict[str, Any] = {}
    if body is not None or body_content is not None:
        described = dict(body_content or {"application/json": {"schema": _reference(body)}})
        extra["requestBody"] = {"required": True, "content": described}
    if parameters:
        extra["parameters"] = [dict(parameter) for parameter in parameters]
    if security:
        extra["security"] = [dict(item) for item in security]
    return {
        "summary": summary,
        "status_code": status,
        "response_class": Response,
        "responses": answers,
        "openapi_extra": extra,
    }


def parameter(
    name: str, where: str, description: str, schema: Mapping[str, Any], *, required: bool = False
) -> dict[str, Any]:
    """One OpenAPI parameter."""
    return {"name": name, "in": where, "required": required, "description": description, "schema": dict(schema)}


def _component_types(rooms: Sequence[Room]) -> dict[str, Any]:
    kinds: list[Any] = [ProblemBody, FieldError, *(kind for room in rooms for kind in room.types)]
    _, components = msgspec.json.schema_components(kinds, ref_template="#/components/schemas/{name}")
    return components


class _Measure:
    """Plain ASGI middleware: the time of each request by route. (Starlette's decorator form costs a task a request.)"""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start = time.perf_counter()
        status = 500

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watch)
        finally:
            route = getattr(scope.get("route"), "path", None)
            method = scope["method"] if route else "-"
            metrics.HTTP_SECONDS.labels(method, route or "unmatched", status).observe(time.perf_counter() - start)


def build_app(rooms: Sequence[Room], *, version: str) -> FastAPI:
    """The rooms as one FastAPI app with problem+json, `/healthz`, `/readyz`, `/metrics` and a truthful OpenAPI."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for room in rooms:
                await stack.enter_async_context(room.lifespan(app))
            yield

    app = FastAPI(
        title="Patriot, the Command Center of Bekasi",
        version=version,
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        redirect_slashes=False,
    )
    problem.install(app)

    app.add_middleware(_Measure)

    @app.get("/healthz", include_in_schema=False)
    async def healthz() -> Response:
        return JSONResponse({"status": "ok"})

    @app.get("/readyz", include_in_schema=False)
    async def readyz() -> Response:
        missing: dict[str, str] = {}
        for room in rooms:
            missing.update(await room.check(app))
        return JSONResponse({"status": "not ready" if missing else "ok", "missing": missing}, 503 if missing else 200)

    @app.get("/metrics", include_in_schema=False)
    async def prometheus() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    for room in rooms:
        app.include_router(room.router)

    make_openapi = app.openapi

    def openapi() -> dict[str, Any]:
        document = make_openapi()
        document.setdefault("components", {}).setdefault("schemas", {}).update(_component_types(rooms))
        document["components"]["securitySchemes"] = {
            "bearer": {"type": "http", "scheme": "bearer", "description": "Session token or device key"},
            "cookie": {"type": "apiKey", "in": "cookie", "name": "patriot_session"},
        }
        return document

    app.openapi = openapi  # type: ignore[method-assign]
    return app
