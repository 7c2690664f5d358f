"""A service's own histogram over a while: the difference of two looks at /metrics."""

from collections.abc import Mapping
from dataclasses import dataclass

import httpx
from prometheus_client.parser import text_string_to_metric_families


@dataclass(frozen=True)
class Look:
    """Cumulative counts by upper bound, and the sum."""

    buckets: Mapping[float, float]
    total: float

    def since(self, before: "Look") -> "Look":
        """What came between."""
        return Look(
            {bound: count - before.buckets.get(bound, 0.0) for bound, count in self.buckets.items()},
            self.total - before.total,
        )

    def percentile(self, share: float) -> float:
        """In seconds, interpolated within its bucket; 0 where nothing was counted."""
        bounds = sorted(self.buckets)
        wanted = share * self.buckets[bounds[-1]] if bounds else 0.0
        below, counted = 0.0, 0.0
        for bound in bounds:
            if self.buckets[bound] >= wanted > 0:
                if bound == float("inf"):
                    return below
                return below + (bound - below) * (wanted - counted) / (self.buckets[bound] - counted)
            below, counted = bound, self.buckets[bound]
        return 0.0


async def look(url: str, name: str, **labels: str) -> Look:
    """The histogram `name` with these labels, as the service at `url` has it now."""
    async with httpx.AsyncClient(timeout=30) as client:
        text = (await client.get(url.rstrip("/") + "/metrics")).text
    buckets: dict[float, float] = {}
    total = 0.0
    for family in text_string_to_metric_families(text):
        if family.name != name:
            continue
        for sample in family.samples:
            if any(sample.labels.get(label) != value for label, value in labels.items()):
                continue
            if sample.name.endswith("_bucket"):
                buckets[float(sample.labels["le"])] = sample.value
            elif sample.name.endswith("_sum"):
                total = sample.value
    return Look(buckets, total)
