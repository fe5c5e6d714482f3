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


def recognise(connection: Connection, address: PostgresAddress, *, newest: int) -> int:
    """The version of the store, 0 where there is none. Changes nothing.

    Raises: StateError `store-newer`; psycopg.Error.
    """
    if not _has_versions(connection):
        return 0
    row = connection.execute("SELECT version FROM store_version").fetchone()
    version = 0 if row is None else int(row[0])
    if version > newest:
        raise StateError(
            f"the store in {address} was made by a newer release (store version {version};"
            f" this one knows {newest})",
            code="store-newer",
            hint="Install that release again, or give this one a database of its own.",
        )
    return version


def migrate(connection: Connection, address: PostgresAddress, steps: tuple[Migration, ...]) -> int:
    """Make all missing steps in the caller's transaction; one control plane at a time.

    Gives the version of before. Raises: StateError `state-unsuitable`, `store-newer`;
    psycopg.Error.
    """
    (encoding,) = connection.execute("SHOW server_encoding").fetchone() or ("?",)
    if encoding != "UTF8":
        raise unsuitable(encoding, address)
    # A step over many rows takes its time, and whoever starts beside it has to wait.
    connection.execute("SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0")
    connection.execute("SELECT pg_advisory_xact_lock(%s)", (MIGRATING_LOCK,))
    # Asked first: with the schema there, the right to make schemas is not needed any more.
    if not _has_versions(connection):
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
        connection.execute("CREATE TABLE store_version (version integer NOT NULL)")
        connection.execute("INSERT INTO store_version VALUES (0)")
    version = recognise(connection, address, newest=steps[-1].number)
    for step in steps:
        if step.number > version:
            connection.execute(step.sql.encode())
            connection.execute("UPDATE store_version SET version = %s", (step.number,))

    return version


def _has_versions(connection: Connection) -> bool:
    found = connection.execute(
        "SELECT to_regclass(%s) IS NOT NULL", (f"{SCHEMA}.store_version",)
    ).fetchone()
    return found == (True,)
