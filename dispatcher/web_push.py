"""Web push to the browsers that somebody has subscribed with (RFC 8030; `pywebpush` encrypts, RFC 8291 and 8292)."""

from collections.abc import Collection
from datetime import timedelta
from typing import Final

import requests
from py_vapid import Vapid02
from pywebpush import WebPushException, webpush

from dispatcher.parcel import Message, Outcome
from dispatcher.push_services import is_push_service, vapid_key
from dispatcher.subscription_store import Subscription
from schemas.wire import encode

NAME: Final = "push"
#: Seconds to connect and to be answered, each.
_TIMEOUT_S: Final = 5.0
#: A browser shows the beginning of a longer text; a push service takes 4 KiB, encrypted.
_MOST_TEXT: Final = 2_000
#: The push service knows the browser no more.
_GONE: Final = frozenset({404, 410})
_RETRY: Final = frozenset({408, 429})
_SERVER: Final = 500


class WebPush:
    """The channel. A repeat has the same `Topic`, by which a push service replaces what it has not delivered yet, and
    the same `tag`, by which a browser replaces what it shows."""

    name: Final = NAME
    takes_ids: Final = True
    at_once: Final = 4

    def __init__(self, secret: bytes, services: Collection[str], contact: str) -> None:
        """`contact`: a URL by which push services find whoever runs this."""
        self._key = Vapid02(vapid_key(secret))
        self._services = services
        self._contact = contact

    def send(self, message: Message) -> Outcome:
        """To every browser of the receiver; delivered when one has taken it."""
        outcomes = [self._to(one, message) for one in message.to.subscriptions]
        if not outcomes:
            return Outcome(False, "no browser", final=True)
        gone = tuple(endpoint for outcome in outcomes for endpoint in outcome.gone)
        best = next((one for one in outcomes if one.delivered), None) or next(
            (one for one in outcomes if not one.final), outcomes[0]
        )
        waits = [one.retry_after for one in outcomes if one.retry_after]
        return Outcome(best.delivered, best.came_back, best.final, max(waits, default=None), gone)

    def _to(self, browser: Subscription, message: Message) -> Outcome:
        if not is_push_service(browser.endpoint, self._services):
            return Outcome(False, "no push service that we know", final=True)
        try:
            webpush(
                {"endpoint": browser.endpoint, "keys": {"p256dh": browser.p256dh, "auth": browser.auth}},
                data=_payload(message),
                vapid_private_key=self._key,
                vapid_claims={"sub": self._contact},
                ttl=message.expires_s,
                headers={"Topic": message.id.replace("-", ""), "Urgency": "high" if message.urgent else "normal"},
                timeout=_TIMEOUT_S,
                requests_session=_session(),
            )
        except WebPushException as error:
            return _refused(browser.endpoint, error.response)
        except requests.RequestException as error:
            return Outcome(False, f"no answer ({type(error).__name__})")
        except (ValueError, TypeError):
            # keys that are none: whoever subscribed has sent nonsense that looked like keys
            return Outcome(False, "keys that cannot be used", final=True, gone=(browser.endpoint,))
        return Outcome(True, "accepted")


def _session() -> requests.Session:
    session = requests.Session()
    # a redirect might lead anywhere
    session.max_redirects = 0
    return session


def _payload(message: Message) -> str:
    words = message.words
    return encode(
        {"id": message.id, "tag": message.id, "title": words.subject, "body": words.text[:_MOST_TEXT],
         "lang": message.language}
    ).decode()  # fmt: skip


def _refused(endpoint: str, response: requests.Response | None) -> Outcome:
    if response is None:
        return Outcome(False, "no answer")
    code = response.status_code
    if code in _GONE:
        return Outcome(False, f"HTTP {code}", final=True, gone=(endpoint,))
    passing = code in _RETRY or code >= _SERVER
    return Outcome(False, f"HTTP {code}", final=not passing, retry_after=_retry_after(response))


def _retry_after(response: requests.Response) -> timedelta | None:
    """Of seconds; a date is as good as none."""
    said = response.headers.get("Retry-After", "")
    return timedelta(seconds=min(int(said), 86_400)) if said.isascii() and said.isdigit() else None
