"""E-mail, text messages, chat groups: whatever `apprise` can reach by an address (https://github.com/caronc/apprise)."""

import logging
import re
from dataclasses import dataclass
from datetime import timedelta
from string import Formatter
from typing import Final
from urllib.parse import quote

import apprise
from apprise.result import AppriseResult

from dispatcher.decisions.telling import Audience
from dispatcher.parcel import Address, Message, Outcome

#: What an address may have in braces: then each receiver has one of their own.
PLACEHOLDERS: Final = frozenset({"email", "phone", "username"})
#: Seconds that one attempt may take, beside apprise's own 4 s to connect and 4 s to read.
_TIMEOUT_S: Final = 15
#: These take headers of ours: the receiver can tell a repeat by its Idempotency-Key.
_WITH_HEADERS: Final = frozenset({"json", "jsons", "xml", "xmls", "form", "forms"})
#: apprise says which status came back, and keeps Retry-After to itself.
_STATUS: Final = re.compile(r"error=(\d{3})")
_TOO_MANY: Final = 429
_AFTER_TOO_MANY: Final = timedelta(minutes=1)
#: Its log names hosts and users.
logging.getLogger("apprise").propagate = False


class UrlError(ValueError):
    """A setting that cannot be used; the message does not repeat it, for it has secrets in it."""


@dataclass(frozen=True, slots=True)
class NotifyUrl:
    """One of `PATRIOT_NOTIFY_URLS`."""

    #: `url.1`, in their order.
    name: str
    audience: Audience
    url: str

    @property
    def placeholders(self) -> frozenset[str]:
        return _fields(self.url)

    @property
    def personal(self) -> bool:
        """Whether each receiver is reached apart; else all of the audience by one message."""
        return bool(self.placeholders)

    @property
    def takes_ids(self) -> bool:
        return self.url.partition(":")[0].lower() in _WITH_HEADERS

    @property
    def at_once(self) -> int:
        return 4

    def reaches(self, *, email: bool, phone: bool, username: bool) -> bool:
        """Whether somebody who has these can be reached."""
        had = {"email": email, "phone": phone, "username": username}
        return all(had[name] for name in self.placeholders)

    def send(self, message: Message) -> Outcome:
        """Hand it to apprise. A time-out counts as a failure, though the other side may have taken it."""
        url = self._filled(message.to, message.id)
        if url is None:
            return Outcome(False, "no address", final=True)
        sender = apprise.Apprise()
        if not sender.add(url):
            return Outcome(False, "apprise does not take the address", final=True)
        found = sender.notify(body=message.words.text, title=message.words.subject, timeout=_TIMEOUT_S)
        return _outcome(found)

    def _filled(self, to: Address, message_id: str) -> str | None:
        values = {
            "email": to.email,
            "phone": to.phone,
            "username": to.name if to.receiver.startswith("user:") else None,
        }
        wanted = {name: values[name] for name in self.placeholders}
        if any(value is None for value in wanted.values()):
            return None
        url = self.url.format_map({name: quote(value or "", safe="") for name, value in wanted.items()})
        if self.takes_ids:
            url += f"{'&' if '?' in url else '?'}+Idempotency-Key={message_id}"
        return url


def _outcome(found: AppriseResult) -> Outcome:
    if found:
        return Outcome(True, "accepted")
    said = " ".join(str(entry.message) for entry in found.logs())
    status = _STATUS.search(said)
    if status is None:
        return Outcome(False, "no answer")
    code = int(status[1])
    pause = _AFTER_TOO_MANY if code == _TOO_MANY else None
    return Outcome(False, f"HTTP {code}", retry_after=pause)


def parse(text: str) -> tuple[NotifyUrl, ...]:
    """`[audience=]URL`, separated by blanks; without an audience: staff. Raises `UrlError`."""
    found = []
    for number, part in enumerate(text.split(), 1):
        before, equals, after = part.partition("=")
        named = bool(equals) and before in frozenset(Audience)
        audience, url = (Audience(before), after) if named else (Audience.STAFF, part)
        try:
            fields = _fields(url)
        except ValueError as error:
            raise UrlError(f"number {number} has braces that are not closed") from error
        if fields - PLACEHOLDERS:
            raise UrlError(f"number {number} has braces with something else than {', '.join(sorted(PLACEHOLDERS))}")
        if (
            apprise.Apprise.instantiate(url.format_map(dict.fromkeys(fields, "0811111111")), suppress_exceptions=True)
            is None
        ):
            raise UrlError(f"number {number} is no address that apprise knows")
        found.append(NotifyUrl(f"url.{number}", audience, url))
    return tuple(found)


def _fields(url: str) -> frozenset[str]:
    return frozenset(name for _, name, _, _ in Formatter().parse(url) if name is not None)
