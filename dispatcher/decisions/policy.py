"""What the city has decided and may decide anew while we run: a value that decisions take as an argument."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

import msgspec

from dispatcher.decisions import sla
from dispatcher.decisions.calendar import OFFICE, Calendar
from dispatcher.decisions.default_rules import DEFAULT_RULES
from dispatcher.decisions.reference import Agency, CategoryEntry
from dispatcher.decisions.rule import RuleSet
from dispatcher.decisions.sla import OFFICE_HOURS, PROMISES, Promise
from dispatcher.decisions.staffing import Staffing, staffing_of
from dispatcher.decisions.telling import MANNERS, Audience, Manner
from schemas.place import AgencyRef
from schemas.vocabulary import Category, ClockKind, Priority


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """Everything of it at one version. The defaults are in code; a database that says nothing means them."""

    #: Raised by whatever is decided anew; 0 is the defaults.
    version: int = 0
    #: A city to practise in: its incidents are called otherwise.
    training: bool = False
    #: The version at which `calendars` or `promises` were put last: what is due follows from this one.
    times_version: int = 0
    calendars: Mapping[str, Calendar] = MappingProxyType({OFFICE_HOURS: OFFICE})
    promises: tuple[Promise, ...] = PROMISES
    #: Who may be sent, how many go, and where rules ask by themselves.
    staffing: tuple[Staffing, ...] = ()
    #: How people are told: quiet hours, what is bundled, when it is no news any more.
    telling: Mapping[Audience, Manner] = MANNERS

    #: Whose an incident is.
    rules: RuleSet = DEFAULT_RULES
    #: What was edited of the names of agencies and categories.
    agencies: tuple[Agency, ...] = ()
    categories: tuple[CategoryEntry, ...] = ()

    @property
    def office(self) -> Calendar:
        """Which days are workdays for everybody."""
        return self.calendars.get(OFFICE_HOURS, OFFICE)

    def promise(
        self,
        clock: ClockKind,
        category: Category,
        priority: Priority,
        agency: AgencyRef | None,
        *,
        field_check: bool = False,
    ) -> Promise | None:
        """What such an incident is promised for this clock, by the first line that fits; None when nothing is."""
        return sla.promise(self.promises, clock, category, priority, agency, field_check)

    def due(
        self, start: datetime, clock: ClockKind, category: Category, priority: Priority, agency: AgencyRef | None
    ) -> datetime | None:
        """By when, for a clock that began at `start` and was never stopped; None when nothing is promised."""
        promise = self.promise(clock, category, priority, agency)
        if promise is None:
            return None
        calendar = self.calendar(promise)
        length = promise.within.length(calendar)
        return start + length if promise.within.minutes else calendar.after(start, length)

    def answer_within(self, now: datetime, category: Category, priority: Priority, agency: AgencyRef) -> timedelta:
        """How long an officer who is asked now has to answer; an hour where nothing is promised."""
        due = self.due(now, ClockKind.ACCEPT, category, priority, agency)
        return due - now if due else timedelta(hours=1)

    def staffing_of(self, category: Category, agency: AgencyRef | None) -> Staffing:
        """Who may be sent to such an incident, and how many."""
        return staffing_of(self.staffing, category, agency)

    def manner(self, audience: Audience) -> Manner:
        """How this audience is told."""
        return self.telling.get(audience, MANNERS[audience])

    def calendar(self, promise: Promise) -> Calendar:
        """The calendar that a promise names; the office's where that is gone."""
        return self.calendars.get(promise.calendar, OFFICE)


DEFAULT_POLICY: Final = Policy()
