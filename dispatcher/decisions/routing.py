"""Whose it is: the first of the live rules that fits decides; what lies outside Bekasi is handed over."""

from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from dispatcher.decisions.incident import Incident
from dispatcher.decisions.judgement import Located
from dispatcher.decisions.policy import Policy
from dispatcher.decisions.prioritise import highest, prioritise
from dispatcher.decisions.reference import is_active, name_of
from dispatcher.decisions.rule import Case, Rule, RuleRef, case_of, fits
from schemas.place import AgencyRef
from schemas.vocabulary import AgencyCode, Category, IncidentStatus, Priority, Regency, RoadAuthority

_ROAD: Final = {
    RoadAuthority.NATIONAL: "jalan nasional",
    RoadAuthority.PROVINCIAL: "jalan provinsi",
    RoadAuthority.TOLL: "jalan tol",
    RoadAuthority.REGENCY: "jalan kota atau kabupaten sendiri",
}


@dataclass(frozen=True, slots=True)
class Routing:
    """Where an incident goes: to an agency (`routed`), to a person (`triage`) or to others outside (`transferred`)."""

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
    #: What the rule asks of the officers, beside the agency's staffing.
    skills: tuple[str, ...] = ()
    officers: int = 1
    #: The rule that decided; None where none was asked or none fits.
    rule: RuleRef | None = None
    #: What the citizen is told of it.
    told: str | None = None

    @property
    def outcome(self) -> str:
        """As decisions say it: `32.75/DLH`, `TOLL`, `triage`."""
        return str(self.agency) if self.agency else self.transferred_to or self.status.value


class Words(NamedTuple):
    """What the first report of an incident says."""

    address: str | None
    text: str


def route(case: Case, policy: Policy, *, sure: bool) -> Routing:
    """The first rule that fits. `sure`: the classification may be dispatched; if not, a person looks first."""
    if case.outside:
        where = case.outside_where
        because = (f"di luar Bekasi{f': {where}' if where else ''}", "diteruskan ke pemerintah daerah lain")
        return Routing(
            IncidentStatus.TRANSFERRED,
            because,
            transferred_to=AgencyCode.OTHER_GOV.value,
            transferred_where=where,
            told=", ".join(because),
        )
    if not sure:
        return _triage("kategori belum cukup pasti untuk menugaskan orang")
    if case.regency is None:
        return _triage("lokasi belum diketahui, jadi dinasnya juga")
    for number, rule in enumerate(policy.rules.rules, start=1):
        if fits(rule.when, case):
            return _by_rule(rule, number, case, case.regency, policy)
    return _triage("tidak ada aturan yang cocok")


def case_of_incident(
    incident: Incident,
    located: Located,
    said: Words | None,
    policy: Policy,
    *,
    category: Category | None = None,
    priority: Priority | None = None,
) -> Case:
    """The case that a stored incident is: as it came, with what is known of it now.

    `said`: what its first report says; an incident that devices have seen has none. `category` and `priority` are a
    person's word; without one the priority is what it would be without any rule.
    """
    category = category or incident.category
    if priority is None:
        alarm = incident.priority is Priority.CRITICAL
        priority, _ = prioritise(category, at_least=Priority.NORMAL, emergency=alarm, evidence=incident.evidence)
    case = case_of(
        category,
        located,
        address=(said.address if said else None) or incident.address,
        words=said.text if said else "",
        source=incident.sources[0] if incident.sources else "",
        priority=priority,
        at=incident.opened_at,
        calendar=policy.office,
    )
    return case.naming(incident.named_places)


def _by_rule(rule: Rule, number: int, case: Case, regency: Regency, policy: Policy) -> Routing:
    version = policy.rules.version
    routing = Routing(
        IncidentStatus.TRIAGE,
        (f"aturan {number} versi {version}: {rule.name}", *_road(rule, case)),
        priority=_begins_with(rule, case, policy),
        rule=RuleRef(rule.name, version),
    )
    if rule.transfer_to is not None:
        to = name_of(policy.agencies, AgencyRef(regency=regency, agency=rule.transfer_to))
        why = f"diteruskan ke {to}"
        return replace(
            routing,
            status=IncidentStatus.TRANSFERRED,
            because=(*routing.because, why),
            transferred_to=rule.transfer_to.value,
            told=why,
        )
    if rule.agency is None:
        return replace(routing, because=(*routing.because, "operator melihat dulu"))
    agency = AgencyRef(regency=regency, agency=rule.agency)
    if not is_active(policy.agencies, agency):
        return replace(routing, because=(*routing.because, f"{agency} tidak aktif", "operator melihat dulu"))
    helpers = (AgencyRef(regency=regency, agency=code) for code in rule.co_agencies)
    return replace(
        routing,
        status=IncidentStatus.ROUTED,
        because=(*routing.because, *_across_the_border(rule.agency, case)),
        agency=agency,
        co_agencies=tuple(helper for helper in helpers if is_active(policy.agencies, helper)),
        skills=rule.skills,
        officers=rule.officers,
    )


def _begins_with(rule: Rule, case: Case, policy: Policy) -> Priority:
    least = next((one.priority for one in policy.categories if one.code is case.category), None)
    return highest((rule.priority, least)) if least else rule.priority


def _road(rule: Rule, case: Case) -> tuple[str, ...]:
    if not rule.when.road:
        return ()
    kind = _ROAD[case.road]
    return (f"{kind}: {case.road_name}" if case.road_name else kind,)


def _triage(why: str) -> Routing:
    return Routing(IncidentStatus.TRIAGE, (why, "operator melihat dulu"))


def _across_the_border(agency: AgencyCode, case: Case) -> tuple[str, ...]:
    """Near the border of the two governments the other candidate stays visible."""
    others = {hit.regency: hit for hit in case.alternatives if hit.regency is not case.regency}
    return tuple(f"dekat perbatasan: mungkin {regency}/{agency} ({hit.kecamatan})" for regency, hit in others.items())
