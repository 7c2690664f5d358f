"""What can go wrong while the embedded stack starts, told in one sentence a person can act on."""

from __future__ import annotations

import errno

import click


class Trouble(click.ClickException):
    """Ends a command with 1 and one clear line: what went wrong and what to do."""


def of_os_error(error: OSError, doing: str) -> Trouble:
    """The sentence for a system error met while `doing` something ("writing to /srv/patriot")."""
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            return Trouble(f"The disk is full ({doing}). Free some space, or choose another place with --data-dir.")
        case errno.EACCES | errno.EPERM:
            return Trouble(f"No permission ({doing}). Change its owner, or choose another place with --data-dir.")
        case errno.EROFS:
            return Trouble(f"The disk is read-only ({doing}). Choose another place with --data-dir.")
        case _:
            return Trouble(f"{error.strerror or error} ({doing}).")


def first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The one error to tell of several that came together: a Trouble if there is one."""
    alone = [error for one in group.exceptions for error in (_all(one))]
    return next((error for error in alone if isinstance(error, Trouble)), alone[0])


def _all(error: BaseException) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [inner for one in error.exceptions for inner in _all(one)]
    return [error]
