"""Who may be sent, how many go, and whether rules ask by themselves: a table that the city edits."""

from collections.abc import Iterable
from typing import Annotated, Final

from msgspec import Meta

from schemas.place import AgencyRef
from schemas.vocabulary import AgencyCode, Category, Regency
from schemas.wire import Record

#: What somebody can do, in a word of the agency's own: `derek`, `pompa`, `listrik`.
Skill = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,39}(?!\n)$")]
Skills = Annotated[tuple[Skill, ...], Meta(max_length=20)]


class Staffing(Record, frozen=True, forbid_unknown_fields=True):
    """One line; null fits everything, and the first line that fits decides."""

    category: Category | None = None
    agency: AgencyCode | None = None
    regency: Regency | None = None
    #: Ask the best officer as soon as the incident is the agency's, without a person's word.
    automatic: bool = False
    #: How many go.
    officers: Annotated[int, Meta(ge=1, le=10)] = 1
    #: What each of them must be able to do.
    skills: Skills = ()

    def fits(self, category: Category, agency: AgencyRef | None) -> bool:
        """Whether this line is about such an incident."""
        return (
            self.category in (None, category)
            and self.agency in (None, agency.agency if agency else None)
            and self.regency in (None, agency.regency if agency else None)
        )


#: A person asks, one goes, anybody can: what holds where the table says nothing.
ONE: Final = Staffing()


def staffing_of(table: Iterable[Staffing], category: Category, agency: AgencyRef | None) -> Staffing:
    """What holds for such an incident."""
    return next((line for line in table if line.fits(category, agency)), ONE)
