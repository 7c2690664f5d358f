"""Structured logs to standard error: a static event name with fields. Ids, never bodies or personal data.

A line that cannot be written, because the disk behind it is full, is lost; what it is about goes on.
"""

import io
import logging
import os
import time
from typing import Any, Final

import structlog

#: A client of Kafka says hundreds of times a second that its broker is away; once in so many seconds is enough.
_SAME_AGAIN_S: Final = 10.0


class _Sparing(logging.Filter):
    """Lets each sentence of aiokafka pass once in a while, whatever it is filled with."""

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[object, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if not record.name.startswith("aiokafka"):
            return True
        now = time.monotonic()
        if now < self._said.get(record.msg, 0.0):
            return False
        self._said[record.msg] = now + _SAME_AGAIN_S
        return True


class _Lossy(io.RawIOBase):
    """Standard error, whose failures are nobody's."""

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        try:
            os.write(2, data)
        except OSError:
            pass
        return len(data)


def configure(service: str, *, log_format: str = "json", level: str = "info") -> None:
    """Set up structlog and the standard library's logging for this process, once, at its start."""
    renderer: Any = (
        structlog.processors.JSONRenderer() if log_format == "json" else structlog.dev.ConsoleRenderer(colors=False)
    )
    lines = io.TextIOWrapper(io.BufferedWriter(_Lossy()), "utf-8", "backslashreplace", line_buffering=True)
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(lines),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(lines)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    handler.addFilter(_Sparing())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # aiokafka warns of every expected rebalance and topic refresh; our own events say what matters.
    for noisy in ("aiokafka", "asyncio", "uvicorn.error", "websockets.server", "httpx"):
        logging.getLogger(noisy).setLevel(logging.ERROR if noisy == "aiokafka" else logging.WARNING)
    structlog.contextvars.bind_contextvars(service=service)
