"""The OpenAPI document of the rooms: routes describe themselves, with the struct types that they read and answer."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from fastapi import FastAPI
from starlette.responses import Response

from infra import problem
from infra.problem import FieldError, ProblemBody

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


#: Another method, a Content-Encoding, a mistake of ours, too many connections: wherever one asks.
_ALWAYS: Final = (405, 415, 500, 503)


def describe(
    *,
    summary: str,
    body: Any = None,
    body_required: bool = True,
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
    # Whoever shows a credential may be told that it is none, or that something is to be done first.
    shown = (401, 403) if security else ()
    for code in sorted({*errors, *shown, *_ALWAYS}):
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
        extra["requestBody"] = {"required": body_required, "content": described}
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


def complete(app: FastAPI, kinds: Sequence[Any]) -> None:
    """Give the document of `app` the schemas of `kinds` (struct types that bodies and answers are made of)."""
    make = app.openapi

    def document() -> dict[str, Any]:
        made = make()
        made.setdefault("components", {}).setdefault("schemas", {}).update(_components(kinds))
        made["components"]["securitySchemes"] = {
            "bearer": {"type": "http", "scheme": "bearer", "description": "Session token or device key"},
            "cookie": {"type": "apiKey", "in": "cookie", "name": "patriot_session"},
        }
        return made

    app.openapi = document  # type: ignore[method-assign]


def _components(kinds: Sequence[Any]) -> dict[str, Any]:
    _, components = msgspec.json.schema_components(
        [ProblemBody, FieldError, *kinds], ref_template="#/components/schemas/{name}"
    )
    return components


def _reference(kind: Any) -> dict[str, Any]:
    (schema,), _ = msgspec.json.schema_components([kind], ref_template="#/components/schemas/{name}")
    return schema
