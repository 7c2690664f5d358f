"""Where something is and whose it is: a place of Bekasi, and an agency as the pair (regency, dinas)."""

from typing import Self

from schemas.vocabulary import AgencyCode, Regency
from schemas.wire import Record


class AgencyRef(Record, frozen=True, order=True):
    """An agency: a dinas of one of the two governments. Written `32.75/DISHUB`; scopes are made of these."""

    regency: Regency
    agency: AgencyCode

    @classmethod
    def parse(cls, text: str) -> Self:
        """`32.75/DISHUB` → the pair. Raises ValueError with a sentence when it is not one."""
        regency, slash, agency = text.partition("/")
        try:
            if slash:
                return cls(regency=Regency(regency), agency=AgencyCode(agency))
        except ValueError:
            pass
        raise ValueError(f"an agency is written REGENCY/CODE, for example 32.75/DISHUB, not {text!r}")

    def __str__(self) -> str:
        return f"{self.regency}/{self.agency}"
