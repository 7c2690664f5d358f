"""The built pages in memory, as `npm run build` left them: HTML to be finished per request, files to be sent as is."""

import gzip
import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from html import escape
from pathlib import Path
from typing import Final, Literal

Language = Literal["id", "en"]

DIST: Final = Path(__file__).parent / "web" / "dist"
PAGES: Final = ("index", "track", "wall", "officer")
#: What the build writes into every page, and what is finished here.
_ROOT: Final = '<html lang="id"'
_BODY: Final = "<body>"
#: Smaller ones gain nothing.
_GZIP_FROM: Final = 1024
#: Already pressed.
_NEVER_GZIP: Final = frozenset({"font/woff2", "font/woff", "image/png", "image/jpeg", "image/webp"})
#: What Python's table lacks or the system's table may say differently.
_MEDIA_TYPES: Final = {
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
    ".md": "text/markdown; charset=utf-8",
}


class NotBuilt(Exception):
    """There are no built pages; the message says what to do."""


@dataclass(frozen=True, slots=True)
class StaticFile:
    """One file as it is sent."""

    content: bytes
    #: The same, pressed; None where that gains nothing.
    gzipped: bytes | None
    media_type: str
    #: Strong: changes with every byte.
    etag: str


@dataclass(frozen=True, slots=True)
class Template:
    """A built page around its `<html …>` tag."""

    before: str
    after: str

    def page(self, language: Language, attributes: Mapping[str, str], *, band: str = "") -> bytes:
        """The page in `language`, with `attributes` on its root; their values may be anything. `band` is HTML that
        comes first in its body."""
        written = "".join(f' {name}="{escape(value, quote=True)}"' for name, value in attributes.items())
        after = self.after.replace(_BODY, _BODY + band, 1) if band else self.after
        return f'{self.before}<html lang="{language}"{written}{after}'.encode()


@dataclass(frozen=True, slots=True)
class BuiltPages:
    """Everything in `dist`."""

    templates: Mapping[str, Template]
    #: By path below `dist`, for example `assets/wall-BvQ3.js`.
    files: Mapping[str, StaticFile]


def load(dist: Path) -> BuiltPages:
    """Read all of `dist`, some 2 MB. Raises `NotBuilt` when pages are missing."""
    try:
        templates = {name: _template((dist / f"{name}.html").read_text("utf-8")) for name in PAGES}
        paths = [path for path in sorted(dist.rglob("*")) if path.is_file() and path.suffix not in (".html", ".map")]
        files = {path.relative_to(dist).as_posix(): static_file(path.read_bytes(), _media_type(path)) for path in paths}
    except FileNotFoundError as error:
        raise NotBuilt("The pages are not built. Run `make install`, or `npm run build` in web/.") from error
    return BuiltPages(templates=templates, files=files)


def static_file(content: bytes, media_type: str) -> StaticFile:
    """A file with its ETag, pressed where that helps."""
    gzipped = None
    if len(content) >= _GZIP_FROM and media_type not in _NEVER_GZIP:
        pressed = gzip.compress(content, compresslevel=9, mtime=0)
        gzipped = pressed if len(pressed) < len(content) else None
    return StaticFile(content, gzipped, media_type, f'"{sha256(content).hexdigest()[:32]}"')


def _template(html: str) -> Template:
    before, found, after = html.partition(_ROOT)
    if not found:
        raise NotBuilt(f"A built page does not begin with {_ROOT}. Build the pages again.")
    if _BODY not in after:
        raise NotBuilt(f"A built page has no {_BODY}. Build the pages again.")
    return Template(before, after)


def _media_type(path: Path) -> str:
    return _MEDIA_TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
