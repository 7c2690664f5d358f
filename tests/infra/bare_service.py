"""A service without a room, for the tests of `infra.server`: python -m tests.infra.bare_service PORT"""

import sys

from infra import log, server
from infra.http import build_app

if __name__ == "__main__":
    log.configure("bare")
    server.run(build_app([]), server.listen("127.0.0.1", int(sys.argv[1])))
