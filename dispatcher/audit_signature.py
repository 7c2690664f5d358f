"""Signs where the audit's chain ends. Ed25519: whoever has the public key can check, only the city can sign."""

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from msgspec.structs import replace

from dispatcher.decisions.audit_chain import Head, statement
from infra.access import derive


class Signer:
    """The city's signature, made of its secret."""

    def __init__(self, secret: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(derive(secret, "audit-head"))

    @property
    def public_key(self) -> bytes:
        """What others check with."""
        return self._key.public_key().public_bytes_raw()

    def signed(self, head: Head) -> Head:
        """The head with its signature."""
        signed: Head = replace(head, signature=self._key.sign(statement(head)))
        return signed


def is_signed(head: Head, public_key: bytes) -> bool:
    """Whether the signature is there and is of this head, made by the owner of the key. Raises ValueError for what is
    no public key."""
    key = Ed25519PublicKey.from_public_bytes(public_key)
    if head.signature is None:
        return False
    try:
        key.verify(head.signature, statement(head))
    except InvalidSignature:
        return False
    return True
