"""Carries a caller's W3C trace on, or begins one (https://www.w3.org/TR/trace-context/)."""

import re
import secrets
from typing import Final

from fastapi import Request

from schemas.envelope import new_traceparent

_TRACEPARENT: Final = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})")


def traceparent_of(request: Request) -> str:
    """The traceparent of what this request causes: a child of the caller's, where they sent a valid one."""
    sent = request.headers.get("traceparent")
    if sent is not None and (match := _TRACEPARENT.fullmatch(sent)):
        return f"00-{match[1]}-{secrets.token_hex(8)}-{match[2]}"
    return new_traceparent()
