"""The public API as a client uses it: a session or device key, patience when the city is not there, and counts."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

import httpx
import structlog

log = structlog.get_logger()

_TIMEOUT_S: Final = 10.0
#: Between two tries when the city does not answer.
_PATIENCE_S: Final = 2.0
#: Answers that say "not now": of the city, or of a proxy that waited in vain for it.
PASSING: Final = frozenset({408, 429, 502, 503, 504})
#: However long an answer asks us to wait.
_LONGEST_WAIT_S: Final = 30.0


class Api:
    """One client's way in. `counts` is of answers by kind, and may be shared by many clients."""

    def __init__(self, base_url: str, counts: Counter[str], token: str | None = None) -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._client = httpx.AsyncClient(base_url=base_url, headers=headers, timeout=_TIMEOUT_S)
        self._counts = counts

    async def close(self) -> None:
        await self._client.aclose()

    async def sign_in(self, username: str, password: str) -> None:
        """Get a session and use it from now on; tries until the city is there. Raises PermissionError on a refusal."""
        while True:
            answer = await self.send("POST", "/api/v1/session", json={"username": username, "password": password})
            if answer is not None and answer.status_code < 300:
                # The bearer token alone: with the cookie too, each write would need an Origin.
                self._client.cookies.clear()
                self._client.headers["Authorization"] = f"Bearer {answer.json()['token']}"
                return
            if answer is not None and answer.status_code in (401, 403, 422):
                raise PermissionError(f"{username} could not sign in ({answer.status_code})")
            await asyncio.sleep(_PATIENCE_S)

    async def send(self, method: str, path: str, **options: Any) -> httpx.Response | None:
        """One request; None when nobody answered. `PASSING` answers come after the wait they ask for (at most 30 s)."""
        try:
            answer = await self._client.request(method, path, **options)
        except httpx.HTTPError as error:
            self._counts["unreachable"] += 1
            log.debug("unreachable", path=path, error=type(error).__name__)
            await asyncio.sleep(_PATIENCE_S)
            return None
        self._counts[f"{answer.status_code // 100}xx"] += 1
        if answer.status_code in PASSING:
            await asyncio.sleep(_asked_to_wait(answer))
        return answer

    async def items(self, path: str, **parameters: str | int) -> Sequence[Mapping[str, Any]]:
        """The first page of a list; empty when it could not be had."""
        answer = await self.send("GET", path, params=parameters)
        if answer is None or answer.status_code != 200:
            return []
        found: Sequence[Mapping[str, Any]] = answer.json()["items"]
        return found


def _asked_to_wait(answer: httpx.Response) -> float:
    """Seconds of `Retry-After`. A date, which proxies may send, counts as not said: clocks differ."""
    said = answer.headers.get("retry-after", "")
    return min(float(said), _LONGEST_WAIT_S) if said.isdecimal() else _PATIENCE_S
