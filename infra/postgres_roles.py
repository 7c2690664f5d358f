"""What each service may do in the database, as data: no more than it needs. Who migrates owns everything.

The roles cannot log in; a login is made a member: `CREATE ROLE ingest LOGIN PASSWORD '…' IN ROLE patriot_ingest`. The
desk sets its role on every connection, whoever it logs in as, so that row-level security holds for it in every
installation; for that whoever migrates may become it. The feed has no business with the database.
"""

from collections.abc import Mapping
from typing import Final

from infra.postgres import Connection

#: Everything of an account but what its owner knows and has.
_ACCOUNT: Final = (
    "username", "display_name", "role", "agencies", "kecamatan", "kelurahan", "created_at", "disabled_at",
    "must_change_password",
)  # fmt: skip

Columns = tuple[str, ...]
#: Per privilege the tables, with the columns where it is not all of them.
Grants = Mapping[str, Mapping[str, Columns]]

_OF_INCIDENTS: Final = ("incident", "incident_history", "incident_decision", "incident_evidence", "deadline")
_OF_WORK: Final = ("officer", "assignment", "assignment_history", "offering")
#: What is written of it by whoever asks an officer.
_OF_OFFERS: Final = ("assignment", "assignment_history", "offering")
#: What opens an account beside its password.
_OF_SIGN_IN: Final = ("recovery_code", "password_reset")
_OF_DEVICES: Final = ("sensor", "wifi_node", "traffic_reading", "wifi_reading")
_OF_KAFKA: Final = ("consumer_offset", "seen_event", "dead_letter", "breaker", "outbox", "feed_mark", "pulse", "kpi")
#: What the city has decided: read by all who decide, put by the desk.
_OF_POLICY: Final = ("policy",)
#: And what it may decide next.
_OF_DRAFTS: Final = ("rule_draft",)
#: What reporters said of answers, and which incidents their reports were in.
_OF_REPORTERS: Final = ("report_move", "feedback")
#: What changes when reports change hands.
_OF_MERGING: Final = ("incident_id", "home")
#: And when their photos' time is over.
_OF_REPORTS: Final = (*_OF_MERGING, "photos")
#: What each sealed entry has beside what it tells.
_OF_SEALER: Final = ("seq", "hash")
#: What people at a desk keep for themselves and each other.
_OF_DESKS: Final = ("standard_text", "saved_filter")
#: What every change of an incident is told to besides: the board as it was, and the audit.
_OF_TRUST: Final = ("board_row", "board_stay", "audit_entry")
#: Who is told what; the contacts of reporters are read by whoever sends it.
_OF_TELLING: Final = ("notification", "notification_move", "push_subscription", "notification_setting")
#: And what receivers say of how they are reached.
_OF_RECEIVERS: Final = ("push_subscription", "notification_setting")


def _all(*tables: str) -> dict[str, Columns]:
    return dict.fromkeys(tables, ())


