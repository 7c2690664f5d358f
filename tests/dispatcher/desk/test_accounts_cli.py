"""`patriot user` and `patriot apikey` as an administrator types them."""

import asyncio

import asyncpg
import pytest
from click.testing import CliRunner, Result

from dispatcher.desk import accounts, accounts_cli, device_keys
from infra.access import token_hash
from infra.postgres import connect


def run(database: str, *arguments: str, stdin: str = "", expect: int = 0) -> Result:
    group = {"user": accounts_cli.user, "apikey": accounts_cli.apikey}[arguments[0]]
    done = CliRunner().invoke(group, [*arguments[1:], "--postgres-dsn", database], input=stdin)
    assert done.exit_code == expect, done.output
    return done


def fetch(database: str, sql: str, *values: object) -> list[asyncpg.Record]:
    async def ask() -> list[asyncpg.Record]:
        connection = await connect(database, application="test")
        try:
            return await connection.fetch(sql, *values)
        finally:
            await connection.close()

    return asyncio.run(ask())


def test_an_officer_is_added_listed_and_disabled(database: str) -> None:
    arguments = ("user", "add", "Dishub-Budi", "--role", "officer", "--agency", "32.75/DISHUB", "--password-stdin")
    run(database, *arguments, stdin="petugas-2026\n")
    again = run(database, *arguments, stdin="petugas-2026\n", expect=1)
    assert again.stderr.strip() == "Error: there is an account dishub-budi already"
    assert "dishub-budi\tofficer\t32.75/DISHUB\tactive" in run(database, "user", "list").output
    [officer] = fetch(database, "SELECT agency, status FROM officer WHERE username = 'dishub-budi'")
    assert tuple(officer) == ("DISHUB", "off_duty")
    run(database, "user", "disable", "dishub-budi")
    run(database, "user", "disable", "dishub-budi")
    assert "dishub-budi\tofficer\t32.75/DISHUB\tdisabled" in run(database, "user", "list").output
    rows = fetch(database, "SELECT payload FROM outbox WHERE aggregateid = 'officers:dishub-budi' ORDER BY seq")
    assert rows[0]["payload"] is not None and rows[-1]["payload"] is None, "on the board, and off it again"
    assert run(database, "user", "disable", "nobody", expect=1).stderr.strip() == "Error: there is no account nobody"


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("x y", "--role", "operator"), 2, "a user name has"),
        (("budi", "--role", "king"), 2, "'king' is not one of"),
        (("budi",), 2, "Missing option '--role'"),
        (("budi", "--role", "officer"), 2, "needs --agency"),
        (("budi", "--role", "officer", "--agency", "DISHUB"), 2, "an agency is written REGENCY/CODE"),
        (("budi", "--role", "officer", "--agency", "32.75/DLH", "--agency", "32.75/PJU"), 2, "belongs to one agency"),
        (("budi", "--role", "area_head"), 2, "needs --kecamatan"),
        (("budi", "--role", "area_head", "--kecamatan", "99.99.99"), 2, "no kecamatan with this code"),
        (("budi", "--role", "area_head", "--kelurahan", "32.75.03.9999"), 2, "no kelurahan or desa with this code"),
        (("budi", "--role", "admin", "--agency", "32.75/DLH"), 2, "has no agency and no area"),
    ],
)
def test_wrong_usage_is_2_and_one_sentence(database: str, arguments: tuple[str, ...], code: int, says: str) -> None:
    done = run(database, "user", "add", *arguments, "--password-stdin", stdin="petugas-2026\n", expect=code)
    assert says in done.stderr


def test_passwords_come_from_standard_input_whole(database: str) -> None:
    for name, stdin in (
        ("satu", "kata sandi dengan spasi \n"),
        ("dua", "tanpa-baris-baru"),
        ("tiga", "é漢🚧-panjang\r\n"),
    ):
        run(database, "user", "add", name, "--role", "operator", "--password-stdin", stdin=stdin)
    run(database, "user", "add", "empat", "--role", "operator", "--password-stdin", stdin="\n", expect=1)
    short = run(database, "user", "add", "lima", "--role", "operator", "--password-stdin", stdin="x1\n")
    assert "easily guessed" in short.stderr and "easily" not in short.stdout


