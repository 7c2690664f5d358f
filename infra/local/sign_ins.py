"""The first sign-ins: an admin, a device key and, for a simulated city, its staff; each `up` tells the same."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

import msgspec

from dispatcher.desk import accounts, device_keys
from infra.access import DEVICE_PREFIX, new_token
from infra.local.addresses import SignIns
from infra.local.data_dir import DataDir
from infra.postgres import Connection, connect
from schemas.place import AgencyRef
from schemas.vocabulary import Role

_ADMIN, _DEVICE, _SIMULATED = "admin-password", "device-key", "simulated-accounts.json"


class SimulatedAccount(msgspec.Struct, frozen=True):
    """Somebody whom `patriot simulate` plays; the file is an array of these."""

    username: str
    password: str
    role: Role


@dataclass(frozen=True, slots=True)
class Person:
    """A member of the simulated city's staff."""

    username: str
    display_name: str
    role: Role
    agency: str | None = None


#: Two operators, two shift leads, dispatchers and officers where the simulated city has the most to do. Officers who
#: are called alike but for a number share a day.
STAFF = (
    Person("simulasi-operator-1", "Rina Marlina (simulasi)", Role.OPERATOR),
    Person("simulasi-operator-2", "Dedi Kurniawan (simulasi)", Role.OPERATOR),
    Person("simulasi-kepala-1", "Tri Handayani (simulasi)", Role.SUPERVISOR),
    Person("simulasi-kepala-2", "Bambang Susilo (simulasi)", Role.SUPERVISOR),
    Person("simulasi-pengirim-dishub", "Wawan Setiawan (simulasi)", Role.DISPATCHER, "32.75/DISHUB"),
    Person("simulasi-pengirim-dlh", "Nining Rahayu (simulasi)", Role.DISPATCHER, "32.75/DLH"),
    Person("simulasi-pengirim-dbmsda", "Slamet Riyadi (simulasi)", Role.DISPATCHER, "32.75/DBMSDA"),
    Person("simulasi-pengirim-pju", "Yuni Astuti (simulasi)", Role.DISPATCHER, "32.75/PJU"),
    Person("simulasi-pengirim-wifi", "Imam Hanafi (simulasi)", Role.DISPATCHER, "32.75/DISKOMINFO"),
    Person("simulasi-pengirim-kab", "Neng Rohayati (simulasi)", Role.DISPATCHER, "32.16/DISHUB"),
    Person("simulasi-pengirim-kab-dlh", "Dadang Supriatna (simulasi)", Role.DISPATCHER, "32.16/DLH"),
    Person("simulasi-pengirim-kab-dbmsda", "Tatang Koswara (simulasi)", Role.DISPATCHER, "32.16/DBMSDA"),
    Person("simulasi-dishub-1", "Budi Santoso (simulasi)", Role.OFFICER, "32.75/DISHUB"),
    Person("simulasi-dishub-2", "Agus Wijaya (simulasi)", Role.OFFICER, "32.75/DISHUB"),
    Person("simulasi-dishub-3", "Siti Nurhaliza (simulasi)", Role.OFFICER, "32.75/DISHUB"),
    Person("simulasi-dlh-1", "Sari Wulandari (simulasi)", Role.OFFICER, "32.75/DLH"),
    Person("simulasi-dlh-2", "Joko Prasetyo (simulasi)", Role.OFFICER, "32.75/DLH"),
    Person("simulasi-dbmsda-1", "Asep Hidayat (simulasi)", Role.OFFICER, "32.75/DBMSDA"),
    Person("simulasi-dbmsda-2", "Maya Lestari (simulasi)", Role.OFFICER, "32.75/DBMSDA"),
    Person("simulasi-pju-1", "Hendra Gunawan (simulasi)", Role.OFFICER, "32.75/PJU"),
    Person("simulasi-wifi-1", "Fitri Handayani (simulasi)", Role.OFFICER, "32.75/DISKOMINFO"),
    Person("simulasi-kab-dishub-1", "Ujang Suryana (simulasi)", Role.OFFICER, "32.16/DISHUB"),
    Person("simulasi-kab-dlh-1", "Euis Komariah (simulasi)", Role.OFFICER, "32.16/DLH"),
    Person("simulasi-kab-dbmsda-1", "Rahmat Effendi (simulasi)", Role.OFFICER, "32.16/DBMSDA"),
)


async def ensure(dsn: str, data: DataDir, admin_password: str | None, *, simulate: bool) -> SignIns:
    """The sign-ins of this data directory, made where they are missing.

    `admin_password` counts only for an admin that does not exist yet. For one that was made elsewhere (an outside
    database) the password we tell is the one given, or empty when none was.
    """
    connection = await connect(dsn, application="patriot-up")
    try:
        kept = data.kept(_ADMIN)
        password = admin_password or kept or secrets.token_urlsafe(12)
        if kept is None:
            # Before the account: killed in between, the next `up` makes it with the password it can tell.
            data.keep(_ADMIN, password)
        made = await accounts.ensure_first_admin(connection, password)
        if made:
            data.keep(_ADMIN, password)
        elif kept is None:
            data.secret_file(_ADMIN).unlink(missing_ok=True)
        device_key = data.secret(_DEVICE, new_token(DEVICE_PREFIX))
        await device_keys.ensure(connection, device_key, name="patriot up")
        if simulate and (made or _employed(data) != {person.username for person in STAFF}):
            await _employ(connection, data)
    finally:
        await connection.close(timeout=5)
    return SignIns(
        admin_password=password if made else kept or admin_password or "",
        device_api_key=device_key,
        simulated=str(data.secret_file(_SIMULATED)) if simulate else None,
        is_new=made,
    )


def _employed(data: DataDir) -> set[str]:
    """Whom the kept file knows; an earlier release employed fewer."""
    kept = data.kept(_SIMULATED)
    return {one.username for one in msgspec.json.decode(kept, type=list[SimulatedAccount])} if kept else set()


async def _employ(connection: Connection, data: DataDir) -> None:
    """Accounts for the simulated staff; the file comes last, so that half a staff is completed by the next `up`."""
    people: list[SimulatedAccount] = []
    for person in STAFF:
        password = secrets.token_urlsafe(18)
        agencies = [AgencyRef.parse(person.agency)] if person.agency else []
        new = accounts.account(person.username, person.role, agencies, display_name=person.display_name)
        try:
            await accounts.add(connection, new, password)
        except accounts.AccountError:
            await accounts.set_password(connection, person.username, password)
        people.append(SimulatedAccount(person.username, password, person.role))
    data.keep(_SIMULATED, msgspec.json.encode(people).decode())
