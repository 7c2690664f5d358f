"""How many sockets a node can hold: each is an open file, and the system's default of 1,024 files is soon used up."""

import resource
from typing import Final

import structlog

log = structlog.get_logger()

#: Files that are open beside the sockets: Kafka's connections, the listener, log, and what Python opens for a moment.
_OTHER_FILES: Final = 64


def make_room(wanted: int) -> int:
    """Raise this process' limit of open files as far as it may and `wanted` sockets need; for how many there is room.

    A node without files left could not even refuse: `accept` fails, and whoever knocks waits.
    """
    limit, highest = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit != resource.RLIM_INFINITY and limit < wanted + _OTHER_FILES:
        allowed = highest if highest != resource.RLIM_INFINITY else wanted + _OTHER_FILES
        limit = min(wanted + _OTHER_FILES, allowed)
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, highest))
    room = wanted if limit == resource.RLIM_INFINITY else min(wanted, limit - _OTHER_FILES)
    if room < wanted:
        log.warning("too_few_files", wanted=wanted, room=room)
    return room
