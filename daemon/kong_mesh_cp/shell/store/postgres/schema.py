"""How an empty database, or an older store, becomes a current one."""

from __future__ import annotations

from pathlib import Path

from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.shell.store.postgres.address import SCHEMA, PostgresAddress
from kong_mesh_cp.shell.store.postgres.connections import Connection
from kong_mesh_cp.shell.store.postgres.failures import unsuitable
from kong_mesh_cp.shell.store.schema import Migration, read_migrations

MIGRATIONS = Path(__file__).with_name("migrations")
MIGRATING_LOCK = 0x4B4D4350  # any number, as long as every release takes the same one


def all_migrations() -> tuple[Migration, ...]:
    return read_migrations(MIGRATIONS)


def migrate(connection: Connection, address: PostgresAddress, steps: tuple[Migration, ...]) -> None:
    """Make all missing steps in the caller's transaction; one control plane at a time.

    Raises: StateError `state-unsuitable`, `store-newer`; psycopg.Error.
    """
    (encoding,) = connection.execute("SHOW server_encoding").fetchone() or ("?",)
    if encoding != "UTF8":
        raise unsuitable(encoding, address)
    # A step over many rows takes its time, and whoever starts beside it has to wait.
    connection.execute("SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0")
    connection.execute("SELECT pg_advisory_xact_lock(%s)", (MIGRATING_LOCK,))
    version = _version(connection)
    newest = steps[-1].number
    if version > newest:
        raise StateError(
            f"the store in {address} was made by a newer release (store version {version};"
            f" this one knows {newest})",
            code="store-newer",
            hint="Install that release again, or give this one a database of its own.",
        )
    for step in steps:
        if step.number > version:
            connection.execute(step.sql.encode())
            connection.execute("UPDATE store_version SET version = %s", (step.number,))


def _version(connection: Connection) -> int:
    # Asked first: with the schema there, the right to make schemas is not needed any more.
    found = connection.execute(
        "SELECT to_regclass(%s) IS NOT NULL", (f"{SCHEMA}.store_version",)
    ).fetchone()
    if found == (True,):
        row = connection.execute("SELECT version FROM store_version").fetchone()
        return 0 if row is None else int(row[0])
    connection.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
    connection.execute("CREATE TABLE store_version (version integer NOT NULL)")
    connection.execute("INSERT INTO store_version VALUES (0)")
    return 0
