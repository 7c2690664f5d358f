"""What a person's account lets them see: the whole city, some agencies, a kecamatan."""

from dataclasses import dataclass

from dispatcher.decisions.incident import Incident
from schemas.place import AgencyRef


@dataclass(frozen=True, slots=True)
class Scope:
    """No agencies and no kecamatan: the whole city. Both: what lies in the kecamatan and belongs to the agencies."""

    agencies: tuple[AgencyRef, ...] = ()
    #: Kemendagri code.
    kecamatan: str | None = None

    def covers(self, incident: Incident) -> bool:
        """Whether the incident may be seen. A co-agency sees it as the leading one does."""
        if self.kecamatan is not None and incident.kecamatan != self.kecamatan:
            return False
        return not self.agencies or any(
            agency in self.agencies for agency in (incident.agency, *incident.co_agencies) if agency
        )

    def covers_agency(self, agency: AgencyRef) -> bool:
        """Whether this agency's officers and their work may be seen."""
        return not self.agencies or agency in self.agencies
