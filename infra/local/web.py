"""The web process of `patriot up`: ingest, desk and pages in one app, on one port."""

from command_center_ui.pages import room as pages_room
from command_center_ui.settings import PagesSettings
from dispatcher.desk.app import room as desk_room
from dispatcher.desk.settings import DeskSettings
from infra import log, server
from infra.http import build_app
from ingest.app import room as ingest_room
from ingest.settings import IngestSettings


def main() -> None:
    """Serve until SIGTERM or SIGINT. Everything is read from PATRIOT_… in the environment."""
    ingest = IngestSettings()  # type: ignore[call-arg]
    desk = DeskSettings()  # type: ignore[call-arg]
    pages = PagesSettings()  # type: ignore[call-arg]
    log.configure("web", log_format=ingest.log_format, level=ingest.log_level)
    listener = server.listen(ingest.host, ingest.port)
    app = build_app([ingest_room(ingest), desk_room(desk), pages_room(pages)], training=ingest.training)
    server.run(app, listener, tls_cert=ingest.tls_cert, tls_key=ingest.tls_key, connections=ingest.http_connections)


if __name__ == "__main__":
    main()
