"""What every HTTP room shares: reading a strict JSON body, composing rooms to one app, health, metrics."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from importlib import metadata
from typing import Any, Final, TypeVar

import msgspec
from fastapi import APIRouter, FastAPI, Request
from fastapi.routing import APIRoute
from prometheus_client import CONTENT_TYPE_LATEST, Histogram, generate_latest
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from infra import metrics, openapi, problem
from infra.problem import Problem
from schemas.wire import encode

T = TypeVar("T")

#: A body that is neither photos nor readings: 4,000 characters, all of them escaped, and every other field.
MAX_JSON_BYTES: Final = 64 * 1024
#: A body must be here within this time; one byte a second is not a client, it is a siege.
BODY_TIMEOUT_S: Final = 15.0

#: Of a body that is refused this much is still read and thrown away, for so long at most, so that an honest client
#: sees our answer instead of a connection that breaks while it sends.
_DRAIN_BYTES: Final = 64 * 1024 * 1024
_DRAIN_S: Final = 5.0

#: On every answer of a training city.
TRAINING_HEADER: Final = ("X-Patriot-Training", "true")

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


class Body:
    """The body of one request, as it arrives. What is refused can be drained, so that the client reads the answer."""

    def __init__(self, request: Request) -> None:
        self._receive = request.receive
        self._ended = False
        declared = request.headers.get("content-length", "")
        #: The client waits for a word of ours before it sends any of it, or there is more than we would throw away.
        self._hopeless = request.headers.get("expect", "").lower() == "100-continue" or (
            declared.isdecimal() and int(declared) > _DRAIN_BYTES
        )

    async def part(self) -> bytes:
        """The next bytes; empty at the end (and only then). Raises 400 when the client goes away."""
        while not self._ended:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self._ended = True
                raise Problem(400, "disconnected", "The connection ended before the body did.")
            self._ended = not message.get("more_body", False)
            if part := message.get("body", b""):
                return bytes(part)
        return b""

    async def refused(self, why: Problem) -> Problem:
        """`why`, once the rest of the body has been read and thrown away (64 MiB and 5 s at most).

        A server that answers and closes while the client still sends resets the connection, and the client never
        learns why. When there is more than that to come, the connection is closed all the same.
        """
        if self._hopeless:
            why.headers["Connection"] = "close"
            return why
        size = 0
        try:
            async with asyncio.timeout(_DRAIN_S):
                while size < _DRAIN_BYTES and (part := await self.part()):
                    size += len(part)
        except (TimeoutError, Problem):
            pass
        if not self._ended:
            why.headers["Connection"] = "close"
        return why


async def read_body(request: Request, limit: int = MAX_JSON_BYTES, timeout: float = BODY_TIMEOUT_S) -> bytes:
    """The whole body. Raises 413 above `limit` bytes, 408 after `timeout` s."""
    body = Body(request)
    too_large = Problem(413, "too-large", f"The body is larger than {limit} bytes.")
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limit:
        raise await body.refused(too_large)
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(timeout):
            while part := await body.part():
                size += len(part)
                if size > limit:
                    break
                parts.append(part)
    except TimeoutError as error:
        raise too_slow() from error
    if size > limit:
        raise await body.refused(too_large)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def too_slow() -> Problem:
    """408: the body did not arrive in time."""
    return Problem(408, "too-slow", "The body did not arrive in time.", headers={"Connection": "close"})


#: Made once for each type that some handler reads.
_decoders: Final[dict[Any, msgspec.json.Decoder[Any]]] = {}


def decode_json(body: bytes, kind: type[T]) -> T:
    """Strict JSON as `kind`. Raises 400 for what is not UTF-8 JSON and 422 for what does not fit."""
    decoder = _decoders.get(kind)
    if decoder is None:
        decoder = _decoders[kind] = msgspec.json.Decoder(kind)
    try:
        decoded: T = decoder.decode(body)
    except msgspec.ValidationError as error:
        found = problem.field_error(error)
        raise Problem(422, "invalid", f"{found.field}: {found.message}", errors=[found]) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise not_json() from error
    refuse_repeated_names(body)
    return decoded


def not_json() -> Problem:
    """400: not JSON at all."""
    return Problem(400, "not-json", "The body is not valid JSON in UTF-8.")


def refuse_repeated_names(body: bytes) -> None:
    """400 when an object in valid JSON names a field twice: readers would disagree about which one counts."""
    try:
        _names.decode(body.decode())
    except _RepeatedName as error:
        raise Problem(400, "repeated-name", "An object in the body names the same field twice.") from error


class _RepeatedName(ValueError):
    pass


def _unique_names(pairs: list[tuple[str, object]]) -> None:
    if len(dict(pairs)) != len(pairs):
        raise _RepeatedName


_names: Final = json.JSONDecoder(object_pairs_hook=_unique_names)


def is_json(request: Request) -> bool:
    """Whether the body says that it is JSON (in UTF-8)."""
    media, _, parameters = request.headers.get("content-type", "").partition(";")
    charset = parameters.strip().lower().replace('"', "")
    return media.strip().lower() == "application/json" and charset in ("", "charset=utf-8", "charset=utf8")


def not_json_type() -> Problem:
    """415: another media type."""
    return Problem(415, "not-json", "Send Content-Type: application/json, in UTF-8.")


async def read_json(request: Request, kind: type[T], *, limit: int = MAX_JSON_BYTES, without: T | None = None) -> T:
    """The body as `kind`: 400, 408, 413, 415 or 422 as problem+json when it is not.

    `without`: what a request that has no body at all means, whatever its Content-Type; else one is required.
    """
    if without is not None and not _has_body(request):
        return without
    if not is_json(request):
        raise await Body(request).refused(not_json_type())
    return decode_json(await read_body(request, limit), kind)


def _has_body(request: Request) -> bool:
    """Whether there is one by its head (RFC 9112, 6.3)."""
    return "transfer-encoding" in request.headers or request.headers.get("content-length", "0") != "0"


class PlainRoute(APIRoute):
    """A route whose handler takes the request and answers with a response, nothing else.

    FastAPI describes it in the OpenAPI document and stays out of the way (a fifth of the time of a short request).
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler: Callable[[Request], Coroutine[Any, Any, Response]] = self.endpoint
        return handler


