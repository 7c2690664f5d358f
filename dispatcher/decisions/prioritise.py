"""How urgent an incident is: never less than before, and each step up with its reason."""

from collections.abc import Sequence
from typing import Final

from dispatcher.decisions.evidence import standing
from schemas.vocabulary import Category, Priority

_ORDER: Final = tuple(Priority)
#: What gets worse by the minute for many people: confirmed, it is high.
_URGENT_WHEN_CONFIRMED: Final = frozenset({Category.TRAFFIC_JAM, Category.FLOOD, Category.CROWDING})


def highest(priorities: Sequence[Priority]) -> Priority:
    """The most urgent of them."""
    return max(priorities, key=_ORDER.index)


def prioritise(
    category: Category, *, at_least: Priority, emergency: bool, evidence: float
) -> tuple[Priority, tuple[str, ...]]:
    """Priority and why (in Indonesian, for operators). `at_least`: what it has, or what its rule begins with.

    Words of an emergency make it critical; evidence of 1.0 and more makes a jam, a flood or a crowd high.
    """
    if emergency:
        return Priority.CRITICAL, ("kata-kata darurat: hubungi 112",)
    if category in _URGENT_WHEN_CONFIRMED and standing(evidence) == "confirmed":
        priority = highest((at_least, Priority.HIGH))
        if priority is not at_least:
            return priority, (f"terkonfirmasi: bukti {evidence:.1f}",)
    return at_least, ("sesuai aturan rute",)
