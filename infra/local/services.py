"""The services of `patriot up`: which processes there are, and what each is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from infra.local.data_dir import DataDir
from infra.local.service import Service

_PATRIOT = ("-m", "infra.local.cli")


@dataclass(frozen=True, slots=True)
class Places:
    """Where the services listen."""

    base_url: str
    feed_url: str
    #: Where the feed answers /readyz.
    feed_base: str
    #: Where the dispatcher answers /readyz; loopback only.
    dispatcher_port: int


@dataclass(frozen=True, slots=True)
class Simulation:
    """What the simulated city signs in with."""

    device_api_key: str
    accounts: str


def services(data: DataDir, env: Mapping[str, str], places: Places, simulation: Simulation | None) -> list[Service]:
    """In the order in which they are stopped: those that make work first, then those that take it."""
    dispatcher_base = f"http://127.0.0.1:{places.dispatcher_port}"
    own_port = {"PATRIOT_HOST": "127.0.0.1", "PATRIOT_DISPATCHER_PORT": str(places.dispatcher_port)}
    found = [
        Service("web", ["-m", "infra.local.web"], env, data, url=places.base_url, ask=places.base_url),
        Service(
            "dispatcher", [*_PATRIOT, "dispatcher"], {**env, **own_port}, data, url=dispatcher_base, ask=dispatcher_base
        ),
        Service("feed", [*_PATRIOT, "feed"], env, data, url=places.feed_url, ask=places.feed_base),
    ]
    if simulation is not None:
        acts = {
            "PATRIOT_BASE_URL": places.base_url,
            "PATRIOT_DEVICE_API_KEY": simulation.device_api_key,
            "PATRIOT_SIMULATED_ACCOUNTS": simulation.accounts,
        }
        found.insert(0, Service("simulate", [*_PATRIOT, "simulate"], {**env, **acts}, data, url=None, ask=""))
    return found
