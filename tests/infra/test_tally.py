"""A histogram that counts by the batch says what prometheus_client's own says."""

from prometheus_client import CollectorRegistry, Histogram, generate_latest

from infra.tally import Tally

_BUCKETS = (0.01, 0.1, 1.0)


def test_it_tells_the_same_as_counting_one_by_one() -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    tally = Tally("waited_seconds", "How long", "who", buckets=_BUCKETS, registry=ours)
    single = Histogram("waited_seconds", "How long", ["who"], buckets=_BUCKETS, registry=theirs)
    tally.labels("b")
    single.labels("b")
    for value, times in ((0.01, 3), (0.0101, 2), (0.5, 1), (7.0, 4), (0.0, 5)):
        tally.observe("a", value, times)
        for _ in range(times):
            single.labels("a").observe(value)

    def samples(registry: CollectorRegistry) -> set[tuple[str, tuple[tuple[str, str], ...], float]]:
        return {
            (sample.name, tuple(sorted(sample.labels.items())), round(sample.value, 9))
            for family in registry.collect()
            for sample in family.samples
            if not sample.name.endswith("_created")
        }

    assert samples(ours) == samples(theirs)
    assert b'waited_seconds_bucket{le="+Inf",who="a"} 15.0' in generate_latest(ours)
