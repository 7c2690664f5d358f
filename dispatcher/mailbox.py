"""The channel that is always there: each message a readable file below the data directory, as e-mail is written."""

import os
import time
from email.message import EmailMessage
from email.utils import formatdate
from pathlib import Path
from typing import Final

from dispatcher.parcel import Address, Message, Outcome

NAME: Final = "mailbox"
_FOLDERS: Final = {"user": "staff", "report": "reports", "group": "groups"}


class Mailbox:
    """`<root>/staff/<username>/<id>.eml`, `<root>/reports/<report id>/…`. Whoever has a mail server may feed it from
    there. A message that is written twice is one file."""

    name: Final = NAME
    takes_ids: Final = True
    at_once: Final = 4

    def __init__(self, root: Path) -> None:
        self._root = root

    def send(self, message: Message) -> Outcome:
        """Write the file, whole: it is there under its name once it is complete and on the disk."""
        folder = self.folder(message.to)
        path = folder / f"{message.id}.eml"
        partial = folder / f".{message.id}.{os.getpid()}"
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with partial.open("wb") as file:
                file.write(bytes(_mail(message)))
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
            _sync(folder)
        except OSError as error:
            return Outcome(False, f"the mailbox cannot be written ({error.strerror or type(error).__name__})")
        return Outcome(True, "written")

    def folder(self, to: Address) -> Path:
        """Where the messages of a receiver are."""
        kind, _, name = to.receiver.partition(":")
        return self._root / _FOLDERS[kind] / name

    def reports(self) -> list[str]:
        """The reports whose reporters have messages here."""
        folder = self._root / _FOLDERS["report"]
        return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []

    def forget(self, report_ids: list[str]) -> None:
        """Remove the messages to these reporters."""
        for report_id in report_ids:
            folder = self.folder(Address(f"report:{report_id}"))
            for path in folder.iterdir():
                path.unlink(missing_ok=True)
            folder.rmdir()

    def sweep(self, days: int) -> int:
        """Remove what is older than `days`; answers how many."""
        oldest = time.time() - days * 86_400
        old = [path for path in self._root.glob("*/*/*") if path.stat().st_mtime < oldest]
        for path in old:
            path.unlink(missing_ok=True)
        return len(old)


def _mail(message: Message) -> EmailMessage:
    mail = EmailMessage()
    to = message.to
    # a name of staff is not an address; whoever sends it on knows where they read
    mail["To"] = to.email or f"{to.phone or to.name}@patriot.invalid".replace(" ", "")
    mail["From"] = "patriot@patriot.invalid"
    mail["Subject"] = " ".join(message.words.subject.split())
    mail["Date"] = formatdate(usegmt=True)
    mail["Message-ID"] = f"<{message.id}@patriot.invalid>"
    mail["Content-Language"] = message.language
    mail["Auto-Submitted"] = "auto-generated"
    if message.urgent:
        mail["Importance"] = "high"
    mail.set_content(message.words.text)
    return mail


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
