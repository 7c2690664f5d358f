"""How long the simulations run: bounded for every change, longer for `make soak` (`PATRIOT_SIMULATION=long`)."""

import os
from typing import Final

from hypothesis import HealthCheck, settings

LONG: Final = os.environ.get("PATRIOT_SIMULATION") == "long"


def bounds(examples: int, steps: int, *, longer: int = 25) -> settings:
    """So many runs of so many steps; the long profile has `longer` times the runs of twice the steps."""
    return settings(
        max_examples=examples * longer if LONG else examples,
        stateful_step_count=steps * 2 if LONG else steps,
        deadline=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )
