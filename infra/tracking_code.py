"""The code a citizen follows a report with: 80 random bits and a keyed check, easy to read out and to type."""

import hmac
import secrets
from functools import lru_cache
from hashlib import sha256
from typing import Final

#: Crockford's base 32 (https://www.crockford.com/base32.html): no I, L, O, U.
_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_VALUES: Final = {letter: value for value, letter in enumerate(_ALPHABET)}
#: What people read instead, and the signs that only group.
_FORGIVEN: Final = str.maketrans({"I": "1", "L": "1", "O": "0", **dict.fromkeys("- \t\u00a0\u2010\u2011\u2013")})
_RANDOM_BITS: Final = 80
_CHECK_BITS: Final = 20
_LETTERS: Final = (_RANDOM_BITS + _CHECK_BITS) // 5
#: Longer than any code with all its blanks; what is longer is not looked at.
_MAX_INPUT: Final = 64


def new(secret: bytes) -> str:
    """A fresh code, as five groups of four: `7Q2M-9XKD-0AVT-3HRE-W5PN`."""
    random = secrets.randbits(_RANDOM_BITS)
    return _written(random << _CHECK_BITS | _check_bits(secret, random))


def check(secret: bytes, text: str) -> str | None:
    """The code as `new` writes it, or None when we never gave it out.

    Case, hyphens and blanks don't matter, and I and L are read as 1, O as 0. Whoever guesses hits a valid check once
    in 2^20 and a code that is in use once in 2^80 ÷ codes in use; so the check spares the database, nothing more.
    """
    if len(text) > _MAX_INPUT:
        return None
    letters = text.upper().translate(_FORGIVEN)
    if len(letters) != _LETTERS or not all(letter in _VALUES for letter in letters):
        return None
    number = 0
    for letter in letters:
        number = number << 5 | _VALUES[letter]
    random, claimed = number >> _CHECK_BITS, number & ((1 << _CHECK_BITS) - 1)
    expected = _check_bits(secret, random)
    if not hmac.compare_digest(claimed.to_bytes(3, "big"), expected.to_bytes(3, "big")):
        return None
    return _written(number)


def _written(number: int) -> str:
    letters = "".join(_ALPHABET[number >> shift & 31] for shift in range(5 * (_LETTERS - 1), -1, -5))
    return "-".join(letters[start : start + 4] for start in range(0, _LETTERS, 4))


def _check_bits(secret: bytes, random: int) -> int:
    digest = hmac.digest(_key(secret), random.to_bytes(_RANDOM_BITS // 8, "big"), sha256)
    return int.from_bytes(digest[:3], "big") >> (24 - _CHECK_BITS)


@lru_cache(maxsize=8)
def _key(secret: bytes) -> bytes:
    return hmac.digest(secret, b"patriot tracking code v1", sha256)
