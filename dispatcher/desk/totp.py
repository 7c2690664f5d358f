"""The second factor: one-time passwords by time (RFC 6238), each good once, and recovery codes for a lost phone."""

import base64
import hmac
import secrets
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from typing import Final

import pyotp
from cryptography.fernet import Fernet, InvalidToken

from infra.access import derive
from infra.postgres import Connection

#: What authenticator apps expect: 6 digits, 30 s, SHA-1 (RFC 6238, 4 and 5.2).
_STEP_S: Final = 30
#: A phone's clock may be a step off, and a code may be typed at its end.
_STEPS_OFF: Final = 1
#: What an app shows beside the name.
_ISSUER: Final = "Patriot Bekasi"
RECOVERY_CODES: Final = 10
#: As in tracking codes: nothing that is read wrongly. 16 of 32 are 80 bits.
_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_CODE_LENGTH: Final = 16


def new_secret() -> str:
    """160 random bits in base32, as apps take them."""
    return pyotp.random_base32()


def uri(secret: str, username: str) -> str:
    """The `otpauth://` address that an app reads from a QR code."""
    return pyotp.TOTP(secret).provisioning_uri(name=username, issuer_name=_ISSUER)


def step_of(secret: str, code: str, now: datetime) -> int | None:
    """Which 30 s the code is of, one before and one after now too; None when it is wrong."""
    totp, current = pyotp.TOTP(secret), int(now.timestamp()) // _STEP_S
    found = None
    # All are looked at, so that the time taken does not tell which.
    for step in range(current - _STEPS_OFF, current + _STEPS_OFF + 1):
        if hmac.compare_digest(totp.at(step * _STEP_S).encode(), code.encode()):
            found = step
    return found


def seal(city: bytes, secret: str) -> bytes:
    """The secret as it is stored: a copy of the database alone makes no codes. `city`: the city's secret."""
    return _fernet(city).encrypt(secret.encode())


def unseal(city: bytes, sealed: bytes) -> str | None:
    """The secret again; None when it was sealed with another city's secret."""
    try:
        return _fernet(city).decrypt(sealed).decode()
    except InvalidToken:
        return None


def _fernet(city: bytes) -> Fernet:
    return Fernet(base64.urlsafe_b64encode(derive(city, "patriot second factor v1")))


def new_recovery_codes() -> list[str]:
    """Codes of 80 random bits, written in fours."""
    return [
        "-".join("".join(secrets.choice(_ALPHABET) for _ in range(4)) for _ in range(_CODE_LENGTH // 4))
        for _ in range(RECOVERY_CODES)
    ]


def recovery_hash(code: str) -> bytes | None:
    """What is stored of a recovery code; None for what cannot be one. Case and hyphens do not matter. A plain hash is
    enough for 80 random bits."""
    plain = code.replace("-", "").replace(" ", "").upper()
    if len(plain) != _CODE_LENGTH or not set(plain) <= set(_ALPHABET):
        return None
    return sha256(plain.encode()).digest()


# In PostgreSQL -----------------------------------------------------------------------------------------------------


async def begin(connection: Connection, username: str, sealed: bytes) -> bool:
    """Keep a secret that is not asked for yet; False when there is one that is."""
    done: str = await connection.execute(
        "UPDATE account SET totp_sealed = $2, totp_last_step = NULL WHERE username = $1 AND totp_confirmed_at IS NULL",
        username,
        sealed,
    )
    return not done.endswith(" 0")


async def select_begun(connection: Connection, username: str) -> bytes | None:
    """The secret that waits for its first code."""
    found: bytes | None = await connection.fetchval(
        "SELECT totp_sealed FROM account WHERE username = $1 AND totp_confirmed_at IS NULL FOR UPDATE", username
    )
    return found


async def confirm(connection: Connection, username: str, step: int, codes: Sequence[str]) -> None:
    """From now on it is asked for. The code of this step is spent."""
    await connection.execute(
        "UPDATE account SET totp_confirmed_at = now(), totp_last_step = $2 WHERE username = $1", username, step
    )
    await connection.execute("DELETE FROM recovery_code WHERE username = $1", username)
    await connection.executemany(
        "INSERT INTO recovery_code (username, code_hash) VALUES ($1, $2)",
        [(username, recovery_hash(code)) for code in codes],
    )


async def spend(connection: Connection, username: str, step: int) -> bool:
    """Use the code of a step; False when it, or a later one, was used: each opens one door, whoever looks on."""
    done: str = await connection.execute(
        "UPDATE account SET totp_last_step = $2 WHERE username = $1 AND coalesce(totp_last_step, 0) < $2",
        username,
        step,
    )
    return not done.endswith(" 0")


async def spend_recovery(connection: Connection, username: str, code_hash: bytes) -> bool:
    """Use a recovery code; False when it is none of theirs, or used."""
    done: str = await connection.execute(
        "DELETE FROM recovery_code WHERE username = $1 AND code_hash = $2", username, code_hash
    )
    return not done.endswith(" 0")


async def accept(connection: Connection, city: bytes, username: str, sealed: bytes, code: str, now: datetime) -> bool:
    """Whether the code is this person's, of the app or for recovery, and was not used before. It is now."""
    if recovery := recovery_hash(code):
        return await spend_recovery(connection, username, recovery)
    secret = unseal(city, sealed)
    step = None if secret is None else step_of(secret, code, now)
    return step is not None and await spend(connection, username, step)


async def remove(connection: Connection, username: str) -> bool:
    """No second factor any more; False when there was none."""
    done: str = await connection.execute(
        "UPDATE account SET totp_sealed = NULL, totp_confirmed_at = NULL, totp_last_step = NULL"
        " WHERE username = $1 AND totp_sealed IS NOT NULL",
        username,
    )
    await connection.execute("DELETE FROM recovery_code WHERE username = $1", username)
    return not done.endswith(" 0")
