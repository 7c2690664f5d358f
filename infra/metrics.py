"""Prometheus metrics that every service has; each room keeps its own in `<room>/metrics.py`."""

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

HTTP_SECONDS: Final = Histogram(
    "patriot_http_request_seconds",
    "Time from the request's first byte to the answer",
    ["method", "route", "status"],
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)
HTTP_CONNECTIONS: Final = Gauge("patriot_http_connections", "Open HTTP connections, idle ones too")
HTTP_IDLE_ENDED: Final = Counter(
    "patriot_http_idle_connections_ended_total", "Idle connections cut because somebody new came and all were taken"
)
HTTP_REFUSED_CONNECTIONS: Final = Counter(
    "patriot_http_refused_connections_total", "Connections beyond the limit, answered 503 or cut"
)
RESTARTS: Final = Counter(
    "patriot_task_restarts_total", "Background tasks that failed and were started again", ["task"]
)
