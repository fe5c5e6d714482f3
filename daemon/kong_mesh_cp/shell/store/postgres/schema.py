"""How an empty database, or an older store, becomes a current one."""

from __future__ import annotations

from pathlib import Path

import psycopg

from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.shell.store.postgres.address import SCHEMA, PostgresAddress
from kong_mesh_cp.shell.store.postgres.connections import (
    Connection,
    naming_who_locks,
    transaction,
)
from kong_mesh_cp.shell.store.postgres.failures import (
    denied,
    read_only,
    schema_disputed,
    unsuitable,
)
from kong_mesh_cp.shell.store.schema import Migration, read_migrations

MIGRATIONS = Path(__file__).with_name("migrations")
_VERSIONS = "store_version"  # the table whose lock is held by who migrates
# Longer than anything else waits: a step over many rows takes its time. Less than a connection
# waits for an answer, so that it is said whose lock it was.
LOCK_SECONDS_MAX = 12
_READ_ONLY = (
    "SELECT pg_is_in_recovery() OR current_setting('default_transaction_read_only')::boolean"
)
_HAS_SCHEMA = "SELECT to_regnamespace(%s) IS NOT NULL"
_LACKING = (
    "SELECT c.relname, string_agg(p.name, ', ' ORDER BY p.name) FROM pg_class AS c"
    " CROSS JOIN (VALUES ('SELECT'), ('INSERT'), ('UPDATE'), ('DELETE')) AS p (name)"
    " WHERE c.relnamespace = to_regnamespace(%s) AND c.relkind = 'r' AND c.relname <> %s"
    " AND NOT has_table_privilege(c.oid, p.name) GROUP BY c.relname ORDER BY c.relname"
)
RACES_MAX = 10  # starts that made the schema just now; each is seen by the next attempt


class _MadeMeanwhileError(Exception):
    """Another start has made the schema."""


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
    """Make all missing steps in one transaction; one control plane at a time.

    Gives the version of before. Takes a connection that is in no transaction; after an error it is
    to be closed. Raises: StateError `state-unsuitable`, `store-busy`, `store-denied`,
    `store-newer`;
    psycopg.Error, LostWhileCommittingError.
    """
    (encoding,) = connection.execute("SHOW server_encoding").fetchone() or ("?",)
    if encoding != "UTF8":
        raise unsuitable(encoding, address)
    version = recognise(connection, address, newest=steps[-1].number)
    if version == steps[-1].number:
        require_rights(connection, address)
        return version  # without a lock, which another session might hold
    for _ in range(RACES_MAX):
        try:
            return naming_who_locks(
                connection,
                lambda c: transaction(c, lambda held: _migrate(held, address, steps)),
                address,
                _VERSIONS,
            )
        except _MadeMeanwhileError:
            connection.execute("ROLLBACK")
    raise schema_disputed(address)


def require_rights(connection: Connection, address: PostgresAddress) -> None:
    """The role may read and write every table, whoever has made them.

    Raises: StateError `store-denied`, which names all that is lacking; psycopg.Error.
    """
    lacking = connection.execute(_LACKING, (SCHEMA, _VERSIONS)).fetchall()
    if lacking:
        tables = "; ".join(f"{rights} on {table}" for table, rights in lacking)
        raise denied(f"the role lacks rights: {tables}", address)


def require_writable(connection: Connection, address: PostgresAddress) -> None:
    """Outside of a transaction. Raises: StateError `store-readonly`; psycopg.Error."""
    if connection.execute(_READ_ONLY).fetchone() == (True,):
        raise read_only(address)


def _migrate(connection: Connection, address: PostgresAddress, steps: tuple[Migration, ...]) -> int:
    connection.execute("SET LOCAL statement_timeout = 0")
    connection.execute(f"SET LOCAL lock_timeout = '{LOCK_SECONDS_MAX}s'".encode())
    # Asked first: with the schema there, the right to make schemas is not needed any more.
    if not _has_versions(connection):
        _make_versions(connection)
    # It keeps out no readers.
    connection.execute("LOCK TABLE store_version IN EXCLUSIVE MODE")
    version = recognise(connection, address, newest=steps[-1].number)
    for step in steps:
        if step.number > version:
            connection.execute(step.sql.encode())
            connection.execute("UPDATE store_version SET version = %s", (step.number,))
    return version


def _make_versions(connection: Connection) -> None:
    """Raises: _MadeMeanwhileError, after waiting for the end of the start that was faster."""
    try:
        # Where an administrator has made it, the right to make schemas is not needed.
        if connection.execute(_HAS_SCHEMA, (SCHEMA,)).fetchone() != (True,):
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
        connection.execute("CREATE TABLE store_version (version integer NOT NULL)")
    except (
        psycopg.errors.UniqueViolation,
        psycopg.errors.DuplicateSchema,
        psycopg.errors.DuplicateTable,
    ) as error:
        raise _MadeMeanwhileError from error
    connection.execute("INSERT INTO store_version VALUES (0)")


def _has_versions(connection: Connection) -> bool:
    found = connection.execute(
        "SELECT to_regclass(%s) IS NOT NULL", (f"{SCHEMA}.{_VERSIONS}",)
    ).fetchone()
    return found == (True,)