class _Unpacked:
    """Plain ASGI middleware: 415 for any Content-Encoding, whatever is asked. What a few bytes unpack to is not known
    before it is too late."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and any(name == b"content-encoding" and value for name, value in scope["headers"]):
            packed = Problem(415, "content-encoding", "Send the body as it is, without Content-Encoding.")
            refused = await Body(Request(scope, receive)).refused(packed)
            await refused.response()(scope, receive, send)
            return
        await self._app(scope, receive, send)


class _Measure:
    """Plain ASGI middleware: the time of each request by route. (Starlette's decorator form costs a task a request.)"""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._series: dict[tuple[str, str, int], Histogram] = {}

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
            key = (method, route or "unmatched", status)
            series = self._series.get(key)
            if series is None:
                series = self._series[key] = metrics.HTTP_SECONDS.labels(*key)
            series.observe(time.perf_counter() - start)


class _Training:
    """Plain ASGI middleware: what is answered here is not real, and says so."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def mark(message: Message) -> None:
            if message["type"] == "http.response.start":
                name, value = TRAINING_HEADER
                message["headers"] = [*message.get("headers", ()), (name.lower().encode(), value.encode())]
            await send(message)

        await self._app(scope, receive, mark)


def release() -> str:
    """The version that is installed."""
    try:
        return metadata.version("patriot")
    except metadata.PackageNotFoundError:
        return "0"


def build_app(rooms: Sequence[Room], *, version: str | None = None, training: bool = False) -> FastAPI:
    """The rooms as one FastAPI app with problem+json, `/healthz`, `/readyz`, `/metrics` and a truthful OpenAPI.

    With `training` every answer says so in its head.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for room in rooms:
                await stack.enter_async_context(room.lifespan(app))
            yield

    app = FastAPI(
        title="Patriot, the Command Center of Bekasi",
        version=version or release(),
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        redirect_slashes=False,
        # Nobody here listens to FastAPI's own; asking whether somebody does costs 5 µs a request.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    problem.install(app)

    app.add_middleware(_Unpacked)
    app.add_middleware(_Measure)
    if training:
        app.add_middleware(_Training)

    for room in rooms:
        # Taken over instead of included: FastAPI matches an included router's routes anew, level by level.
        app.router.routes.extend(room.router.routes)

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

    openapi.complete(app, [kind for room in rooms for kind in room.types])
    return app
