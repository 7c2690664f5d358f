"""Prometheus metrics that every service has; each room keeps its own in `<room>/metrics.py`."""

from typing import Final

from prometheus_client import Counter, Histogram

HTTP_SECONDS: Final = Histogram(
    "patriot_http_request_seconds",
    "Time from the request's first byte to the answer",
    ["method", "route", "status"],
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)
RESTARTS: Final = Counter(
    "patriot_task_restarts_total", "Background tasks that failed and were started again", ["task"]
)
