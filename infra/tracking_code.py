"""The code a citizen follows a report with: 80 random bits and a keyed check, easy to read out and to type."""

import hmac
import secrets
from base64 import b32encode
from hashlib import blake2b
from typing import Final

#: Crockford's base 32 (https://www.crockford.com/base32.html): no I, L, O, U.
_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
#: From the alphabet of RFC 4648, which Python's base 32 writes.
_TO_CROCKFORD: Final = bytes.maketrans(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", _ALPHABET.encode())
_VALUES: Final = {letter: value for value, letter in enumerate(_ALPHABET)}
#: What people read instead, and the signs that only group.
_FORGIVEN: Final = str.maketrans({"I": "1", "L": "1", "O": "0", **dict.fromkeys("- \t\u00a0\u2010\u2011\u2013")})
#: BLAKE2's own way to keep one key's uses apart.
_PURPOSE: Final = b"tracking code v1"
_RANDOM_BITS: Final = 80
_CHECK_BITS: Final = 20
_LETTERS: Final = (_RANDOM_BITS + _CHECK_BITS) // 5
#: Longer than any code with all its blanks; what is longer is not looked at.
_MAX_INPUT: Final = 64
#: Before the codes of a training city, and as it reads once signs are forgiven.
_TRAINING: Final = "LATIHAN"
_TRAINING_READ: Final = "1AT1HAN"


def new(secret: bytes, *, training: bool = False) -> str:
    """A fresh code, as five groups of four: `7Q2M-9XKD-0AVT-3HRE-W5PN`; for `training` with `LATIHAN-` before it."""
    random = secrets.randbits(_RANDOM_BITS)
    return _marked(training) + _written(random << _CHECK_BITS | _check_bits(secret, random))


def check(secret: bytes, text: str, *, training: bool = False) -> str | None:
    """The code as `new` writes it, or None when we never gave it out.

    Case, hyphens and blanks don't matter, and I and L are read as 1, O as 0. Whoever guesses hits a valid check once
    in 2^20 and a code that is in use once in 2^80 ÷ codes in use; so the check spares the database, nothing more.
    A training city knows only its own, and a real one none of them.
    """
    if len(text) > _MAX_INPUT:
        return None
    letters = text.upper().translate(_FORGIVEN)
    if training:
        if not letters.startswith(_TRAINING_READ):
            return None
        letters = letters.removeprefix(_TRAINING_READ)
    if len(letters) != _LETTERS or not all(letter in _VALUES for letter in letters):
        return None
    number = 0
    for letter in letters:
        number = number << 5 | _VALUES[letter]
    random, claimed = number >> _CHECK_BITS, number & ((1 << _CHECK_BITS) - 1)
    expected = _check_bits(secret, random)
    if not hmac.compare_digest(claimed.to_bytes(3, "big"), expected.to_bytes(3, "big")):
        return None
    return _marked(training) + _written(number)


def _marked(training: bool) -> str:
    return f"{_TRAINING}-" if training else ""


def _written(number: int) -> str:
    # 100 bits, filled up to 13 bytes; the letters of the filling are cut off.
    letters = b32encode((number << 4).to_bytes(13, "big"))[:_LETTERS].translate(_TO_CROCKFORD).decode()
    return "-".join((letters[:4], letters[4:8], letters[8:12], letters[12:16], letters[16:]))


def _check_bits(secret: bytes, random: int) -> int:
    digest = blake2b(random.to_bytes(_RANDOM_BITS // 8, "big"), digest_size=3, key=secret, person=_PURPOSE).digest()
    return int.from_bytes(digest, "big") >> (24 - _CHECK_BITS)
