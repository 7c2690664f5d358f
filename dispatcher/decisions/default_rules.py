"""The rules of a city that has decided nothing else yet (domain.md, Incident categories)."""

from typing import Final

from dispatcher.decisions.rule import Rule, RuleSet, When
from schemas.vocabulary import AgencyCode, Category, Priority, Regency

#: Both governments have a dinas of each name except for street lights: Kota has a unit of its own for them, in
#: Kabupaten they belong to the Dinas Perhubungan. Each road counts as the regency's own until the city says whom it
#: hands others to: how the parties share them is theirs to agree on.
DEFAULT_RULES: Final = RuleSet(
    version=0,
    rules=(
        Rule(
            name="kemacetan ke Dishub",
            when=When(category=(Category.TRAFFIC_JAM,)),
            agency=AgencyCode.DISHUB,
        ),
        Rule(
            name="sampah ke DLH",
            when=When(category=(Category.ILLEGAL_DUMPING,)),
            agency=AgencyCode.DLH,
        ),
        Rule(
            name="jalan rusak ke DBMSDA",
            when=When(category=(Category.ROAD_DAMAGE,)),
            agency=AgencyCode.DBMSDA,
        ),
        Rule(
            name="banjir ke DBMSDA dengan BPBD",
            when=When(category=(Category.FLOOD,)),
            agency=AgencyCode.DBMSDA,
            co_agencies=(AgencyCode.BPBD,),
            priority=Priority.HIGH,
        ),
        Rule(
            name="PJU Kabupaten ke Dishub",
            when=When(category=(Category.STREET_LIGHT,), regency=(Regency.KABUPATEN_BEKASI,)),
            agency=AgencyCode.DISHUB,
        ),
        Rule(
            name="PJU Kota ke unit PJU",
            when=When(category=(Category.STREET_LIGHT,)),
            agency=AgencyCode.PJU,
        ),
        Rule(
            name="wifi ke Diskominfo",
            when=When(category=(Category.PUBLIC_WIFI,)),
            agency=AgencyCode.DISKOMINFO,
            priority=Priority.LOW,
        ),
        Rule(
            name="kerumunan ke Satpol PP dengan Dishub",
            when=When(category=(Category.CROWDING,)),
            agency=AgencyCode.SATPOL_PP,
            co_agencies=(AgencyCode.DISHUB,),
        ),
    ),
)
