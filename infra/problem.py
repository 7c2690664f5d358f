"""Errors as RFC 9457 `application/problem+json`; no value of the input is ever echoed."""

import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Final

import msgspec
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from schemas.wire import Record

log = structlog.get_logger()

MEDIA_TYPE: Final = "application/problem+json"
_TYPE_BASE: Final = "https://bekasi.id/problems/"


class FieldError(Record, frozen=True):
    """One field that is not as it should be; `field` is a path such as `reporter.email` or `3.lat`."""

    field: str
    message: str


class ProblemBody(Record, frozen=True):
    """The body of every error answer (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    errors: tuple[FieldError, ...] = ()
    #: With 409: the version to read again, and the moves that are open.
    current_version: int | None = None
    legal: tuple[str, ...] | None = None


class Problem(Exception):
    """Raise it anywhere below a handler to answer with it. `detail` says what happened and what to do."""

    def __init__(
        self,
        status: int,
        slug: str,
        detail: str,
        *,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
        current_version: int | None = None,
        legal: Sequence[str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.slug = slug
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = dict(headers or {})
        self.current_version = current_version
        self.legal = None if legal is None else tuple(legal)

    def response(self) -> Response:
        """The answer itself."""
        body = ProblemBody(
            type=_TYPE_BASE + self.slug,
            title=HTTPStatus(self.status).phrase,
            status=self.status,
            detail=self.detail,
            errors=self.errors,
            current_version=self.current_version,
            legal=self.legal,
        )
        optional = {
            "errors": not body.errors,
            "current_version": body.current_version is None,
            "legal": body.legal is None,
        }
        fields = {name: value for name, value in msgspec.structs.asdict(body).items() if not optional.get(name)}
        return Response(msgspec.json.encode(fields), self.status, headers=self.headers, media_type=MEDIA_TYPE)


def invalid(field: str, message: str, *, status: int = 422) -> Problem:
    """422 about one field."""
    return Problem(status, "invalid", f"{field}: {message}", errors=[FieldError(field=field, message=message)])


def unavailable(detail: str, *, retry_after_s: int = 2, slug: str = "unavailable") -> Problem:
    """503 with `Retry-After`. Slug `outcome-unknown` when a record was already handed to Kafka."""
    return Problem(503, slug, detail, headers={"Retry-After": str(retry_after_s)})


def too_many(detail: str, *, retry_after_s: int) -> Problem:
    """429 with `Retry-After`."""
    return Problem(429, "too-many-requests", detail, headers={"Retry-After": str(max(1, retry_after_s))})


_PATH: Final = re.compile(r"^(?P<message>.*?) - at `(?P<path>\$[^`]*)`$", re.DOTALL)
_REGEX: Final = re.compile(r"matching regex '(?P<regex>.*)'", re.DOTALL)
_NO_NUL: Final = r"^[^\\u0000]*"
_UNKNOWN_FIELD: Final = re.compile(r"Object contains unknown field `(?P<name>.*)`", re.DOTALL)
_PLAIN_NAME: Final = re.compile(r"^[A-Za-z0-9_]{1,60}$")


def field_error(error: Exception) -> FieldError:
    """msgspec's complaint as a field error in plain words, without any value of the input."""
    text = str(error)
    match = _PATH.match(text)
    message, path = (match["message"], match["path"]) if match else (text, "$")
    field = path.removeprefix("$").lstrip(".").replace("[...]", "").replace("[", ".").replace("]", "").strip(".")
    if unknown := _UNKNOWN_FIELD.match(message):
        name = unknown["name"] if _PLAIN_NAME.match(unknown["name"]) else "?"
        return FieldError(field=f"{field}.{name}".strip("."), message="unknown field")
    if missing := re.match(r"Object missing required field `(\w+)`", message):
        return FieldError(field=f"{field}.{missing[1]}".strip("."), message="required")
    if message.startswith("Invalid "):
        # "Invalid enum value 'x'", "Invalid value 'x'" (of a tag) name what was sent
        message = "not a time with an offset (RFC 3339)" if "datetime" in message else "not one of the allowed words"
    elif regex := _REGEX.search(message):
        # ours for texts forbid only NUL, and ask for something that can be seen; every other one is a form
        text_only = regex["regex"].startswith(_NO_NUL)
        message = "expected visible text without NUL" if text_only else "not in the form that is expected here"
    message = message.replace("`", "")
    return FieldError(field=field or "body", message=message[:1].lower() + message[1:])


def install(app: FastAPI) -> None:
    """Make every error of `app` a problem+json, FastAPI's own and crashes too."""

    async def on_problem(_: Request, error: Exception) -> Response:
        assert isinstance(error, Problem)  # noqa: S101 - registered for this type only
        return error.response()

    async def on_http(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101
        slug = {404: "not-found", 405: "method-not-allowed"}.get(error.status_code, "error")
        problem = Problem(error.status_code, slug, HTTPStatus(error.status_code).description or "No such thing.")
        problem.headers.update(error.headers or {})
        return problem.response()

    async def on_validation(_: Request, error: Exception) -> Response:
        # FastAPI's own handler echoes the input, and crashes on NaN or a lone surrogate in it.
        assert isinstance(error, RequestValidationError)  # noqa: S101
        fields = [
            FieldError(field=".".join(str(part) for part in item["loc"][1:]) or "query", message=str(item["type"]))
            for item in error.errors()
        ]
        return Problem(422, "invalid", "A parameter is not as it should be.", errors=fields).response()

    async def on_crash(request: Request, error: Exception) -> Response:
        log.error("request_crashed", path=request.scope.get("path"), exc_info=error)
        return Problem(
            500, "internal", "Something went wrong on our side. Nothing is known to be lost; try again."
        ).response()

    app.add_exception_handler(Problem, on_problem)
    app.add_exception_handler(HTTPException, on_http)
    app.add_exception_handler(RequestValidationError, on_validation)
    app.add_exception_handler(Exception, on_crash)
