"""What a person's account lets them see: the whole city, some agencies, an area."""

from dataclasses import dataclass

from dispatcher.decisions.incident import Incident
from schemas.place import AgencyRef


@dataclass(frozen=True, slots=True)
class Scope:
    """No agencies and no area: the whole city. Both: what lies in the area and belongs to the agencies."""

    agencies: tuple[AgencyRef, ...] = ()
    #: Kemendagri codes; a kelurahan comes with its kecamatan.
    kecamatan: str | None = None
    kelurahan: str | None = None

    def covers(self, incident: Incident) -> bool:
        """Whether the incident may be seen. A co-agency sees it as the leading one does."""
        if self.kecamatan is not None and incident.kecamatan != self.kecamatan:
            return False
        if self.kelurahan is not None and incident.kelurahan != self.kelurahan:
            return False
        return not self.agencies or any(
            agency in self.agencies for agency in (incident.agency, *incident.co_agencies) if agency
        )

    def covers_agency(self, agency: AgencyRef) -> bool:
        """Whether this agency's officers and their work may be seen."""
        return not self.agencies or agency in self.agencies
