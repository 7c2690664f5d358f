"""Whom PostgreSQL runs as: it refuses to run as root, so root lends it an account without rights."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

#: Made when root runs the stack and there is no account for PostgreSQL yet.
_OWN = "patriot-postgres"


class PopenOptions(TypedDict, total=False):
    """The part of Popen's arguments that changes the user."""

    user: int
    group: int
    extra_groups: list[int]


@dataclass(frozen=True, slots=True)
class Account:
    """A system account to run a child as."""

    uid: int
    gid: int

    def popen_options(self) -> PopenOptions:
        """Arguments for subprocess that drop every right but this account's."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []}


def for_postgres(existing: Path) -> Account | None:
    """The account to run PostgreSQL as: None (our own) unless we are root.

    An `existing` database keeps its owner. Else our own system account, made when missing; where none can be made,
    `nobody`.
    """
    if os.geteuid() != 0:
        return None
    if existing.exists() and existing.stat().st_uid != 0:
        stat = existing.stat()
        return Account(stat.st_uid, stat.st_gid)
    for name in (_OWN, "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            if name != _OWN or not _make(name):
                continue
            entry = pwd.getpwnam(name)
        return Account(entry.pw_uid, entry.pw_gid)
    raise OSError("there is no account without rights (nobody) to run PostgreSQL as")


def let_through(path: Path, account: Account | None) -> list[Path]:
    """Let `account` reach `path` through each directory above it, and answer the directories that were changed.

    Only the right to pass (x) is given, never the right to list (r).
    """
    changed: list[Path] = []
    if account is None:
        return changed
    for parent in path.resolve().parents:
        mode = parent.stat().st_mode
        if not mode & 0o001 and parent.stat().st_uid != account.uid:
            parent.chmod(mode | 0o001)
            changed.append(parent)
    return changed


def let_read(tree: Path, account: Account | None) -> None:
    """Let others read and run what is below `tree`: programs that were installed for our own eyes (umask 077)."""
    if account is None or tree.stat().st_mode & 0o005 == 0o005:
        return
    for path in (tree, *tree.rglob("*")):
        if not path.is_symlink():
            mode = path.stat().st_mode
            path.chmod(mode | 0o004 | (0o001 if mode & 0o100 else 0))


def _make(name: str) -> bool:
    useradd = shutil.which("useradd") or shutil.which("useradd", path="/usr/sbin:/sbin")
    if useradd is None:
        return False
    done = subprocess.run(
        [useradd, "--system", "--no-create-home", "--home-dir", "/nonexistent", "--shell", "/usr/sbin/nologin", name],
        check=False,
        capture_output=True,
        timeout=30,
    )
    return done.returncode == 0
