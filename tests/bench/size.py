"""Chapter: how much memory a living city takes, and how much CPU one in which nothing happens."""

import asyncio
import time
from pathlib import Path
from typing import Final

import psutil

from tests.bench.city import running
from tests.bench.machine import Noise, cpu_s
from tests.bench.row import Goal, Row, Section
from tests.city import City

TITLE: Final = "Size"
_GOAL_MIB: Final = 1.2 * 1024
#: Percent of one core.
_GOAL_IDLE: Final = 10.0
#: What is started meanwhile is done with it after that long.
_SETTLE_S: Final = 20.0
_MARKS: Final = {
    "kafka": "kafka.Kafka",
    "postgres": "postgres",
    "web": "infra.local.web",
    "simulator": "simulate",
    "dispatcher": "dispatcher",
    "feed": "infra.local.cli feed",
    "photo workers": "photo_worker",
}


def tree(city: City) -> dict[str, list[psutil.Process]]:
    """Every process below `patriot up`, by service; the rest is the supervisor's."""
    top = psutil.Process(city.process.pid)
    found: dict[str, list[psutil.Process]] = {}
    for process in [top, *top.children(recursive=True)]:
        try:
            command = " ".join(process.cmdline())
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
        is_top = process.pid == top.pid
        name = "supervisor" if is_top else next((n for n, mark in _MARKS.items() if mark in command), "supervisor")
        found.setdefault(name, []).append(process)
    return found


def memory_mib(city: City) -> dict[str, float]:
    """PSS by service in MiB: memory that processes share is counted once, by shares."""
    found: dict[str, float] = {}
    for name, processes in tree(city).items():
        for process in processes:
            try:
                found[name] = found.get(name, 0.0) + process.memory_full_info().pss / 2**20
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
    return found


async def run(
    folder: Path, noise: Noise, minutes: float = 2.0, idle_s: float = 20.0, settle_s: float = _SETTLE_S
) -> Section:
    """The chapter: a simulated city for some minutes, then another one in which nobody does anything."""
    section = Section(TITLE)
    noise.listen()
    with running(folder / "living", "--simulate") as city:
        await asyncio.sleep(minutes * 60)
        memory = memory_mib(city)
    noise.listen()
    with running(folder / "idle") as city:
        await asyncio.sleep(settle_s)
        services = {name: [process.pid for process in those] for name, those in tree(city).items()}
        before, start = {name: cpu_s(pids) for name, pids in services.items()}, time.perf_counter()
        await asyncio.sleep(idle_s)
        elapsed = time.perf_counter() - start
        idle = {name: (cpu_s(pids) - before[name]) / elapsed * 100 for name, pids in services.items()}
    section.settings = [
        f"memory: `patriot up --simulate`, {minutes:g} minutes after all was ready; proportional set size (PSS)",
        f"idle: `patriot up`, nobody connected; CPU over {idle_s:g} s, {settle_s:g} s after all was ready",
    ]
    section.rows = [Row(f"memory, {name}", "MiB", (value,)) for name, value in sorted(memory.items())]
    ours = sum(value for name, value in memory.items() if name != "simulator")
    section.rows.append(Row("memory, all without the simulator", "MiB", (ours,), "1.2 GiB", Goal("most", _GOAL_MIB)))
    section.rows += [Row(f"idle CPU, {name}", "% of a core", (value,)) for name, value in sorted(idle.items())]
    section.rows.append(Row("idle CPU, all", "% of a core", (sum(idle.values()),), "", Goal("most", _GOAL_IDLE)))
    return section
