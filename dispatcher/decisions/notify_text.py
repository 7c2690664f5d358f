"""The words of a message: templates in both languages as data, filled with named fields."""

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib import resources
from string import Formatter
from typing import Final, Literal

import msgspec

from dispatcher.decisions.calendar import JAKARTA
from dispatcher.decisions.notify import Template
from dispatcher.decisions.reference import Agency, holder_name
from schemas.vocabulary import CATEGORY_LABEL, STATUS_LABEL, Category, ClockKind, IncidentStatus

Language = Literal["id", "en"]
LANGUAGES: Final[tuple[Language, ...]] = ("id", "en")
#: Of a message that says several things.
BUNDLE: Final = "bundle"
#: It says so many; of more it says how many, for nobody reads a message of a thousand lines.
MOST_IN_ONE: Final = 25


class Fields(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a message tells of, in codes: kept with it, and put into words when it goes out. No citizen's words."""

    incident: str
    category: Category
    status: IncidentStatus
    #: Readable place; None while unknown.
    place: str | None = None
    #: Who had it after the move: an agency pair or an outside body; empty for nobody.
    holder: str = ""
    clock: ClockKind | None = None
    due_at: datetime | None = None
    #: The receiver's own.
    tracking_code: str | None = None


#: The names that a template may use, beside `reason` in its line of that name.
_OF_WORK: Final = frozenset({"title", "category", "status", "agency", "link"})
NAMES: Final[Mapping[Template, frozenset[str]]] = {
    template: _OF_WORK
    | (frozenset({"code"}) if template.value.startswith("report_") else frozenset())
    | (frozenset({"clock"}) if template in (Template.DUE_SOON, Template.OVERDUE, Template.ESCALATED) else frozenset())
    | (frozenset({"due"}) if template is Template.OFFER else frozenset())
    for template in Template
}

_NOBODY: Final = ("belum ada dinas", "no agency yet")
_SOMEWHERE: Final = ("lokasi belum diketahui", "place not known yet")
_SOON: Final = ("segera", "soon")
_CLOCKS: Final[Mapping[ClockKind, tuple[str, str]]] = {
    ClockKind.FIRST_LOOK: ("verifikasi", "the first look"),
    ClockKind.ACCEPT: ("jawaban petugas", "the officer's answer"),
    ClockKind.ON_SCENE: ("petugas tiba di lokasi", "being on scene"),
    ClockKind.RESOLVED: ("penyelesaian", "resolving it"),
    ClockKind.CLOSED: ("penutupan", "closing it"),
}


@dataclass(frozen=True, slots=True)
class Said:
    """One thing that is told."""

    template: Template
    fields: Fields
    #: Words of staff that the receiver may read.
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Words:
    """A message, readable."""

    subject: str
    text: str


@cache
def templates(language: Language) -> Mapping[str, Mapping[str, str]]:
    """All texts of a language, by the name of the template."""
    data = resources.files("dispatcher.decisions").joinpath(f"notify_{language}.toml").read_text("utf-8")
    return tomllib.loads(data)


def fields_of(text: str) -> frozenset[str]:
    """The names in braces."""
    return frozenset(name for _, name, _, _ in Formatter().parse(text) if name is not None)


def words(said: Sequence[Said], language: Language, base_url: str = "", agencies: Iterable[Agency] = ()) -> Words:
    """One message of everything that is said, in this order. Raises `KeyError` for a template or field that there is
    not: data that a test holds complete."""
    agencies = tuple(agencies)
    each = [_one(one, language, base_url, agencies) for one in said]
    if len(each) == 1:
        return each[0]
    subject = templates(language)[BUNDLE]["subject"].format_map({"count": len(each)})
    told = [f"{one.subject}\n{one.text}" for one in each[:MOST_IN_ONE]]
    if len(each) > MOST_IN_ONE:
        told.append(templates(language)[BUNDLE]["more"].format_map({"count": len(each) - MOST_IN_ONE}))
    return Words(subject, "\n\n".join(told))


def _one(said: Said, language: Language, base_url: str, agencies: Sequence[Agency]) -> Words:
    template = templates(language)[said.template]
    values = _values(said, language, base_url, agencies)
    text = template["text"].format_map(values)
    if said.reason and "reason" in template:
        text += "\n" + template["reason"].format_map({"reason": said.reason})
    return Words(template["subject"].format_map(values), text)


def _values(said: Said, language: Language, base_url: str, agencies: Sequence[Agency]) -> dict[str, str]:
    which = LANGUAGES.index(language)
    fields = said.fields
    category = CATEGORY_LABEL[fields.category][which]
    values = {
        "category": category,
        "title": f"{category} · {fields.place or _SOMEWHERE[which]}",
        "status": STATUS_LABEL[fields.status][which],
        "agency": holder_name(agencies, fields.holder) if fields.holder else _NOBODY[which],
        "link": f"{base_url}{_path(said)}",
        "clock": _CLOCKS[fields.clock][which] if fields.clock else "",
        "due": f"{fields.due_at.astimezone(JAKARTA):%H:%M, %d-%m-%Y}" if fields.due_at else _SOON[which],
        "code": fields.tracking_code or "",
    }
    return {name: value for name, value in values.items() if name in NAMES[said.template]}


def _path(said: Said) -> str:
    if said.fields.tracking_code:
        return f"/track/{said.fields.tracking_code}"
    if said.template in (Template.OFFER, Template.TAKEN_BACK):
        return "/officer"
    return f"/console?incident={said.fields.incident}"
