"""Rules tried on incidents that were: where each would go by the live rules, and where by others."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

import msgspec

from dispatcher.decisions.classify import DISPATCH_FROM
from dispatcher.decisions.incident import Incident
from dispatcher.decisions.incident_verbs_judging import where_it_is
from dispatcher.decisions.policy import Policy
from dispatcher.decisions.routing import Routing, Words, case_of_incident, route
from dispatcher.decisions.rule import RuleSet
from schemas.vocabulary import AgencyCode

#: Incidents that are named for each way in which something would change.
_EXAMPLES: Final = 5


class Past(NamedTuple):
    """An incident that was, and what its first report said."""

    incident: Incident
    said: Words | None


@dataclass(frozen=True, slots=True)
class Shift:
    """What would go to another place: so many, from here to there, these for example (ids)."""

    before: str
    after: str
    count: int
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Trial:
    """What rules would have done. `complete`: all incidents were looked at before the time was over."""

    looked_at: int
    changed: int
    shifts: tuple[Shift, ...]
    #: Of each rule in its order, how many it would have decided.
    fired: tuple[int, ...]
    complete: bool


def compare(past: Iterable[Past], live: Policy, tried: RuleSet, *, enough: Callable[[], bool]) -> Trial:
    """Each incident routed by both, as the dispatcher routes. Stops when it is `enough`.

    An incident is taken as it is known now: with the category and place that a person has given it meanwhile.
    """
    other: Policy = msgspec.structs.replace(live, rules=tried)
    shifts: dict[tuple[str, str], list[str]] = {}
    fired: Counter[str] = Counter()
    looked_at = 0
    complete = True
    for one in past:
        if enough():
            complete = False
            break
        before, after = _routed(one, live), _routed(one, other)
        looked_at += 1
        if after.rule is not None:
            fired[after.rule.name] += 1
        if (was := _in_words(before)) != (becomes := _in_words(after)):
            shifts.setdefault((was, becomes), []).append(one.incident.id)
    ordered = sorted(shifts.items(), key=lambda shift: (-len(shift[1]), shift[0]))
    return Trial(
        looked_at=looked_at,
        changed=sum(map(len, shifts.values())),
        shifts=tuple(Shift(was, becomes, len(ids), tuple(ids[:_EXAMPLES])) for (was, becomes), ids in ordered),
        fired=tuple(fired[rule.name] for rule in tried.rules),
        complete=complete,
    )


def _routed(past: Past, policy: Policy) -> Routing:
    incident = past.incident
    located = where_it_is(incident, None)
    if located.regency is None and incident.agency is not None:
        located = msgspec.structs.replace(located, regency=incident.agency.regency)
    if incident.transferred_to == AgencyCode.OTHER_GOV and incident.kecamatan is None:
        located = msgspec.structs.replace(located, outside=True)
    return route(
        case_of_incident(incident, located, past.said, policy), policy, sure=incident.confidence >= DISPATCH_FROM
    )


def _in_words(routing: Routing) -> str:
    """All that a rule decides: `32.75/DBMSDA with 32.75/BPBD, high, 2 officers`."""
    helpers = f" with {', '.join(map(str, routing.co_agencies))}" if routing.co_agencies else ""
    if routing.agency is None:
        return routing.outcome
    staffing = [f"{routing.officers} officers"] if routing.officers > 1 else []
    return ", ".join([f"{routing.outcome}{helpers}", routing.priority.value, *staffing, *routing.skills])
