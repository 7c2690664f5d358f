"""A multipart form, streamed: the `report` part in memory, each `photo` part in a file of its own."""

import asyncio
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final

from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from infra.http import Body, too_slow
from infra.problem import Problem, invalid, unavailable
from ingest.uploads import Upload, Uploads

MAX_PHOTOS: Final = 5
MAX_PHOTO_BYTES: Final = 10 * 1024 * 1024
#: 4,000 characters, all of them escaped, and every other field.
MAX_REPORT_BYTES: Final = 64 * 1024
MAX_FORM_BYTES: Final = MAX_PHOTOS * MAX_PHOTO_BYTES + MAX_REPORT_BYTES + 64 * 1024
#: Who sends slower than this, after the grace, is not a phone with bad reception.
_GRACE_S: Final = 20.0
_LEAST_BYTES_PER_S: Final = 16 * 1024
_MOST_S: Final = 300.0
#: Of a part's head: `Content-Disposition`, `Content-Type` and a few that nobody needs.
_MAX_PART_HEADERS: Final = 8
_MAX_PART_HEADER_BYTES: Final = 1024


@dataclass(frozen=True, slots=True)
class Shape:
    """Which parts a form has: a report with up to so many photos, or (without one) exactly so many photos."""

    has_report: bool
    photos: int
    max_bytes: int


REPORT_WITH_PHOTOS: Final = Shape(has_report=True, photos=MAX_PHOTOS, max_bytes=MAX_FORM_BYTES)
ONE_PHOTO: Final = Shape(has_report=False, photos=1, max_bytes=MAX_PHOTO_BYTES + 64 * 1024)


class Form:
    """What was in the form. Close it (or use it as a context manager) to remove its files."""

    def __init__(self) -> None:
        self.report = b""
        self.photos: list[Upload] = []
        self._files = ExitStack()

    def __enter__(self) -> "Form":
        return self

    def __exit__(self, *_: object) -> None:
        self._files.close()

    def add_photo(self, uploads: Uploads) -> Upload:
        """One more photo that is about to be sent."""
        upload = uploads.begin()
        self._files.callback(upload.remove)
        self.photos.append(upload)
        return upload


def is_form(request: Request) -> bool:
    """Whether the body says that it is a multipart form."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower() == "multipart/form-data"


async def read_form(request: Request, form: Form, uploads: Uploads, shape: Shape = REPORT_WITH_PHOTOS) -> None:
    """Read the request into `form`, which has the parts of `shape` then. Raises 400, 408, 413, 415, 422 or 503."""
    body = Body(request)
    try:
        await _read(request, body, form, uploads, shape)
    except FormParserError as error:
        raise await body.refused(_broken()) from error
    except OSError as error:
        raise await body.refused(unavailable("Photos cannot be kept right now. Nothing was taken.")) from error
    except Problem as problem:
        # who was too slow is not waited for any longer
        raise (problem if problem.status == 408 else await body.refused(problem)) from None


async def _read(request: Request, body: Body, form: Form, uploads: Uploads, shape: Shape) -> None:
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > shape.max_bytes:
        raise _too_large(shape)
    parts = _Parts(form, uploads, shape)
    parser = MultipartParser(
        _boundary(request),
        {
            "on_part_begin": parts.on_part_begin,
            "on_header_field": parts.on_header_field,
            "on_header_value": parts.on_header_value,
            "on_header_end": parts.on_header_end,
            "on_headers_finished": parts.on_headers_finished,
            "on_part_data": parts.on_part_data,
            "on_part_end": parts.on_part_end,
            "on_end": parts.on_end,
        },
        max_header_count=_MAX_PART_HEADERS,
        max_header_size=_MAX_PART_HEADER_BYTES,
    )
    start = asyncio.get_running_loop().time()
    size = 0
    try:
        async with asyncio.timeout(_GRACE_S) as patience:
            while part := await body.part():
                size += len(part)
                if size > shape.max_bytes:
                    raise _too_large(shape)
                parser.write(part)
                patience.reschedule(start + min(_MOST_S, _GRACE_S + size / _LEAST_BYTES_PER_S))
    except TimeoutError as error:
        raise too_slow() from error
    if not parts.ended:
        raise _broken()
    if not shape.has_report and len(form.photos) != shape.photos:
        raise invalid("photo", "required: one part with the photo")
    if shape.has_report and not parts.has_report:
        raise invalid("report", "required: one part with the report as JSON")


class _Parts:
    """Takes the parser's calls and fills the form."""

    def __init__(self, form: Form, uploads: Uploads, shape: Shape) -> None:
        self.ended = False
        self.has_report = False
        self._form = form
        self._uploads = uploads
        self._shape = shape
        self._headers: dict[bytes, bytes] = {}
        self._name = b""
        self._value = b""
        self._photo: Upload | None = None

    def on_part_begin(self) -> None:
        self._headers = {}
        self._photo = None

    def on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def on_header_end(self) -> None:
        self._headers[self._name.lower()] = self._value
        self._name = self._value = b""

    def on_headers_finished(self) -> None:
        disposition, options = parse_options_header(self._headers.get(b"content-disposition"))
        if disposition != b"form-data":
            raise _broken()
        if self._headers.get(b"content-transfer-encoding", b"binary").lower() not in (b"binary", b"8bit", b"7bit"):
            raise Problem(415, "content-encoding", "Send each part as it is, without Content-Transfer-Encoding.")
        match options.get(b"name"):
            case b"report" if self._shape.has_report:
                self._begin_report()
            case b"photo":
                if len(self._form.photos) == self._shape.photos:
                    raise invalid("photo", f"no more than {self._shape.photos} of it")
                # The name that the file had says nothing that we need.
                self._photo = self._form.add_photo(self._uploads)
            case _:
                known = "report and photo are" if self._shape.has_report else "photo is"
                raise invalid("form", f"unknown part: only {known} taken")

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._photo is not None:
            if self._photo.size + end - start > MAX_PHOTO_BYTES:
                raise _photo_too_large(len(self._form.photos))
            self._photo.write(data[start:end])
            return
        self._form.report += data[start:end]
        if len(self._form.report) > MAX_REPORT_BYTES:
            raise Problem(413, "too-large", f"The report part is larger than {MAX_REPORT_BYTES} bytes.")

    def on_part_end(self) -> None:
        if self._photo is not None:
            self._photo.close()

    def on_end(self) -> None:
        self.ended = True

    def _begin_report(self) -> None:
        if self.has_report:
            raise invalid("report", "only one report part is taken")
        self.has_report = True
        media = self._headers.get(b"content-type", b"application/json").partition(b";")[0].strip().lower()
        # A plain form field has no type, or text/plain; what counts is that it is JSON.
        if media not in (b"application/json", b"text/plain"):
            raise Problem(415, "not-json", "Send the report part as application/json.")


def _boundary(request: Request) -> bytes:
    _, options = parse_options_header(request.headers.get("content-type"))
    boundary = options.get(b"boundary", b"")
    if not boundary:
        raise Problem(400, "broken-form", "The Content-Type of the form has no boundary.")
    return boundary


def _broken() -> Problem:
    return Problem(400, "broken-form", "The form is not valid multipart/form-data, or it was cut off.")


def _too_large(shape: Shape) -> Problem:
    return Problem(413, "too-large", f"The form is larger than {shape.max_bytes} bytes.")


def _photo_too_large(number: int) -> Problem:
    return Problem(413, "too-large", f"Photo {number} is larger than {MAX_PHOTO_BYTES} bytes.")
