"""A service with one room of its own, for tests of `infra.server`.

python -m tests.infra.bare_service PORT [NAME=VALUE…]: `connections=20` is the limit on connections, `cert=` and `key=`
are files for TLS; any other NAME is a limit in seconds of `infra.server` or `infra.http`, made shorter.
"""

import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from fastapi import APIRouter, FastAPI, Request
from starlette.responses import Response

from infra import http, log, server
from infra.http import PlainRoute, Room, answer, build_app, read_body

router = APIRouter(route_class=PlainRoute)
#: More than the kernel keeps for a socket at both ends.
LARGE: Final = 16 * 1024 * 1024


@router.get("/large")
async def large(request: Request) -> Response:
    """More than fits between us and a client that does not read."""
    return Response(b"x" * LARGE)


@router.post("/unread")
async def unread(request: Request) -> Response:
    """Answered without a look at the body."""
    return answer("ok")


@router.post("/size")
async def size(request: Request) -> Response:
    """How long the body is."""
    return answer(len(await read_body(request, timeout=http.BODY_TIMEOUT_S)))


@asynccontextmanager
async def nothing(app: FastAPI) -> AsyncIterator[None]:
    yield


async def ready(app: FastAPI) -> Mapping[str, str]:
    return {}


if __name__ == "__main__":
    log.configure("bare")
    limits = dict(argument.split("=") for argument in sys.argv[2:])
    connections = int(limits.pop("connections", "2000"))
    tls_cert, tls_key = (Path(limits.pop(name)) if name in limits else None for name in ("cert", "key"))
    for name, seconds in limits.items():
        setattr(server if hasattr(server, name) else http, name, float(seconds))
    app = build_app([Room("bare", router, nothing, ready)])
    listener = server.listen("127.0.0.1", int(sys.argv[1]))
    server.run(app, listener, tls_cert=tls_cert, tls_key=tls_key, connections=connections)
