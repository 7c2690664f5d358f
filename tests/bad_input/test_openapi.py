"""What the OpenAPI document promises is what the city answers: schemathesis makes requests that fit it and that don't.

No 5xx, no status or media type that is not announced, every body as its schema says, and nothing taken that the schema
forbids. `OPENAPI_EXAMPLES` makes it longer (examples for each operation, sender and kind of data).
"""

import os
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any, Final

import asyncpg
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import APIOperation, Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks

from tests.city import City
from tests.people import Gateway, Staff, photo_jpeg

EXAMPLES: Final = int(os.environ.get("OPENAPI_EXAMPLES", "3"))
CHECKS: Final = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.missing_required_header,
    checks.unsupported_method,
    checks.allow_header_conformance,
]
#: An array is taken with the readings that fit, and the others are named: 202 is right for both.
TAKES_WHAT_FITS: Final = "/api/v1/telemetry"
OFFICERS: Final = ("/api/v1/assignments/", "/api/v1/me/presence")


@dataclass
class Known:
    """Senders by name, and ids that exist."""

    senders: Mapping[str, str | None]
    ids: Mapping[str, str]


@pytest.fixture(scope="module")
async def known(city: City, gateway: Gateway, operator: Staff, admin: Staff) -> Known:
    name = f"openapi-{uuid.uuid4().hex[:8]}"
    city.add_user(name, "officer", "32.75/DISHUB")
    receipt = await gateway.report("Macet total, kendaraan tidak bergerak", photo_jpeg(), lat=-6.3702, lon=106.9268)
    tracked = await gateway.tracked(receipt["tracking_code"])
    async with Staff(city, name, city.staff_password) as officer:
        await officer.be_at(-6.3702, 106.9268)
        await operator.command(tracked["incident_id"], "assign", officer_id=officer.username)
        assignment = await officer.assignment_for(tracked["incident_id"])
        tokens = {"admin": admin, "officer": officer, "device": gateway}
        senders = {name: str(person.http.headers["Authorization"]) for name, person in tokens.items()}
    ids = {
        "tracking_code": receipt["tracking_code"],
        "incident_id": tracked["incident_id"],
        "assignment_id": assignment["id"],
        "photo_id": tracked["photos"][0].split("?")[0].rpartition("/")[2],
    }
    return Known({"anonymous": None, **senders}, ids)


@pytest.fixture(scope="module", autouse=True)
async def decided(city: City) -> AsyncIterator[None]:
    """What the city is told to decide anew by chance (a dinas closed, promises of a minute) is taken back: other tests
    share it."""
    connection = await asyncpg.connect(city.postgres_dsn)
    before = await connection.fetchval("SELECT coalesce(max(version), 0) FROM policy")
    yield
    await connection.execute("DELETE FROM policy WHERE version > $1", before)
    await connection.close()


def asks(sender: str, operation: APIOperation[Any, Any, Any, Any]) -> bool:
    """Whether it is worth while: the door is shut alike for all who may not in."""
    if operation.method.upper() == "DELETE":
        return sender == "anonymous"  # whoever signs out asks nothing more
    match sender:
        case "anonymous":
            return True
        case "officer":
            return operation.path.startswith(OFFICERS)
        case "device":
            return operation.path in (TAKES_WHAT_FITS, "/api/v1/reports")
        case _:
            return not operation.path.startswith(OFFICERS) and operation.path != TAKES_WHAT_FITS


@pytest.mark.parametrize("sender", ["anonymous", "admin", "officer", "device"])
def test_the_city_answers_what_the_document_promises(city: City, known: Known, sender: str) -> None:
    document = schemathesis.openapi.from_url(f"{city.base_url}/api/v1/openapi.json")
    credential = known.senders[sender]
    headers = {"Authorization": credential} if credential else {}
    statuses: dict[str, set[int]] = {}
    for found in document.get_all_operations():
        operation = found.ok()
        if not asks(sender, operation):
            continue
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            if sender == "anonymous" and operation.security and mode is GenerationMode.NEGATIVE:
                continue
            ask = asking(city, known, headers, operation, statuses)
            run(operation.as_strategy(generation_mode=mode), ask)
    assert statuses


def asking(
    city: City,
    known: Known,
    headers: Mapping[str, str],
    operation: APIOperation[Any, Any, Any, Any],
    statuses: dict[str, set[int]],
) -> Callable[[Case], None]:
    """Sends a case, every second one about something that exists, and holds the answer against the document."""
    held = [*CHECKS, checks.negative_data_rejection] if operation.path != TAKES_WHAT_FITS else CHECKS
    turns = count()

    def ask(case: Case) -> None:
        if next(turns) % 2 and case.path_parameters:
            case.path_parameters.update({name: known.ids[name] for name in case.path_parameters if name in known.ids})
        answer = case.call(base_url=city.base_url, headers=dict(headers))
        statuses.setdefault(operation.label, set()).add(answer.status_code)
        case.validate_response(answer, checks=held, headers=dict(headers))

    return ask


def run(strategy: Any, ask: Any) -> None:
    """`ask` with so many examples, the same each time."""
    bounded = settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink],
    )
    try:
        bounded(given(case=strategy)(ask))()
    except Unsatisfiable:
        pass  # an operation that takes nothing has nothing that could be wrong
