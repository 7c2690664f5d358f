"""Whose it is: ordered rules as data, the first that fits decides; what lies outside Bekasi is handed over."""

from dataclasses import dataclass
from typing import Final

from dispatcher.decisions.judgement import Located
from schemas.place import AgencyRef
from schemas.vocabulary import AgencyCode, Category, IncidentStatus, Priority, Regency


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of the table. `None` fits everything."""

    name: str
    category: Category
    agency: AgencyCode
    #: Sees it and helps; does not lead.
    co_agencies: tuple[AgencyCode, ...] = ()
    regency: Regency | None = None
    priority: Priority = Priority.NORMAL

    def fits(self, category: Category, regency: Regency) -> bool:
        return category is self.category and self.regency in (None, regency)


#: Both governments have a dinas of each name except for street lights: Kota has a unit of its own for them, in
#: Kabupaten they belong to the Dinas Perhubungan. Who manages a road (city, province, state, toll) is not known yet:
#: each road counts as the regency's own.
RULES: Final = (
    Rule("kemacetan ke Dishub", Category.TRAFFIC_JAM, AgencyCode.DISHUB),
    Rule("sampah ke DLH", Category.ILLEGAL_DUMPING, AgencyCode.DLH),
    Rule("jalan rusak ke DBMSDA", Category.ROAD_DAMAGE, AgencyCode.DBMSDA),
    Rule("banjir ke DBMSDA dengan BPBD", Category.FLOOD, AgencyCode.DBMSDA, (AgencyCode.BPBD,), priority=Priority.HIGH),
    Rule("PJU Kabupaten ke Dishub", Category.STREET_LIGHT, AgencyCode.DISHUB, regency=Regency.KABUPATEN_BEKASI),
    Rule("PJU Kota ke unit PJU", Category.STREET_LIGHT, AgencyCode.PJU),
    Rule("wifi ke Diskominfo", Category.PUBLIC_WIFI, AgencyCode.DISKOMINFO, priority=Priority.LOW),
    Rule("kerumunan ke Satpol PP dengan Dishub", Category.CROWDING, AgencyCode.SATPOL_PP, (AgencyCode.DISHUB,)),
)


@dataclass(frozen=True, slots=True)
class Routing:
    """Where a new incident goes: to an agency (`routed`), to a person (`triage`) or over the border (`transferred`)."""

    status: IncidentStatus
    #: Shown to operators, so it is Indonesian.
    because: tuple[str, ...]
    agency: AgencyRef | None = None
    co_agencies: tuple[AgencyRef, ...] = ()
    #: Who has it now, when `transferred`: a code of the contract, and the area's name where it is known.
    transferred_to: str | None = None
    transferred_where: str | None = None
    #: What the rule begins with.
    priority: Priority = Priority.NORMAL


def route(category: Category, located: Located, *, sure: bool) -> Routing:
    """The first rule that fits. `sure`: the classification may be dispatched; if not, a person looks first."""
    if located.outside:
        where = located.outside_where
        return Routing(
            IncidentStatus.TRANSFERRED,
            (f"di luar Bekasi{f': {where}' if where else ''}", "diteruskan ke pemerintah daerah lain"),
            transferred_to=AgencyCode.OTHER_GOV.value,
            transferred_where=where,
        )
    if not sure or category is Category.OTHER:
        return _triage("kategori belum cukup pasti untuk menugaskan orang")
    if located.regency is None:
        return _triage("lokasi belum diketahui, jadi dinasnya juga")
    regency = located.regency
    for number, rule in enumerate(RULES, start=1):
        if rule.fits(category, regency):
            return Routing(
                IncidentStatus.ROUTED,
                (f"aturan {number}: {rule.name}", *_across_the_border(rule.agency, located)),
                agency=AgencyRef(regency=regency, agency=rule.agency),
                co_agencies=tuple(AgencyRef(regency=regency, agency=code) for code in rule.co_agencies),
                priority=rule.priority,
            )
    return _triage("tidak ada aturan yang cocok")


def _triage(why: str) -> Routing:
    return Routing(IncidentStatus.TRIAGE, (why, "operator melihat dulu"))


def _across_the_border(agency: AgencyCode, located: Located) -> tuple[str, ...]:
    """Near the border of the two governments the other candidate stays visible."""
    others = {hit.regency: hit for hit in located.alternatives if hit.regency is not located.regency}
    return tuple(f"dekat perbatasan: mungkin {regency}/{agency} ({hit.kecamatan})" for regency, hit in others.items())