def test_a_key_is_shown_once_and_can_be_revoked(database: str) -> None:
    key = run(database, "apikey", "add", "kamera-simpang", "--scope", "telemetry").stdout.strip()
    [row] = fetch(database, "SELECT id, key_hash, scopes FROM device_key WHERE name = 'kamera-simpang'")
    assert key.startswith("pk_") and row["key_hash"] == token_hash(key) and row["scopes"] == ["telemetry"]
    listed = run(database, "apikey", "list").output
    assert f"{row['id']}\tkamera-simpang\ttelemetry\tactive" in listed and key not in listed
    run(database, "apikey", "revoke", "kamera-simpang")
    assert f"{row['id']}\tkamera-simpang\ttelemetry\trevoked" in run(database, "apikey", "list").output
    run(database, "apikey", "revoke", "nothing", expect=1)
    assert run(database, "apikey", "add", " ", expect=1).stderr


def test_a_database_that_is_away_is_one_sentence_without_its_password() -> None:
    for dsn in ("postgresql://u:geheim@127.0.0.1:1/x", "nonsense://u:geheim@x"):
        done = CliRunner().invoke(accounts_cli.user, ["list", "--postgres-dsn", dsn])
        assert done.exit_code == 1 and "geheim" not in done.output
        assert "does not answer" in done.stderr and done.stderr.count("\n") == 1


async def test_the_first_admin_and_device_key_are_made_once(database: str) -> None:
    connection = await connect(database, application="test")
    try:
        assert await accounts.ensure_first_admin(connection, "rahasia-pertama") is True
        assert await accounts.ensure_first_admin(connection, "rahasia-kedua") is False
        for _ in range(2):
            await device_keys.ensure(connection, "pk_" + "k" * 43, name="patriot up")
        assert await connection.fetchval("SELECT count(*) FROM device_key WHERE name = 'patriot up'") == 1
        await accounts.set_password(connection, "admin", "rahasia-ketiga")
        with pytest.raises(accounts.AccountError, match="no account"):
            await accounts.set_password(connection, "nobody", "x")
    finally:
        await connection.close()


def test_a_lurah_is_added_with_the_kecamatan_beside(database: str) -> None:
    arguments = ("user", "add", "lurah", "--role", "area_head", "--kelurahan", "32.75.03.1001", "--password-stdin")
    run(database, *arguments, stdin="lurah-2026\n")
    assert "lurah\tarea_head\t32.75.03.1001\tactive" in run(database, "user", "list").output
    [row] = fetch(database, "SELECT kecamatan FROM account WHERE username = 'lurah'")
    assert row["kecamatan"] == "32.75.03"


def test_an_account_is_enabled_again_and_reset_from_the_shell(database: str) -> None:
    arguments = ("user", "add", "poc-sari", "--role", "officer", "--agency", "32.75/DLH", "--password-stdin")
    run(database, *arguments, stdin="petugas-2026\n")
    run(database, "user", "disable", "poc-sari")
    run(database, "user", "enable", "poc-sari")
    run(database, "user", "enable", "POC-Sari")
    assert "poc-sari\tofficer\t32.75/DLH\tactive" in run(database, "user", "list").output
    rows = fetch(database, "SELECT payload FROM outbox WHERE aggregateid = 'officers:poc-sari' ORDER BY seq")
    assert [row["payload"] is None for row in rows] == [False, True, False], "off the board, and on it again"
    token = run(database, "user", "reset", "poc-sari", "--totp").output.strip()
    [kept] = fetch(database, "SELECT token_hash FROM password_reset WHERE username = 'poc-sari'")
    assert kept["token_hash"] == token_hash(token)
    run(database, "user", "reset", "nobody-here", expect=1)
    told = fetch(database, "SELECT action FROM audit_entry WHERE subject = 'account:poc-sari' ORDER BY id")
    assert [row["action"] for row in told] == [
        "account_added", "account_disabled", "account_enabled", "account_enabled", "password_reset_opened"
    ]  # fmt: skip
