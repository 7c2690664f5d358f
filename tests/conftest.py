"""What all tests share: one city a run (`patriot up` as a user starts it), and people who use it."""

import os
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.city import City, start_city, stop_city
from tests.people import Citizen, Gateway, Staff

pytest_plugins = ["tests.stack", "tests.dispatcher.database"]

# A deadline per example would test how busy the machine is.
settings.register_profile("patriot", deadline=None)
settings.load_profile("patriot")

PROJECT = Path(__file__).resolve().parents[1]


#: Folders whose files take minutes: they come first, so that the run does not end with one of them alone.
_LONG = ("tests/faults", "tests/week", "tests/outside", "tests/browser", "tests/infra/local", "tests/simulation")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long folders first; a stable sort leaves everything else as it was."""
    items.sort(key=lambda item: not item.nodeid.startswith(_LONG))


@pytest.fixture(scope="session")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[City]:
    """The whole system, brought up once a run by the command that users type."""
    running = start_city(tmp_path_factory.mktemp("city"), [sys.executable, "-m", "infra.local.cli"], dict(os.environ))
    yield running
    stop_city(running)


@pytest.fixture(scope="session")
async def gateway(city: City) -> AsyncIterator[Gateway]:
    """A device key of scopes reports and telemetry."""
    async with Gateway(city) as opened:
        yield opened


@pytest.fixture
async def citizen(city: City) -> AsyncIterator[Citizen]:
    """Somebody with a phone and no account."""
    async with Citizen(city) as opened:
        yield opened


@pytest.fixture(scope="session")
async def admin(city: City) -> AsyncIterator[Staff]:
    """The first account."""
    async with Staff(city, city.admin_username, city.admin_password) as opened:
        yield opened


@pytest.fixture(scope="session")
async def operator(city: City) -> AsyncIterator[Staff]:
    """An operator of the Patriot Operation Center."""
    city.add_user("poc-rina", "operator")
    async with Staff(city, "poc-rina", city.staff_password) as opened:
        yield opened


@pytest.fixture(scope="session")
async def dishub_officer(city: City) -> AsyncIterator[Staff]:
    """A traffic officer of Kota Bekasi."""
    city.add_user("dishub-budi", "officer", "32.75/DISHUB")
    async with Staff(city, "dishub-budi", city.staff_password) as opened:
        yield opened


@pytest.fixture(scope="session")
async def dlh_officer(city: City) -> AsyncIterator[Staff]:
    """A waste officer of Kota Bekasi."""
    city.add_user("dlh-sari", "officer", "32.75/DLH")
    async with Staff(city, "dlh-sari", city.staff_password) as opened:
        yield opened
