"""Which push services we send to, and the city's key to them (VAPID, RFC 8292)."""

import ipaddress
from base64 import urlsafe_b64encode
from collections.abc import Collection
from typing import Final
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, derive_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

#: Order of the curve's group, from FIPS 186-5: a key is a number below it.
_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
#: With 64 bits more than the order has, the remainder is as good as evenly spread (FIPS 186-5, A.2.1).
_DRAWN_BYTES: Final = 40


def vapid_key(secret: bytes) -> EllipticCurvePrivateKey:
    """The city's key to push services: derived from its secret, so every service has it and none keeps a file."""
    drawn = HKDF(SHA256(), _DRAWN_BYTES, salt=None, info=b"vapid v1").derive(secret)
    return derive_private_key(int.from_bytes(drawn) % (_ORDER - 1) + 1, SECP256R1())


def public_key(secret: bytes) -> str:
    """What a browser is given to subscribe with (`applicationServerKey`)."""
    point = vapid_key(secret).public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return urlsafe_b64encode(point).rstrip(b"=").decode()


def is_push_service(endpoint: str, services: Collection[str]) -> bool:
    """Whether the address is one of a push service that we know: whoever subscribes must not make us call our own
    network. `http` counts for loopback alone, and only where that is named."""
    try:
        parts = urlsplit(endpoint)
        host = parts.hostname or ""
        parts.port  # noqa: B018 - raises for what is no port
    except ValueError:
        return False
    if parts.username or parts.password:
        return False
    if parts.scheme == "http":
        return host in services and _is_loopback(host)
    return parts.scheme == "https" and any(host == one or host.endswith(f".{one}") for one in services)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
