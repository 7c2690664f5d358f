"""The names of agencies and categories, and what belongs to them: data that the city edits; the codes stay.

What is kept is only what was edited: an entry that is not is the default, also one that a later release brings.
"""

from collections.abc import Iterable
from typing import Annotated, Final

from msgspec import Meta

from schemas.place import AgencyRef
from schemas.vocabulary import (
    AGENCY_NAME,
    CATEGORY_LABEL,
    OUTSIDE_BODIES,
    REGENCY_NAME,
    AgencyCode,
    Category,
    Priority,
    Regency,
)
from schemas.wire import SEEN, Record

Name = Annotated[str, Meta(min_length=1, max_length=100, pattern=SEEN)]
Contact = Annotated[str, Meta(min_length=1, max_length=200, pattern=SEEN)]
SubcategoryCode = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,39}$(?!\n)")]
EntryVersion = Annotated[int, Meta(ge=0, le=2**31 - 1)]


class Agency(Record, frozen=True):
    """A dinas of one regency, or with a null regency an outside body that things are handed over to."""

    code: AgencyCode
    regency: Regency | None
    name: Name
    #: How staff reach it; not for citizens.
    phone: Contact | None = None
    email: Contact | None = None
    #: False: nothing new is routed to it.
    active: bool = True
    #: Raised by each edit; 0 is as it came.
    version: EntryVersion = 0


class Subcategory(Record, frozen=True):
    """The second level below a category."""

    code: SubcategoryCode
    name_id: Name
    name_en: Name
    #: False: no longer offered; what has it keeps it.
    active: bool = True


class CategoryEntry(Record, frozen=True):
    """A category with its names and subcategories."""

    code: Category
    name_id: Name
    name_en: Name
    #: An incident of this category begins with at least this; null: as the rule says.
    priority: Priority | None = None
    active: bool = True
    subcategories: Annotated[tuple[Subcategory, ...], Meta(max_length=50)] = ()
    version: EntryVersion = 0


DEFAULT_AGENCIES: Final = (
    *(
        Agency(code=code, regency=regency, name=f"{AGENCY_NAME[code]} {REGENCY_NAME[regency]}")
        for regency in Regency
        for code in AgencyCode
        if code not in OUTSIDE_BODIES
    ),
    *(Agency(code=code, regency=None, name=AGENCY_NAME[code]) for code in AgencyCode if code in OUTSIDE_BODIES),
)


def _below(*named: tuple[str, str, str]) -> tuple[Subcategory, ...]:
    return tuple(Subcategory(code=code, name_id=name_id, name_en=name_en) for code, name_id, name_en in named)


#: domain.md, Incident categories.
_SUBCATEGORIES: Final = {
    Category.TRAFFIC_JAM: _below(
        ("congestion", "Arus padat", "Congestion"),
        ("accident", "Kecelakaan menutup jalan", "Accident blocking the road"),
        ("broken_down_vehicle", "Kendaraan mogok", "Broken-down vehicle"),
        ("signal_out", "Lampu lalu lintas mati", "Signal out"),
        ("illegal_parking", "Parkir liar menghalangi jalan", "Illegal parking that blocks"),
    ),
    Category.ILLEGAL_DUMPING: _below(
        ("dump", "Tumpukan sampah liar", "Dumped waste"),
        ("uncollected_waste", "Sampah tidak diangkut", "Uncollected waste"),
        ("burning", "Pembakaran sampah", "Burning of waste"),
        ("waste_in_river", "Sampah di sungai", "Waste in a river"),
    ),
}

DEFAULT_CATEGORIES: Final = tuple(
    CategoryEntry(code=code, name_id=names[0], name_en=names[1], subcategories=_SUBCATEGORIES.get(code, ()))
    for code, names in CATEGORY_LABEL.items()
)


def agencies(edited: Iterable[Agency]) -> tuple[Agency, ...]:
    """All of them, as they were edited."""
    found = {(agency.regency, agency.code): agency for agency in edited}
    return tuple(found.get((agency.regency, agency.code), agency) for agency in DEFAULT_AGENCIES)


def categories(edited: Iterable[CategoryEntry]) -> tuple[CategoryEntry, ...]:
    """All of them, as they were edited."""
    found = {category.code: category for category in edited}
    return tuple(found.get(category.code, category) for category in DEFAULT_CATEGORIES)


def name_of(edited: Iterable[Agency], agency: AgencyRef) -> str:
    """As it stands on its office: `Dinas Perhubungan Kota Bekasi`."""
    regency = None if agency.agency in OUTSIDE_BODIES else agency.regency
    return next(one.name for one in agencies(edited) if one.code is agency.agency and one.regency is regency)


def holder_name(edited: Iterable[Agency], holder: str) -> str:
    """What who has an incident (`Incident.holder`) is called: an agency (`32.75/DLH`) or an outside body (`PLN`)."""
    if "/" in holder:
        return name_of(edited, AgencyRef.parse(holder))
    return next(one.name for one in agencies(edited) if one.regency is None and one.code == holder)


def is_active(edited: Iterable[Agency], agency: AgencyRef) -> bool:
    """Whether anything new is routed to it."""
    return all(one.active for one in edited if (one.regency, one.code) == (agency.regency, agency.agency))
