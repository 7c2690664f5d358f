"""How far a transaction of the desk reaches: what PostgreSQL's row-level security is told of who asks.

The policies are in `infra/migrations/0006_access.sql`. They are a fence behind the desk's own conditions: a query that
forgets its WHERE shows and changes no more than the asker's scope. Whoever can send SQL of their own can also say who
they are; against that there are parameters in every statement.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from infra.access import Principal
from infra.postgres import Connection

#: The role that the desk works as, whoever it logs in as (`infra.postgres_roles`).
DATABASE_ROLE: Final = "patriot_desk"
_ALL: Final = "*"


@dataclass(frozen=True, slots=True)
class Reach:
    """Who asks, in the words of the policies; all of it empty: nothing is seen."""

    #: A role of the contract, or `citizen`, `reset`, `housekeeping`.
    role: str = ""
    #: Username.
    name: str = ""
    #: `*`, or REGENCY/CODE pairs with commas between.
    agencies: str = ""
    #: `*`, or the code of a kecamatan or kelurahan.
    area: str = ""
    #: A tracking code: its report, and the incidents that it is or was in.
    code: str = ""

    def sql(self, *, lock_timeout: str | None = None) -> str:
        """A command that says all of it, for the transaction that it is sent in."""
        incidents = f"incidents_of_code({_quoted(self.code)})" if self.code else "''"
        said = {
            "role": _quoted(self.role),
            "name": _quoted(self.name),
            "agencies": _quoted(self.agencies),
            "area": _quoted(self.area),
            "code": _quoted(self.code),
            "incidents": f"coalesce({incidents}, '')",
            "helpers": "''",
        }
        settings = {f"patriot.{what}": value for what, value in said.items()}
        if lock_timeout is not None:
            settings["lock_timeout"] = _quoted(lock_timeout)
        return "SELECT " + ", ".join(f"set_config('{name}', {value}, true)" for name, value in settings.items())


#: Anonymous callers and device keys.
NOBODY: Final = Reach()
#: The desk itself, when it sweeps: what is not known must be known not to be there.
HOUSEKEEPING: Final = Reach(role="housekeeping", agencies=_ALL, area=_ALL)


def of_principal(principal: Principal | None) -> Reach:
    """What this person may reach. Devices reach nothing."""
    if principal is None or principal.role is None:
        return NOBODY
    return Reach(
        role=principal.role.value,
        name=principal.name,
        agencies=",".join(map(str, principal.agencies)) or _ALL,
        area=principal.kelurahan or principal.kecamatan or _ALL,
    )


def of_code(code: str) -> Reach:
    """What a citizen with this tracking code may reach."""
    return Reach(role="citizen", code=code)


def of_account(username: str) -> Reach:
    """The own account, while its owner signs in or sets a password."""
    return Reach(name=username)


#: Whoever shows a one-time token: first it is not known whose it is.
RESETTING: Final = Reach(role="reset")


async def open_incidents(connection: Connection, incident_ids: Collection[str]) -> None:
    """Keep incidents in sight for the rest of the transaction, wherever a move takes them, with the officers of every
    agency that works on them. Call it once they were found in the asker's scope, or are to be seen for a reason."""
    await connection.execute(
        "SELECT set_config('patriot.incidents', concat_ws(',', asker('incidents'), $1::text), true),"
        " set_config('patriot.helpers', concat_ws(',', asker('helpers'), (SELECT string_agg(agencies_around(i), ',')"
        " FROM unnest(string_to_array($1::text, ',')) AS i)), true)",
        ",".join(incident_ids),
    )


def _quoted(text: str) -> str:
    """A literal of SQL. Names and codes were checked before; this holds for anything."""
    if "\x00" in text:
        raise ValueError("NUL in a value")
    return "E'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
