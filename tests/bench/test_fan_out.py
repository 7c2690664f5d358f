"""The feed's chapter in small: every contender has really delivered. How fast is the benchmark's own question."""

from pathlib import Path

import pytest

from infra.local.stack import Stack
from tests.bench import fan_out
from tests.bench.fan_out import Contender

_THERE = [each for each in fan_out.CONTENDERS if each is not fan_out.NATS or fan_out.nats_server() is not None]


@pytest.mark.parametrize("contender", [*_THERE, *fan_out.PLAIN], ids=lambda contender: contender.name)
async def test_events_come_to_every_healthy_client(contender: Contender, stack: Stack, tmp_path: Path) -> None:
    found = await fan_out.measure(contender, stack, tmp_path, 1.0, clients=40, up_to=60)
    assert set(found.came) == set(found.cpu_us) == set(found.p99_s) == {(40, 50), (40, 10), (60, 10), (60, 50)}
    assert all(share > 0 for share in found.came.values())
    assert max(found.came.values()) <= 1
    assert all(seconds > 0 for seconds in found.p99_s.values())
    assert found.storm_s > 0


def test_the_table_says_what_was_held_against_what() -> None:
    at = (1_000, 50)
    found = {name: [fan_out.Measured({at: us}, {at: 0.02}, {at: 1.0})] for name, us in (("a", 2.0), ("b", 20.0))}
    rows = fan_out._rows(Contender("a", ""), found["a"])
    assert [row.values for row in rows] == [(2.0,), (20.0,), (0.0,)]
    late = fan_out._rows(fan_out.OURS, [fan_out.Measured({at: 2.0}, {at: 0.02}, {at: 0.5})])
    assert late[0].note == "only 50% of the events came in time"
    assert late[1].goal == fan_out.Goal("most", 100)
