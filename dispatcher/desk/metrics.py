"""Prometheus metrics of the desk."""

from typing import Final

from prometheus_client import Counter

SIGN_INS: Final = Counter("patriot_desk_sign_ins_total", "Sign-ins by how they ended", ["outcome"])
for _outcome in ("ok", "refused", "throttled"):
    SIGN_INS.labels(_outcome)
COMMANDS: Final = Counter("patriot_desk_commands_total", "Verbs on incidents and assignments that were done", ["verb"])
ORPHANS_SWEPT: Final = Counter(
    "patriot_desk_orphaned_photos_swept_total", "Reports that never came, whose photos were forgotten"
)
DATABASE_AWAY: Final = Counter(
    "patriot_desk_database_away_total", "Requests answered 503 because PostgreSQL did not answer in time"
)
