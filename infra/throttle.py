"""How often one caller may do something: a token bucket per caller, and who the caller of a request is."""

import ipaddress
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from fastapi import Request

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

#: Callers remembered; beyond, the one that came longest ago starts afresh. About 10 MB.
_CALLERS: Final = 50_000
#: Whoever owns one IPv6 address owns its /64.
_IPV6_PREFIX: Final = 64


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float


class Throttle:
    """At most `per_minute` of something for each caller, all of them at once if they like; 0 is no limit.

    Times are seconds of a clock that never goes back (`time.monotonic()`), passed in.
    """

    def __init__(self, per_minute: int, *, callers: int = _CALLERS) -> None:
        self._most = float(per_minute)
        self._per_second = per_minute / 60
        self._callers = callers
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def wait(self, caller: str, now: float) -> float:
        """Seconds until `caller` may go on; 0 when it may now. Takes nothing."""
        if not self._most:
            return 0.0
        bucket = self._buckets.get(caller)
        if bucket is None:
            return 0.0
        return max(0.0, (1.0 - self._filled(bucket, now)) / self._per_second)

    def take(self, caller: str, now: float) -> float:
        """Use one: 0 when `caller` may go on, else the seconds to wait (and nothing is taken)."""
        if not self._most:
            return 0.0
        bucket = self._buckets.get(caller)
        if bucket is None:
            bucket = self._buckets[caller] = _Bucket(self._most, now)
            if len(self._buckets) > self._callers:
                self._buckets.popitem(last=False)
        else:
            self._buckets.move_to_end(caller)
        tokens = self._filled(bucket, now)
        if tokens < 1.0:
            return (1.0 - tokens) / self._per_second
        bucket.tokens, bucket.at = tokens - 1.0, now
        return 0.0

    def give_back(self, caller: str) -> None:
        """Undo one `take`, for something that counts only when it fails."""
        bucket = self._buckets.get(caller)
        if bucket is not None:
            bucket.tokens = min(self._most, bucket.tokens + 1.0)

    def _filled(self, bucket: _Bucket, now: float) -> float:
        return min(self._most, bucket.tokens + (now - bucket.at) * self._per_second)


def client_address(request: Request, trusted_proxies: Sequence[Network]) -> str:
    """The address a request comes from; for IPv6 its /64.

    `X-Forwarded-For` counts only when the peer is one of `trusted_proxies`, and then the last entry that none of them
    wrote about another of them: what stands further left anybody could have invented.
    """
    peer = request.client.host if request.client else ""
    address = _parse(peer)
    if address is None:
        return peer
    if trusted_proxies:
        hops = ",".join(request.headers.getlist("x-forwarded-for")).split(",")
        while hops and any(address in network for network in trusted_proxies):
            before = _parse(hops.pop().strip())
            if before is None:
                break
            address = before
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address, _IPV6_PREFIX), strict=False))
    return str(address)


def _parse(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped if isinstance(mapped, ipaddress.IPv4Address) else address
