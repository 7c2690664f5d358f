"""Reports of citizens become incidents: one batch, few statements, one transaction of the caller's."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

import msgspec

from dispatcher import candidate_store, incident_store, policy_store, report_store
from dispatcher.decisions.casebook import Casebook
from dispatcher.decisions.sighting import of_report
from dispatcher.effects import Message
from dispatcher.report_store import PlacedReport
from infra.postgres import Connection
from schemas.geography import Geography
from schemas.report import ContactGiven, ReportSubmitted
from schemas.topics import CONTACT, CONTACT_GIVEN, REPORT, REPORT_SUBMITTED


class ReportIntake:
    """The effects of reports and of what reporters say of themselves."""

    name: Final = "reports"
    topics: Final = (REPORT.name, CONTACT.name)
    types: Final[Mapping[str, type[msgspec.Struct]]] = {
        REPORT_SUBMITTED: ReportSubmitted,
        CONTACT_GIVEN: ContactGiven,
    }
    remembers_ids: Final = True

    def __init__(self, geography: Geography) -> None:
        """`geography` places points and names."""
        self._geography = geography

    async def apply(self, connection: Connection, messages: Sequence[Message], now: datetime) -> None:
        """Keep contacts and reports, and decide for each new report which incident it is in."""
        contacts = [message.value for message in messages if isinstance(message.value, ContactGiven)]
        if contacts:
            await report_store.upsert_contacts(connection, contacts)
        reports = await self._new_reports(connection, messages)
        if not reports:
            return
        sightings = [
            of_report(report, message.received_at, self._geography, message.envelope.traceparent)
            for report, message in reports
        ]
        policy = await policy_store.live(connection)
        casebook = Casebook(await candidate_store.select_for_update(connection, sightings), policy)
        placed = [
            PlacedReport(report, casebook.take(sighting, now), sighting.located, message.received_at)
            for (report, message), sighting in zip(reports, sightings, strict=True)
        ]
        await incident_store.save(connection, casebook.changes, policy)
        await report_store.insert(connection, placed)

    async def _new_reports(
        self, connection: Connection, messages: Sequence[Message]
    ) -> list[tuple[ReportSubmitted, Message]]:
        """Each report once, in the order of arrival; one that is kept already is passed over."""
        reports: dict[str, tuple[ReportSubmitted, Message]] = {}
        for message in messages:
            if isinstance(message.value, ReportSubmitted):
                reports.setdefault(message.value.report_id, (message.value, message))
        if reports:
            for report_id in await report_store.known(connection, list(reports)):
                del reports[report_id]
        return list(reports.values())