ROLES: Final[Mapping[str, Grants]] = {
    # device keys and sessions, to know who sends
    "patriot_ingest": {
        "SELECT": {"account": _ACCOUNT, "session": (), "device_key": (), "city": ()},
    },
    "patriot_dispatcher": {
        "SELECT": {
            **_all(
                *_OF_INCIDENTS, *_OF_WORK, *_OF_DEVICES, *_OF_KAFKA, *_OF_POLICY, "shift", "report", "contact",
                *_OF_TRUST, *_OF_TELLING, "audit_head", "erasure", "schema_migration", "city", *_OF_REPORTERS,
            ),
            "account": _ACCOUNT,
            # to sweep what is past its time, so many rows at once
            "session": ("expires_at", "ctid"),
            "command_receipt": ("at", "ctid"),
        },
        "INSERT": _all(
            *_OF_INCIDENTS, *_OF_WORK, *_OF_DEVICES, *_OF_KAFKA, "report", "contact", *_OF_TRUST, "audit_head",
            *_OF_TELLING,
        ),
        "UPDATE": _all(
            "incident", "deadline", "officer", "assignment", "offering", "sensor", "wifi_node", "contact",
            "audit_head", "board_stay", *_OF_KAFKA, *_OF_TELLING
        ) | {
            "audit_entry": _OF_SEALER,
            # when its time is over
            "report": ("description", "address"),
        },
        "DELETE": _all(
            "contact", "deadline", "offering", "outbox", "dead_letter", "breaker", "kpi", "session", "command_receipt",
            "board_row", "board_stay", *_OF_TELLING,
        ),
    },
    # each under its row-level security: infra/migrations/0006_access.sql
    "patriot_desk": {
        "SELECT": _all(
            *_OF_INCIDENTS, *_OF_WORK, *_OF_POLICY, *_OF_DRAFTS, "shift", "sensor", "wifi_node", "report", "account",
            "session", "device_key", *_OF_SIGN_IN, "contact", "command_receipt", "schema_migration", "city",
            "board_stay", "handover", *_OF_DESKS, *_OF_REPORTERS,
            "notification", *_OF_RECEIVERS,
        ) | {
            # whether a report came: no value of a record
            "consumer_offset": ("topic", "as_of"),
            "dead_letter": ("topic", "headers", "state"),
        },
        "INSERT": _all(
            *_OF_INCIDENTS, *_OF_POLICY, *_OF_DRAFTS, *_OF_OFFERS, "shift", "session", "account", "officer",
            "device_key", *_OF_SIGN_IN, "command_receipt", "outbox",
            *_OF_TRUST, "handover", *_OF_DESKS, *_OF_REPORTERS, "notification_move", *_OF_RECEIVERS,
        ),
        "UPDATE": _all(
            "account", "session", "device_key", *_OF_DRAFTS, *_OF_DESKS, *_OF_RECEIVERS,
            "incident", "deadline", "officer", "assignment", "offering", "shift", "command_receipt", "board_stay"
        ) | {"handover": ("taken_at", "remark"), "report": _OF_REPORTS, "incident_evidence": _OF_MERGING},
        "DELETE": _all("deadline", "offering", "shift", "session", *_OF_SIGN_IN, "command_receipt", *_OF_DESKS,
            *_OF_RECEIVERS,
        ),
    },
}  # fmt: skip

#: The sequence behind the outbox, which a relay moves when Kafka was further, and days of partitioned tables.
_MORE: Final = (
    "GRANT SELECT, UPDATE ON SEQUENCE outbox_seq_seq TO patriot_dispatcher",
    "GRANT EXECUTE ON FUNCTION add_day(text, date), drop_day(text, date) TO patriot_dispatcher",
    "GRANT EXECUTE ON FUNCTION board_at(timestamptz) TO patriot_desk",
    "GRANT EXECUTE ON FUNCTION agencies_around(text), incidents_of_code(text) TO patriot_desk",
    "GRANT EXECUTE ON FUNCTION acknowledge_notification(text) TO patriot_desk",
    "GRANT EXECUTE ON FUNCTION holders_of(text), merged_tree(text) TO patriot_desk, patriot_dispatcher",
)


async def make(connection: Connection) -> None:
    """Make the roles that are missing. Call it before migrations: policies name roles.

    Raises `asyncpg.InsufficientPrivilegeError` when some are missing and we may not make roles.
    """
    there = {
        row["rolname"]
        for row in await connection.fetch("SELECT rolname FROM pg_roles WHERE rolname = ANY($1)", list(ROLES))
    }
    for role in ROLES:
        if role not in there:
            # Others may make them at this moment: roles belong to the server, not to the database.
            await connection.execute(
                f"DO $$ BEGIN CREATE ROLE {role} NOLOGIN;"
                " EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
            )


async def grant(connection: Connection) -> list[str]:
    """Make the roles that are missing and give each just this; returns their names. Safe twice.

    Raises `asyncpg.InsufficientPrivilegeError` when we may not.
    """
    await make(connection)
    commands = []
    for role, grants in ROLES.items():
        commands += [
            f"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {role}",
            f"REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM {role}",
            f"GRANT USAGE ON SCHEMA public TO {role}",
        ]
        for privilege, tables in grants.items():
            for table, columns in tables.items():
                only = f" ({', '.join(columns)})" if columns else ""
                commands.append(f"GRANT {privilege}{only} ON {table} TO {role}")
    async with connection.transaction():
        # In one command: a hundred ways to the server and back are a part of every start.
        await connection.execute(";".join([*commands, *_MORE]))
        if not await connection.fetchval("SELECT pg_has_role(current_user, 'patriot_desk', 'SET')"):
            await connection.execute("GRANT patriot_desk TO CURRENT_USER WITH INHERIT FALSE, SET TRUE")
    return list(ROLES)
