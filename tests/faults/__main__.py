"""`make soak`: every fault under load, once per seed; rows go to soak-rows.jsonl, the table to docs/faults.md."""

import asyncio
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import click

from tests.faults import scenario, table
from tests.faults.field import Field
from tests.faults.matrix import collect
from tests.faults.scenario import Fault, Ground
from tests.faults.three_brokers import FieldOfThree
from tests.faults.whole_city import WholeCity

_FIELDS: Final[dict[Ground, Callable[[Path], Field]]] = {
    Ground.DIRECT: Field,
    Ground.PROXIED: lambda folder: Field(folder, proxied=True),
    Ground.THREE_BROKERS: FieldOfThree,
    Ground.CITY: WholeCity,
}


async def soak(faults: Sequence[Fault], seed: int, rows: Path, keep: Path) -> list[str]:
    """Let the faults strike, ground by ground; answers the names of those that left something behind."""
    task, bad = asyncio.current_task(), list[str]()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)  # nothing of ours is left running
    for ground, make in _FIELDS.items():
        those = [fault for fault in faults if fault.ground is ground]
        while those:
            folder = Path(tempfile.mkdtemp(prefix=f"patriot-soak-{seed}-"))
            try:
                failed = await _field(make(folder), those, seed, rows)
                if failed is not None:
                    bad.append(failed)
                    shutil.copytree(folder, keep / folder.name, ignore=_LARGE, dirs_exist_ok=True)
            finally:
                shutil.rmtree(folder, ignore_errors=True)
    return bad


async def _field(field: Field, those: list[Fault], seed: int, rows: Path) -> str | None:
    """Take faults from the list until one fails, and answer its name: the next is judged on a field made anew."""
    try:
        async with field:
            while those:
                fault = those.pop(0)
                if not await _strike(field, fault, seed, rows):
                    return fault.name
    except Exception:
        click.echo(f"  ✗ the field: {traceback.format_exc()[-_TOLD:]}")
        return those.pop(0).name if those else "the field"
    return None


#: Letters of what went wrong.
_TOLD: Final = 6_000
_LARGE: Final = shutil.ignore_patterns("data", "cluster*", "tmp")


async def _strike(field: Field, fault: Fault, seed: int, rows: Path) -> bool:
    began = time.monotonic()
    try:
        row = await scenario.run(field, fault, seed)
    except Exception:
        click.echo(f"  ✗ {fault.name}: did not come to its end")
        click.echo(traceback.format_exc()[-_TOLD:])
        return False
    scenario.write(rows, row)
    click.echo(f"  {'✓' if row.clean else '✗'} {row} [{time.monotonic() - began:.0f} s]")
    return row.clean


@click.command()
@click.option("--seeds", default="1", help="Numbers with commas between; each is one run of the whole matrix.")
@click.option("--only", multiple=True, help="Faults whose name contains this; repeatable. The table stays as it is.")
@click.option("--list", "names_only", is_flag=True, help="Name the faults and do nothing.")
@click.option("--rows", type=click.Path(path_type=Path), default=Path("soak-rows.jsonl"), help="Where rows are kept.")
@click.option("--logs", type=click.Path(path_type=Path), default=Path(".patriot-soak"), help="Logs of what failed.")
def main(seeds: str, only: Sequence[str], names_only: bool, rows: Path, logs: Path) -> None:
    """Let every fault strike the city under load; ends with 1 when anything was lost, doubled or out of order."""
    faults = [fault for fault in collect() if not only or any(word in fault.name for word in only)]
    if names_only:
        click.echo("\n".join(f"{fault.name} ({fault.ground}, {fault.goal_s:g} s)" for fault in faults))
        return
    bad: list[str] = []
    for seed in map(int, seeds.split(",")):
        click.echo(f"Seed {seed}: {len(faults)} faults, load {os.getloadavg()[0]:.1f}")
        bad += asyncio.run(soak(faults, seed, rows, logs))
    if not only:
        table.write(rows)
    if bad:
        click.echo(f"Not clean: {', '.join(bad)}. Logs are in {logs}.")
        sys.exit(1)


if __name__ == "__main__":
    main()
