"""A Prometheus histogram that counts the same value many times at once: one step for a batch, not one a message."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence

from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector


class Tally(Collector):
    """Like prometheus_client's Histogram with one label. Not for threads."""

    def __init__(
        self,
        name: str,
        documentation: str,
        label: str,
        *,
        buckets: Sequence[float],
        registry: CollectorRegistry = REGISTRY,
    ) -> None:
        """`buckets`: upper bounds, rising; the one without end is added."""
        self._name = name
        self._documentation = documentation
        self._label = label
        self._bounds = (*buckets, float("inf"))
        self._counts: dict[str, list[int]] = {}
        self._sums: dict[str, float] = {}
        registry.register(self)

    def labels(self, label: str) -> None:
        """Have it, at zero."""
        self._counts.setdefault(label, [0] * len(self._bounds))
        self._sums.setdefault(label, 0.0)

    def observe(self, label: str, value: float, times: int = 1) -> None:
        """Count `value`, `times` times."""
        self.labels(label)
        self._counts[label][bisect_left(self._bounds, value)] += times
        self._sums[label] += value * times

    def describe(self) -> Iterator[HistogramMetricFamily]:
        """Its name, without values."""
        yield HistogramMetricFamily(self._name, self._documentation, labels=[self._label])

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """As it is now."""
        family = HistogramMetricFamily(self._name, self._documentation, labels=[self._label])
        for label, counts in self._counts.items():
            so_far, buckets = 0, []
            for bound, count in zip(self._bounds, counts, strict=True):
                so_far += count
                buckets.append(("+Inf" if bound == float("inf") else str(float(bound)), float(so_far)))
            family.add_metric([label], buckets, self._sums[label])
        yield family
