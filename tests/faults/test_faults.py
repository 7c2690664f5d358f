"""What `make test` has of the matrix: a city of real processes under load is hurt, and nothing is lost, doubled or out
of order. All of the matrix, one by one and with other seeds, is `make soak`."""

from collections.abc import AsyncIterator

import pytest

from tests.faults import feed_faults, kafka_faults, message_faults, postgres_faults, process_faults, scenario
from tests.faults.field import Field
from tests.faults.matrix import in_turn
from tests.faults.scenario import Fault

_SEED = 1
#: On two quiet cores some 10 to 25 s each.
pytestmark = [pytest.mark.timeout(1000), pytest.mark.xdist_group("faults")]

_ONE_BY_ONE = {
    fault.name: fault
    for faults in (process_faults, kafka_faults, postgres_faults, message_faults, feed_faults)
    for fault in faults.FAULTS
}

QUICK = [
    Fault("ingest killed at each point", 3, process_faults.ingest_killed(*process_faults.INGEST_POINTS)),
    Fault("dispatcher killed at each point", 15, process_faults.dispatcher_killed(*process_faults.DISPATCHER_POINTS)),
    _ONE_BY_ONE["relay killed between ack and mark"],
    in_turn("desk and feed killed", _ONE_BY_ONE["desk killed"], _ONE_BY_ONE["feed killed"]),
    # the dispatcher whose relay leads is paused beyond the sessions of its relay and of its consumers
    _ONE_BY_ONE["zombie relay"],
    in_turn("kafka and postgresql restarted", _ONE_BY_ONE["kafka restarted"], _ONE_BY_ONE["postgresql restarted"]),
    _ONE_BY_ONE["the same event five times, out of order"],
    _ONE_BY_ONE["twenty stalled sockets"],
    in_turn("told to end", *(_ONE_BY_ONE[f"{which} told to end"] for which in ("ingest", "dispatcher", "desk"))),
]


@pytest.fixture(scope="module")
async def field(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Field]:
    """One city for all of them."""
    async with Field(tmp_path_factory.mktemp("field")) as running:
        yield running


@pytest.mark.parametrize("fault", QUICK, ids=lambda fault: fault.name)
async def test_the_city_keeps_its_promises(field: Field, fault: Fault) -> None:
    row = await scenario.run(field, fault, _SEED)
    print(row)
    assert row.clean, row
    assert row.ok > 0
