"""What those who read and do not operate are shown (executives and council): the work, and nobody's name or words."""

from collections.abc import Sequence
from typing import Final

import msgspec

from dispatcher.desk.incident_query import DecisionOfIncident, HistoryEntry
from infra.access import Principal
from schemas.incident import IncidentRow
from schemas.vocabulary import Role

#: Read without personal data (domain.md, Roles).
ROLES: Final = frozenset({Role.EXECUTIVE})
#: In place of a person's name. Ours are no persons.
SOMEBODY: Final = "staff"
#: The judgement whose outcome is an officer.
_CHOICE: Final = "assign"
_NO_PERSONS: Final = frozenset({"dispatcher", "desk", "the reporter"})


def sees_people(principal: Principal) -> bool:
    """Whether this person is shown names, citizens' words and photos."""
    return principal.role not in ROLES


def row(of: IncidentRow) -> IncidentRow:
    """An incident without who is on it, and without photos; on the feed the same (command_center_ui/row.py)."""
    shown: IncidentRow = msgspec.structs.replace(of, officers=(), photo_url=None)
    return shown


def name(of: str) -> str:
    """Who did something: one of us, or somebody."""
    return of if of in _NO_PERSONS else SOMEBODY


def history(of: Sequence[HistoryEntry]) -> tuple[HistoryEntry, ...]:
    """What happened, with what citizens may read of it alone."""
    return tuple(
        msgspec.structs.replace(one, actor=name(one.actor), note=one.note if one.public else None, detail={})
        for one in of
    )


def decisions(of: Sequence[DecisionOfIncident]) -> tuple[DecisionOfIncident, ...]:
    """What was judged and how it came out. Why is told in citizens' words, and by whose word."""
    return tuple(
        msgspec.structs.replace(one, because=(), outcome=SOMEBODY if one.judgement == _CHOICE else one.outcome)
        for one in of
    )
